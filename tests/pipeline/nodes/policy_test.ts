import { expect } from "expect";
import { type ErrorCode, type ErrorKind, OrchestratorError } from "../../../errors.ts";
import { parseProfile } from "../../../pipeline/agent/profile.ts";
import type { Tasks } from "../../../pipeline/nodes/task.ts";
import { NO_USAGE } from "../../../telemetry/usage.ts";
import { define, deps, once, type Trial, twice } from "../walk/_define.ts";

function failing(code: ErrorCode, kind: ErrorKind = "terminal", times = Infinity): Tasks {
  return {
    echo: { run: (input) => input },
    fail: {
      run: () => {
        if (times-- <= 0) return "well";
        throw new OrchestratorError(code, `no: ${code}`, { kind });
      },
    },
  };
}

const timeIsOver: Trial["prepare"] = (ctx) => void (ctx.onWait = () => ({ timed_out: true }));

Deno.test("retry of a node that is one step is the kernel's, as one policy or several", async () => {
  const definition = await define(`
  a:
    task: echo
    retry: [{ errors: [tool_failed], max_attempts: 5 }, { errors: [all], interval_seconds: 2 }]
    next: b
  b: { transform: 1, retry: { max_attempts: 1 }, timeout_seconds: 3, next: c }
  c: { choose: [{ when: "\${ true }", next: d }], timeout_seconds: 4 }
  d: { transform: 1 }`);
  const { ctx } = await once({ definition, deps: deps(failing("internal")) });
  expect(ctx.steps.map(({ options }) => [options.retry, options.timeout_ms])).toEqual([
    [
      [{ errors: ["tool_failed"], max_attempts: 5 }, { errors: ["all"], interval_ms: 2_000 }],
      undefined,
    ],
    [{ max_attempts: 1 }, 3_000],
    [undefined, 4_000],
    [undefined, undefined],
  ]);
});

const GROUP = (policies: string) => `
  a:
    parallel: { x: { start: b, nodes: { b: { task: fail } } } }
    ${policies}`;

Deno.test("retry of a node with steps of its own visits it again, after durable pauses", async () => {
  const definition = await define(
    GROUP(
      "retry: { max_attempts: 4, interval_seconds: 2, backoff_rate: 3, max_delay_seconds: 5, jitter: none }",
    ),
  );
  const tasks = failing("model_timeout", "retryable", 2);
  const { ended, ctx } = await twice({ definition, deps: deps(tasks), prepare: timeIsOver });
  expect(ended).toEqual({ output: { x: "well" } });
  expect(ctx.ran).toEqual(["a.x/b", "a~2.x/b", "a~3.x/b"]);
  expect(ctx.waits.map(({ key, options }) => [key, options])).toEqual([
    ["a~2/pause", { kind: "pause", reusable: true, timeout_ms: 2_000 }],
    ["a~3/pause", { kind: "pause", reusable: true, timeout_ms: 5_000 }],
  ]);
});

const COMPOSITES = {
  parallel: "parallel: { x: { start: b, nodes: { b: { task: fail } } } }",
  map: "map: { items: [1], body: { start: b, nodes: { b: { task: fail } } } }",
  pipeline: "pipeline: inner",
  plan: "plan: { goal: x }",
};

Deno.test("`jitter: full` draws the pause of every kind of node, once for each visit of a run", async () => {
  const pauses = async (node: string, jitter: string, run: string) => {
    const retry =
      `retry: { errors: [all], max_attempts: 4, interval_seconds: 50, backoff_rate: 1${jitter} }`;
    const definition = await define(`  a:\n    ${node}\n    ${retry}`, {
      agents: { task_planner: parseProfile("---\n---\nPlan.\n", "task_planner") },
      pipelines: { inner: "v" },
    });
    const trial: Trial = {
      definition,
      deps: deps(failing("tool_failed")),
      prepare: (ctx) => {
        Object.assign(ctx.run, { id: run });
        ctx.onWait = () => ({ timed_out: true });
        ctx.onChild = () => ({ status: "cancelled", usage: NO_USAGE });
      },
    };
    const { ctx } = await twice(trial);
    const found = ctx.waits.map(({ options }) => options.timeout_ms!);
    const { ctx: again } = await once(trial);
    expect(again.waits.map(({ options }) => options.timeout_ms)).toEqual(found);
    return found;
  };
  for (const node of Object.values(COMPOSITES)) {
    expect(await pauses(node, ", jitter: none", "r1")).toEqual([50_000, 50_000, 50_000]);
    const drawn = [
      ...await pauses(node, ", jitter: full", "r1"),
      ...await pauses(node, "", "r2"),
    ];
    expect(new Set(drawn).size).toBe(6);
    for (const pause of drawn) {
      expect(pause).toBeGreaterThanOrEqual(0);
      expect(pause).toBeLessThan(50_000);
    }
  }
});

Deno.test("retry gives up after its attempts and leaves errors alone that it is not meant for", async () => {
  const run = async (policies: string, code: ErrorCode, kind: ErrorKind) => {
    const definition = await define(GROUP(policies));
    const trial = { definition, deps: deps(failing(code, kind)), prepare: timeIsOver };
    const { ended, ctx } = await once(trial);
    return [(ended as { error: { code: string } }).error.code, ctx.ran.length];
  };
  const one = "retry: { errors: [tool_failed], max_attempts: 3 }";
  expect(await run(one, "tool_failed", "terminal")).toEqual(["tool_failed", 3]);
  expect(await run(one, "model_timeout", "retryable")).toEqual(["model_timeout", 1]);
  const all = "retry: { errors: [all], max_attempts: 2 }";
  expect(await run(all, "internal", "terminal")).toEqual(["internal", 2]);
  expect(await run(all, "worker_fenced", "cancelled")).toEqual(["worker_fenced", 1]);
  expect(await run(all, "store_unavailable", "retryable")).toEqual(["store_unavailable", 1]);
  const passing = "retry: { max_attempts: 2 }";
  expect(await run(passing, "internal", "terminal")).toEqual(["internal", 1]);
});

Deno.test("a time limit makes a group of a node that waits, with its own step inside", async () => {
  const definition = await define(
    `  a: { wait: { signal: go }, timeout_seconds: 9, next: b }
  b: { pipeline: inner, timeout_seconds: 8, retry: { errors: [child_failed], max_attempts: 2 } }`,
    { pipelines: { inner: "v" } },
  );
  const asked: string[] = [];
  const { ended, ctx } = await twice({
    definition,
    prepare: (ctx) => {
      ctx.onWait = (_key, { signal }) => signal ? { signal: 1 } : { timed_out: true };
      ctx.onChild = (key) => {
        asked.push(key);
        return asked.length === 1
          ? { status: "cancelled", usage: NO_USAGE }
          : { status: "completed", output: 2, usage: NO_USAGE };
      };
    },
  });
  expect(ended).toEqual({ output: 2 });
  expect(ctx.waits.map(({ key }) => key)).toEqual(["a/wait", "b~2/pause"]);
  expect(asked.slice(0, 2)).toEqual(["b/pipeline", "b~2/pipeline"]);
  expect(ctx.steps.map(({ key, options }) => [key, options])).toEqual([
    ["a", { kind: "wait", timeout_ms: 9_000 }],
    ["b~2", { kind: "pipeline", timeout_ms: 8_000 }],
  ]);
});

const CATCH = (errors: string, node = "task: fail") => `
  a: { ${node}, catch: [{ errors: [${errors}], next: late }], next: done }
  done: { transform: done }
  late: { transform: "\${ nodes.a.error.code }: \${ nodes.a.error.message }" }`;

Deno.test("catch goes on elsewhere, with the error as the node's output", async () => {
  const run = async (errors: string, code: ErrorCode, kind?: ErrorKind) => {
    const definition = await define(CATCH(errors));
    const { ended } = await twice({ definition, deps: deps(failing(code, kind)) });
    return "output" in ended ? ended.output : ended.error.code;
  };
  expect(await run("tool_failed", "tool_failed")).toBe("tool_failed: no: tool_failed");
  expect(await run("all", "internal")).toBe("internal: no: internal");
  expect(await run("tool_failed", "call_failed")).toBe("call_failed");
  expect(await run("all", "budget_exceeded")).toBe("budget_exceeded");
  expect(await run("budget_exceeded", "budget_exceeded")).toBe(
    "budget_exceeded: no: budget_exceeded",
  );
});

Deno.test("catch leaves alone what ends the run in this process", async () => {
  const definition = await define(CATCH("all, branch_stopped, store_unavailable"));
  const end = async (code: ErrorCode, kind: ErrorKind) =>
    (await once({ definition, deps: deps(failing(code, kind)) })).ended;
  for (const code of ["run_cancelled", "shutting_down", "branch_stopped"] as const) {
    expect(await end(code, "cancelled")).toMatchObject({ error: { code, kind: "cancelled" } });
  }
  expect(await end("store_unavailable", "retryable")).toMatchObject({
    error: { code: "store_unavailable" },
  });
});

Deno.test("catch does nothing in a branch whose time is over", async () => {
  const reason = new OrchestratorError("step_timeout", "over", { kind: "retryable" });
  const { ended } = await once({
    definition: await define(CATCH("all")),
    prepare: (ctx) => {
      ctx.controller.abort(reason);
      ctx.step = () => Promise.reject(ctx.signal.reason);
    },
    deps: deps(failing("internal")),
  });
  expect(ended).toMatchObject({ error: { code: "step_timeout" } });
});

Deno.test("catch and retry go the recorded way in a run that is cancelled meanwhile", async () => {
  const retry = GROUP("retry: { errors: [all], max_attempts: 2 }");
  const definition = await define(
    `${retry}\n    catch: [{ errors: [all], next: c }]\n  c: { transform: 1 }`,
  );
  const trial = { definition, deps: deps(failing("tool_failed")), prepare: timeIsOver };
  const { ctx } = await once(trial);
  const cancelled = new OrchestratorError("run_cancelled", "enough", { kind: "cancelled" });
  const back = await once({
    ...trial,
    prepare: (ctx) => {
      timeIsOver?.(ctx);
      ctx.controller.abort(cancelled);
    },
  }, ctx.steps);
  expect([back.ended, back.ctx.ran]).toEqual([{ output: 1 }, []]);
});

Deno.test("catch comes after the last retry, also of a node with branches", async () => {
  const definition = await define(`${GROUP("retry: { errors: [all], max_attempts: 2 }")}
    catch: [{ errors: [tool_failed], next: c }]
  c: { transform: "\${ nodes.a.error.code }" }`);
  const { ended, ctx } = await twice({
    definition,
    deps: deps(failing("tool_failed")),
    prepare: timeIsOver,
  });
  expect(ended).toEqual({ output: "tool_failed" });
  expect(ctx.ran).toEqual(["a.x/b", "a~2.x/b", "c"]);
});

Deno.test("a restarted run gives its first step the input that it was given", async () => {
  const definition = await define(`
  a: { task: echo, with: 1, next: again }
  again:
    choose: [{ when: "\${ $exists(nodes.b) }", next: c }]
    default: b
  b: { transform: 1, next: a }
  c: { transform: "\${ nodes.a }" }`);
  const run = (from: string, given: null | number) => {
    const restart = { run: "run_0", from, with: given };
    const trial: Trial = { definition, deps: deps(failing("internal")) };
    return once({ ...trial, prepare: (ctx) => Object.assign(ctx.run, { restart }) });
  };
  const { ended, ctx } = await run("a#2", 7);
  expect(ended).toEqual({ output: 7 });
  expect(ctx.steps[0]!.outcome).toEqual({ output: 1 });
  expect((await run("a", null)).ctx.steps[0]!.outcome).toEqual({ output: null });
  expect((await run("b", 7)).ended).toMatchObject({ error: { code: "validation_failed" } });
});
