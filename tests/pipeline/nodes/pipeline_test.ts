import { expect } from "expect";
import type { Caller } from "../../../guard/mod.ts";
import { OrchestratorError } from "../../../errors.ts";
import { childId } from "../../../pipeline/kernel/child.ts";
import type { ChildRequest } from "../../../pipeline/kernel/context.ts";
import { NO_USAGE } from "../../../telemetry/usage.ts";
import type { RunResult } from "../../../pipeline/kernel/mod.ts";
import { createProgram } from "../../../pipeline/walk/interpreter.ts";
import type { Json } from "../../../pipeline/kernel/events.ts";
import type { FakeContext } from "../_fake_context.ts";
import { define, deps, twice } from "../walk/_define.ts";
import { LOCAL } from "../../_caller.ts";

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
        `Cannot finish a: the run of pipeline inner ended with model_timeout: Too slow. See run ${run_id}.`,
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

const CHOSEN = "{ pipeline: '${ input.name }', with: { n: '${ input.n }' }, " +
  "catch: [{ errors: [validation_failed], next: b }] }";

/** Runs a node that chooses its pipeline, straight and on its own record. */
async function choose(
  input: Json,
  { ancestors, resolve = () => Promise.resolve("sha256:2") }: {
    ancestors?: string[];
    resolve?: (caller: Caller, name: string, input: Json) => Promise<string>;
  } = {},
) {
  const looked: unknown[] = [];
  const asked: [string, ChildRequest][] = [];
  const trial = {
    definition: await define(`  a: ${CHOSEN}\n  b: { transform: '\${ nodes.a.error }' }`),
    deps: deps({}, {
      resolvePipeline: (...args) => {
        looked.push(args);
        return resolve(...args);
      },
    }),
    input,
    prepare: (ctx: FakeContext) => {
      Object.assign(ctx.run, { ancestors });
      ctx.onChild = (key, request) => {
        asked.push([key, request]);
        return { status: "completed", output: request.version, usage };
      };
    },
  };
  const { ended, ctx } = await twice(trial);
  return { ended, looked, asked, keys: ctx.steps.map(({ key }) => key) };
}

Deno.test("pipeline with an expression is looked up once and keeps what was found", async () => {
  const { ended, looked, asked, keys } = await choose({ name: "late", n: 5 });
  expect(ended).toEqual({ output: "sha256:2" });
  expect(looked).toEqual([[LOCAL, "late", { n: 5 }]]);
  const request = { pipeline: "late", version: "sha256:2", input: { n: 5 } };
  expect(asked).toEqual([["a", request], ["a", request]]);
  expect(keys).toContain("a/resolve");
});

Deno.test("pipeline with an expression fails with codes that catch can tell apart", async () => {
  const issues = [{ location: "/n", message: "is missing" }];
  const resolve = (_caller: Caller, name: string) =>
    Promise.reject(
      name === "late"
        ? new OrchestratorError("validation_failed", "Cannot run.", { issues })
        : new OrchestratorError("not_found", "Cannot find."),
    );
  const missing = await choose({ name: "late" }, { resolve });
  expect(missing.ended).toEqual({
    output: { code: "validation_failed", message: "Cannot run.", issues },
  });
  const unknown = await choose({ name: "nope" }, { resolve });
  expect(unknown.ended).toMatchObject({ error: { code: "not_found" } });
  const nameless = await choose({ n: 1 }, { resolve });
  expect(nameless.ended).toMatchObject({ error: { code: "not_found" } });
  expect([...missing.asked, ...unknown.asked, ...nameless.asked]).toEqual([]);
});

Deno.test("pipelines that choose each other do not go on for ever", async () => {
  const ancestors = ["run_1", "run_2", "run_3", "run_4"];
  expect((await choose({ name: "late" }, { ancestors })).ended).toEqual({ output: "sha256:2" });
  const deep = await choose({ name: "late" }, { ancestors: [...ancestors, "run_5"] });
  expect(deep.ended).toMatchObject({ error: { code: "step_limit_exceeded", kind: "terminal" } });
  expect(deep.looked).toEqual([]);
});
