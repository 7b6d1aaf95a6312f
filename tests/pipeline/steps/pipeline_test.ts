import { expect } from "expect";
import { childId } from "../../../pipeline/kernel/child.ts";
import type { ChildRequest } from "../../../pipeline/kernel/context.ts";
import { NO_USAGE } from "../../../telemetry/usage.ts";
import type { RunResult } from "../../../pipeline/kernel/runs.ts";
import { createProgram } from "../../../pipeline/graph/mod.ts";
import { define, deps, twice } from "../graph/_define.ts";

const usage = NO_USAGE;
const run_id = childId("run_1", "a");

async function child(result: RunResult, node = "{ pipeline: inner, with: { n: '${ input.n }' } }") {
  const asked: [string, ChildRequest][] = [];
  const definition = await define(`  a: ${node}`, { pipelines: { inner: "sha256:1" } });
  const { ended } = await twice({
    definition,
    input: { n: 5 },
    prepare: (ctx) =>
      void (ctx.onChild = (key, request) => {
        asked.push([key, request]);
        return result;
      }),
  });
  return { ended, asked: asked[0] };
}

Deno.test("pipeline runs the version that the definition keeps and gives its output", async () => {
  const { ended, asked } = await child({ status: "completed", output: [1], usage });
  expect(ended).toEqual({ output: [1] });
  expect(asked).toEqual(["a", { pipeline: "inner", version: "sha256:1", input: { n: 5 } }]);
  const plain = await child({ status: "completed", output: 1, usage }, "{ pipeline: inner }");
  expect(plain.asked![1].input).toEqual({ n: 5 });
});

Deno.test("pipeline fails with its run, and says why", async () => {
  const error = { code: "model_timeout", kind: "retryable", message: "Too slow." } as const;
  expect((await child({ status: "failed", error, usage })).ended).toEqual({
    error: {
      code: "child_failed",
      kind: "retryable",
      message:
        `Cannot finish a: the run of pipeline inner ended with model_timeout: Too slow. Look at run ${run_id}.`,
      details: { step: "a", run_id, code: "model_timeout", message: "Too slow." },
    },
  });
  const terminal = { ...error, kind: "terminal" } as const;
  expect((await child({ status: "failed", error: terminal, usage })).ended).toMatchObject({
    error: { kind: "terminal" },
  });
});

Deno.test("pipeline fails when its run is cancelled", async () => {
  expect((await child({ status: "cancelled", reason: "enough", usage })).ended).toMatchObject({
    error: { code: "child_failed", kind: "terminal", details: { code: "run_cancelled" } },
  });
});

Deno.test("pipeline without a version fails when the program is made", async () => {
  const definition = await define("  a: { pipeline: inner }");
  expect(() => createProgram(definition, deps())).toThrow('unknown pipeline "inner"');
});
