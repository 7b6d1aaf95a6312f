/** The whole service in this process: pipelines that name what is not there. */
import { expect } from "expect";
import { join } from "node:path";
import { readConfig } from "../config.ts";
import { createOrchestrator } from "../orchestrator.ts";
import type { Json } from "../pipeline/kernel/mod.ts";
import { createLogger } from "../telemetry/log.ts";

type Send = (method: string, path: string, body?: Json) => Promise<[status: number, body: Answer]>;

// deno-lint-ignore no-explicit-any -- JSON as it came
type Answer = any;

const TOOL = {
  name: "crm_search",
  description: "Searches customers.",
  http: { url: "https://crm.example/search" },
};

/** Calls `use` with a service that knows the agents `lost` and `found`. */
async function withService(use: (send: Send) => Promise<void>): Promise<void> {
  const home = await Deno.makeTempDir();
  await Deno.mkdir(join(home, "agents"));
  await Deno.writeTextFile(join(home, "agents/lost.md"), "---\nmodel: anthropic/x\n---\nHi.\n");
  await Deno.writeTextFile(join(home, "agents/found.md"), "---\nmodel: inherit\n---\nHi.\n");
  const MCP_SERVERS = '[{"name":"notes","url":"http://127.0.0.1:9/mcp"}]';
  const config = readConfig({ HOME: home, ORCHESTRATOR_HOME: home, MCP_SERVERS });
  const log = createLogger({ level: "error", format: "json", write: () => {} });
  const service = await createOrchestrator({ config, log });
  try {
    await use(async (method, path, body) => {
      const response = await service.app.request(`http://localhost${path}`, {
        method,
        headers: { "content-type": "application/json" },
        ...(body === undefined ? {} : { body: JSON.stringify(body) }),
      });
      return [response.status, await response.json().catch(() => null)];
    });
  } finally {
    await service.close();
    await Deno.remove(home, { recursive: true });
  }
}

const pipeline = (nodes: string) => ({
  text: `name: p\nversion: 1\nstart: a\nnodes:\n${nodes}\n`,
});

Deno.test("a pipeline that names a tool which is not there is refused, with the place and a suggestion", () =>
  withService(async (send) => {
    const text = pipeline(`  a: { tool: web_serch, next: b }
  b:
    map:
      items: [1]
      body: { start: c, nodes: { c: { tool: crm_search } } }
    next: d
  d: { plan: { goal: x, tools: [dataset, "notes_*", datasets] }, next: e }
  e: { tool: notes_find, next: f }
  f: { tool: "\${ input.tool }" }`);
    const unknown = (name: string, location: string) => ({
      location: expect.stringContaining(location),
      message: expect.stringContaining(`unknown tool "${name}"`),
    });
    const issues = [
      unknown("web_serch", "line 5, nodes.a.tool"),
      unknown("crm_search", "line 9, nodes.b.map.body.nodes.c.tool"),
      unknown("datasets", "line 11, nodes.d.plan.tools[2]"),
    ];
    const [, checked] = await send("POST", "/v1/pipelines/validate", text);
    expect(checked).toEqual({ valid: false, issues });
    expect(checked.issues[0].message).toContain('did you mean "web_search"?');
    const [status, problem] = await send("PUT", "/v1/pipelines/p", text);
    expect([status, problem.code]).toEqual([422, "pipeline_invalid"]);
    expect(problem.errors).toEqual(issues);
    expect((await send("GET", "/v1/pipelines/p"))[0]).toBe(404);
  }));

Deno.test("a tool that is registered may be named, and the pipeline stays when the tool goes", () =>
  withService(async (send) => {
    const text = pipeline("  a: { tool: crm_search }");
    expect((await send("POST", "/v1/tools/register", TOOL))[0]).toBe(201);
    expect((await send("PUT", "/v1/pipelines/p", text))[0]).toBe(201);
    expect((await send("DELETE", "/v1/tools/crm_search"))[0]).toBe(204);
    expect((await send("GET", "/v1/pipelines/p"))[1]).toMatchObject({ valid: true });
    const [, checked] = await send("POST", "/v1/pipelines/validate", text);
    expect(checked.valid).toBe(false);
  }));

Deno.test("a pipeline whose agent has a model without a provider is refused", () =>
  withService(async (send) => {
    const [status, problem] = await send(
      "PUT",
      "/v1/pipelines/p",
      pipeline("  a: { agent: lost }"),
    );
    expect([status, problem.code]).toEqual([422, "pipeline_invalid"]);
    expect(problem.errors).toEqual([{
      location: "agent lost, model",
      message: expect.stringContaining('Cannot use the model "anthropic/x"'),
    }]);
    expect((await send("PUT", "/v1/pipelines/p", pipeline("  a: { agent: found }")))[0]).toBe(201);
  }));
