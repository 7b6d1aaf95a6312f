import { expect } from "expect";
import { OrchestratorError } from "../../../errors.ts";
import type { Grant } from "../../../guard/mod.ts";
import type { Schedule } from "../../../pipeline/document/document.ts";
import type { StoredPipeline } from "../../../pipeline/catalog/stored_pipelines.ts";
import { createSchedules, type Schedules } from "../../../pipeline/catalog/schedules.ts";
import { Store } from "../../../store/mod.ts";
import type { NewRun } from "../../../pipeline/kernel/runs.ts";
import { NO_FAULTS, SimDatabase, SimKv } from "../../_sim/kv.ts";
import { SimProcess, SimWorld } from "../../_sim/world.ts";
import { callerOf, LOCAL } from "../../_caller.ts";

const MINUTE = 60_000;
const HOUR = 60 * MINUTE;

/** Processes that share a database and an engine that remembers idempotency keys. */
class Desk {
  readonly world = new SimWorld(1);
  readonly db = new SimDatabase();
  readonly started: NewRun[] = [];
  /** Idempotency keys of all starts, refused ones included. */
  readonly asked: string[] = [];
  readonly schedules: Record<string, Schedule[]> = {};
  readonly lines: string[] = [];
  /** Pipelines that tenants have put, with what those who did it were granted. */
  readonly stored: Record<string, Record<string, { schedule: Schedule[]; grants?: Grant[] }>> = {};
  private readonly keys = new Map<string, string>();
  private processes = 0;
  /** Added to each process's clock. */
  skew = 0;
  fail?: () => OrchestratorError | undefined;

  constructor(at: string, schedules: Record<string, Schedule[]>) {
    this.world.now = Date.parse(at);
    this.schedules = schedules;
  }

  async boot(): Promise<Schedules & { process: SimProcess }> {
    const process = new SimProcess(`p${++this.processes}`);
    const { clock: real } = this.world.of(process);
    const clock = { ...real, now: () => real.now() + this.skew };
    const { now, sleep } = clock;
    const kv = new SimKv(this.db, process, this.world, () => NO_FAULTS);
    const store = new Store({ kv, worker: process.name, now, sleep, lease_ms: 1e12 });
    let open = false;
    store.open().then(() => open = true);
    await this.world.run(1000, () => open);
    const log = (message: string) => void this.lines.push(message);
    const schedules = createSchedules({
      catalog: {
        pipelines: ({ tenant }) => {
          const files = Object.entries(this.schedules).map(([name, schedule]) => {
            return { name, source: "home" as const, ...(schedule.length ? { schedule } : {}) };
          });
          const stored = Object.entries(this.stored[tenant] ?? {}).map(([name, { schedule }]) => {
            if (name === "broken") throw new Error("cannot be read");
            return { name, source: "stored" as const, schedule };
          });
          return Promise.resolve([...files, ...stored]);
        },
        document: ({ tenant }, name) => {
          const stored = this.stored[tenant]?.[name] as StoredPipeline | undefined;
          return Promise.resolve(stored ? { source: "stored", text: "", stored } : null);
        },
      },
      stored: { tenants: () => Promise.resolve(Object.keys(this.stored)) },
      engine: { start: (caller, request) => this.start({ ...request, ...caller.toRecord() }) },
      prepare: () => Promise.resolve({ version: "v", priority: 3 }),
      store,
      clock,
      log: { info: log, warn: log, error: log },
    });
    schedules.start();
    const { list, stop } = schedules;
    return {
      process,
      start: () => {},
      list: list.bind(schedules),
      stop: stop.bind(schedules),
    };
  }

  /** Lets virtual time pass. */
  async pass(ms: number) {
    let over = false;
    this.world.at(ms, undefined, () => over = true);
    await this.world.run(ms, () => over);
  }

  async wait<T>(promise: Promise<T>): Promise<T> {
    let done = false;
    promise.finally(() => done = true);
    await this.world.run(5000, () => done);
    return await promise;
  }

  /** When the runs that were started were due, and the time of their start. */
  ticks(pipeline?: string): string[] {
    return this.started.filter((run) => !pipeline || run.pipeline === pipeline)
      .map((run) => run.idempotency!.fingerprint.slice(0, 16));
  }

  private start(request: NewRun) {
    const error = this.fail?.();
    if (error) return Promise.reject(error);
    const key = `${request.tenant} ${request.idempotency!.key}`;
    this.asked.push(key);
    if (this.keys.has(key)) {
      const details = { run_id: this.keys.get(key) };
      return Promise.reject(
        new OrchestratorError("idempotency_in_flight", "x", { kind: "retryable", details }),
      );
    }
    this.keys.set(key, `run_${this.keys.size}`);
    this.started.push(request);
    const run = { id: `run_${this.keys.size - 1}` };
    // deno-lint-ignore no-explicit-any -- only the id is looked at
    return Promise.resolve({ run, replayed: false, result: new Promise(() => {}) } as any);
  }
}

Deno.test("a run starts at each tick, as the pipeline says", async () => {
  const desk = new Desk("2026-11-21T08:58:30Z", {
    report: [{ cron: "0 * * * *", timezone: "Europe/Vienna", input: { kind: "hourly" } }],
    quiet: [],
  });
  await desk.boot();
  await desk.pass(2 * HOUR);
  expect(desk.ticks()).toEqual(["2026-11-21T09:00", "2026-11-21T10:00"]);
  expect(desk.started[0]).toEqual({
    tenant: "default",
    pipeline: "report",
    version: "v",
    priority: 3,
    input: { kind: "hourly" },
    started_by: "schedule",
    grants: ["*"],
    idempotency: {
      key: "schedule/report/0/2026-11-21T09:00:00.000Z",
      fingerprint: "2026-11-21T09:00:00.000Z",
    },
  });
});

Deno.test("several processes start a tick once", async () => {
  const desk = new Desk("2026-11-21T08:58:30Z", { report: [{ cron: "*/10 * * * *" }] });
  for (let n = 0; n < 3; n++) await desk.boot();
  await desk.pass(HOUR);
  expect(desk.ticks()).toHaveLength(6);
  expect(new Set(desk.ticks()).size).toBe(6);
});

Deno.test("missed ticks are dropped, or make one run together", async () => {
  const cron = "0 * * * *";
  const desk = new Desk("2026-11-21T08:30:00Z", {
    dropped: [{ cron }],
    joined: [{ cron, missed: "once" }],
  });
  const first = await desk.boot();
  await desk.pass(HOUR);
  first.process.dead = true;
  await desk.pass(4 * HOUR + 10 * MINUTE);
  await desk.boot();
  await desk.pass(MINUTE);
  expect(desk.ticks("dropped")).toEqual(["2026-11-21T09:00"]);
  expect(desk.ticks("joined")).toEqual(["2026-11-21T09:00", "2026-11-21T13:00"]);
  await desk.pass(HOUR);
  expect(desk.ticks("dropped")).toEqual(["2026-11-21T09:00", "2026-11-21T14:00"]);
  expect(desk.ticks("joined").at(-1)).toBe("2026-11-21T14:00");
});

Deno.test("a process that is back within a minute misses nothing", async () => {
  const desk = new Desk("2026-11-21T08:59:30Z", { report: [{ cron: "0 * * * *" }] });
  const first = await desk.boot();
  await desk.pass(10_000);
  first.process.dead = true;
  await desk.pass(40_000);
  await desk.boot();
  await desk.pass(MINUTE);
  expect(desk.ticks()).toEqual(["2026-11-21T09:00"]);
});

Deno.test("a process that dies between start and record starts nothing twice", async () => {
  const desk = new Desk("2026-11-21T08:59:30Z", { report: [{ cron: "0 * * * *" }] });
  const first = await desk.boot();
  desk.fail = () =>
    void (desk.world.now >= Date.parse("2026-11-21T09:00:00Z") &&
      (first.process.dead = true));
  await desk.pass(40_000);
  expect(desk.ticks()).toEqual(["2026-11-21T09:00"]);
  desk.fail = undefined;
  const second = await desk.boot();
  await desk.pass(10_000);
  expect(desk.ticks()).toEqual(["2026-11-21T09:00"]);
  expect(await desk.wait(second.list(LOCAL))).toMatchObject([{
    last: "2026-11-21T09:00:00.000Z",
    last_run: "run_0",
    next: "2026-11-21T10:00:00.000Z",
  }]);
});

Deno.test("a clock that goes back starts nothing again", async () => {
  const desk = new Desk("2026-11-21T08:59:00Z", { report: [{ cron: "*/30 * * * *" }] });
  await desk.boot();
  await desk.pass(2 * MINUTE);
  desk.skew = -20 * MINUTE;
  await desk.pass(20 * MINUTE);
  expect(desk.ticks()).toEqual(["2026-11-21T09:00"]);
  await desk.pass(30 * MINUTE);
  expect(desk.ticks()).toEqual(["2026-11-21T09:00", "2026-11-21T09:30"]);
});

Deno.test("a clock that jumps by an hour again and again starts no tick twice", async () => {
  const desk = new Desk("2026-11-21T09:00:00Z", { report: [{ cron: "* * * * *" }] });
  await desk.boot();
  for (let jump = 1; jump <= 100; jump++) {
    desk.skew = [0, HOUR, 0, -HOUR][jump % 4]!;
    await desk.pass(MINUTE);
  }
  expect(desk.asked.length).toBeGreaterThan(20);
  expect(new Set(desk.asked).size).toBe(desk.asked.length);
});

Deno.test("both changes of clocks in Vienna", async () => {
  const timezone = "Europe/Vienna";
  const spring = new Desk("2026-03-28T23:00:00Z", {
    fixed: [{ cron: "30 2 * * *", timezone }],
    often: [{ cron: "30 * * * *", timezone }],
  });
  await spring.boot();
  await spring.pass(3 * HOUR);
  expect(spring.ticks("fixed")).toEqual(["2026-03-29T01:00"]);
  expect(spring.ticks("often"))
    .toEqual(["2026-03-28T23:30", "2026-03-29T00:30", "2026-03-29T01:30"]);
  const autumn = new Desk("2026-10-24T23:45:00Z", {
    fixed: [{ cron: "30 2 * * *", timezone }],
    often: [{ cron: "30 * * * *", timezone }],
  });
  await autumn.boot();
  await autumn.pass(3 * HOUR);
  expect(autumn.ticks("fixed")).toEqual(["2026-10-25T00:30"]);
  expect(autumn.ticks("often"))
    .toEqual(["2026-10-25T00:30", "2026-10-25T01:30", "2026-10-25T02:30"]);
});

Deno.test("schedules follow their pipelines: new, changed, removed and back", async () => {
  const once = { missed: "once" as const };
  const desk = new Desk("2026-11-21T08:10:00Z", {});
  await desk.boot();
  await desk.pass(HOUR);
  desk.schedules.report = [{ cron: "0 * * * *", ...once }];
  await desk.pass(10 * MINUTE);
  expect(desk.ticks()).toEqual([]);
  await desk.pass(45 * MINUTE);
  expect(desk.ticks()).toEqual(["2026-11-21T10:00"]);
  desk.schedules.report = [{ cron: "30 * * * *", ...once }];
  await desk.pass(30 * MINUTE);
  expect(desk.ticks()).toEqual(["2026-11-21T10:00", "2026-11-21T10:30"]);
  delete desk.schedules.report;
  await desk.pass(2 * HOUR);
  desk.schedules.report = [{ cron: "30 * * * *", ...once }];
  await desk.pass(10 * MINUTE);
  expect(desk.ticks()).toHaveLength(2);
});

Deno.test("a start that is refused for a while is tried again, one that cannot be is reported", async () => {
  const desk = new Desk("2026-11-21T08:59:50Z", { report: [{ cron: "0 * * * *" }] });
  await desk.boot();
  desk.fail = () => new OrchestratorError("overloaded", "x", { kind: "retryable" });
  await desk.pass(20_000);
  expect(desk.ticks()).toEqual([]);
  desk.fail = undefined;
  await desk.pass(10_000);
  expect(desk.ticks()).toEqual(["2026-11-21T09:00"]);
  desk.fail = () => new OrchestratorError("busy", "x");
  await desk.pass(HOUR);
  expect(desk.ticks()).toHaveLength(1);
  expect(desk.lines.filter((line) => line === "scheduled run not started")).toHaveLength(1);
});

Deno.test("list() gives the next tick, and the last one once there was one", async () => {
  const desk = new Desk("2026-11-21T08:59:00Z", {
    report: [{ cron: "0 9 * * *", timezone: "Europe/Vienna", input: 1 }, { cron: "0 * * * *" }],
  });
  const schedules = await desk.boot();
  await desk.pass(2 * MINUTE);
  expect(await desk.wait(schedules.list(LOCAL))).toEqual([{
    pipeline: "report",
    index: 0,
    cron: "0 9 * * *",
    timezone: "Europe/Vienna",
    missed: "skip",
    input: 1,
    next: "2026-11-22T08:00:00.000Z",
  }, {
    pipeline: "report",
    index: 1,
    cron: "0 * * * *",
    timezone: "UTC",
    missed: "skip",
    next: "2026-11-21T10:00:00.000Z",
    last: "2026-11-21T09:00:00.000Z",
    last_run: "run_0",
  }]);
});

Deno.test("stop() ends the looking", async () => {
  const desk = new Desk("2026-11-21T08:59:00Z", { report: [{ cron: "* * * * *" }] });
  const schedules = await desk.boot();
  await desk.pass(1500);
  await desk.wait(schedules.stop());
  await desk.pass(HOUR);
  expect(desk.ticks()).toEqual([]);
});

Deno.test("schedules of every tenant start, and act for it with the grants of whoever stored them", async () => {
  const desk = new Desk("2026-11-21T08:59:00Z", {});
  const schedule = [{ cron: "0 * * * *" }];
  desk.stored.acme = { report: { schedule, grants: ["tools:unasked"] } };
  desk.stored.globex = { report: { schedule, grants: [] }, other: { schedule } };
  const schedules = await desk.boot();
  await desk.pass(2 * MINUTE);
  const callers = desk.started.map(({ tenant, started_by, grants, pipeline }) => {
    return [tenant, pipeline, started_by, grants];
  });
  expect(callers.sort()).toEqual([
    ["acme", "report", "schedule", ["tools:unasked"]],
    // From before there were grants.
    ["globex", "other", "schedule", ["*"]],
    ["globex", "report", "schedule", []],
  ]);
  const seen = await desk.wait(schedules.list(callerOf("acme")));
  expect(seen.map(({ pipeline }) => pipeline)).toEqual(["report"]);
  expect(await desk.wait(schedules.list(LOCAL))).toEqual([]);
});

Deno.test("schedules in files are the operator's: they start once, not for every tenant", async () => {
  const desk = new Desk("2026-11-21T08:59:00Z", { nightly: [{ cron: "0 * * * *" }] });
  desk.stored.acme = {};
  const schedules = await desk.boot();
  await desk.pass(2 * MINUTE);
  expect(desk.started.map(({ tenant, pipeline }) => [tenant, pipeline]))
    .toEqual([["default", "nightly"]]);
  expect(await desk.wait(schedules.list(callerOf("acme")))).toEqual([]);
});

Deno.test("a tenant whose pipelines cannot be read does not stop the schedules of others", async () => {
  const schedule = [{ cron: "0 * * * *" }];
  const desk = new Desk("2026-11-21T08:59:00Z", {});
  desk.stored.acme = { broken: { schedule } };
  desk.stored.globex = { report: { schedule, grants: [] } };
  await desk.boot();
  await desk.pass(2 * MINUTE);
  expect(desk.started.map(({ tenant }) => tenant)).toEqual(["globex"]);
  expect(desk.lines).toContain("schedules of a tenant failed");
});
