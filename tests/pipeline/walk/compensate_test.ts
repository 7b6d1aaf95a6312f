import { expect } from "expect";
import { type ErrorCode, type ErrorKind, OrchestratorError } from "../../../errors.ts";
import type { Json } from "../../../pipeline/kernel/events.ts";
import type { Tasks } from "../../../pipeline/nodes/task.ts";
import { define, deps, once, type Trial, twice } from "./_define.ts";

/** Tasks that fail for names in `broken`; `log` keeps what they were given, in order. */
function world(broken: Record<string, [ErrorCode, ErrorKind]> = {}) {
  const log: Json[] = [];
  const tasks: Tasks = {
    act: {
      run: (input) => {
        const [code, kind] = broken[String(input)] ?? [];
        if (code) throw new OrchestratorError(code, `no ${input}`, { kind });
        log.push(input);
        return input;
      },
    },
  };
  return { log, given: deps(tasks) };
}

const TRIP = `
  a: { task: act, with: flight, on_fail: [no_flight], on_cancel: [keep], next: b }
  no_flight: { task: act, with: "cancel \${ nodes.a } after \${ error.code }" }
  keep: { task: act, with: "keep \${ nodes.a }" }
  b: { task: act, with: hotel, on_fail: [no_hotel, tell], next: c }
  no_hotel: { task: act, with: no hotel }
  tell: { task: act, with: "\${ error.message }" }
  c: { task: act, with: car }`;

Deno.test("on_fail puts right what began, the last first, and the run ends with its error", async () => {
  const { log, given } = world({ car: ["call_failed", "terminal"] });
  const { ended, ctx } = await twice({ definition: await define(TRIP), deps: given });
  expect(ended).toEqual({
    error: { code: "call_failed", kind: "terminal", message: "no car", details: undefined },
  });
  expect(ctx.ran).toEqual(["a", "b", "c", "undo/no_hotel", "undo/tell", "undo/no_flight"]);
  expect(log).toEqual(["flight", "hotel", "no hotel", "no car", "cancel flight after call_failed"]);
});

Deno.test("on_fail covers the node that failed, and none that did not begin", async () => {
  const { given } = world({ hotel: ["call_failed", "terminal"] });
  const { ctx } = await twice({ definition: await define(TRIP), deps: given });
  expect(ctx.ran).toEqual(["a", "b", "undo/no_hotel", "undo/tell", "undo/no_flight"]);
});

Deno.test("on_fail has nothing to do when all goes well", async () => {
  const { given } = world();
  const { ended, ctx } = await twice({ definition: await define(TRIP), deps: given });
  expect([ended, ctx.ran]).toEqual([{ output: "car" }, ["a", "b", "c"]]);
});

Deno.test("compensation that fails does not stop the rest, and is told", async () => {
  const { given } = world({
    car: ["call_failed", "terminal"],
    "no hotel": ["tool_failed", "terminal"],
  });
  const { ended, ctx } = await twice({ definition: await define(TRIP), deps: given });
  expect(ended).toMatchObject({
    error: {
      code: "call_failed",
      message: "no car",
      details: {
        compensation_errors: [{ node: "no_hotel", code: "tool_failed", message: "no no hotel" }],
      },
    },
  });
  expect(ctx.ran.slice(-2)).toEqual(["undo/tell", "undo/no_flight"]);
});

function cancelling(at: string): Trial["prepare"] {
  return (ctx) => {
    const step = ctx.step.bind(ctx);
    ctx.step = (key, fn, options) => {
      if (key === at) {
        const reason = new OrchestratorError("run_cancelled", "enough", { kind: "cancelled" });
        ctx.controller.abort(reason);
        return Promise.reject(reason);
      }
      return step(key, fn, options);
    };
  };
}

Deno.test("on_cancel puts right what a cancelled run began", async () => {
  const { log, given } = world();
  const definition = await define(TRIP);
  const { ended, ctx } = await twice({ definition, deps: given, prepare: cancelling("c") });
  expect(ended).toMatchObject({ error: { code: "run_cancelled", kind: "cancelled" } });
  expect(ctx.ran).toEqual(["a", "b", "undo/keep"]);
  expect(log.at(-1)).toBe("keep flight");
});

Deno.test("what goes on in another process is not put right", async () => {
  const ends: [ErrorCode, ErrorKind][] = [
    ["shutting_down", "cancelled"],
    ["worker_fenced", "cancelled"],
    ["store_unavailable", "retryable"],
  ];
  for (const end of ends) {
    const { given } = world({ car: end });
    const { ended, ctx } = await once({ definition: await define(TRIP), deps: given });
    expect(ended).toMatchObject({ error: { code: end[0] } });
    expect(ctx.ran).toEqual(["a", "b", "c"]);
  }
});

Deno.test("a compensation that must let go lets the run go", async () => {
  const { given } = world({
    car: ["call_failed", "terminal"],
    "no hotel": ["shutting_down", "cancelled"],
  });
  const { ended, ctx } = await once({ definition: await define(TRIP), deps: given });
  expect(ended).toMatchObject({ error: { code: "shutting_down" } });
  expect(ctx.ran.at(-1)).toBe("undo/no_hotel");
});

const NESTED = `
  a:
    map:
      items: [1, 2]
      body:
        start: book
        nodes:
          book: { task: act, with: "book \${ item }", on_fail: [drop], next: pay }
          drop: { task: act, with: "drop \${ item } \${ nodes.book }" }
          pay: { task: act, with: "pay \${ item }" }
    on_fail: [end]
    next: b
  end: { task: act, with: end }
  b: { task: act, with: late }`;

Deno.test("compensation inside a map knows its item and its nodes, also on a replay", async () => {
  const { log, given } = world({ late: ["call_failed", "terminal"] });
  const definition = await define(NESTED);
  const { ctx } = await twice({ definition, deps: given });
  expect(ctx.ran.slice(-3)).toEqual(["undo/a[1]/drop", "undo/a[0]/drop", "undo/end"]);
  expect(log.slice(-3)).toEqual(["drop 2 book 2", "drop 1 book 1", "end"]);
  const began = ctx.steps.find(({ key }) => key === "a/began")!;
  expect(began.outcome).toMatchObject({
    output: [
      { graph: "/a.map.body", prefix: "a[0]/", node: "book", scope: { item: 1, index: 0 } },
      { prefix: "a[1]/" },
    ],
  });
  // A process that comes back after the map has ended does not go into it again.
  const until = ctx.steps.findIndex(({ key }) => key === "b");
  const back = await once({ definition, deps: given }, ctx.steps.slice(0, until + 1));
  expect(back.ctx.ran).toEqual(["undo/a[1]/drop", "undo/a[0]/drop", "undo/end"]);
  expect(log.slice(-3)).toEqual(["drop 2 book 2", "drop 1 book 1", "end"]);
});

Deno.test("a branch that a failure stops is put right once, at the end of the run", async () => {
  const { given } = world({ "pay 1": ["call_failed", "terminal"] });
  const { ended, ctx } = await twice({ definition: await define(NESTED), deps: given });
  expect(ended).toMatchObject({ error: { code: "call_failed", message: "no pay 1" } });
  expect(ctx.ran.filter((key) => key.startsWith("undo/"))).toEqual([
    "undo/a[1]/drop",
    "undo/a[0]/drop",
    "undo/end",
  ]);
});

Deno.test("a node that began twice is undone twice", async () => {
  const { log, given } = world({ c: ["call_failed", "terminal"] });
  const definition = await define(`
  a: { task: act, with: a, on_fail: [u], next: again }
  u: { task: act, with: "undo \${ nodes.a }" }
  again:
    choose: [{ when: "\${ $exists(nodes.b) }", next: c }]
    default: b
  b: { transform: 1, next: a }
  c: { task: act, with: c }`);
  const { ctx } = await twice({ definition, deps: given });
  expect(ctx.ran.slice(-2)).toEqual(["undo/u", "undo/u#2"]);
  expect(log.slice(-2)).toEqual(["undo a", "undo a"]);
});

Deno.test("compensation may have steps of its own, whatever is left of max_steps", async () => {
  const { given } = world({ late: ["call_failed", "terminal"] });
  const definition = await define(
    `
  a: { task: act, with: a, on_fail: [u], next: b }
  b: { task: act, with: late }
  u: { parallel: { x: { start: v, nodes: { v: { task: act, with: "\${ error.code }" } } } } }`,
    { rest: "max_steps: 2" },
  );
  const { ctx } = await twice({ definition, deps: given });
  expect(ctx.ran.at(-1)).toBe("undo/u.x/v");
  expect(ctx.steps.at(-1)!.outcome).toEqual({ output: { x: "call_failed" } });
});
