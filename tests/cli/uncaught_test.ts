import { expect } from "expect";
import { surviveUncaught } from "../../cli/uncaught.ts";
import type { LogFields } from "../../telemetry/log.ts";

/** Survives until the test's end, at a time that it sets; what was logged. */
function surviving(
  use: (logged: { message: string; fields: LogFields }[], clock: { now: number }) => void,
): void {
  const logged: { message: string; fields: LogFields }[] = [];
  const clock = { now: 0 };
  const log = { error: (message: string, fields: LogFields) => logged.push({ message, fields }) };
  using _ = surviveUncaught(log as never, () => clock.now);
  use(logged, clock);
}

const reject = (reason: unknown) => {
  const promise = Promise.resolve();
  const event = { promise, reason, cancelable: true };
  return dispatchEvent(new PromiseRejectionEvent("unhandledrejection", event));
};
const fail = (error: unknown) =>
  dispatchEvent(new ErrorEvent("error", { error, cancelable: true }));

Deno.test("surviveUncaught() logs what nothing catches and prevents its end of the process", () =>
  surviving((logged) => {
    expect([reject(new Error("a")), fail(new Error("b"))]).toEqual([false, false]);
    expect(logged).toMatchObject([
      { message: "unhandled rejection", fields: { error: { code: "internal", message: "a" } } },
      { message: "uncaught error", fields: { error: { message: "b" } } },
    ]);
  }));

Deno.test("surviveUncaught() takes whatever is thrown, and logs no more of it than fits", () =>
  surviving((logged) => {
    const untold = { toString: () => fail(new Error("inside")) && "" };
    for (const reason of [undefined, null, Symbol("s"), Object.create(null), untold]) {
      reject(reason);
    }
    reject(new Error("x".repeat(1_000_000)));
    expect(logged.length).toBeGreaterThanOrEqual(6);
    expect(JSON.stringify(logged.at(-1)).length).toBeLessThan(10_000);
  }));

Deno.test("surviveUncaught() logs ten lines a minute and counts the rest", () =>
  surviving((logged, clock) => {
    for (let n = 0; n < 1_000; n++) reject(new Error(String(n)));
    expect(logged).toHaveLength(10);
    clock.now = 60_000;
    reject(new Error("later"));
    expect(logged[10]!.fields).toMatchObject({ error: { message: "later" }, suppressed: 990 });
    reject(new Error("last"));
    expect(logged[11]!.fields).not.toHaveProperty("suppressed");
  }));

Deno.test("surviveUncaught() ends with its disposal", () => {
  surviving(() => {});
  expect(reject(new Error("a"))).toBe(true);
});
