/**
 * `/v1/tools`: what agents may use. Look at tools, register, enable and disable them, call one.
 *
 * @module
 */
import { type Context, Hono } from "hono";
import type { Json } from "../json/mod.ts";
import type { ToolStatus } from "../tools/mod.ts";
import { parseJson, readBody, readText, validationFailed } from "./body.ts";
import type { AppDeps, AppEnv } from "./deps.ts";
import { callerOf } from "./identity.ts";
import { toolCallRequest } from "../service/mod.ts";

type C = Context<AppEnv>;

/** The endpoints of tools. */
export function toolRoutes(deps: AppDeps): Hono<AppEnv> {
  const { tools, settings: { max_body_bytes: max_bytes } } = deps;
  const app = new Hono<AppEnv>();

  const list = async (c: C) => {
    const caller = callerOf(c);
    const all = await tools.list(caller);
    return c.json({ tools: all.map(view), problems: await tools.problems(caller) });
  };
  app.get("/v1/tools", list);
  app.get("/v1/tools/list", list);

  app.post("/v1/tools/register", async (c) => {
    const definition = parseJson(await readText(c, max_bytes));
    const status = await tools.register(callerOf(c), mustBeObject(definition));
    c.header("Location", `/v1/tools/${status.name}`);
    return c.json(view(status), 201);
  });

  app.get("/v1/tools/:name", async (c) => c.json(view(await tools.get(callerOf(c), nameOf(c)))));

  app.delete("/v1/tools/:name", async (c) => {
    await tools.unregister(callerOf(c), nameOf(c));
    return c.body(null, 204);
  });

  for (const [verb, enabled] of [["enable", true], ["disable", false]] as const) {
    app.post(`/v1/tools/:name/${verb}`, async (c) => {
      return c.json(view(await tools.setEnabled(callerOf(c), nameOf(c), enabled)));
    });
  }

  app.post("/v1/tools/:name/execute", (c) => execute(c, deps));

  return app;
}

async function execute(c: C, { tools, artifacts, settings, newId, now }: AppDeps) {
  const { max_body_bytes: max_bytes } = settings;
  const body = await readBody(c, { schema: toolCallRequest, max_bytes, when_empty: {} });
  const caller = callerOf(c);
  const tool = nameOf(c);
  const key = c.req.header("idempotency-key") ?? `call_${newId()}`;
  const began = now();
  // The request's own signal is aborted when the answer has gone out, too.
  const call = new AbortController();
  const leave = () => call.abort(c.req.raw.signal.reason);
  c.req.raw.signal.addEventListener("abort", leave);
  const output = await tools.call(tool, (body.arguments ?? {}) as Json, {
    caller,
    signal: call.signal,
    idempotency_key: key,
    keep: (file) => artifacts.put(caller, { key }, file),
  }).finally(() => c.req.raw.signal.removeEventListener("abort", leave));
  return c.json({ tool, output, duration_ms: Math.round(now() - began) });
}

function nameOf(c: C): string {
  return c.req.param("name")!;
}

function view(status: ToolStatus) {
  const self = `/v1/tools/${status.name}`;
  return { ...status, links: { self, execute: `${self}/execute` } };
}

function mustBeObject(value: Json): Json {
  if (typeof value === "object" && value !== null && !Array.isArray(value)) return value;
  throw validationFailed([{ location: "", message: "must be a tool definition object" }]);
}
