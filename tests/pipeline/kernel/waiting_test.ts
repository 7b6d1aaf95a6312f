/** Runs that wait, straight and with a crash at every commit. */
import assert from "node:assert/strict";
import { OrchestratorError } from "../../../errors.ts";
import type { Json, RunContext, RunFunction, RunRecord } from "../../../pipeline/kernel/mod.ts";
import { Cluster, type Node } from "../../_sim/cluster.ts";
import { NO_FAULTS } from "../../_sim/kv.ts";
import { checkInvariants, journalOf, runsOf } from "../../_sim/invariants.ts";
import { SimWorld } from "../../_sim/world.ts";
import { flaky, hang, oneNode, request, settle, T } from "./_harness.ts";

const statusOf = (cluster: Cluster) => runsOf(cluster.db)[0]?.status;
const outputOf = (cluster: Cluster, run: string) => {
  const last = journalOf(cluster.db, run).at(-1);
  return last?.type === "run.completed" ? last.output : last?.type;
};
const terminal = (cluster: Cluster) => () =>
  runsOf(cluster.db).every(({ last_seq }) => last_seq !== undefined);

Deno.test("wait() for a signal puts the run aside; the signal wakes it with its payload", async () => {
  const { world, node, cluster } = await oneNode(async (ctx) => {
    await ctx.step("a", () => 1);
    const outcome = await ctx.wait("gate", { signal: "go", kind: "wait" });
    return await ctx.step("b", () => outcome as Json);
  });
  const { engine } = node();
  const { run, result } = await settle(world, engine.start(T, request()));
  await world.run(1000, () => engine.stats().running === 0);
  const [waiting] = runsOf(cluster.db) as [RunRecord];
  assert.deepEqual(waiting.waiting_for, [{ step: "gate", signal: "go" }]);
  assert.equal(waiting.status, "waiting");
  await settle(world, engine.signal(T, run.id, "go", { x: 1 }));
  assert.deepEqual((await settle(world, result)) as unknown, {
    status: "completed",
    output: { signal: { x: 1 } },
    usage: { input_tokens: 0, output_tokens: 0, cost_usd: 0 },
  });
  assert.deepEqual(cluster.calls.map(({ step }) => step), ["a", "b"]);
  const types = journalOf(cluster.db, run.id).map(({ type }) => type);
  assert(types.includes("run.waiting") && types.includes("signal.received"));
  checkInvariants(cluster.db, [run.id], cluster.calls);
});

Deno.test("a signal that is sent before the wait begins is not lost, and each is taken once", async () => {
  const { world, node, cluster } = await oneNode(async (ctx) => {
    await ctx.step(
      "slow",
      () => new Promise<number>((done) => world.at(500, undefined, () => done(1))),
    );
    const first = await ctx.wait("one", { signal: "go" });
    const second = await ctx.wait("two", { signal: "go" });
    return [first, second] as Json;
  });
  const { engine } = node();
  const { run, result } = await settle(world, engine.start(T, request()));
  await settle(world, engine.signal(T, run.id, "go", 1));
  await settle(world, engine.signal(T, run.id, "other", 0));
  await settle(world, engine.signal(T, run.id, "go", 2));
  const end = await settle(world, result);
  assert.deepEqual(end.status === "completed" && end.output, [{ signal: 1 }, { signal: 2 }]);
  checkInvariants(cluster.db, [run.id], cluster.calls);
});

Deno.test("wait() with a time goes on by itself, in memory or out of it, also after a crash", async () => {
  for (const [timeout_ms, crash] of [[300, false], [60_000, false], [60_000, true]] as const) {
    const { world, node, cluster } = await oneNode(async (ctx) => {
      const outcome = await ctx.wait("pause", { timeout_ms, signal: "never" });
      return outcome as Json;
    });
    const { run } = await settle(world, node().engine.start(T, request()));
    const began = Date.parse(run.created_at);
    await world.run(timeout_ms / 2, () => false);
    assert.equal(statusOf(cluster), timeout_ms > 1000 ? "waiting" : "running");
    if (crash) cluster.crash(node(), 10);
    await world.run(timeout_ms * 2, terminal(cluster));
    assert.deepEqual(outputOf(cluster, run.id), { timed_out: true });
    assert(world.now - began >= timeout_ms && world.now - began < timeout_ms + 1000);
    assert.equal(cluster.db.list({ prefix: ["timer"] }).length, 0);
    checkInvariants(cluster.db, [run.id], cluster.calls);
  }
});

Deno.test("what a run leaves behind in memory when it is put aside never goes on", async () => {
  let looks = 0;
  const { world, node, cluster } = await oneNode((ctx) =>
    ctx.group("limited", async (inner) => {
      const settle = () => {
        looks++;
        return undefined;
      };
      return await inner.wait("gate", { timeout_ms: 60_000, settle }) as Json;
    }, { timeout_ms: 90_000 })
  );
  const { run } = await settle(world, node().engine.start(T, request()));
  await world.run(120_000, () => false);
  assert.deepEqual(outputOf(cluster, run.id), { timed_out: true });
  assert.equal(looks, 1);
});

Deno.test("a run that cannot be put aside because the store fails is let go and goes on later", async () => {
  const { world, node, cluster } = await oneNode(async (ctx) => {
    await ctx.step("a", () => {
      if (world.now - began < 1_000) cluster.faults = { ...NO_FAULTS, before: 1 };
      return 1;
    });
    return await ctx.group("fan", async (inner) => {
      const results = await inner.all<unknown>([
        (branch) => branch.wait("gate", { signal: "go" }),
        (branch) => branch.step("b", () => 2),
      ], { tolerate: 1 });
      return results.map(({ status }) => status);
    });
  });
  const began = world.now;
  const { run } = await settle(world, node().engine.start(T, request()));
  await world.run(10_000, () => false);
  cluster.faults = NO_FAULTS;
  await world.run(10_000, () => statusOf(cluster) === "waiting");
  await settle(world, node().engine.signal(T, run.id, "go", 1));
  await world.run(10_000, terminal(cluster));
  assert.deepEqual(outputOf(cluster, run.id), ["fulfilled", "fulfilled"]);
  checkInvariants(cluster.db, [run.id], []);
});

Deno.test("a waiting run can be cancelled; cleanup() still runs, and sees a second crash", async () => {
  for (const crash of [false, true]) {
    const { world, node, cluster } = await oneNode(async (ctx) => {
      await ctx.step("book", () => 1);
      try {
        return await ctx.wait("gate", { signal: "go" }) as Json;
      } catch (error) {
        await ctx.cleanup(async (clean) => {
          await clean.step("undo", () => 2);
          await clean.wait("settle", { timeout_ms: 30_000 });
          await clean.step("undo#2", () => 3);
        });
        throw error;
      }
    });
    const { run } = await settle(world, node().engine.start(T, request()));
    await world.run(1000, () => statusOf(cluster) === "waiting");
    await settle(world, node().engine.cancel(T, run.id, "changed my mind"));
    await world.run(10_000, () => statusOf(cluster) === "waiting" && cluster.calls.length === 2);
    if (crash) cluster.crash(node(), 10);
    await world.run(60_000, terminal(cluster));
    assert.deepEqual(cluster.calls.map(({ step }) => step), ["book", "undo", "undo#2"]);
    const last = journalOf(cluster.db, run.id).at(-1);
    assert.equal(last?.type === "run.cancelled" && last.reason, "changed my mind");
    checkInvariants(cluster.db, [run.id], cluster.calls);
  }
});

Deno.test("all() keeps order and limit; one failure too many stops the others", async () => {
  let running = 0, most = 0;
  const { world, node, cluster } = await oneNode((ctx, input) =>
    ctx.group("fan", async (inner) => {
      const { fail, tolerate } = input as { fail: number[]; tolerate: number };
      const results = await inner.all(
        [0, 1, 2, 3, 4].map((n) => (branch: RunContext) =>
          branch.step(`fan[${n}]`, async ({ signal }) => {
            most = Math.max(most, ++running);
            try {
              if (fail.includes(n)) throw new OrchestratorError("call_failed", `no ${n}`);
              await new Promise((done, stop) => {
                world.at(100 - n * 10, undefined, () => done(n));
                signal.addEventListener("abort", () => stop(signal.reason));
              });
              return n;
            } finally {
              running--;
            }
          }, { retry: { max_attempts: 1 } })
        ),
        { concurrency: 2, tolerate },
      );
      return results.map((one) => one.status === "fulfilled" ? one.value : "failed") as Json;
    })
  );
  const run = async (input: Json) => {
    most = 0;
    const { result } = await settle(world, node().engine.start(T, request(input)));
    return await settle(world, result);
  };
  const good = await run({ fail: [], tolerate: 0 });
  assert.deepEqual(good.status === "completed" && good.output, [0, 1, 2, 3, 4]);
  assert.equal(most, 2);
  const some = await run({ fail: [1], tolerate: 1 });
  assert.deepEqual(some.status === "completed" && some.output, [0, "failed", 2, 3, 4]);
  const bad = await run({ fail: [1], tolerate: 0 });
  assert.equal(bad.status === "failed" && bad.error.message, "no 1");
  const id = runsOf(cluster.db).at(-1)!.id;
  const skipped = journalOf(cluster.db, id).filter(({ type }) => type === "step.skipped");
  assert.equal(skipped.length, 1, "the branch that was under way says that it was stopped");
  checkInvariants(cluster.db, [], cluster.calls);
});

Deno.test("a run with branches leaves memory only when every one of them waits", async () => {
  const { world, node, cluster } = await oneNode((ctx) =>
    ctx.group("both", async (inner) => {
      const results = await inner.all([
        (branch) => branch.wait("a", { signal: "go" }) as Promise<Json>,
        async (branch) => {
          await branch.step("busy", () =>
            new Promise<number>((done) => world.at(5000, undefined, () => done(1))));
          return await branch.wait("b", { signal: "go2" }) as Json;
        },
      ]);
      return results.map((one) =>
        one.status
      ) as Json;
    })
  );
  const { run } = await settle(world, node().engine.start(T, request()));
  await world.run(4000, () => false);
  assert.equal(statusOf(cluster), "running");
  await world.run(3000, () => statusOf(cluster) === "waiting");
  await settle(world, node().engine.signal(T, run.id, "go2", 1));
  await world.run(3000, () => false);
  assert.equal(statusOf(cluster), "waiting");
  await settle(world, node().engine.signal(T, run.id, "go", 1));
  await world.run(5000, terminal(cluster));
  assert.deepEqual(outputOf(cluster, run.id), ["fulfilled", "fulfilled"]);
  assert.equal(cluster.calls.filter(({ step }) => step === "busy").length, 1);
  checkInvariants(cluster.db, [run.id], cluster.calls);
});

Deno.test("group() ends with step_timeout when its time is over, also while the run is put aside", async () => {
  for (const inMemory of [true, false]) {
    const { world, node, cluster } = await oneNode((ctx) =>
      ctx.group(
        "slow",
        (inner) =>
          inMemory
            ? inner.step("work", ({ signal }) => hang(signal))
            : inner.wait("gate", { signal: "go" }) as Promise<Json>,
        { timeout_ms: 20_000 },
      )
    );
    const { run, result } = await settle(world, node().engine.start(T, request()));
    await world.run(10_000, () => false);
    assert.equal(statusOf(cluster), inMemory ? "running" : "waiting");
    const end = await settle(world, result);
    assert.equal(end.status === "failed" && end.error.code, "step_timeout");
    checkInvariants(cluster.db, [run.id], cluster.calls);
  }
});

/** The outer run, and the one within. */
const family = (inner: RunFunction): RunFunction => async (ctx, input) => {
  if (ctx.run.parent) return await inner(ctx, input);
  const result = await ctx.child("sub", { pipeline: "q", version: "v", input: { n: 1 } });
  return result as unknown as Json;
};

Deno.test("child() runs another pipeline once and gives its result; both are runs of their own", async () => {
  const usage = { input_tokens: 3, output_tokens: 4, cost_usd: 1 };
  const { world, node, cluster } = await oneNode(family(async (ctx, input) => {
    const { n } = input as { n: number };
    return await ctx.step("double", () => n * 2, { usage: () => usage });
  }));
  const { run, result } = await settle(world, node().engine.start(T, request()));
  const end = await settle(world, result);
  assert.deepEqual(end.status === "completed" && end.output, {
    status: "completed",
    output: 2,
    usage,
  });
  assert.deepEqual(end.status === "completed" && end.usage, usage);
  const [, child] = runsOf(cluster.db);
  assert.deepEqual(child?.parent, { run: run.id, step: "sub" });
  assert.deepEqual(child?.ancestors, [run.id]);
  checkInvariants(cluster.db, [run.id], cluster.calls);
});

Deno.test("a run's steps include those of the runs within it", async () => {
  const budget = { steps: 3 };
  const { world, node, cluster } = await oneNode(async (ctx) => {
    const inner = { pipeline: "q", version: "v", input: null };
    if (!ctx.run.parent) { for (let n = 0; n < 5; n++) await ctx.child(`sub${n}`, inner); }
    else for (let n = 0; n < 2; n++) await ctx.step(`s${n}`, () => n);
    return await ctx.step("last", () => 1);
  });
  const { result } = await settle(world, node().engine.start(T, request({}, { budget })));
  const end = await settle(world, result);
  assert.equal(end.status === "failed" && end.error.code, "budget_exceeded");
  assert.equal(cluster.calls.length, 3);
});

Deno.test("what a failed attempt cost counts, also when the run resumes", async () => {
  const spent = () => ({ input_tokens: 50, output_tokens: 10, cost_usd: 0.4 });
  const { world, node, cluster } = await oneNode(async (ctx) => {
    const fail = () => Promise.reject(flaky());
    const timeout_ms = 1000;
    await ctx.step("a", fail, { spent, retry: { max_attempts: 2 } }).catch(() => {});
    await ctx.step("b", () => new Promise<number>(() => {}), { spent, timeout_ms, retry: [] })
      .catch(() => {});
    await ctx.wait("pause", { timeout_ms: 3_600_000 });
    await ctx.step("c", fail, { spent, retry: [] });
    return null;
  });
  const { run, result } = await settle(world, node().engine.start(T, request()));
  const end = await settle(world, result, 4_000_000);
  assert(journalOf(cluster.db, run.id).some(({ type }) => type === "run.resumed"));
  assert.deepEqual(end.status === "failed" && end.usage?.input_tokens, 200);
  const failures = journalOf(cluster.db, run.id).filter(({ type }) => type === "step.failed");
  assert.deepEqual(
    failures.map((event) => "usage" in event && event.usage),
    Array(4).fill(spent()),
  );
});

Deno.test("a cancel reaches runs within the run", async () => {
  const { world, node, cluster } = await oneNode(
    family((ctx) => ctx.step("work", ({ signal }) => hang(signal))),
  );
  const { run } = await settle(world, node().engine.start(T, request()));
  await world.run(5000, () => cluster.calls.length === 1);
  await settle(world, node().engine.cancel(T, run.id));
  await world.run(10_000, terminal(cluster));
  assert.deepEqual(runsOf(cluster.db).map(({ status }) => status), ["cancelled", "cancelled"]);
  await world.run(5000, () => cluster.db.list({ prefix: ["inbox"] }).length === 0);
  checkInvariants(cluster.db, [run.id], cluster.calls);
});

Deno.test("pause() lets the step under way end and begins no other; resume() goes on", async () => {
  const { world, node, cluster } = await oneNode(async (ctx) => {
    await ctx.step(
      "a",
      () => new Promise<number>((done) => world.at(500, undefined, () => done(1))),
    );
    return await ctx.step("b", () => 2);
  });
  const { engine } = node();
  const { run, result } = await settle(world, engine.start(T, request()));
  await settle(world, engine.pause(T, run.id, "maintenance"));
  await world.run(3000, () => statusOf(cluster) === "paused");
  assert.equal(statusOf(cluster), "paused");
  assert.deepEqual(cluster.calls.map(({ step }) => step), ["a"]);
  await settle(world, engine.signal(T, run.id, "whatever", 1));
  await world.run(3000, () => false);
  assert.equal(statusOf(cluster), "paused");
  await settle(world, engine.resume(T, run.id));
  assert.equal((await settle(world, result)).status, "completed");
  await assert.rejects(settle(world, engine.resume(T, run.id)), { code: "conflict" });
  checkInvariants(cluster.db, [run.id], cluster.calls);
});

Deno.test("restart() keeps what was recorded before the step and may change the input", async () => {
  const { world, node, cluster } = await oneNode(async (ctx, input) => {
    const a = await ctx.step("a", () => 1);
    const b = await ctx.step("b", () => [input, a] as Json);
    return await ctx.step("c", () => b);
  });
  const { engine } = node();
  const { run } = await settle(world, engine.start(T, request("old")));
  await world.run(2000, terminal(cluster));
  const again = await settle(world, engine.restart(T, run.id, { from: "b", input: "new" }));
  const end = await settle(world, again.result);
  assert.deepEqual(end.status === "completed" && end.output, ["new", 1]);
  assert.deepEqual(again.run.restart?.run, run.id);
  const steps = cluster.calls.filter((call) => call.run === again.run.id).map(({ step }) => step);
  assert.deepEqual(steps, ["b", "c"]);
  await assert.rejects(settle(world, engine.restart(T, run.id, { from: "zzz" })), {
    code: "validation_failed",
    message: /a, b, c/,
  });
  checkInvariants(cluster.db, [run.id, again.run.id], []);
});

Deno.test("a restart with another input cannot keep an approval that was given for the old one", async () => {
  const { world, node, cluster } = await oneNode(async (ctx) => {
    await ctx.wait("ok", { signal: "go", kind: "approval" });
    return await ctx.step("pay", () => 1);
  });
  const { engine } = node();
  const { run } = await settle(world, engine.start(T, request(1)));
  await settle(world, engine.signal(T, run.id, "go", 1));
  await world.run(5000, terminal(cluster));
  await assert.rejects(settle(world, engine.restart(T, run.id, { from: "pay", input: 2 })), {
    code: "validation_failed",
    message: /ok was approved/,
  });
  const same = await settle(world, engine.restart(T, run.id, { from: "pay" }));
  assert.equal((await settle(world, same.result)).status, "completed");
});

Deno.test("a run stops before the call that its budget does not cover", async () => {
  const usage = () => ({ input_tokens: 50, output_tokens: 10, cost_usd: 0.4 });
  for (
    const [budget, made] of [[{ tokens: 100 }, 2], [{ cost_usd: 0.5 }, 2], [{ steps: 3 }, 3], [
      { seconds: 2.5 },
      3,
    ]] as const
  ) {
    const { world, node, cluster } = await oneNode(async (ctx) => {
      for (let n = 0; n < 5; n++) {
        await ctx.step(
          `s${n}`,
          () => new Promise<number>((done) => world.at(1000, undefined, () => done(n))),
          { usage },
        );
      }
      return null;
    });
    const { run, result } = await settle(world, node().engine.start(T, request({}, { budget })));
    const end = await settle(world, result);
    assert.equal(end.status === "failed" && end.error.code, "budget_exceeded");
    assert.equal(cluster.calls.length, made);
    assert(journalOf(cluster.db, run.id).some(({ type }) => type === "budget.exceeded"));
    checkInvariants(cluster.db, [run.id], cluster.calls);
  }
});

Deno.test("a step that is tried again may ask for more each time", async () => {
  const world = new SimWorld(1);
  const asked: string[] = [];
  const cluster = new Cluster(
    world,
    () => (ctx) =>
      ctx.step("a", ({ attempt }) => {
        if (attempt < 3) throw flaky();
        return attempt;
      }),
    {
      gate: async (ctx, { key, limit }) => {
        asked.push(key);
        return { steps: await ctx.step(`${key}/ask`, () => limit + 1, { effect: "none" }) };
      },
    },
  );
  cluster.boot();
  await world.run(5000, () => cluster.nodes[0]!.open);
  const { engine } = cluster.nodes[0]!;
  const budget = { steps: 1, on_exceeded: "approval" as const };
  const { result } = await settle(world, engine.start(T, request({}, { budget })));
  const end = await settle(world, result);
  assert.equal(end.status === "completed" && end.output, 3);
  assert.deepEqual(asked, ["a/budget", "a/budget#2"]);
});

const slow: (world: SimWorld) => RunFunction = (world) => async (ctx) => {
  await ctx.step(
    "work",
    () => new Promise<number>((done) => world.at(1000, undefined, () => done(1))),
  );
  return 1;
};

Deno.test("runs with one concurrency key take turns in order", async () => {
  const world = new SimWorld(1);
  const cluster = new Cluster(world, () => slow(world));
  cluster.boot();
  await world.run(5000, () => cluster.nodes[0]!.open);
  const { engine } = cluster.nodes[0]!;
  const concurrency = { key: "chat", limit: 1, on_busy: "enqueue" as const };
  const started = [];
  for (let n = 0; n < 4; n++) {
    started.push(await settle(world, engine.start(T, request(n, { concurrency }))));
  }
  assert.deepEqual(runsOf(cluster.db).map(({ status }) => status), [
    "running",
    "queued",
    "queued",
    "queued",
  ]);
  for (const { result } of started) assert.equal((await settle(world, result)).status, "completed");
  const began = cluster.calls.map(({ run }) => run);
  assert.deepEqual(began, started.map(({ run }) => run.id));
  const ends = runsOf(cluster.db).map(({ ended_at }) => Date.parse(ended_at!));
  for (let n = 1; n < 4; n++) assert(ends[n]! - ends[n - 1]! >= 1000, "one after the other");
  assert.equal(cluster.db.list({ prefix: ["slot"] }).length, 0);
  assert.equal(cluster.db.list({ prefix: ["turn"] }).length, 0);
  checkInvariants(cluster.db, started.map(({ run }) => run.id), cluster.calls);
});

Deno.test("reject refuses the second run; interrupt cancels the first and goes on with the second", async () => {
  const { world, node, cluster } = await (async () => {
    const world = new SimWorld(1);
    const cluster = new Cluster(world, () => slow(world));
    cluster.boot();
    await world.run(5000, () => cluster.nodes[0]!.open);
    return { world, cluster, node: () => cluster.nodes[0] as Node };
  })();
  const { engine } = node();
  const with_ = (on_busy: "reject" | "interrupt") =>
    request({}, { concurrency: { key: "k", limit: 1, on_busy } });
  const first = await settle(world, engine.start(T, with_("reject")));
  await assert.rejects(settle(world, engine.start(T, with_("reject"))), { code: "busy" });
  const second = await settle(world, engine.start(T, with_("interrupt")));
  assert.equal((await settle(world, first.result)).status, "cancelled");
  assert.equal((await settle(world, second.result)).status, "completed");
  assert.equal(cluster.db.list({ prefix: ["slot"] }).length, 0);
});

Deno.test("of those that wait for a place the ones with a higher priority go first", async () => {
  const world = new SimWorld(1);
  const cluster = new Cluster(world, () => slow(world));
  cluster.boot();
  await world.run(5000, () => cluster.nodes[0]!.open);
  const { engine } = cluster.nodes[0]!;
  for (const priority of [0, 0, 0, 0, 5, -5, 5]) {
    await settle(world, engine.start(T, request({}, { priority })));
  }
  await world.run(60_000, terminal(cluster));
  const order = cluster.calls.map(({ run }) => Number(run.slice(-1)));
  assert.deepEqual(order.slice(3), [5, 7, 4, 6]);
});

Deno.test("twenty followers see the same gapless stream of a run that is put aside and comes back", async () => {
  const { world, node } = await oneNode(async (ctx) => {
    await ctx.step("a", () => 1);
    await ctx.wait("gate", { signal: "go" });
    return await ctx.step("b", () => 2);
  });
  const { engine } = node();
  const { run } = await settle(world, engine.start(T, request()));
  const seen = Array.from({ length: 20 }, () => [] as number[]);
  const { signal } = new AbortController();
  const done = seen.map((seqs) =>
    engine.follow(T, run.id, { signal }, (event) => "seq" in event && seqs.push(event.seq))
  );
  await world.run(5000, () => false);
  await settle(world, engine.signal(T, run.id, "go", 1));
  for (const one of done) await settle(world, one);
  for (const seqs of seen) assert.deepEqual(seqs, seen[0]!.map((_, index) => index + 1));
});

/** Waits, branches and a child, with everything that they need sent from outside. */
const everything: RunFunction = async (ctx, input) => {
  if (ctx.run.parent) {
    await ctx.step("x", () => 1);
    await ctx.wait("nap", { timeout_ms: 3000 });
    return await ctx.step("y", () => input);
  }
  const a = await ctx.step("a", () => 1);
  const outcomes = await ctx.group("fan", async (inner) => {
    const all = await inner.all([
      (branch) => branch.wait("gate", { signal: "go" }) as Promise<Json>,
      (branch) =>
        branch.child("sub", { pipeline: "q", version: "v", input: 7 }) as Promise<
          unknown
        > as Promise<Json>,
      (branch) => branch.step("c", () => 3),
    ]);
    return all.map((one) => (one as PromiseFulfilledResult<Json>).value) as Json;
  });
  await ctx.wait("later", { timeout_ms: 5000 });
  return [a, outcomes, await ctx.step("d", () => 4)];
};

async function crashAt(moment: "before" | "after", n: number): Promise<boolean> {
  const world = new SimWorld(1);
  const cluster = new Cluster(world, () => everything);
  const node = cluster.boot();
  await world.run(2000, () => node.open);
  let count = 0, crashed = false;
  node.kv.onCommit = (when) => {
    if (when !== moment || ++count !== n || node.process.dead) return;
    crashed = true;
    cluster.crash(node, 10);
  };
  let id: string | undefined, sent = false;
  node.engine.start(T, request()).then(({ run }) => id = run.id, () => {});
  await world.run(500, () => id !== undefined);
  id ??= runsOf(cluster.db)[0]?.id;
  if (!id) return crashed;
  while (!sent) {
    const engine = cluster.nodes.find(({ open }) => open)?.engine;
    engine?.signal(T, id, "go", "now").then(() => sent = true, () => {});
    await world.run(300, () => sent);
  }
  await world.run(60_000, terminal(cluster));
  await world.run(5000, () => cluster.db.list({ prefix: ["inbox"] }).length === 0);
  checkInvariants(cluster.db, [id], cluster.calls);
  const output = outputOf(cluster, id) as [
    number,
    [{ signal: string }, { output: number }, number],
    number,
  ];
  assert.deepEqual([output[0], output[1][0].signal, output[1][1].output, output[2]], [
    1,
    "now",
    7,
    4,
  ]);
  assert.equal(runsOf(cluster.db).length, 2, "one child, however often the parent began");
  assert.equal(cluster.db.list({ prefix: ["timer"] }).length, 0);
  return crashed;
}

for (const moment of ["before", "after"] as const) {
  Deno.test(`a crash ${moment} any commit of a run that waits, branches and has a child loses nothing`, async () => {
    let n = 1;
    while (await crashAt(moment, n)) n++;
    assert(n > 12, `only ${n} commits were tried`);
  });
}
