import { expect } from "expect";
import { OrchestratorError } from "../../errors.ts";
import type { Definition } from "../../pipeline/document/mod.ts";
import {
  createPreparation,
  evaluateConcurrency,
  type PreparationDeps,
  startOptions,
} from "../../service/start.ts";
import { LOCAL } from "../_caller.ts";
import { define } from "../pipeline/walk/_define.ts";

const GREET = {
  pipeline: {
    name: "greet",
    input: { type: "object", required: ["name"] },
    priority: 3,
    cache: { ttl_seconds: 60 },
  },
  agents: { host: { model: "lab/one" }, guest: { model: "lab/one" } },
} as unknown as Definition;

const BUILT_IN = {
  name: "documents/crawl",
  version: "built-in/crawl/1",
  check(input: unknown) {
    if (input === null) throw new OrchestratorError("validation_failed", "The input is missing.");
  },
};

/** Prepares runs of `greet`, or of it with these fields, and of a built-in program. */
function preparation(fields: object = {}) {
  const definition = { ...GREET, pipeline: { ...GREET.pipeline, ...fields } } as Definition;
  const catalog: PreparationDeps["catalog"] = {
    resolve: (_caller, name) =>
      name === "greet"
        ? Promise.resolve({ version: "sha256:1", definition })
        : Promise.reject(new OrchestratorError("not_found", `No pipeline is called ${name}.`)),
  };
  const models = { unpriced: (model?: string) => model ? [model] : [] };
  return createPreparation({ catalog, builtIn: [BUILT_IN], models });
}

Deno.test("createPreparation() says what a run of a pipeline is started with", async () => {
  const { unpriced, ...prepared } = await preparation()(LOCAL, "greet", { name: "Ada" });
  expect(prepared).toEqual({ version: "sha256:1", priority: 3, cache_seconds: 60 });
  expect(await unpriced!()).toEqual(["lab/one"]);
});

Deno.test("createPreparation() refuses an input that does not fit, and a budget without a price", async () => {
  await expect(preparation()(LOCAL, "greet", {})).rejects.toMatchObject({
    code: "validation_failed",
  });
  const priced = preparation({ budget: { cost_usd: 1 } });
  await expect(priced(LOCAL, "greet", { name: "Ada" })).rejects.toMatchObject({
    code: "model_unpriced",
  });
});

Deno.test("createPreparation() knows the built-in programs besides the catalog's pipelines", async () => {
  const prepare = preparation();
  expect(await prepare(LOCAL, "documents/crawl", {})).toEqual({ version: "built-in/crawl/1" });
  await expect(prepare(LOCAL, "documents/crawl", null)).rejects.toMatchObject({
    code: "validation_failed",
  });
  await expect(prepare(LOCAL, "other", {})).rejects.toMatchObject({ code: "not_found" });
});

const NODE = "  a: { transform: 1 }";

Deno.test("startOptions() gives what the pipeline says, and nothing else", async () => {
  expect(await startOptions(await define(NODE), {})).toEqual({});
  const rest = `priority: -5
budget: { tokens: 100, cost_usd: 0.5, on_exceeded: approval }
concurrency: { key: "customer-\${ input.customer }", limit: 2, on_busy: reject }`;
  expect(await startOptions(await define(NODE, { rest }), { customer: 7 })).toEqual({
    priority: -5,
    budget: { tokens: 100, cost_usd: 0.5, on_exceeded: "approval" },
    concurrency: { key: "customer-7", limit: 2, on_busy: "reject" },
  });
});

Deno.test("evaluateConcurrency() waits in line unless told otherwise, and needs a key", async () => {
  const definition = await define(NODE, {
    rest: 'concurrency: { key: "${ input.c }", limit: 1 }',
  });
  const one = { limit: 1, on_busy: "enqueue" };
  expect(await evaluateConcurrency(definition, { c: 5 })).toEqual({ key: "5", ...one });
  expect(await evaluateConcurrency(definition, { c: "x" })).toEqual({ key: "x", ...one });
  for (const input of [{}, { c: null }, { c: "" }]) {
    expect(await evaluateConcurrency(definition, input)).toBeUndefined();
  }
  for (const c of [{ x: 1 }, "y".repeat(501)]) {
    await expect(evaluateConcurrency(definition, { c })).rejects.toMatchObject({
      code: "validation_failed",
    });
  }
});
