import FakeTimers from "@sinonjs/fake-timers";
import { expect } from "expect";
import { OrchestratorError } from "../../errors.ts";
import { type Breaker, createBreaker } from "../../tools/breaker.ts";

const down = new OrchestratorError("egress_failed", "Cannot reach it.", { kind: "retryable" });

/** A breaker that opens for a second after two failures, and the clock that it sees. */
async function withBreaker(test: (breaker: Breaker, tick: (ms: number) => void) => Promise<void>) {
  const clock = FakeTimers.install({ toFake: ["Date"], now: 1_000_000 });
  try {
    const breaker = createBreaker({ name: "partner", failures: 2, open_ms: 1000 });
    await test(breaker, (ms) => clock.setSystemTime(clock.now + ms));
  } finally {
    clock.uninstall();
  }
}

const fail = (breaker: Breaker, error: unknown = down) =>
  breaker.run(() => Promise.reject(error)).catch((error) => error as OrchestratorError);

Deno.test("a breaker opens after failures in a row and says how long to wait", async () => {
  await withBreaker(async (breaker, tick) => {
    expect(breaker.health()).toEqual({ name: "partner", status: "unknown" });
    expect(await breaker.run(() => Promise.resolve(1))).toBe(1);
    expect(breaker.health()).toMatchObject({ status: "ok", latency_ms: expect.any(Number) });
    expect(await fail(breaker)).toBe(down);
    expect(breaker.health()).toMatchObject({ status: "failing", last_error: "Cannot reach it." });
    await fail(breaker);
    tick(400);
    let called = false;
    const refused = await breaker.run(() => Promise.resolve(called = true)).catch((error) => error);
    expect(refused).toMatchObject({ code: "circuit_open", kind: "retryable", retry_after_ms: 600 });
    expect(called).toBe(false);
    expect([breaker.isOpen, breaker.health().status]).toEqual([true, "open"]);
  });
});

Deno.test("a breaker lets one call through after its time, which decides", async () => {
  await withBreaker(async (breaker, tick) => {
    await fail(breaker);
    await fail(breaker);
    tick(1000);
    expect(breaker.isOpen).toBe(false);
    expect(await fail(breaker)).toBe(down);
    expect(await fail(breaker)).toMatchObject({ code: "circuit_open", retry_after_ms: 1000 });
    tick(1000);
    expect(await breaker.run(() => Promise.resolve("back"))).toBe("back");
    expect(await fail(breaker)).toBe(down);
    expect(breaker.isOpen).toBe(false);
  });
});

Deno.test("a breaker counts neither refusals nor callers that stop", async () => {
  await withBreaker(async (breaker) => {
    const refusal = new OrchestratorError("tool_failed", "Cannot: the answer is 400.");
    const stop = new OrchestratorError("run_cancelled", "Cancelled.", { kind: "cancelled" });
    const aborted = new DOMException("Aborted", "AbortError");
    for (const error of [refusal, stop, aborted, refusal, stop, aborted]) {
      await fail(breaker, error);
    }
    expect(breaker.isOpen).toBe(false);
    await fail(breaker);
    await fail(breaker, new TypeError("broken"));
    expect(breaker.isOpen).toBe(true);
  });
});
