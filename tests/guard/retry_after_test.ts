import { expect } from "expect";
import { durationMs, retryAfterMs } from "../../guard/retry_after.ts";

const NOW = Date.UTC(2026, 0, 1, 12);
const YEAR_MS = 365 * 86_400_000;

function wait(headers: Record<string, string>): number | undefined {
  return retryAfterMs(new Headers(headers), () => NOW);
}

Deno.test("retryAfterMs() reads seconds, decimals and milliseconds", () => {
  expect(wait({ "retry-after": "7" })).toBe(7_000);
  expect(wait({ "retry-after": " 1.5 " })).toBe(1_500);
  expect(wait({ "retry-after": "0" })).toBe(0);
  expect(wait({ "retry-after-ms": "12.3" })).toBe(13);
  expect(wait({ "retry-after-ms": "20", "retry-after": "7" })).toBe(20);
  expect(wait({ "retry-after-ms": "soon", "retry-after": "7" })).toBe(7_000);
});

Deno.test("retryAfterMs() reads dates of every form of HTTP", () => {
  for (
    const text of [
      "Thu, 01 Jan 2026 12:00:30 GMT",
      "Thursday, 01-Jan-26 12:00:30 GMT",
      "Thu Jan  1 12:00:30 2026",
      "2026-01-01T12:00:30Z",
    ]
  ) expect([text, wait({ "retry-after": text })]).toEqual([text, 30_000]);
  expect(wait({ "retry-after": "Thu, 01 Jan 2026 11:00:00 GMT" })).toBe(0);
});

Deno.test("retryAfterMs() takes a date relative to the response's own", () => {
  const at = (date: string) => wait({ date, "retry-after": "Thu, 01 Jan 2099 12:00:03 GMT" });
  expect(at("Thu, 01 Jan 2099 12:00:00 GMT")).toBe(3_000);
  expect(at("Thu, 01 Jan 2099 13:00:00 GMT")).toBe(0);
  const date = "Thu, 01 Jan 2026 11:59:59 GMT";
  expect(wait({ date, "retry-after": "Thu, 01 Jan 2026 12:00:30 GMT" })).toBe(30_000);
  const absurd = Date.UTC(2099, 0, 1, 12, 0, 3) - NOW;
  expect(at("not a date")).toBe(Math.min(absurd, YEAR_MS));
});

Deno.test("retryAfterMs() bounds what no clock can hold", () => {
  for (
    const value of ["999999999", "9".repeat(30), "9".repeat(400), "Fri, 31 Dec 9999 23:59:59 GMT"]
  ) expect(wait({ "retry-after": value })).toBe(YEAR_MS);
  expect(wait({ "retry-after-ms": "9".repeat(400) })).toBe(YEAR_MS);
});

Deno.test("retryAfterMs() ignores what is no time", () => {
  for (
    const value of ["", "soon", "-1", "1e3", "NaN", "Infinity", "0x10", "soon 5", "1,5", "Mon, 1"]
  ) expect([value, wait({ "retry-after": value })]).toEqual([value, undefined]);
  expect(wait({})).toBeUndefined();
});

Deno.test("durationMs() reads Google's durations", () => {
  expect(durationMs("1.5s")).toBe(1_500);
  expect(durationMs("99999999999s")).toBe(YEAR_MS);
  for (const value of ["5", "-1s", "1.2.3s", "s", "", 5, null, undefined, {}]) {
    expect(durationMs(value)).toBeUndefined();
  }
});
