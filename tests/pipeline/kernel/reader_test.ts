import assert from "node:assert/strict";
import fc from "fast-check";
import type { JournalEvent, RunRecord, RunStatus } from "../../../pipeline/kernel/mod.ts";
import { Reader } from "../../../pipeline/kernel/reader.ts";
import { endRun, offerRun, parkRun, sendMessage } from "../../../pipeline/kernel/transitions.ts";
import { type Commit, keys, setJson, type Store } from "../../../store/mod.ts";
import { Cluster } from "../../_sim/cluster.ts";
import { SimDatabase } from "../../_sim/kv.ts";
import { allEnded } from "../../_sim/invariants.ts";
import { SimWorld } from "../../_sim/world.ts";
import { openOn, simulatedKv } from "../../store/_store.ts";
import { request, settle, T } from "./_harness.ts";

const STATUSES: RunStatus[] = [
  "queued",
  "running",
  "waiting",
  "paused",
  "completed",
  "failed",
  "cancelled",
];

async function fixture() {
  const db = new SimDatabase();
  const store = await openOn(simulatedKv(db));
  return { db, store, reader: new Reader(store) };
}

function runOf(n: number, status: RunStatus): RunRecord {
  const id = `run_${n.toString().padStart(3, "0")}`;
  return {
    id,
    tenant: "t",
    pipeline: "p",
    version: "v",
    status,
    created_at: "2026-01-01T00:00:00Z",
  };
}

/** What the kernel writes for a run with this status. */
function commitOf(run: RunRecord): Commit {
  const failed = { code: "internal", message: "no", kind: "terminal" } as const;
  const usage = { input_tokens: 0, output_tokens: 0, cost_usd: 0 };
  switch (run.status) {
    case "queued": // for its turn, or for a free place in the process
      return run.id.endsWith("0") ? parkRun(run) : { checks: [], mutations: [offerRun(run)] };
    case "running":
      return { checks: [], mutations: [offerRun(run)] };
    case "waiting":
    case "paused":
      return parkRun(run);
    case "completed":
      return endRun(run, { status: "completed", output: 1, usage }, "2026-01-02T00:00:00Z", 1);
    case "failed":
      return endRun(run, { status: "failed", error: failed }, "2026-01-02T00:00:00Z", 1);
    case "cancelled":
      return endRun(run, { status: "cancelled" }, "2026-01-02T00:00:00Z", 1);
  }
}

/** All pages of a list, one after the other. */
async function pages(reader: Reader, options: { status?: RunStatus; limit?: number }) {
  const all: string[][] = [];
  let cursor: string | undefined;
  do {
    const page = await reader.list("t", { ...options, cursor });
    all.push(page.runs.map(({ id }) => id));
    cursor = page.next_cursor;
  } while (cursor);
  return all;
}

const anyStatus = fc.constantFrom(...STATUSES);

Deno.test("list() gives each run once, newest first, by status and in pages of any size", () =>
  fc.assert(
    fc.asyncProperty(
      fc.array(anyStatus, { maxLength: 25, size: "max" }),
      fc.option(anyStatus, { nil: undefined }),
      fc.integer({ min: 1, max: 9 }),
      async (statuses, status, limit) => {
        const { db, reader } = await fixture();
        const runs = statuses.map((status, n) => runOf(n, status));
        for (const run of runs) db.apply(commitOf(run));
        const wanted = runs.filter((run) => !status || run.status === status).map(({ id }) => id);
        const found = await pages(reader, { status, limit });
        assert.deepEqual(found.flat(), wanted.toReversed());
        for (const page of found.slice(0, -1)) assert.equal(page.length, limit);
      },
    ),
    { numRuns: 60 },
  ));

Deno.test("a page has 50 runs, or as many as are asked for, from 1 to 200", async () => {
  const { db, reader } = await fixture();
  for (let n = 0; n < 210; n++) db.apply(commitOf(runOf(n, "completed")));
  for (const [limit, length] of [[undefined, 50], [0, 1], [-3, 1], [199, 199], [1_000, 200]]) {
    const { runs, next_cursor } = await reader.list("t", { limit });
    assert.equal(runs.length, length);
    assert.equal(next_cursor, runs.at(-1)!.id);
  }
});

Deno.test("list() misses no run and doubles none while runs leave memory, come back and end", async () => {
  let lists = 0;
  for (let seed = 1; seed <= 30; seed++) {
    const world = new SimWorld(seed);
    const cluster = new Cluster(world, () => async (ctx) => {
      for (let n = 0; n < 3; n++) await ctx.wait(`w${n}`, { timeout_ms: 1_100 });
      return 1;
    });
    const node = cluster.boot();
    await world.run(2_000, () => node.open);
    cluster.faults = { ...cluster.faults, latency_ms: 20 };
    const ids: string[] = [];
    for (let n = 0; n < 5; n++) {
      ids.unshift((await settle(world, node.engine.start(T, request(n)))).run.id);
    }
    for (; !allEnded(cluster.db); lists++) {
      const { runs } = await settle(world, node.engine.list(T));
      assert.deepEqual(runs.map(({ id }) => id), ids, `seed ${seed}`);
    }
  }
  assert(lists > 1_000, `${lists} lists`);
});

Deno.test("a damaged header is left out of lists, and is an error for whoever asks for that run", async () => {
  for (const status of STATUSES) {
    const { db, reader } = await fixture();
    const [before, bad, after] = [0, 1, 2].map((n) => runOf(n, status)) as [
      RunRecord,
      RunRecord,
      RunRecord,
    ];
    for (const run of [before, bad, after]) db.apply(commitOf(run));
    for (const key of [keys.run("t", bad.id), keys.live("t", bad.id), keys.waiting("t", bad.id)]) {
      if (db.get(key)) damage(db, key);
    }
    for (const options of [{}, { status }]) {
      assert.deepEqual(await pages(reader, options), [[after.id, before.id]], status);
    }
    await assert.rejects(reader.run("t", bad.id), { code: "value_damaged" });
    const isLive = !["completed", "failed", "cancelled"].includes(status);
    assert.equal(await reader.isThere("t", bad.id), isLive, status);
  }
});

function damage(db: SimDatabase, key: readonly (string | number)[]): void {
  const broken = db.get(key)!.value.slice();
  broken[broken.length >> 1]! ^= 1;
  db.apply({ checks: [], mutations: [{ key, set: broken }] });
}

/** A journal whose events were committed in parts of these sizes. */
async function journaled(store: Store, sizes: number[]): Promise<JournalEvent[]> {
  const events: JournalEvent[] = [];
  for (const size of sizes) {
    const part = Array.from({ length: size }, (_, n): JournalEvent => ({
      type: "test.noted",
      step: "a",
      text: "x",
      run_id: "run_1",
      seq: events.length + n + 1,
      at: "2026-01-01T00:00:00Z",
    }));
    events.push(...part);
    const mutations = [setJson(keys.events("t", "run_1", part[0]!.seq), part)];
    await store.commit({ checks: [], mutations });
  }
  return events;
}

const anySizes = fc.array(fc.integer({ min: 1, max: 4 }), { minLength: 1, maxLength: 8 });

Deno.test("a journal reads the same from its start, from any event and from its end, however it was committed", () =>
  fc.assert(
    fc.asyncProperty(anySizes, async (sizes) => {
      const { store, reader } = await fixture();
      const events = await journaled(store, sizes);
      assert.deepEqual(await reader.firstEvent("t", "run_1"), events[0]);
      assert.deepEqual(
        await Array.fromAsync(reader.latestEvents("t", "run_1")),
        events.toReversed(),
      );
      for (let after = 0; after <= events.length + 1; after++) {
        assert.deepEqual(await reader.journal("t", "run_1", after), events.slice(after));
      }
      assert.equal(await reader.lastCommit("t", "run_1"), events.length - sizes.at(-1)! + 1);
    }),
    { numRuns: 30 },
  ));

Deno.test("a journal with a gap is none: a damaged commit is an error, and hides no later ones", async () => {
  const { db, store, reader } = await fixture();
  await journaled(store, [2, 2, 2]);
  damage(db, keys.events("t", "run_1", 3));
  const damaged = { code: "value_damaged", details: { key: ["journal", "t", "run_1", 3] } };
  await assert.rejects(reader.journal("t", "run_1"), damaged);
  await assert.rejects(reader.journal("t", "run_1", 2), damaged);
  assert.deepEqual((await reader.journal("t", "run_1", 4)).map(({ seq }) => seq), [5, 6]);
  const latest = reader.latestEvents("t", "run_1")[Symbol.asyncIterator]();
  assert.deepEqual([(await latest.next()).value?.seq, (await latest.next()).value?.seq], [6, 5]);
  await assert.rejects(latest.next(), damaged);
});

Deno.test("messages come in the order of their ids, with the version that deletes each", async () => {
  const { db, reader } = await fixture();
  const run = runOf(1, "waiting");
  db.apply(commitOf(run));
  for (const id of ["02", "10", "01"]) {
    const { waiting } = await reader.holder("t", run.id);
    assert(db.apply(sendMessage(waiting!, id, { type: "signal", name: id, payload: null })));
  }
  const found = await reader.inbox("t", run.id);
  assert.deepEqual(found.map(({ value }) => "name" in value && value.name), ["01", "02", "10"]);
  for (const { key, versionstamp } of found) {
    assert.equal(db.get(key)!.versionstamp, versionstamp);
  }
});
