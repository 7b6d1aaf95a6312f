/**
 * Kills the real process again and again while clients keep it busy, then compares what the clients
 * were told, what the journals say and what the steps did outside. `KILLS` sets how often.
 */
import { expect } from "expect";
import type { JournalEvent } from "../../pipeline/kernel/events.ts";
import { expectGapless, follow, journal } from "./_api.ts";
import { report, type ServerProcess, startServer, withHome } from "./_process.ts";
import { readTrace, SLEEPER, SLEEPS_HOME, startSleeps, type Trace } from "./_sleeps.ts";

const KILLS = Number(Deno.env.get("KILLS") ?? 40);
const LIVE_RUNS = 200;
const STEP_MS = 60;
const [SHORTEST_LIFE_MS, LONGEST_LIFE_MS] = [50, 800];
/** From the start of a process, loading the program included; or within so many of its starts. */
const RESUMED_WITHIN_MS = 2_000;
const RESUMED_WITHIN_STARTS = 3;
/** Requests of the checks that are under way at the same time. */
const READERS = 20;

/** The server that lives at the moment, or the next one. */
class Lives {
  readonly all: ServerProcess[] = [];
  #current = Promise.withResolvers<string>();

  constructor(private readonly home: string) {}

  url(): Promise<string> {
    return this.#current.promise;
  }

  async start() {
    const server = await startServer({ home: this.home, command: SLEEPER });
    this.all.push(server);
    this.#current.resolve(server.url);
  }

  async kill() {
    this.#current = Promise.withResolvers();
    await this.all.at(-1)!.stop("SIGKILL");
  }
}

/** Submits one run after the other and follows each to its end, whatever becomes of the server. */
async function client(name: string, lives: Lives, over: AbortSignal, acknowledged: string[]) {
  for (let n = 0; !over.aborted; n++) {
    const run = `${name}-${n}`;
    const id = await persist(lives, (url) => submit(url, run));
    acknowledged.push(id);
    await persist(lives, async (url) => expectGapless(await follow(url, id)));
  }
}

/** Asks the server of the moment until one lives long enough to answer. */
async function persist<T>(lives: Lives, ask: (url: string) => Promise<T>): Promise<T> {
  for (;;) {
    const url = await lives.url();
    try {
      return await ask(url);
    } catch (error) {
      if (url === await lives.url()) throw error;
    }
  }
}

/** The id of the run; the key makes sure that it is one, however often it is asked for. */
async function submit(url: string, run: string): Promise<string> {
  for (;;) {
    const response = await startSleeps(url, { run, ms: STEP_MS }, { "idempotency-key": run });
    const { id, code } = await response.json();
    if (response.status < 300) return id;
    // An earlier life took it, but its answer was lost: it is told again when the run has ended.
    if (code !== "idempotency_in_flight") throw new Error(`${response.status} ${code}`);
    await new Promise((later) => setTimeout(later, STEP_MS));
  }
}

/** The journals of runs, a few at a time. */
async function journalsOf(url: string, ids: string[]): Promise<JournalEvent[][]> {
  const journals: JournalEvent[][] = [];
  const left = [...ids].reverse();
  await Promise.all(Array.from({ length: READERS }, async () => {
    for (let id = left.pop(); id; id = left.pop()) journals.push(await journal(url, id));
  }));
  return journals;
}

/** When each step was recorded, by `run step`; expects that it was recorded once. */
function recorded(journals: JournalEvent[][]): Map<string, number> {
  const times = new Map<string, number>();
  for (const events of journals) {
    expectGapless(events);
    const [begin] = events;
    const { run } = (begin?.type === "run.started" ? begin.input : null) as { run: string };
    const completed = events.filter((event) => event.type === "step.completed");
    expect(completed.map(({ step }) => step)).toEqual(["s1", "s2", "s3", "s4", "s5"]);
    for (const { step, at } of completed) {
      expect(times.has(`${run} ${step}`)).toBe(false);
      times.set(`${run} ${step}`, Date.parse(at));
    }
  }
  return times;
}

/** What the steps did outside must fit the journals. @returns how many executions were repeated */
function expectHonest(trace: Trace[], times: Map<string, number>): number {
  const starts = new Map<string, number>();
  for (const { what, run, step, at } of trace) {
    const key = `${run} ${step}`;
    if (what === "end") continue;
    starts.set(key, (starts.get(key) ?? 0) + 1);
    if (at > (times.get(key) ?? 0)) throw new Error(`${key} began again after it was recorded`);
  }
  expect(starts.size).toBe(times.size);
  return trace.filter(({ what }) => what === "start").length - starts.size;
}

/** Milliseconds from each start of a process to each run that it resumed. */
function resumptions(journals: JournalEvent[][], lives: ServerProcess[]): number[] {
  return journals.flat().filter(({ type }) => type === "run.resumed").map(({ at }) => {
    const time = Date.parse(at);
    return time - lives.findLast(({ started_at }) => started_at <= time)!.started_at;
  }).sort((a, b) => a - b);
}

Deno.test(`${KILLS} SIGKILLs lose nothing and repeat nothing that was recorded`, () =>
  withHome(SLEEPS_HOME, async (home) => {
    const lives = new Lives(home);
    const over = new AbortController();
    const acknowledged: string[] = [];
    await lives.start();
    const clients = Promise.all(
      Array.from(
        { length: LIVE_RUNS },
        (_, n) => client(`c${n}`, lives, over.signal, acknowledged),
      ),
    );
    try {
      for (let kill = 0; kill < KILLS; kill++) {
        const life = SHORTEST_LIFE_MS + Math.random() * (LONGEST_LIFE_MS - SHORTEST_LIFE_MS);
        await Promise.race([clients, new Promise((end) => setTimeout(end, life))]);
        await lives.kill();
        await lives.start();
      }
      over.abort();
      await clients;

      const url = await lives.url();
      const journals = await journalsOf(url, acknowledged);
      expect(new Set(acknowledged).size).toBe(acknowledged.length);
      const times = recorded(journals);
      const repeated = expectHonest(await readTrace(home), times);
      const delays = resumptions(journals, lives.all);
      const at = (share: number) => delays[Math.floor((delays.length - 1) * share)] ?? 0;
      report(
        `${KILLS} kills, ${acknowledged.length} runs, ${times.size} steps: all completed, none ` +
          `recorded twice; ${repeated} interrupted executions repeated; ${delays.length} ` +
          `resumptions, counted from the start of the process: median ${at(0.5)} ms, ` +
          `95 % within ${at(0.95)} ms, all within ${at(1)} ms`,
      );
      expect(delays.length).toBeGreaterThan(0);
      const starts = lives.all.map(({ started_at, listening_at }) => listening_at - started_at);
      const start = starts.sort((a, b) => a - b)[starts.length >> 1]!;
      // A busy machine may start one process or another late, and all of them slowly.
      const bound = Math.max(RESUMED_WITHIN_MS, RESUMED_WITHIN_STARTS * start);
      expect(at(0.95)).toBeLessThan(bound);
    } finally {
      over.abort();
      await lives.all.at(-1)!.stop("SIGKILL");
      await clients.catch(() => {});
    }
  }));
