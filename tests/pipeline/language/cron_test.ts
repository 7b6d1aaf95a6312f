import { expect } from "expect";
import { cronProblem, readCron } from "../../../pipeline/language/cron.ts";

async function ticks(cron: string, timezone: string, from: string, count: number) {
  const { next } = await readCron(cron, timezone);
  const found: string[] = [];
  for (let time = Date.parse(from); found.length < count;) {
    time = next(time)!;
    found.push(new Date(time).toISOString().replace(":00.000Z", ""));
  }
  return found;
}

Deno.test("cronProblem() is content with five fields and names", async () => {
  for (const cron of ["0 9 * * 1-5", "*/5 * * * *", "30 2 1 JAN,JUL *", "@daily", "0 0 29 2 *"]) {
    expect([cron, await cronProblem(cron, "Europe/Vienna")]).toEqual([cron, undefined]);
  }
  expect(await cronProblem("0 9 * * *")).toBeUndefined();
});

Deno.test("cronProblem() says what is wrong and in which field", async () => {
  const wrong: [string, string | undefined, string, RegExp][] = [
    ["0 9 * *", undefined, "cron", /five fields/],
    ["0 0 9 * * *", undefined, "cron", /five fields/],
    ["2026-12-01T00:00:00", undefined, "cron", /five fields/],
    ["? * * * *", undefined, "cron", /five fields/],
    ["", undefined, "cron", /five fields/],
    ["61 * * * *", undefined, "cron", /minute: 61/],
    ["@often", undefined, "cron", /"@often" is not a cron expression/],
    ["0 0 30 2 *", undefined, "cron", /never matches/],
    ["0 9 * * *", "Europe/Wien", "timezone", /"Europe\/Wien" is not a time zone/],
  ];
  for (const [cron, timezone, field, message] of wrong) {
    const problem = await cronProblem(cron, timezone);
    expect([cron, problem?.field]).toEqual([cron, field]);
    expect(problem?.message).toMatch(message);
  }
});

Deno.test("ticks are read in their time zone, UTC without one", async () => {
  expect(await ticks("0 9 * * 1-5", "Europe/Vienna", "2026-11-20T09:00:00Z", 2))
    .toEqual(["2026-11-23T08:00", "2026-11-24T08:00"]);
  expect(new Date((await readCron("0 9 * * *")).next(0)!).toISOString())
    .toBe("1970-01-01T09:00:00.000Z");
});

Deno.test("where clocks are put forward, one time a day comes after the gap, others skip it", async () => {
  const night = "2026-03-28T12:00:00Z";
  expect(await ticks("30 2 * * *", "Europe/Vienna", night, 2))
    .toEqual(["2026-03-29T01:00", "2026-03-30T00:30"]);
  expect(await ticks("*/30 1-3 * * *", "Europe/Vienna", night, 4))
    .toEqual(["2026-03-29T00:00", "2026-03-29T00:30", "2026-03-29T01:00", "2026-03-29T01:30"]);
});

Deno.test("where clocks are put back, one time a day comes once, others in both hours", async () => {
  expect(await ticks("30 2 * * *", "Europe/Vienna", "2026-10-24T12:00:00Z", 2))
    .toEqual(["2026-10-25T00:30", "2026-10-26T01:30"]);
  expect(await ticks("0 * * * *", "Europe/Vienna", "2026-10-24T23:30:00Z", 3))
    .toEqual(["2026-10-25T00:00", "2026-10-25T01:00", "2026-10-25T02:00"]);
});

Deno.test("last() gives the tick at or before a time, next() the one after it", async () => {
  const { next, last } = await readCron("0 9 * * *");
  const nine = Date.parse("2026-11-21T09:00:00Z");
  const day = 86_400_000;
  expect([last(nine - 1), last(nine), last(nine + 1), last(nine + 999), last(nine + day - 1)])
    .toEqual([nine - day, nine, nine, nine, nine]);
  expect([next(nine - 1), next(nine), next(nine + 1)]).toEqual([nine, nine + day, nine + day]);
});
