/** Copies of the data of a server that works, as the operations page says, each one started from. */
import { expect } from "expect";
import { expectGapless, follow } from "./_api.ts";
import { report, type ServerProcess, startServer, withHome } from "./_process.ts";
import { SLEEPER, SLEEPS_HOME, startSleeps } from "./_sleeps.ts";

const BACKUPS = Number(Deno.env.get("BACKUPS") ?? 5);
const CLIENTS = 8;

/** What the operations page tells operators to do with `sqlite3`; this one has all permissions. */
async function backUp(from: string, to: string): Promise<void> {
  const code = `import { DatabaseSync } from "node:sqlite";
    new DatabaseSync(Deno.args[0]).exec("VACUUM INTO '" + Deno.args[1] + "'");`;
  const args = ["eval", code, `${from}/data/store.kv`, `${to}/data/store.kv`];
  const { success, stderr } = await new Deno.Command(Deno.execPath(), { args }).output();
  expect(success ? "" : new TextDecoder().decode(stderr)).toBe("");
}

/** Starts runs without a pause until `stop` is aborted; keeps the ids of those it was told of. */
async function load(url: string, acknowledged: string[], stop: AbortSignal): Promise<void> {
  for (let n = 0; !stop.aborted; n++) {
    const answer = await startSleeps(url, { run: `r${n}`, ms: 5 });
    expect(answer.status).toBe(202);
    acknowledged.push((await answer.json()).id);
  }
}

/** Every run that was acknowledged before the copy began is in it, whole, and ends. */
async function restore(home: string, before: string[]): Promise<{ live: number }> {
  const server = await startServer({ home, command: SLEEPER });
  let live = 0;
  try {
    for (let at = 0; at < before.length; at += 50) {
      await Promise.all(
        before.slice(at, at + 50).map(async (id) => {
          const events = await follow(server.url, id);
          expectGapless(events);
          if (events.some(({ type }) => type === "run.resumed")) live++;
          const done = events.flatMap((event) => event.type === "step.completed" ? event.step : []);
          expect(done).toEqual([...new Set(done)]);
        }),
      );
    }
  } finally {
    await server.stop("SIGKILL");
  }
  return { live };
}

Deno.test(`${BACKUPS} copies of a server under load hold every run from before`, () =>
  withHome(SLEEPS_HOME, async (home) => {
    const server: ServerProcess = await startServer({ home, command: SLEEPER });
    const acknowledged: string[] = [];
    const stop = new AbortController();
    const clients = Array.from(
      { length: CLIENTS },
      () => load(server.url, acknowledged, stop.signal),
    );
    let runs = 0, live = 0;
    try {
      for (let n = 0; n < BACKUPS; n++) {
        // Something must have happened since the copy before.
        const wanted = acknowledged.length + 100;
        while (acknowledged.length < wanted) await new Promise((done) => setTimeout(done, 20));
        await withHome({ ...SLEEPS_HOME, "data/.keep": "" }, async (copy) => {
          const before = [...acknowledged];
          await backUp(home, copy);
          live += (await restore(copy, before.slice(-300))).live;
          runs += Math.min(before.length, 300);
        });
      }
    } finally {
      stop.abort();
      await Promise.all(clients);
      await server.stop("SIGKILL");
    }
    report(`${BACKUPS} copies: ${runs} runs looked at, ${live} of them went on from the copy`);
    expect(live).toBeGreaterThan(0);
  }));
