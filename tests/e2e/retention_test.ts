/** Real runs of a real engine, removed; and how large the database file gets. */
import { expect } from "expect";
import {
  createEngine,
  createRetention,
  realWorld,
  type RunContext,
  systemClock,
} from "../../pipeline/kernel/mod.ts";
import { openStore, type Store } from "../../store/mod.ts";
import { LOCAL } from "../_caller.ts";

const SILENT = { info() {}, warn() {}, error() {} };
const DAY = 86_400_000;

/** Everything in the store but what belongs to the store itself. */
async function leftovers(store: Store): Promise<string[]> {
  const entries = await Array.fromAsync(store.kv.list({ prefix: [] }));
  return entries.map(({ key }) => key.join("/")).filter((key) => !/^(meta|lease)/.test(key));
}

/** An engine on a file, whose retention sees a time far ahead. */
async function service(directory: string) {
  const world = realWorld();
  const { clock } = world;
  const lease_ms = 15_000;
  const { store, close } = await openStore(directory, {
    worker: world.newId(),
    now: clock.now,
    sleep: (ms) => clock.sleep(ms),
    lease_ms,
  });
  const program = async (ctx: RunContext) => {
    for (let n = 0; n < 3; n++) await ctx.step(`step${n}`, () => "x".repeat(2000));
    if (ctx.run.pipeline === "fails") throw new Error("on purpose");
    return "done";
  };
  const engine = createEngine({
    store,
    world,
    log: SILENT,
    concurrency: 50,
    queue_limit: 10_000,
    idempotency_ttl_ms: DAY,
    lease_ms,
    sweep_ms: 2000,
  });
  await engine.open(() => program);
  const later = { ...systemClock, now: () => Date.now() + 40 * DAY };
  const retention = createRetention({ store, clock: later, log: SILENT, keep_ms: 30 * DAY });
  return {
    store,
    engine,
    async sweep() {
      while (!(await retention.sweep()).done);
    },
    async run(pipeline: string, key?: string) {
      const idempotency = key === undefined ? undefined : { key, fingerprint: key };
      const input = "y".repeat(1000);
      const started = await engine.start(LOCAL, {
        pipeline,
        version: "v",
        input,
        idempotency,
      });
      return await started.result;
    },
    async close() {
      await engine.drain(1000);
      await close();
    },
  };
}

/** Size of the database and its log, in bytes. */
function sizeOf(directory: string): number {
  return [...Deno.readDirSync(directory)].filter(({ name }) => name.startsWith("store.kv"))
    .reduce((sum, { name }) => sum + Deno.statSync(`${directory}/${name}`).size, 0);
}

Deno.test("runs of every end are removed without a trace", async () => {
  const directory = await Deno.makeTempDir();
  const { store, engine, sweep, run, close } = await service(directory);
  try {
    for (let n = 0; n < 30; n++) await run(n % 3 === 0 ? "fails" : "works", `key${n}`);
    expect((await engine.list(LOCAL, { status: "failed" })).runs).toHaveLength(10);
    await sweep();
    expect(await leftovers(store)).toEqual([]);
    expect((await engine.list(LOCAL)).runs).toEqual([]);
  } finally {
    await close();
    await Deno.remove(directory, { recursive: true });
  }
});

Deno.test("the file stops growing where runs are made and removed steadily", async () => {
  const directory = await Deno.makeTempDir();
  const { store, sweep, run, close } = await service(directory);
  try {
    const sizes: number[] = [];
    for (let round = 0; round < 8; round++) {
      await Promise.all(Array.from({ length: 250 }, () => run("works")));
      await sweep();
      sizes.push(sizeOf(directory));
      expect(await leftovers(store)).toEqual([]);
    }
    const [, , third] = sizes;
    expect(Math.max(...sizes.slice(3))).toBeLessThan(third! * 1.5);
  } finally {
    await close();
    await Deno.remove(directory, { recursive: true });
  }
});
