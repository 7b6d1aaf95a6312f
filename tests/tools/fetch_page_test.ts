import { expect } from "expect";
import { createFetchPage } from "../../tools/fetch_page.ts";
import { expectError, test } from "../guard/_setup.ts";
import { run, withApi } from "./http/_setup.ts";
import { within } from "../_yardstick.ts";

const SENTENCE = "Heat pumps deliver three units of heat, or more, for each unit of electricity.";

const ARTICLE = `<!doctype html><html><head><title>Heat &amp; pumps | Site</title>
<script>document.write("script")</script></head>
<body><nav><a href="/menu">Menu entry</a></nav>
<article><h1>Heat pumps</h1>${`<p>${SENTENCE}</p>`.repeat(12)}
<h2>Parts</h2><ul><li>a compressor</li><li>a <a href="../pumps/valve#top">valve</a></li></ul>
<table><tr><th>Part</th><th>Price</th></tr><tr><td>valve</td><td>3</td></tr></table>
<p><a href="javascript:alert(1)">Click</a> <a href="#x">up</a> <img src=x onerror="alert(1)">
<a href="https://other.example/">Another site</a> <a href="https://other.example/">again</a></p>
</article><footer>Imprint</footer></body></html>`;

const html = (text: string | Uint8Array<ArrayBuffer>, type = "text/html; charset=utf-8") =>
  new Response(text, { headers: { "content-type": type } });

/** Runs the tool against one answer. */
function withPage(
  answer: () => Response,
  use: (read: (args?: object) => Promise<Record<string, unknown>>, url: string) => Promise<void>,
): Promise<void> {
  return withApi(
    ({ url }) =>
      url.pathname === "/away" ? Response.redirect(new URL("/docs/page", url)) : answer(),
    async ({ url, egress }) => {
      const tool = createFetchPage({ egress });
      const page = `${url}/docs/page`;
      await use((args) => run(tool, { url: page, ...args }) as never, page);
    },
    ["127.0.0.1"],
  );
}

test("fetch_page returns the main text of a page, without scripts and menus", () =>
  withPage(() => html(ARTICLE), async (read, url) => {
    const page = await read();
    expect(page).toMatchObject({ url, title: expect.stringContaining("Heat & pumps") });
    const text = String(page.text);
    expect(text).toContain(`${SENTENCE}\n\n${SENTENCE}`);
    expect(text).toContain("Parts\n");
    expect(text).toContain("* a compressor");
    expect(text).toMatch(/valve +3/);
    for (const other of ["Menu entry", "Imprint", "script", "alert"]) {
      expect(text).not.toContain(other);
    }
    expect(page).not.toHaveProperty("links");
    expect(page).not.toHaveProperty("next_offset");
  }));

test("fetch_page returns links, each once, as full addresses", () =>
  withPage(() => html(ARTICLE), async (read, url) => {
    const { links } = await read({ links: true });
    expect(links).toEqual([
      { text: "valve", url: new URL("/pumps/valve#top", url).href },
      { text: "Another site", url: "https://other.example/" },
    ]);
  }));

test("fetch_page returns long texts part by part, and says where it has been led", () =>
  withPage(() => html("a".repeat(150) + "b".repeat(100), "text/plain"), async (read, url) => {
    const first = await read({ url: new URL("/away", url).href, max_chars: 150 });
    expect(first).toEqual({ url, text: "a".repeat(150), next_offset: 150 });
    expect(await read({ max_chars: 150, offset: 150 })).toEqual({ url, text: "b".repeat(100) });
  }));

test("fetch_page passes text, JSON and Markdown on as they are", async () => {
  for (
    const type of [
      "text/markdown",
      "application/json",
      "application/ld+json",
      "text/csv",
      "application/rss+xml",
    ]
  ) {
    await withPage(() => html("# <b>1</b>\n", type), async (read) => {
      expect(await read()).toMatchObject({ text: "# <b>1</b>\n" });
    });
  }
});

test("fetch_page reads pages in the encoding that they name", async () => {
  const text = Uint8Array.from('<html><meta charset="latin1"><p>gr\u00fcn', (c) => c.charCodeAt(0));
  for (const type of ["text/html", "text/html; charset=iso-8859-1"]) {
    await withPage(() => html(text, type), async (read) => {
      expect(await read()).toMatchObject({ text: "grün" });
    });
  }
});

test("fetch_page says what to do with a PDF and what else is no text", async () => {
  const bytes = new TextEncoder().encode("%PDF-1.7 …");
  await withPage(() => html(bytes, "application/octet-stream"), async (read) => {
    const error = await expectError(read(), "tool_failed");
    expect(error.message).toContain("it is a PDF. Upload it as a document");
  });
  await withPage(() => html(new Uint8Array([1]), "image/png"), async (read) => {
    expect((await expectError(read(), "tool_failed")).message).toContain("it is image/png");
  });
  await withPage(() => html("a\0b", "text/plain"), async (read) => {
    await expectError(read(), "tool_failed");
  });
});

test("fetch_page tells statuses, and reads nothing inside", async () => {
  await withPage(() => new Response("gone", { status: 404 }), async (read) => {
    const error = await expectError(read(), "tool_failed");
    expect(error.details).toMatchObject({ status: 404 });
    await expectError(read({ url: "http://localhost/" }), "egress_denied");
    const { issues } = await expectError(read({ url: "not a url" }), "tool_bad_arguments");
    expect(issues).toMatchObject([{
      location: "/url",
      message: expect.stringMatching(/"not a url" is not a URL/),
    }]);
    await expectError(read({ url: "file:///etc/passwd" }), "egress_denied");
  });
});

test("fetch_page takes hostile pages as text, in a moment", async () => {
  const pages = [
    `<html><body>${"<div></x>".repeat(20_000)}deep`,
    `<html><body>${"<p>many <b>parts</b>".repeat(20_000)}`,
    "<title".repeat(100_000),
    "<!--".repeat(100_000),
    "",
  ];
  for (const page of pages) {
    await withPage(() => html(page), async (read) => {
      expect(typeof (await within(5_000, read)).text).toBe("string");
    });
  }
});
