/** The whole service in this process: documents, pipelines that retrieve, crawls. */
import { expect } from "expect";
import { readConfig } from "../config.ts";
import { createOrchestrator } from "../orchestrator.ts";
import { createLogger } from "../telemetry/log.ts";

const ASK = `name: ask
version: 1
start: find
nodes:
  find: { retrieve: { query: "\${ input.messages[-1].content }", collection: site } }
output: "\${ nodes.find.passages[0].text }"
`;

Deno.test("a site is crawled by a run, and a chat answers from it with sources", async () => {
  const site = Deno.serve({ hostname: "127.0.0.1", port: 0, onListen() {} }, ({ url }) => {
    const { pathname } = new URL(url);
    if (pathname === "/robots.txt") return new Response("", { status: 404 });
    const body = pathname === "/" ? '<a href="/hours">hours</a> Home.' : "<p>It opens at nine.</p>";
    return new Response(`<title>Museum</title><body>${body}</body>`, {
      headers: { "content-type": "text/html" },
    });
  });
  const home = await Deno.makeTempDir();
  await Deno.mkdir(`${home}/pipelines`);
  await Deno.writeTextFile(`${home}/pipelines/ask.yaml`, ASK);
  const { port } = site.addr;
  const config = readConfig({
    HOME: home,
    ORCHESTRATOR_HOME: home,
    EGRESS_ALLOWED_HOSTS: `127.0.0.1:${port}`,
  });
  const log = createLogger({ level: "error", format: "json", write: () => {} });
  const service = await createOrchestrator({ config, log });
  const post = async (path: string, body: unknown, headers = {}) =>
    await (await service.app.request(`http://localhost${path}`, {
      method: "POST",
      headers: { "content-type": "application/json", ...headers },
      body: JSON.stringify(body),
    })).json();
  try {
    const url = `http://127.0.0.1:${port}/`;
    const crawl = await post("/v1/documents/crawl", { url, collection: "site" }, {
      prefer: "wait=20",
    });
    expect(crawl.output).toMatchObject({ stored: 2, failed: 0 });
    const chat = await post("/v1/chat", {
      pipeline: "ask",
      messages: [{ role: "user", content: "When does it open?" }],
    });
    expect(chat.message.content).toBe("It opens at nine.");
    expect(chat.sources[0]).toMatchObject({
      title: "Museum",
      url: `${url}hours`,
      excerpt: "It opens at nine.",
      passage: 0,
    });
    const refused = await post("/v1/documents/crawl", { url: "nowhere" });
    expect(refused).toMatchObject({ code: "validation_failed", errors: [{ location: "/url" }] });
    const tools = await (await service.app.request("http://localhost/v1/tools/list")).json();
    expect(tools.tools.map(({ name }: { name: string }) => name)).toContain("search_documents");
  } finally {
    await service.close();
    await site.shutdown();
    await Deno.remove(home, { recursive: true });
  }
});
