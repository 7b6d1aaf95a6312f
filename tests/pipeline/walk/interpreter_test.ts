import { expect } from "expect";
import { createProgram, validateInput } from "../../../pipeline/walk/interpreter.ts";
import type { Definition } from "../../../pipeline/document/document.ts";
import type { Json } from "../../../pipeline/kernel/events.ts";
import type { Tasks } from "../../../pipeline/nodes/task.ts";
import { FakeContext } from "../_fake_context.ts";
import { define, deps } from "./_define.ts";

const tasks: Tasks = {
  echo: { run: (input) => input },
  count: { run: (input) => ((input as { n?: number } | null)?.n ?? 0) + 1, effect: "none" },
};
async function run(definition: Definition, input: Json, ctx = new FakeContext()) {
  return { output: await createProgram(definition, deps(tasks))(ctx, input), ctx };
}

const LOOP = `
  a: { task: count, with: { n: "\${ nodes.a }" }, next: enough }
  enough:
    choose: [{ when: "\${ nodes.a >= input.times }", next: done }]
    default: a
  done: { transform: "counted \${ nodes.a }" }`;

Deno.test("createProgram() walks the nodes and gives the last output", async () => {
  const { output, ctx } = await run(await define(LOOP), { times: 3 });
  expect(output).toBe("counted 3");
  expect(ctx.ran).toEqual(["a", "enough", "a#2", "enough#2", "a#3", "enough#3", "done"]);
});

Deno.test("createProgram() renders the output template over all nodes", async () => {
  const definition = await define(
    "  a: { transform: 1, next: b }\n  b: { transform: { x: 2 } }",
    {
      rest:
        'output: { first: "${ nodes.a }", all: "${ $sum([nodes.a, nodes.b.x]) }", by: "${ run.id }" }',
    },
  );
  expect((await run(definition, null)).output).toEqual({ first: 1, all: 3, by: "run_1" });
});

Deno.test("createProgram() gives null when the output template leads nowhere", async () => {
  const definition = await define("  a: { transform: 1 }", { rest: "output: ${ input.gone }" });
  expect((await run(definition, {})).output).toBe(null);
});

Deno.test("createProgram() goes the recorded way after a crash at any step", async () => {
  const definition = await define(LOOP);
  const { ctx: whole } = await run(definition, { times: 3 });
  for (let count = 0; count <= whole.steps.length; count++) {
    const ctx = new FakeContext(whole.steps.slice(0, count));
    const { output } = await run(definition, { times: 3 }, ctx);
    expect(output).toBe("counted 3");
    expect(ctx.ran).toEqual(whole.ran.slice(count));
    expect(ctx.steps).toEqual(whole.steps);
  }
});

Deno.test("createProgram() follows a recorded choice, not the condition", async () => {
  const recorded = [
    { key: "a", options: {}, outcome: { output: 1 } },
    { key: "enough", options: {}, outcome: { output: { next: "done" } } },
  ];
  const { output, ctx } = await run(
    await define(LOOP),
    { times: 99 },
    new FakeContext(recorded),
  );
  expect([output, ctx.ran]).toEqual(["counted 1", ["done"]]);
});

Deno.test("createProgram() stops a run that visits too many nodes", async () => {
  const definition = await define(LOOP, { rest: "max_steps: 4" });
  await expect(run(definition, { times: 99 })).rejects.toMatchObject({
    code: "step_limit_exceeded",
    kind: "terminal",
    details: { max_steps: 4 },
  });
});

Deno.test("createProgram() allows exactly max_steps visits", async () => {
  expect((await run(await define(LOOP, { rest: "max_steps: 3" }), { times: 1 })).output).toBe(
    "counted 1",
  );
});

Deno.test("createProgram() refuses an input that does not fit before any step", async () => {
  const definition = await define(
    "  a: { transform: 1 }",
    { rest: "input: { type: object, required: [q], properties: { q: { type: string } } }" },
  );
  const ctx = new FakeContext();
  await expect(run(definition, { q: 5 }, ctx)).rejects.toMatchObject({
    code: "validation_failed",
    issues: [{ location: "/q", message: expect.stringContaining("string") }],
  });
  expect(ctx.ran).toEqual([]);
  expect(() => validateInput(definition, { q: "x" })).not.toThrow();
  expect(() => validateInput(definition, {})).toThrow(
    "Cannot run pipeline demo: the input does not match its schema: /q: is required. Fix the request.",
  );
});

Deno.test("createProgram() fails a run whose output expression fails", async () => {
  const definition = await define("  a: { transform: 1 }", { rest: "output: ${ $error('no') }" });
  await expect(run(definition, null)).rejects.toMatchObject({ code: "expression_failed" });
});

Deno.test("createProgram() keeps nodes apart that are named like object members", async () => {
  const definition = await define(
    "  a: { transform: 1, next: constructor }\n  constructor: { transform: '${ nodes.toString }' }",
    { rest: "output: ${ nodes }" },
  ).catch((error) => error.issues);
  expect(definition).toEqual([{
    location: "line 7, nodes.constructor.transform",
    message: expect.stringContaining('unknown node "toString"'),
  }]);
});
