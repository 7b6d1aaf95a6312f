import { expect } from "expect";
import { readDocument, typeOf } from "../../../knowledge/read/mod.ts";
import { docx, pdf } from "./_files.ts";

const bytes = (text: string) => new TextEncoder().encode(text);
const read = async (text: string, type: string) => await readDocument(bytes(text), type);

Deno.test("typeOf() believes the type, then the name", () => {
  expect(typeOf("text/HTML; charset=utf-8", undefined)).toBe("text/html");
  expect(typeOf("application/octet-stream", "Report.PDF")).toBe("application/pdf");
  expect(typeOf(undefined, "notes.md")).toBe("text/markdown");
  for (const [type, name] of [["image/png", "x.png"], [undefined, undefined], ["toString", "x"]]) {
    expect(() => typeOf(type, name)).toThrow(
      expect.objectContaining({ code: "unsupported_media_type" }),
    );
  }
});

Deno.test("Markdown: headings without marks, blocks with their offsets, no front matter", async () => {
  const source = "---\ntitle: x\n---\n# The [guide](http://x) to `it`\n\nFirst.\n\n- a\n- b\n\n" +
    "<!-- not this -->\n\n```sh\n# no heading\n```\n";
  const { title, blocks } = await read(source, "text/markdown");
  expect(title).toBe("The guide to it");
  expect(blocks.map(({ kind, text }) => [kind, text])).toEqual([
    ["heading", "The guide to it"],
    ["text", "First."],
    ["text", "- a\n- b"],
    ["text", "```sh\n# no heading\n```"],
  ]);
  for (const { kind, text, location } of blocks) {
    if (kind === "text") expect(source.startsWith(text, location.offset)).toBe(true);
  }
});

Deno.test("HTML: what is in main, with headings, tables and lists; not what is around it", async () => {
  const { title, blocks } = await read(
    `<html><head><title> A &amp; B\n&#x201C;x&#8221; </title><style>p{}</style></head><body>
    <nav>Menu</nav><main><h1>Big <em>thing</em></h1><p>One <a href="/x">link</a>.</p>
    <script>alert(1)</script><h2>Second</h2><table><tr><td>1</td><td>2</td></tr></table>
    <pre># code</pre></main><footer>Imprint</footer></body></html>`,
    "text/html",
  );
  expect(title).toBe("A & B “x”");
  expect(blocks.map(({ kind, text, level }) => [kind, text, level])).toEqual([
    ["heading", "Big thing", 1],
    ["text", "One link.", undefined],
    ["heading", "Second", 2],
    ["text", "1 | 2 |", undefined],
    ["text", "# code", undefined],
  ]);
});

Deno.test("HTML without main: the articles, else the body", async () => {
  const article = await read("<body><p>x</p><article><p>y</p></article></body>", "text/html");
  expect(article.blocks.map(({ text }) => text)).toEqual(["y"]);
  const body = await read("<body><p>x</p></body>", "text/html");
  expect(body.blocks.map(({ text }) => text)).toEqual(["x"]);
});

Deno.test("CSV: each row with the names of its columns, quotes and gaps included", async () => {
  const { blocks } = await read('name,,note\n"Doe, A",1,\n\nB,2,"x\ny",4\n', "text/csv");
  expect(blocks).toEqual([
    { kind: "row", text: "name: Doe, A; column 2: 1", location: { row: 1 } },
    { kind: "row", text: "name: B; column 2: 2; note: x\ny; column 4: 4", location: { row: 2 } },
  ]);
});

Deno.test("plain text: its paragraphs, in UTF-8, in the charset it says, or else in Windows-1252", async () => {
  const latin = Uint8Array.from([0x4d, 0xfc, 0x6c, 0x6c]);
  const { blocks } = await readDocument(bytes("a\r\nb\r\n\r\n \r\nc"), "text/plain");
  expect(blocks.map(({ text }) => text)).toEqual(["a\nb", "c"]);
  expect((await readDocument(latin, "text/plain")).blocks[0]!.text).toBe("Müll");
  const greek = Uint8Array.from([0xe1, 0xe2]);
  const declared = "text/plain; charset=iso-8859-7";
  expect((await readDocument(greek, "text/plain", declared)).blocks[0]!.text).toBe("αβ");
});

Deno.test("PDF: its pages by number; one that is damaged is refused", async () => {
  const { blocks } = await readDocument(
    pdf(["Hello page one", "", "And three"]),
    "application/pdf",
  );
  expect(blocks).toEqual([
    { kind: "text", text: "Hello page one", location: { page: 1 } },
    { kind: "text", text: "And three", location: { page: 3 } },
  ]);
  await expect(readDocument(bytes("%PDF-1.4 broken"), "application/pdf")).rejects.toMatchObject({
    code: "document_unreadable",
  });
});

Deno.test("what no reader gets through is refused, with the type it was read as", async () => {
  const error = await read(">".repeat(20_000), "text/markdown").catch((e) => e);
  expect(error.code).toBe("document_unreadable");
  expect(error.message).toContain("text/markdown");
});

const DOCX = typeOf(undefined, "x.docx");

Deno.test("DOCX: its headings and paragraphs", async () => {
  const { title, blocks } = await readDocument(docx("Annual report", "Sales went up."), DOCX);
  expect(title).toBe("Annual report");
  expect(blocks.map(({ kind, text }) => [kind, text])).toEqual([
    ["heading", "Annual report"],
    ["text", "Sales went up."],
  ]);
});

Deno.test("DOCX: what is damaged, or says that it unpacks to too much, is refused", async () => {
  await expect(readDocument(bytes("PK nothing"), DOCX)).rejects.toMatchObject({
    code: "document_unreadable",
  });
  const bomb = docx("x", "y", 3_000_000_000);
  await expect(readDocument(bomb, DOCX)).rejects.toThrow("it is too large when unpacked");
});
