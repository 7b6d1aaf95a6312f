import assert from "node:assert/strict";
import { OrchestratorError } from "../../../errors.ts";
import type {
  JournalEvent,
  RunEvent,
  RunFunction,
  RunResult,
} from "../../../pipeline/kernel/mod.ts";
import { checkInvariants, journalOf, runsOf } from "../../_sim/invariants.ts";
import { flaky, hang, oneNode, request, settle, T } from "./_harness.ts";
import { callerOf } from "../../_caller.ts";

const five: RunFunction = async (ctx) => {
  let last = 0;
  for (let i = 1; i <= 5; i++) last = await ctx.step(`s${i}`, () => i);
  return last;
};

Deno.test("start() answers once the run is on disk; its result is the function's", async () => {
  const { world, cluster, node } = await oneNode(five);
  const { run, result } = await settle(world, node().engine.start(T, request({ a: 1 })));
  assert.deepEqual(runsOf(cluster.db).map(({ id }) => id), [run.id]);
  assert.deepEqual(await settle(world, result), {
    status: "completed",
    output: 5,
    usage: { input_tokens: 0, output_tokens: 0, cost_usd: 0 },
  });
  checkInvariants(cluster.db, [run.id], cluster.calls);
});

Deno.test("a run of five steps costs six commits", async () => {
  const { world, cluster, node } = await oneNode(five);
  const { run, result } = await settle(world, node().engine.start(T, request()));
  await settle(world, result);
  const commits = cluster.db.list({ prefix: ["journal", "t", run.id] });
  assert.equal(commits.length, 6);
  const types = journalOf(cluster.db, run.id).map((event) => event.type);
  assert.deepEqual(types, [
    "run.started",
    ...Array.from({ length: 5 }, () => ["step.started", "step.completed"]).flat(),
    "run.completed",
  ]);
});

Deno.test("a step is tried again with backoff, every attempt journaled with the same key", async () => {
  const keys: string[] = [];
  const { world, node, cluster } = await oneNode((ctx) =>
    ctx.step("a", ({ attempt, idempotency_key }) => {
      keys.push(idempotency_key);
      if (attempt < 3) throw flaky();
      return attempt;
    }, { retry: { interval_ms: 1000, backoff_rate: 3, jitter: "none" } })
  );
  const started = world.now;
  const { run, result } = await settle(world, node().engine.start(T, request()));
  const end = await settle(world, result);
  assert.equal(end.status === "completed" && end.output, 3);
  assert.equal(Math.floor((world.now - started) / 1000), 4, "1 s + 3 s");
  assert.deepEqual(keys, Array(3).fill(`${run.id}/a`));
  const failed = journalOf(cluster.db, run.id).filter((event) => event.type === "step.failed");
  assert.deepEqual(failed.map((e) => [e.attempt, e.error.code]), [
    [1, "model_unavailable"],
    [2, "model_unavailable"],
  ]);
});

Deno.test("a pause is never shorter than what the other side asked for", async () => {
  const { world, node } = await oneNode((ctx) =>
    ctx.step("a", ({ attempt }) => {
      if (attempt === 1) throw flaky(30_000);
      return 1;
    }, { retry: { interval_ms: 1 } })
  );
  const started = world.now;
  const { result } = await settle(world, node().engine.start(T, request()));
  await settle(world, result);
  assert(world.now - started >= 30_000);
});

Deno.test("a pause that would be longer than the longest one is not waited for", async () => {
  for (const asked of [60_001, 86_400_000, Number.MAX_VALUE, Infinity, NaN]) {
    const { world, node } = await oneNode((ctx) =>
      ctx.step("a", () => Promise.reject(flaky(asked)), { retry: { max_attempts: 5 } })
    );
    const { result } = await settle(world, node().engine.start(T, request()));
    const end = await settle(world, result, 1_000);
    assert.equal(end.status === "failed" && end.error.code, "model_unavailable");
    assert.equal(end.status === "failed" && end.error.retry_after_ms, asked);
  }
});

Deno.test("a budget of time that is spent during a pause ends the run then", async () => {
  const { world, node } = await oneNode((ctx) =>
    ctx.step("a", () => Promise.reject(flaky(50_000)), {})
  );
  const started = world.now;
  const budget = { seconds: 8.2 };
  const { result } = await settle(world, node().engine.start(T, request({}, { budget })));
  const end = await settle(world, result);
  assert.equal(end.status === "failed" && end.error.code, "budget_exceeded");
  assert(world.now - started < 9_000);
});

Deno.test("a time limit of what is around a pause holds", async () => {
  const { world, node } = await oneNode((ctx) =>
    ctx.group(
      "g",
      (within) => within.step("a", () => Promise.reject(flaky(50_000)), {}),
      { timeout_ms: 2_000 },
    )
  );
  const started = world.now;
  const { result } = await settle(world, node().engine.start(T, request()));
  const end = await settle(world, result);
  assert.equal(end.status === "failed" && end.error.code, "step_timeout");
  assert(world.now - started < 4_000);
});

Deno.test("a run fails with the error of its step when the attempts are used up", async () => {
  const { world, cluster, node } = await oneNode((ctx) =>
    ctx.step("a", () => Promise.reject(flaky()), { retry: { max_attempts: 2 } })
  );
  const { run, result } = await settle(world, node().engine.start(T, request()));
  const end = await settle(world, result);
  assert.equal(end.status === "failed" && end.error.code, "model_unavailable");
  const record = await settle(world, node().engine.get(T, run.id));
  assert.equal(record!.error!.code, "model_unavailable");
  const page = await settle(world, node().engine.list(T, { status: "failed" }));
  assert.deepEqual(page.runs.map(({ id }) => id), [run.id]);
  checkInvariants(cluster.db, [run.id], []);
});

Deno.test("the first and the latest events are read without the journal in between", async () => {
  const { world, node, cluster } = await oneNode(async (ctx) => {
    for (let n = 0; n < 50; n++) await ctx.step(`s${n}`, () => n);
    return 1;
  });
  const { engine } = node();
  const { run, result } = await settle(world, engine.start(T, request({ a: 1 })));
  await settle(world, result);
  const journal = journalOf(cluster.db, run.id);
  const latest = settle(world, Array.fromAsync(engine.latestEvents(T, run.id)));
  assert.deepEqual(await latest, journal.toReversed());
  assert.deepEqual(await settle(world, engine.firstEvent(T, run.id)), journal[0]);
  await assert.rejects(settle(world, engine.firstEvent(T, "run_9")), { code: "not_found" });

  const read: number[] = [];
  const { list } = cluster.db;
  cluster.db.list = (...args) => {
    const found = list.apply(cluster.db, args);
    read.push(found.length);
    return found;
  };
  const step = async () => {
    for await (const event of engine.latestEvents(T, run.id)) {
      if ("step" in event) return event.step;
    }
  };
  assert.equal(await settle(world, step()), "s49");
  assert.deepEqual(read, [1]);
});

Deno.test("redrive() goes on where a failed run failed; completed steps do not run again", async () => {
  let broken = true;
  const { world, node, cluster } = await oneNode(async (ctx) => {
    await ctx.step("a", () => 1);
    return await ctx.step("b", () => {
      if (broken) throw flaky();
      return 2;
    }, { retry: { max_attempts: 1 } });
  });
  const { run, result } = await settle(world, node().engine.start(T, request()));
  await settle(world, result);
  broken = false;
  await settle(world, node().engine.redrive(T, run.id));
  const follow = node().engine.follow(
    T,
    run.id,
    { signal: new AbortController().signal },
    () => {},
  );
  await settle(world, follow);
  const end = await settle(world, node().engine.result(T, run.id));
  assert.equal(end?.status === "completed" && end.output, 2);
  assert.deepEqual(cluster.calls.map(({ step }) => step), ["a", "b", "b"]);
  assert.equal((await settle(world, node().engine.get(T, run.id)))?.attempts, 2);
  await assert.rejects(settle(world, node().engine.redrive(T, run.id)), { code: "conflict" });
  const failed = await settle(world, node().engine.list(T, { status: "failed" }));
  assert.equal(failed.runs.length, 0);
});

Deno.test("an attempt that takes too long is aborted, tried again and fails as step_timeout", async () => {
  let aborted = 0;
  const { world, node } = await oneNode((ctx) =>
    ctx.step("slow", ({ signal }) => {
      signal.addEventListener("abort", () => aborted++);
      return new Promise<number>(() => {}); // ignores its signal
    }, { timeout_ms: 1000, retry: { max_attempts: 2, interval_ms: 1 } })
  );
  const started = world.now;
  const { result } = await settle(world, node().engine.start(T, request()));
  const end = await settle(world, result);
  assert.equal(end.status === "failed" && end.error.code, "step_timeout");
  assert.equal(aborted, 2);
  assert(world.now - started < 3000);
});

Deno.test("cancel() aborts what runs; the run ends as cancelled with the reason", async () => {
  let aborted: unknown;
  const { world, node, cluster } = await oneNode((ctx) =>
    ctx.step("wait", ({ signal }) => hang(signal).catch((reason) => (aborted = reason, 1)))
  );
  const { run, result } = await settle(world, node().engine.start(T, request()));
  await settle(world, node().engine.cancel(T, run.id, "not needed"));
  const { status, reason } = await settle(world, result) as RunResult & { status: "cancelled" };
  assert.deepEqual({ status, reason }, { status: "cancelled", reason: "not needed" });
  assert.equal((aborted as { code: string }).code, "run_cancelled");
  await assert.rejects(settle(world, node().engine.cancel(T, run.id)), { code: "conflict" });
  await assert.rejects(settle(world, node().engine.cancel(T, "run_none")), { code: "not_found" });
  checkInvariants(cluster.db, [run.id], []);
});

Deno.test("runs above the concurrency limit wait in order; one that waits can be cancelled", async () => {
  const order: number[] = [];
  const gates = new Map<number, () => void>();
  const { world, node } = await oneNode((ctx, input) =>
    ctx.step("wait", () => {
      order.push(input as number);
      return new Promise<number>((resolve) => gates.set(input as number, () => resolve(1)));
    })
  );
  const started = [];
  for (let i = 0; i < 6; i++) started.push(await settle(world, node().engine.start(T, request(i))));
  assert.deepEqual(started.map(({ run }) => run.status).slice(2, 5), [
    "running",
    "queued",
    "queued",
  ]);
  assert.deepEqual(node().engine.stats(), {
    running: 3,
    queued: 3,
    accepting: true,
    store_ok: true,
  });
  await settle(world, node().engine.cancel(T, started[4]!.run.id));
  assert.equal((await settle(world, started[4]!.result)).status, "cancelled");
  for (const i of [0, 1, 2]) gates.get(i)!();
  await world.run(100, () => gates.has(5));
  for (const i of [3, 5]) gates.get(i)!();
  for (const i of [0, 1, 2, 3, 5]) {
    assert.equal((await settle(world, started[i]!.result)).status, "completed");
  }
  assert.deepEqual(order, [0, 1, 2, 3, 5]);
});

Deno.test("start() refuses with overloaded when the queue is full, and nothing is written", async () => {
  const { world, node, cluster } = await oneNode((ctx) =>
    ctx.step("w", ({ signal }) => hang(signal))
  );
  for (let i = 0; i < 103; i++) await settle(world, node().engine.start(T, request(i)));
  await assert.rejects(settle(world, node().engine.start(T, request(104))), {
    code: "overloaded",
    kind: "retryable",
  });
  assert.equal(runsOf(cluster.db).length, 103);
});

Deno.test("one idempotency key makes one run, however often and however fast it is sent", async () => {
  const { world, node, cluster } = await oneNode(five);
  const idempotency = { key: "k", fingerprint: "f" };
  const all = Array.from(
    { length: 100 },
    () =>
      node().engine.start(T, request({}, { idempotency })).then((s) => s, (e) => e.code as string),
  );
  const answers = await settle(world, Promise.all(all));
  const made = answers.filter((answer) => typeof answer !== "string");
  assert.equal(made.length, 1);
  assert(answers.every((a) => typeof a !== "string" || a === "idempotency_in_flight"));
  await settle(world, made[0]!.result);
  const again = await settle(world, node().engine.start(T, request({}, { idempotency })));
  assert.equal(again.replayed, true);
  assert.equal(again.run.id, made[0]!.run.id);
  assert.equal((await settle(world, again.result)).status, "completed");
  const other = { key: "k", fingerprint: "other" };
  await assert.rejects(settle(world, node().engine.start(T, request({}, { idempotency: other }))), {
    code: "idempotency_mismatch",
  });
  assert.equal(runsOf(cluster.db).length, 1);
});

Deno.test("an idempotency key can be used again after its time", async () => {
  const { world, node, cluster } = await oneNode(five);
  const idempotency = { key: "k", fingerprint: "f" };
  await settle(world, node().engine.start(T, request({}, { idempotency })));
  world.now += 3_600_001;
  const again = await settle(world, node().engine.start(T, request({}, { idempotency })));
  assert.equal(again.replayed, false);
  assert.equal(runsOf(cluster.db).length, 2);
});

Deno.test("drain() takes nothing new, lets go of what runs; the next process resumes it", async () => {
  let hold = true;
  const { world, node, cluster } = await oneNode(async (ctx) => {
    await ctx.step("a", () => 1);
    return await ctx.step("b", ({ signal }) => hold ? hang(signal) : 2);
  });
  const { run, result } = await settle(world, node().engine.start(T, request()));
  const { engine } = node();
  await settle(world, engine.drain(1000));
  await assert.rejects(engine.start(T, request()), { code: "shutting_down" });
  const end = await settle(world, result);
  assert.equal(end.status === "failed" && end.error.code, "shutting_down");
  hold = false;
  const next = cluster.boot();
  await world.run(2000, () => next.open);
  const following = next.engine.follow(T, run.id, { signal: AbortSignal.any([]) }, () => {});
  await settle(world, following);
  const resumed = journalOf(cluster.db, run.id).find((event) => event.type === "run.resumed");
  assert.equal(resumed?.type === "run.resumed" && resumed.reason, "released");
  assert.deepEqual(cluster.calls.map(({ step }) => step), ["a", "b", "b"]);
  checkInvariants(cluster.db, [run.id], cluster.calls);
});

Deno.test("events that a function emits are journaled once, also when it is replayed", async () => {
  let crash = true;
  const { world, node, cluster } = await oneNode(async (ctx) => {
    const usage = { input_tokens: 1, output_tokens: 2, cost_usd: 0.5 };
    ctx.emit({ type: "test.noted", step: "x", text: "a" });
    await ctx.step("a", () => 1, { usage: () => usage });
    ctx.emit({ type: "test.done", step: "x" });
    return await ctx.step("b", ({ signal }) => crash ? hang(signal) : 2);
  });
  const { run } = await settle(world, node().engine.start(T, request()));
  await world.run(500, () => cluster.calls.length === 2);
  crash = false;
  cluster.crash(node(), 10);
  await world.run(5000, () => runsOf(cluster.db)[0]!.last_seq !== undefined);
  const types = journalOf(cluster.db, run.id).map((event) => event.type);
  assert.equal(types.filter((type) => type.startsWith("test.")).length, 2);
  const last = journalOf(cluster.db, run.id).at(-1) as JournalEvent & { type: "run.completed" };
  assert.deepEqual(last.usage, { input_tokens: 1, output_tokens: 2, cost_usd: 0.5 });
});

Deno.test("a result that is too large fails its step; one of 5 MB does not", async () => {
  const { world, node } = await oneNode((ctx, size) =>
    ctx.step("big", () => "x".repeat(size as number))
  );
  const small = await settle(world, node().engine.start(T, request(3_000_000)));
  assert.equal((await settle(world, small.result)).status, "completed");
  const large = await settle(world, node().engine.start(T, request(5_000_000)));
  const end = await settle(world, large.result);
  assert.equal(end.status === "failed" && end.error.code, "payload_too_large");
});

Deno.test("two steps of one name are a mistake that fails the run", async () => {
  const { world, node } = await oneNode(async (ctx) => {
    await ctx.step("a", () => 1);
    return await ctx.step("a", () => 2);
  });
  const { result } = await settle(world, node().engine.start(T, request()));
  const end = await settle(world, result);
  assert.match(
    end.status === "failed" ? end.error.message : "",
    /step a.*already has a step with that key/,
  );
});

Deno.test("follow() replays and goes on live without gap or double, with a snapshot for latecomers", async () => {
  const gate = Promise.withResolvers<void>();
  const { world, node } = await oneNode(async (ctx) => {
    await ctx.step("a", () => 1);
    return await ctx.step("b", async ({ delta }) => {
      delta("one ");
      delta("two ");
      await gate.promise;
      delta("three");
      return 2;
    });
  });
  const first: RunEvent[] = [];
  const { run, result } = await settle(
    world,
    node().engine.start(T, request(), (event) => void first.push(event)),
  );
  await world.run(100, () => first.some((event) => event.type === "step.delta"));
  const late: RunEvent[] = [];
  const signal = new AbortController().signal;
  const following = node().engine.follow(
    T,
    run.id,
    { after: 2, signal },
    (e) => void late.push(e),
  );
  await world.run(20, () => late.some((event) => event.type === "step.snapshot"));
  gate.resolve();
  await settle(world, following);
  await settle(world, result);
  const seqs = (events: RunEvent[]) => events.flatMap((e) => "seq" in e ? [e.seq] : []);
  assert.deepEqual(seqs(first), [1, 2, 3, 4, 5, 6]);
  assert.deepEqual(seqs(late), [3, 4, 5, 6]);
  const texts = (events: RunEvent[]) =>
    events.flatMap((e) =>
      e.type === "step.delta" || e.type === "step.snapshot" ? [[e.type, e.text]] : []
    );
  assert.deepEqual(texts(first), [["step.delta", "one two "], ["step.delta", "three"]]);
  assert.deepEqual(texts(late), [["step.snapshot", "one two "], ["step.delta", "three"]]);
});

Deno.test("follow() of a run that has ended replays it and ends; an unknown one is not_found", async () => {
  const { world, node } = await oneNode(five);
  const { run, result } = await settle(world, node().engine.start(T, request()));
  await settle(world, result);
  const events: RunEvent[] = [];
  const signal = new AbortController().signal;
  const { engine } = node();
  await settle(
    world,
    engine.follow(T, run.id, { after: 10, signal }, (e) => void events.push(e)),
  );
  assert.deepEqual(events.map(({ type }) => type), ["step.completed", "run.completed"]);
  await settle(
    world,
    engine.follow(T, run.id, { after: 12, signal }, (e) => void events.push(e)),
  );
  assert.equal(events.length, 2, "nothing comes after the end");
  await assert.rejects(settle(world, engine.follow(T, "run_none", { signal }, () => {})), {
    code: "not_found",
  });
});

Deno.test("journal() after n starts behind n, also inside a commit of several events", async () => {
  const { world, node } = await oneNode(five);
  const { run, result } = await settle(world, node().engine.start(T, request()));
  await settle(world, result);
  for (let after = 0; after <= 12; after++) {
    const events = await settle(world, node().engine.journal(T, run.id, after));
    assert.deepEqual(
      events.map(({ seq }) => seq),
      Array.from({ length: 12 - after }, (_, i) => after + 1 + i),
    );
  }
});

Deno.test("list() pages newest first and keeps tenants apart", async () => {
  const { world, node } = await oneNode(five);
  const ids: string[] = [];
  for (let i = 0; i < 7; i++) {
    const { run, result } = await settle(world, node().engine.start(T, request(i)));
    await settle(world, result);
    ids.unshift(run.id);
  }
  const { engine } = node();
  const { run: other } = await settle(world, engine.start(callerOf("u"), request()));
  const seen: string[] = [];
  let cursor: string | undefined;
  do {
    const page = await settle(world, engine.list(T, { limit: 3, cursor }));
    seen.push(...page.runs.map(({ id }) => id));
    cursor = page.next_cursor;
  } while (cursor);
  assert.deepEqual(seen, ids);
  assert.equal(await settle(world, engine.get(T, other.id)), null);
  const done = await settle(world, engine.list(T, { status: "completed", limit: 2 }));
  assert.deepEqual(done.runs.map(({ id }) => id), ids.slice(0, 2));
  assert.deepEqual((await settle(world, engine.list(T, { status: "running" }))).runs, []);
});

Deno.test("a run that failed is in the log, one that completed is not", async () => {
  const { world, cluster, node } = await oneNode((ctx, input) =>
    ctx.step("a", () => {
      if (input === "bad") throw new OrchestratorError("model_auth", "Cannot ask: wrong key.");
      return 1;
    })
  );
  for (const input of ["good", "bad"]) {
    await settle(world, (await settle(world, node().engine.start(T, request(input)))).result);
  }
  assert.equal(cluster.warnings.length, 1);
  const { message, pipeline, code, reason } = cluster.warnings[0]!;
  const told = [message, pipeline, code, reason];
  assert.deepEqual(told, ["run failed", "p", "model_auth", "Cannot ask: wrong key."]);
});
