import { join } from "node:path";
import { expect } from "expect";
import { Secret } from "../../config/secret.ts";
import { createWebTools, toolFileIssues } from "../../tools/web.ts";
import { expectError, test } from "../guard/_setup.ts";
import { run, select, withApi } from "./http/_setup.ts";
import { callerOf } from "../_caller.ts";

const NONE = { egress_allowed_hosts: [], sandbox_concurrency: 2, secrets: {} };

test("createWebTools() puts the home folder's tools and the built-in ones together", () =>
  withApi(() => Response.json("here"), async ({ url, egress }) => {
    const home = await Deno.makeTempDir();
    try {
      await Deno.mkdir(join(home, "tools"));
      await Deno.writeTextFile(join(home, "tools", "a.yaml"), `http_hosts: [{ origin: "${url}" }]`);
      const config_path = join(home, "own.yaml");
      await Deno.writeTextFile(
        config_path,
        `{ name: own, description: Own., http: { url: "${url}" } }`,
      );
      const config = { home, tools: { ...NONE, config_path } };
      const web = createWebTools(config, { egress, select, now: () => 0, log: { warn() {} } });
      expect(web.built_in.map(({ name }) => name)).toEqual([
        "fetch_page",
        "web_search",
        "http_request",
      ]);
      const [own] = await web.files.tools(callerOf("acme"));
      expect(await run(own!, {})).toBe("here");
      expect(await run(web.built_in[2]!, { url })).toMatchObject({ status: 200, body: "here" });
      const registered = web.compile({ name: "mine", description: "Mine.", http: { url } });
      await expectError(run(registered, {}), "egress_denied");
      expect(toolFileIssues(config)).toEqual([]);
      expect(toolFileIssues({ home, tools: { ...NONE, config_path: join(home, "no.yaml") } }))
        .toEqual([{ location: join(home, "no.yaml"), message: "does not exist" }]);
      expect(toolFileIssues({ home, tools: { ...NONE, config_path: join(home, "no") } }))
        .toEqual([{ location: join(home, "no"), message: "does not exist" }]);
    } finally {
      await Deno.remove(home, { recursive: true });
    }
  }));

test("toolFileIssues() tells the secrets that are not set, and who needs them", async () => {
  const home = await Deno.makeTempDir();
  try {
    const config_path = join(home, "own.yaml");
    const header = '{ authorization: "Bearer ${ secrets.own } ${secrets.other}" }';
    await Deno.writeTextFile(
      config_path,
      `tools: [{ name: own, description: Own., http: { url: https://a.example }, secret_headers: ${header} }]
openapi: [{ document: https://a.example/o.json, secret_headers: ${header} }]
http_hosts: [{ origin: https://a.example, secret_headers: ${header} }]
`,
    );
    const secrets = { other: new Secret("x") };
    const needed = (user: string) => ({
      location: "TOOL_SECRET_OWN",
      message: `is not set, but ${user} needs it: set it`,
    });
    expect(toolFileIssues({ home, tools: { ...NONE, secrets, config_path } })).toEqual([
      needed("the tool own"),
      needed("https://a.example/o.json"),
      needed("http_request to https://a.example"),
    ]);
  } finally {
    await Deno.remove(home, { recursive: true });
  }
});
