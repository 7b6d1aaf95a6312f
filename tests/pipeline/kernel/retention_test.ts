import { expect } from "expect";
import { ulid } from "ulid";
import { createRetention, type Retention } from "../../../pipeline/kernel/retention.ts";
import type { RunRecord } from "../../../pipeline/kernel/mod.ts";
import { approvalsLeftBy } from "../../../pipeline/calls/approvals/mod.ts";
import {
  artifactsLeftBy,
  createArtifacts,
  keys,
  type Kv,
  type Mutation,
  openDenoKv,
  setJson,
  setText,
  Store,
} from "../../../store/mod.ts";
import { LOCAL } from "../../_caller.ts";
import { Mortal } from "../../store/_mortal.ts";

const DAY = 86_400_000;
const KEEP_MS = 30 * DAY;
const NOW = Date.parse("2026-11-21T12:00:00Z");
const newId = (ms: number) => `run_${ulid(ms).toLowerCase()}`;

interface Bench {
  kv: Kv;
  store: Store;
  time: { now: number };
  /** A retention of a process of its own; what it logs goes to `lines`. */
  retention(kv?: Kv, keep_ms?: number): Promise<Retention>;
  /** Every key but those of the store itself. */
  keys(): Promise<string[]>;
  put(...mutations: Mutation[]): Promise<void>;
  /** A run that ended, with what runs leave. */
  ended(options: Partial<Leave>): Promise<RunRecord>;
  lines: string[];
}

interface Leave {
  tenant: string;
  created: number;
  ended: number;
  status: "completed" | "failed" | "cancelled";
  /** Entries of the journal, one of them in chunks. */
  entries: number;
  approvals: number;
  parent: string;
}

async function bench(use: (bench: Bench) => Promise<void>): Promise<void> {
  const kv = await openDenoKv(":memory:");
  const time = { now: NOW };
  const lines: string[] = [];
  let workers = 0;
  const storeOn = async (on: Kv) => {
    const worker = `w${++workers}`;
    const sleep = () => Promise.resolve();
    const store = new Store({ kv: on, worker, now: () => time.now, sleep, lease_ms: 1000 });
    await store.open();
    return store;
  };
  const log = (message: string, fields: object = {}) =>
    void lines.push(`${message} ${JSON.stringify(fields)}`);
  const store = await storeOn(kv);
  const put = async (...mutations: Mutation[]) =>
    void await store.commit({ checks: [], mutations });
  try {
    await use({
      kv,
      store,
      time,
      lines,
      put,
      async retention(on = kv, keep_ms = KEEP_MS) {
        return createRetention({
          store: await storeOn(on),
          clock: {
            now: () => time.now,
            sleep: (ms, signal) =>
              new Promise((resolve, reject) => {
                lines.push(`sleep ${ms}`);
                if (signal?.aborted) return reject(signal.reason);
                signal?.addEventListener("abort", () => reject(signal.reason));
                if (lines.filter((line) => line.startsWith("sleep")).length < 3) resolve();
              }),
            afterTurn: (fn) => queueMicrotask(fn),
          },
          log: { info: log, warn: log, error: log },
          keep_ms,
          leftovers: [artifactsLeftBy, approvalsLeftBy],
          expiring: [keys.caches()],
        });
      },
      async keys() {
        const found: string[] = [];
        for await (const { key } of kv.list({ prefix: [] })) {
          if (key[0] !== "meta" && key[0] !== "lease") found.push(key.join("/"));
        }
        return found;
      },
      async ended({
        tenant = "default",
        created = NOW - 40 * DAY,
        ended = created + 1000,
        status = "completed",
        entries = 3,
        approvals = 0,
        parent,
      }) {
        const id = newId(created);
        const run: RunRecord = {
          id,
          tenant,
          pipeline: "p",
          version: "v",
          status,
          created_at: new Date(created).toISOString(),
          ended_at: new Date(ended).toISOString(),
          last_seq: entries,
        };
        await put(setJson(keys.run(tenant, id), run));
        if (status !== "completed") {
          await put(setJson(keys.ended(tenant, status, id), { at: "" }));
        }
        for (let seq = 1; seq <= entries; seq++) {
          const value = seq === 2 ? "x".repeat(150_000) : `event ${seq}`;
          await put(setText(keys.events(tenant, id, seq), JSON.stringify([value])));
        }
        await put(setJson(keys.message(tenant, id, "m1"), { type: "cancel" }));
        for (let n = 0; n < approvals; n++) {
          const approval = `apr_${id}_${n}`;
          const record = {
            run_id: id,
            ancestors: parent ? [parent] : [],
            payload: "x".repeat(70_000),
          };
          await put(
            setJson(keys.approval(tenant, approval), record),
            setJson(keys.pendingApproval(tenant, approval), {}),
            setJson(keys.approvalOf(tenant, id, approval), {}),
            ...(parent ? [setJson(keys.approvalOf(tenant, parent, approval), {})] : []),
          );
        }
        return run;
      },
    });
  } finally {
    await kv.close();
  }
}

/** Sweeps to the end. @returns how many runs were removed */
async function sweepAll(retention: Retention): Promise<number> {
  let removed = 0;
  for (;;) {
    const { runs, done } = await retention.sweep();
    removed += runs;
    if (done) return removed;
  }
}

Deno.test("sweep() removes old runs whose ids are ahead of a clock that was set back", async () => {
  await bench(async ({ ended, retention, put, time }) => {
    const ahead = NOW + 365 * DAY;
    time.now = ahead;
    await put();
    time.now = NOW;
    await ended({ created: ahead, ended: NOW - 31 * DAY });
    await ended({ created: ahead, ended: NOW - 29 * DAY });
    expect(await sweepAll(await retention())).toBe(1);
  });
});

Deno.test("sweep() removes an old run with all that it left, of every tenant", async () => {
  await bench(async ({ ended, retention, keys }) => {
    await ended({ approvals: 2 });
    await ended({ status: "failed" });
    await ended({ tenant: "acme", status: "cancelled", entries: 1 });
    expect(await sweepAll(await retention())).toBe(3);
    expect(await keys()).toEqual([]);
  });
});

Deno.test("sweep() removes the files of an old run with their bytes", async () => {
  await bench(async ({ ended, kv, keys, store, time }) => {
    const { id: run } = await ended({ approvals: 1 });
    const options = { now: () => time.now, max_bytes: 1e6, keep_ms: 0 };
    const artifacts = createArtifacts(store, options);
    const blobs = async () => (await Array.fromAsync(kv.list({ prefix: ["blob"] }))).length;
    const before = await blobs();
    const file = { name: "a.bin", type: "x/y", bytes: new Uint8Array(900_000) };
    await artifacts.put(LOCAL, { run, key: "k" }, file);
    const retention = createRetention({
      store,
      clock: { now: () => time.now, sleep: () => Promise.resolve(), afterTurn: queueMicrotask },
      log: { info() {}, warn() {}, error() {} },
      keep_ms: KEEP_MS,
      leftovers: [artifactsLeftBy, approvalsLeftBy],
      sweepers: [artifacts.sweep],
    });
    expect(await blobs() - before).toBe(14);
    expect(await sweepAll(retention)).toBe(1);
    expect(await keys()).toEqual([]);
  });
});

Deno.test("sweep() keeps what ended later than the cutoff, whenever it was created", async () => {
  await bench(async ({ ended, retention, store, time, put }) => {
    const late = await ended({ created: NOW - 90 * DAY, ended: NOW - 29 * DAY });
    const young = await ended({ created: NOW - DAY });
    const edge = await ended({ created: NOW - KEEP_MS - 5, ended: NOW - KEEP_MS });
    const live = { run: { ...late, id: newId(NOW - 90 * DAY), status: "running" }, worker: "w" };
    await put(setJson(keys.live("default", live.run.id), live));
    const sweeper = await retention();
    expect(await sweepAll(sweeper)).toBe(0);
    for (const { id } of [late, young, edge]) {
      expect(await store.get(keys.run("default", id))).not.toBeNull();
    }
    time.now += 1;
    expect(await sweepAll(sweeper)).toBe(1);
    expect(await store.get(keys.run("default", edge.id))).toBeNull();
    time.now += 10 * 365 * DAY;
    expect(await sweepAll(sweeper)).toBe(2);
    expect(await store.get(keys.live("default", live.run.id))).not.toBeNull();
  });
});

Deno.test("a run that is redriven while it is read stays whole", async () => {
  await bench(async ({ ended, retention, store, kv, put }) => {
    const failed = await ended({ status: "failed" });
    const key = keys.run("default", failed.id);
    const redriven = setJson(keys.live("default", failed.id), { run: failed, worker: "w" });
    const meddling = new Mortal(kv);
    const list = meddling.list;
    meddling.list = async function* (selector, options) {
      yield* list(selector, options);
      if (selector.prefix[0] !== "journal") return;
      await put({ key, delete: true }, redriven);
    };
    expect(await sweepAll(await retention(meddling))).toBe(0);
    const journal = await Array.fromAsync(
      store.list({ prefix: keys.journal("default", failed.id) }),
    );
    expect(journal).toHaveLength(3);
    expect(await store.get(keys.live("default", failed.id))).not.toBeNull();
  });
});

Deno.test("a run that redrove and ended again since the header was read stays", async () => {
  await bench(async ({ ended, retention, store, kv, put }) => {
    const failed = await ended({ status: "failed", entries: 250 });
    const key = keys.run("default", failed.id);
    const again = { ...failed, ended_at: new Date(NOW).toISOString() };
    const meddling = new Mortal(kv);
    const list = meddling.list;
    let once = true;
    meddling.list = async function* (selector, options) {
      if (selector.prefix[0] === "journal" && once) {
        once = false;
        await put(setJson(key, again));
      }
      yield* list(selector, options);
    };
    expect(await sweepAll(await retention(meddling))).toBe(0);
    const journal = await Array.fromAsync(
      store.list({ prefix: keys.journal("default", failed.id) }),
    );
    expect(journal).toHaveLength(250);
    expect(await sweepAll(await retention())).toBe(0);
  });
});

Deno.test("a child's approval goes with the child, its parent's index with either", async () => {
  await bench(async ({ ended, retention, store, keys: all }) => {
    const parent = await ended({ ended: NOW - 39 * DAY });
    const child = await ended({ ended: NOW - 29 * DAY, approvals: 1, parent: parent.id });
    const sweeper = await retention();
    expect(await sweepAll(sweeper)).toBe(1);
    const approval = `apr_${child.id}_0`;
    expect(await store.get(keys.approvalOf("default", parent.id, approval))).toBeNull();
    expect(await store.get(keys.approval("default", approval))).not.toBeNull();
    expect(await sweepAll(await retention(undefined, DAY))).toBe(1);
    expect(await all()).toEqual([]);
  });
  await bench(async ({ ended, retention, store }) => {
    const parent = await ended({ ended: NOW - DAY });
    const child = await ended({ approvals: 1, parent: parent.id });
    expect(await sweepAll(await retention())).toBe(1);
    const approval = `apr_${child.id}_0`;
    expect(await store.get(keys.approvalOf("default", parent.id, approval))).toBeNull();
    expect(await store.get(keys.run("default", parent.id))).not.toBeNull();
  });
});

Deno.test("a process that dies at any commit leaves nothing that the next one does not remove", async () => {
  for (const applied of [false, true]) {
    let commits = Infinity;
    for (let n = 2; n <= commits; n++) {
      await bench(async ({ ended, retention, kv, keys: all }) => {
        await ended({ created: NOW - DAY });
        const before = await all();
        await ended({ approvals: 1 });
        await ended({ status: "failed", entries: 250, approvals: 90 });
        const mortal = new Mortal(kv, n, applied);
        const dying = await retention(mortal);
        await sweepAll(dying).catch(() => {});
        if (mortal.commits < n) return void (commits = mortal.commits);
        await sweepAll(await retention());
        expect(await all()).toEqual(before);
      });
    }
    expect(commits).toBeGreaterThan(8);
  }
});

Deno.test("sweep() removes what has expired even when runs are kept for ever", async () => {
  await bench(async ({ ended, retention, put, keys: all, store }) => {
    await ended({ entries: 0, created: 1 });
    for (let n = 0; n < 60; n++) {
      const expires_at = n % 2 === 0 ? NOW : NOW + 1;
      await put(setJson(keys.idempotency("default", `key${n}`), { run: "r", expires_at }));
    }
    const output = "x".repeat(100_000);
    await put(setJson(keys.cache("default", "old"), { output, expires_at: NOW - 1 }));
    await put(setJson(keys.cache("default", "endless"), { output: 1 }));
    const sweeper = await retention(undefined, 0);
    let records = 0;
    for (let done = false; !done;) {
      const swept = await sweeper.sweep();
      records += swept.records;
      done = swept.done;
      expect(swept.runs).toBe(0);
    }
    expect(records).toBe(31);
    expect((await all()).filter((key) => key.startsWith("idempotency"))).toHaveLength(30);
    expect((await all()).filter((key) => key.includes("cache"))).toEqual(["cache/default/endless"]);
    expect(await store.get(keys.idempotency("default", "key1"))).not.toBeNull();
  });
});

Deno.test("sweep() stops after its time and goes on there in the next round", async () => {
  await bench(async ({ ended, retention, time, kv }) => {
    for (let n = 0; n < 60; n++) await ended({ entries: 1 });
    const slow = new Mortal(kv);
    const commit = slow.commit.bind(slow);
    slow.commit = (changes) => {
      if (changes.mutations.length > 1) time.now += 60;
      return commit(changes);
    };
    const sweeper = await retention(slow);
    const rounds = [];
    for (let done = false; !done;) {
      const swept = await sweeper.sweep();
      rounds.push(swept.runs);
      done = swept.done;
    }
    expect(rounds.slice(0, 3)).toEqual([25, 25, 10]);
  });
});

Deno.test("start() sweeps until stop(), survives a failure and says what it removed", async () => {
  await bench(async ({ ended, retention, kv, lines, keys: all }) => {
    await ended({});
    const flaky = new Mortal(kv);
    const list = flaky.list;
    let failures = 0;
    flaky.list = (selector, options) => {
      if (failures-- > 0) throw new Error("no disk");
      return list(selector, options);
    };
    const sweeper = await retention(flaky);
    failures = 1;
    sweeper.start();
    for (let n = 0; n < 1000 && !lines.includes('old runs removed {"runs":1}'); n++) {
      await new Promise((resolve) => setTimeout(resolve, 1));
    }
    await sweeper.stop();
    expect(await all()).toEqual([]);
    expect(lines[0]).toMatch(/^removing old runs failed/);
    expect(lines).toContain('old runs removed {"runs":1}');
    expect(lines).toContain("sleep 300000");
  });
});
