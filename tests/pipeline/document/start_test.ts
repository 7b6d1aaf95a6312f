import { expect } from "expect";
import { evaluateConcurrency, startOptions } from "../../../pipeline/document/start.ts";
import { define } from "../walk/_define.ts";

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
