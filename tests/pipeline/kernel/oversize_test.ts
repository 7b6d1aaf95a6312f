/** More than fits one commit or one event: it is split, or refused with a code. */
import assert from "node:assert/strict";
import {
  createEngine,
  type Json,
  realWorld,
  type RunFunction,
} from "../../../pipeline/kernel/mod.ts";
import { withStore } from "../_memory_store.ts";
import { callerOf } from "../../_caller.ts";

const SILENT = { info() {}, warn() {}, error() {} };

/** An engine on a real store in memory, with its limits. */
function withEngine(
  programs: Record<string, RunFunction>,
  use: (engine: ReturnType<typeof createEngine>) => Promise<void>,
): Promise<void> {
  return withStore(async (store) => {
    const engine = createEngine({
      store,
      world: realWorld(),
      log: SILENT,
      concurrency: 50,
      queue_limit: 10_000,
      idempotency_ttl_ms: 60_000,
      lease_ms: 15_000,
      sweep_ms: 100,
    });
    await engine.open(({ pipeline }) => programs[pipeline]!);
    await use(engine);
    await engine.drain(1_000);
  });
}

const T = callerOf("t");
const start = (pipeline: string, input: Json = {}) => ({
  pipeline,
  version: "v",
  input,
});

Deno.test("a value of 64 KiB and one byte, and one of 3 MB, come back as they were", () =>
  withEngine({
    fill: (ctx, input) => ctx.step("fill", () => "é".repeat((input as number) / 2) + "x"),
  }, async (engine) => {
    for (const bytes of [64 * 1024, 3_000_000]) {
      const { run, result } = await engine.start(T, start("fill", bytes));
      const end = await result;
      assert.equal(end.status, "completed");
      assert.deepEqual(await engine.result(T, run.id), end);
      const text = (end as { output: string }).output;
      assert.equal(new TextEncoder().encode(text).length, bytes + 1);
    }
  }));

Deno.test("an output of 5 MB fails its step with a code", () =>
  withEngine({
    fill: (ctx) => ctx.step("fill", () => "x".repeat(5_000_000)),
  }, async (engine) => {
    const { run, result } = await engine.start(T, start("fill"));
    const end = await result;
    assert.equal(end.status === "failed" && end.error.code, "payload_too_large");
    const types = (await engine.journal(T, run.id)).map(({ type }) => type);
    assert.deepEqual(types, ["run.started", "step.started", "step.failed", "run.failed"]);
  }));

Deno.test("the limit of an output counts bytes, not characters", () =>
  withEngine({
    fill: (ctx, input) => ctx.step("fill", () => "甲".repeat(input as number)),
  }, async (engine) => {
    const ends = await Promise.all([1_300_000, 1_400_000].map(async (characters) => {
      const { result } = await engine.start(T, start("fill", characters));
      const end = await result;
      return end.status === "failed" ? end.error.code : end.status;
    }));
    assert.deepEqual(ends, ["completed", "payload_too_large"]);
  }));

Deno.test("1,001 messages for one run are all applied", () =>
  withEngine({
    collect: async (ctx) => {
      const taken: Json[] = [];
      for (let n = 0; n < 1_001; n++) {
        const outcome = await ctx.wait(`w${n}`, { signal: "go" });
        taken.push("signal" in outcome ? outcome.signal : null);
      }
      return taken;
    },
  }, async (engine) => {
    const { run, result } = await engine.start(T, start("collect"));
    await engine.pause(T, run.id);
    while ((await engine.get(T, run.id))?.status !== "paused") {
      await new Promise((done) => setTimeout(done, 5));
    }
    const numbers = Array.from({ length: 1_001 }, (_, n) => n);
    await Promise.all(numbers.map((n) => engine.signal(T, run.id, "go", n)));
    await engine.resume(T, run.id);
    const end = await result;
    assert.deepEqual(end.status === "completed" && end.output, numbers);
  }));

Deno.test("600 runs within one, begun at once with large inputs, all end", () =>
  withEngine({
    inner: (_ctx, input) => Promise.resolve((input as { n: number }).n),
    outer: async (ctx) => {
      const children = Array.from({ length: 600 }, (_, n) => n);
      const results = await ctx.group("fan", async (inner) => {
        const all = await inner.all(children.map((n) => async (branch) => {
          const input = { n, text: "x".repeat(3_000) };
          const result = await branch.child(`fan[${n}]`, {
            pipeline: "inner",
            version: "v",
            input,
          });
          return result.status === "completed" ? result.output : result.status;
        }));
        return all.map((one) => one.status === "fulfilled" ? one.value : "failed") as Json;
      });
      return results;
    },
  }, async (engine) => {
    const { result } = await engine.start(T, start("outer"));
    const end = await result;
    assert.deepEqual(
      end.status === "completed" && end.output,
      Array.from({ length: 600 }, (_, n) => n),
    );
  }));
