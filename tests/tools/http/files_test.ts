import { join } from "node:path";
import { expect } from "expect";
import { createFileTools, readToolFiles } from "../../../tools/http/mod.ts";
import { run, select, withApi } from "./_setup.ts";
import { test } from "../../guard/_setup.ts";
import { callerOf } from "../../_caller.ts";

const ACME = callerOf("acme");

/** Writes files into a new folder, which is removed at the end. */
async function withFiles(
  files: Record<string, string>,
  use: (folder: string) => void | Promise<void>,
): Promise<void> {
  const folder = await Deno.makeTempDir();
  try {
    for (const [name, text] of Object.entries(files)) {
      await Deno.writeTextFile(join(folder, name), text);
    }
    await use(folder);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

const WEATHER = `name: weather
description: The weather of a city.
input:
  type: object
  properties: { city: { type: string } }
  required: [city]
http:
  url: https://weather.example.com/{city}
`;

test("readToolFiles() reads single tools and sections, from files and folders", () =>
  withFiles({
    "a.yaml": WEATHER,
    "b.json": JSON.stringify({
      tools: [{ name: "time", description: "Now.", http: { url: "https://time.example.com" } }],
      openapi: [{ document: "pets.yaml", prefix: "pets_" }, { document: "https://a.test/o.json" }],
      http_hosts: [{ origin: "https://api.example.com", methods: ["GET"] }],
    }),
    "notes.txt": "not this one",
    "pets.yaml": 'openapi: "3.0.0"',
    "empty.yml": "",
  }, (folder) => {
    const files = readToolFiles([folder, join(folder, "absent")]);
    expect(files.issues).toEqual([{ location: join(folder, "absent"), message: "does not exist" }]);
    expect(files.definitions.map(({ name }) => name)).toEqual(["weather", "time"]);
    expect(files.openapi.map(({ document }) => document))
      .toEqual([join(folder, "pets.yaml"), "https://a.test/o.json"]);
    expect(files.http_hosts).toEqual([{ origin: "https://api.example.com", methods: ["GET"] }]);
    expect(readToolFiles([join(folder, "a.yaml")]).definitions.length).toBe(1);
  }));

test("readToolFiles() names file, line and place of a mistake", () =>
  withFiles({
    "bad.yaml": "tools:\n  - name: [\n",
    "more.yaml": `tools:
  - name: weather
    description: One.
    http: { url: "https://a.test/{city}" }
  - name: Weather
    description: Two.
    http: { url: "https://a.test/" }
http_hosts: []
`,
    "first.yaml": WEATHER,
    "hosts.yaml": "http_hosts:\n  - origin: https://a.test/path\nshell: rm\n",
    "second.yaml": WEATHER,
  }, (folder) => {
    const { definitions, issues } = readToolFiles([folder, join(folder, "gone.yaml")]);
    expect(definitions.map(({ name }) => name)).toEqual(["weather"]);
    const lines = issues.map(({ location, message }) =>
      `${location.replace(`${folder}/`, "")}: ${message}`
    );
    expect(lines).toEqual([
      "gone.yaml: does not exist",
      expect.stringMatching(/^bad.yaml, line \d: /),
      'hosts.yaml, line 3, shell: unknown field "shell"; available: tools, openapi, http_hosts',
      expect.stringMatching(/^hosts.yaml, line 2, http_hosts.0.origin: must be an origin/),
      "more.yaml, line 4, tools.0.http.url: {city} is not a property of the input",
      expect.stringMatching(/^more.yaml, line 5, tools.1.name: must be 1 to 64/),
      "second.yaml, line 1, name: is the second tool with the name weather: rename one",
    ]);
  }));

const document = (url: string) => ({
  openapi: "3.0.0",
  servers: [{ url }],
  paths: { "/now": { get: { operationId: "now" } }, "/bad": { get: { $ref: "x" } } },
});

test("createFileTools() has the tools of files and of documents, at an operator's private hosts", () =>
  withApi(
    ({ url, headers }) =>
      url.pathname === "/openapi.json"
        ? Response.json(document("/api"))
        : Response.json([url.pathname, headers.get("x-key")]),
    async ({ url, seen, egress }) => {
      await withFiles({
        "tools.yaml": `
tools: [{ name: direct, description: Direct., http: { url: "${url}/direct" } }]
openapi:
  - document: ${url}/openapi.json
    prefix: web_
    secret_headers: { x-key: "\${ secrets.key }" }
  - document: local.json
http_hosts: [{ origin: "${url}" }]
`,
        "local.json": JSON.stringify({ ...document(`${url}/local`), components: {} }),
      }, async (folder) => {
        const set = createFileTools([join(folder, "tools.yaml")], {
          egress,
          select,
          secrets: (name) => name === "key" ? "canary" : undefined,
          now: () => 0,
          log: { warn() {} },
        });
        expect(set.http_hosts).toEqual([{ origin: url }]);
        const tools = await set.tools(ACME);
        expect(tools.map(({ name, source }) => [name, source])).toEqual([
          ["direct", "file"],
          ["web_now", "openapi"],
          ["web_get_bad", "openapi"],
          ["now", "openapi"],
          ["get_bad", "openapi"],
        ]);
        expect(set.problem?.(ACME)).toBeUndefined();
        const call = (name: string) => run(tools.find((tool) => tool.name === name)!, {});
        expect(await call("direct")).toEqual(["/direct", null]);
        expect(await call("web_now")).toEqual(["/api/now", "[secret]"]);
        expect(await call("now")).toEqual(["/local/now", null]);
        await set.tools(ACME);
        expect(seen.filter(({ url }) => url.pathname === "/openapi.json").length).toBe(1);
      });
    },
  ));

test("createFileTools() tells what is wrong and loads a document again later", () => {
  let broken = true;
  return withApi(
    ({ url }) => broken ? new Response("", { status: 500 }) : Response.json(document(url.origin)),
    async ({ url, seen, egress }) => {
      await withFiles(
        { "tools.yaml": `openapi: [{ document: "${url}/o.json" }]` },
        async (folder) => {
          let now = 0;
          const warnings: string[] = [];
          const set = createFileTools([folder], {
            egress,
            select,
            secrets: () => undefined,
            now: () => now,
            log: { warn: (message) => void warnings.push(message) },
          });
          expect(await set.tools(ACME)).toEqual([]);
          expect(set.problem?.(ACME)).toContain(
            "/o.json: its tools are not available: the server answered 500",
          );
          expect(warnings).toEqual(["an OpenAPI document cannot be used"]);
          broken = false;
          now = 59_999;
          expect(await set.tools(ACME)).toEqual([]);
          expect(seen.length).toBe(1);
          now = 60_000;
          expect(await set.tools(ACME)).toEqual([]);
          expect((await set.tools(ACME)).map(({ name }) => name)).toEqual(["now", "get_bad"]);
          expect(set.problem?.(ACME)).toBeUndefined();
        },
      );
    },
  );
});

test("the examples of docs/tools.md are tools files without a mistake", async () => {
  const docs = await Deno.readTextFile(new URL("../../../docs/tools.md", import.meta.url));
  const examples = [...docs.matchAll(/```yaml\n([\s\S]*?)```/g)].map(([, text = ""]) => text);
  expect(examples.length).toBeGreaterThan(2);
  const files = Object.fromEntries(examples.map((text, index) => [`${index}.yaml`, text]));
  await withFiles(files, (folder) => {
    const { definitions, openapi, http_hosts, issues } = readToolFiles([folder]);
    expect(issues).toEqual([]);
    expect([definitions.length, openapi.length, http_hosts.length]).toEqual([1, 1, 1]);
  });
});
