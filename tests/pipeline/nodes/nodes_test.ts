import { expect } from "expect";
import { OrchestratorError } from "../../../errors.ts";
import type { Scope } from "../../../pipeline/language/scope.ts";
import { choose } from "../../../pipeline/nodes/choose.ts";
import { kindOf, kinds } from "../../../pipeline/document/kinds.ts";
import { task, type Tasks } from "../../../pipeline/nodes/task.ts";
import { transform } from "../../../pipeline/nodes/transform.ts";
import { FakeContext, RUN } from "../_fake_context.ts";

const SCOPE: Scope = {
  input: { q: "hi", list: [] },
  nodes: { first: 1 },
  run: { id: RUN.id, pipeline: RUN.pipeline, created_at: RUN.created_at },
};
const tasks: Tasks = {
  echo: { run: (input) => input },
  key: { run: (_input, scope) => Promise.resolve(scope.idempotency_key), effect: "at_most_once" },
};

Deno.test("kindOf() tells a node's kind by its field", () => {
  for (const { kind } of kinds) expect(kindOf({ [kind]: null })?.kind).toBe(kind);
  expect(kindOf({ transform: null })?.kind).toBe("transform");
  expect(kindOf({ next: "x" })).toBeUndefined();
});

Deno.test("task runs as one step with its limits in milliseconds", async () => {
  const ctx = new FakeContext();
  const node = {
    task: "key",
    timeout_seconds: 1.5,
    retry: {
      max_attempts: 3,
      interval_seconds: 0.5,
      backoff_rate: 2,
      max_delay_seconds: 60,
      jitter: "none" as const,
    },
    next: "b",
  };
  const compiled = task.compile(node, { tasks });
  expect(await compiled.run(ctx, "a", SCOPE)).toBe("run_1/a");
  expect(compiled.next(null)).toBe("b");
  expect(ctx.steps[0]!.options).toEqual({
    kind: "task",
    effect: "at_most_once",
    timeout_ms: 1_500,
    retry: {
      max_attempts: 3,
      interval_ms: 500,
      backoff_rate: 2,
      max_delay_ms: 60_000,
      jitter: "none",
    },
  });
});

Deno.test("task lets the node's effect win", async () => {
  const ctx = new FakeContext();
  await task.compile({ task: "key", effect: "none" }, { tasks }).run(ctx, "a", SCOPE);
  expect(ctx.steps[0]!.options).toEqual({ kind: "task", effect: "none" });
});

Deno.test("task gets its `with`, evaluated at once or with JSONata", async () => {
  const run = (template: unknown, scope = SCOPE) =>
    task.compile({ task: "echo", with: template }, { tasks }).run(new FakeContext(), "a", scope);
  expect(await run({ q: "${ input.q }", gone: "${ input.gone }" })).toEqual({ q: "hi" });
  expect(await run("${ $uppercase(input.q) }")).toBe("HI");
  expect(await run("${ input.gone }")).toBe(null);
  expect(await run("${ $string(input.gone) }")).toBe(null);
});

Deno.test("task without `with` gets the run's input and the outputs so far", async () => {
  const run = (scope: Scope) =>
    task.compile({ task: "echo" }, { tasks }).run(new FakeContext(), "a", scope);
  expect(await run(SCOPE)).toEqual({ q: "hi", list: [], first: 1 });
  expect(await run({ ...SCOPE, input: "text" })).toEqual({ input: "text", first: 1 });
});

Deno.test("task that does not exist fails when the program is made", () => {
  expect(() => task.compile({ task: "ecko" }, { tasks })).toThrow('did you mean "echo"');
  expect(() => task.compile({ task: "toString" }, { tasks })).toThrow(OrchestratorError);
});

Deno.test("transform records its value without an effect", async () => {
  const ctx = new FakeContext();
  const run = (template: unknown, key: string) =>
    transform.compile({ transform: template }, null).run(ctx, key, SCOPE);
  expect(await run({ a: ["${ nodes.first }"] }, "a")).toEqual({ a: [1] });
  expect(await run("${ nodes.first + 1 }", "b")).toBe(2);
  expect(await run("${ input.gone }", "c")).toBe(null);
  expect(await run("${ $lowercase(input.gone) }", "d")).toBe(null);
  expect(ctx.steps[0]!.options).toEqual({ kind: "transform", effect: "none" });
});

Deno.test("choose takes the first branch that is true", async () => {
  const node = (when: string) =>
    choose.compile({ choose: [{ when, next: "yes" }], default: "no" }, null);
  const chosen = async (when: string) => {
    const output = await node(when).run(new FakeContext(), "c", SCOPE);
    return node(when).next(output);
  };
  expect(await chosen("${ input.q }")).toBe("yes");
  expect(await chosen("${ nodes.first = 1 }")).toBe("yes");
  expect(await chosen("${ input }")).toBe("yes");
  for (const when of ["${ input.list }", "${ input.gone }", "${ nodes.first > 1 }", "${ {} }"]) {
    expect([when, await chosen(when)]).toEqual([when, "no"]);
  }
});

Deno.test("choose fails when nothing matches and there is no default", async () => {
  const compiled = choose.compile({ choose: [{ when: "${ input.gone }", next: "x" }] }, null);
  await expect(compiled.run(new FakeContext(), "c", SCOPE)).rejects.toMatchObject({
    code: "no_choice_matched",
  });
});
