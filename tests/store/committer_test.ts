import assert from "node:assert/strict";
import fc from "fast-check";
import { Committer } from "../../store/committer.ts";
import { openDenoKv } from "../../store/deno_kv.ts";
import { type Commit, keys, type Kv } from "../../store/mod.ts";
import { SimDatabase } from "../_sim/kv.ts";
import { simulatedKv } from "./_store.ts";

const bytes = (text: string) => new TextEncoder().encode(text);
const set = (name: string, value = "x"): Commit => ({
  checks: [],
  mutations: [{ key: ["k", name], set: bytes(value) }],
});

/** A real store whose commits are counted and can be made to fail. */
async function setup(fault?: (n: number, commit: () => Promise<string | null>) => unknown) {
  const inner = await openDenoKv(":memory:");
  const commits: Commit[] = [];
  let armed = false;
  const kv: Kv = {
    limits: inner.limits,
    get: (key) => inner.get(key),
    getMany: (many) => inner.getMany(many),
    list: (selector, options) => inner.list(selector, options),
    close: () => inner.close(),
    commit(commit) {
      commits.push(commit);
      const apply = () => inner.commit(commit);
      return ((armed && fault?.(commits.length, apply)) || apply()) as Promise<string | null>;
    },
  };
  const clock = { now: 0 };
  const committer = new Committer({
    kv,
    worker: "w1",
    now: () => clock.now,
    sleep: (ms) => Promise.resolve(void (clock.now += ms)),
    lease_ms: 1000,
  });
  await committer.acquire();
  commits.length = 0;
  armed = true;
  return { kv: inner, committer, commits, clock };
}

const there = async (kv: Kv, name: string) => (await kv.get(["k", name])) !== null;

Deno.test("submit() groups what is pending into one commit", async () => {
  const { kv, committer, commits } = await setup();
  const stamps = await Promise.all(["a", "b", "c"].map((name) => committer.submit(set(name))));
  assert.equal(commits.length, 1);
  assert.equal(new Set(stamps).size, 1);
  await kv.close();
});

Deno.test("submit() refuses a member by its own checks only", async () => {
  const { kv, committer } = await setup();
  const bad: Commit = {
    ...set("bad"),
    checks: [{ key: ["k", "bad"], versionstamp: "0".repeat(20) }],
  };
  const [a, b, c] = await Promise.all([set("a"), bad, set("c")].map((m) => committer.submit(m)));
  assert(a && c);
  assert.equal(b, null);
  assert.deepEqual(await Promise.all(["a", "bad", "c"].map((n) => there(kv, n))), [
    true,
    false,
    true,
  ]);
  await kv.close();
});

Deno.test("submit() lets a check see what an earlier member of the same turn wrote", async () => {
  const { kv, committer } = await setup();
  const create = (value: string): Commit => ({
    ...set("once", value),
    checks: [{ key: ["k", "once"], versionstamp: null }],
  });
  const results = await Promise.all([create("1"), create("2")].map((m) => committer.submit(m)));
  assert.deepEqual(results.map((stamp) => stamp !== null), [true, false]);
  await kv.close();
});

Deno.test("submit() resolves a commit that was applied but threw, without doubling it", async () => {
  const { kv, committer } = await setup((n, apply) =>
    n === 1 ? apply().then(() => Promise.reject(new Error("answer lost"))) : apply()
  );
  const stamp = await committer.submit(set("a"));
  assert.equal((await kv.get(["k", "a"]))!.versionstamp, stamp);
  assert(await committer.submit(set("b")));
  await kv.close();
});

Deno.test("submit() resolves a commit that was applied but answered that it was refused", async () => {
  const { kv, committer } = await setup((n, apply) => n === 1 ? apply().then(() => null) : apply());
  assert.equal(await committer.submit(set("a")), (await kv.get(["k", "a"]))!.versionstamp);
  await kv.close();
});

Deno.test("submit() tries a failed commit again and gives up with store_unavailable", async () => {
  let broken = true;
  const { kv, committer } = await setup(() =>
    broken ? Promise.reject(new Error("disk full")) : undefined
  );
  await assert.rejects(committer.submit(set("a")), { code: "store_unavailable" });
  broken = false;
  assert(await committer.submit(set("b")), "it works again once the store does");
  assert.deepEqual([await there(kv, "a"), await there(kv, "b")], [false, true]);
  await kv.close();
});

Deno.test("submit() is refused for good once the lease is gone", async () => {
  const { kv, committer } = await setup();
  await kv.commit({ checks: [], mutations: [{ key: keys.lease("w1"), delete: true }] });
  await assert.rejects(committer.submit(set("a")), { code: "worker_fenced" });
  await assert.rejects(committer.submit(set("b")), { code: "worker_fenced" });
  assert.equal(await there(kv, "a"), false);
  assert(committer.isFenced);
  await kv.close();
});

Deno.test("submit() does not believe an answer that came after its lease ran out", async () => {
  const held: { clock?: { now: number }; kv?: Kv } = {};
  const { kv, committer, clock } = await setup((n, apply) =>
    n === 1
      ? apply().then(async (stamp) => {
        held.clock!.now += 5000;
        await held.kv!.commit({ checks: [], mutations: [{ key: keys.lease("w1"), delete: true }] });
        return stamp;
      })
      : undefined
  );
  Object.assign(held, { clock, kv });
  await assert.rejects(committer.submit(set("a")), { code: "worker_fenced" });
  await kv.close();
});

Deno.test("submit() splits what does not fit one commit", async () => {
  const { kv, committer, commits } = await setup();
  const many = Array.from({ length: 2500 }, (_, i) => committer.submit(set(`n${i}`)));
  assert((await Promise.all(many)).every(Boolean));
  assert.equal(commits.length, 3);
  await kv.close();
});

Deno.test("submit() refuses what the store would never take, at once and alone", async () => {
  const { kv, committer, commits } = await setup();
  const changes = (count: number, value: string): Commit => ({
    checks: [],
    mutations: Array.from({ length: count }, (_, i) => set(`n${i}`, value).mutations[0]!),
  });
  const too_large = { code: "payload_too_large", kind: "terminal" };
  await assert.rejects(committer.submit(changes(1_001, "x")), too_large);
  await assert.rejects(committer.submit(changes(20, "x".repeat(50_000))), too_large);
  const checks = Array.from({ length: 101 }, (_, i) => ({ key: ["k", i], versionstamp: null }));
  const [bad, good] = await Promise.allSettled([
    committer.submit({ checks, mutations: [] }),
    committer.submit(set("good")),
  ]);
  assert.deepEqual([bad.status, good.status], ["rejected", "fulfilled"]);
  assert.equal(commits.length, 1);
  await kv.close();
});

Deno.test("release() gives the lease back and ends writing", async () => {
  const { kv, committer } = await setup();
  await committer.release();
  assert.equal(await kv.get(keys.lease("w1")), null);
  await assert.rejects(committer.submit(set("a")), { code: "worker_fenced" });
  await kv.close();
});

Deno.test("heartbeat() rewrites the lease only when nothing else did", async () => {
  const { kv, committer, commits, clock } = await setup();
  clock.now += 100;
  await committer.heartbeat(300);
  assert.equal(commits.length, 0);
  clock.now += 300;
  await committer.heartbeat(300);
  assert.equal(commits.length, 1);
  await kv.close();
});

/** What happens to a commit of the database. */
type Fault = "none" | "before" | "after" | "lied";
/** A commit by what is in the database when its turn begins. */
interface Wish {
  check?: { name: string; expected: "nothing" | "this" | "other" };
  writes: { name: string; value: number | undefined }[];
}

const name = fc.constantFrom("a", "b", "c", "d");
const anyWish = fc.record({
  check: fc.option(
    fc.record({ name, expected: fc.constantFrom("nothing", "this", "this", "other") }),
    { nil: undefined },
  ),
  writes: fc.array(
    fc.record({ name, value: fc.option(fc.nat(255), { nil: undefined }) }),
    { maxLength: 3 },
  ),
}) as fc.Arbitrary<Wish>;
const anyTurns = fc.array(fc.array(anyWish, { minLength: 1, maxLength: 40, size: "max" }), {
  maxLength: 6,
});
const anyFaults = fc.array(fc.constantFrom<Fault>("none", "none", "before", "after", "lied"), {
  maxLength: 60,
  size: "max",
});

function commitOf({ check, writes }: Wish, read: (name: string) => string | null): Commit {
  const versions = (name: string) => ({ nothing: null, this: read(name), other: "f".repeat(20) });
  const key = (name: string) => ["k", name];
  return {
    checks: check
      ? [{ key: key(check.name), versionstamp: versions(check.name)[check.expected] }]
      : [],
    mutations: writes.map(({ name, value }) =>
      value === undefined
        ? { key: key(name), delete: true }
        : { key: key(name), set: Uint8Array.of(value) }
    ),
  };
}

const valuesIn = (db: SimDatabase) =>
  db.list({ prefix: ["k"] }).map(({ key, value }) => [key[1], ...value]);
const versionIn = (db: SimDatabase) => (name: string) => db.get(["k", name])?.versionstamp ?? null;

/** A committer on a database to whose commits `faults` happen, the last one first. */
async function faulty(db: SimDatabase, faults: Fault[]): Promise<Committer> {
  const left = [...faults];
  const inner = simulatedKv(db);
  let row = 0;
  const kv: Kv = {
    ...inner,
    async commit(commit) {
      const next = left.pop() ?? "none";
      row = next === "none" || row === 4 ? 0 : row + 1; // six in a row would be an outage
      if (row > 0 && next === "before") throw new Error("not committed");
      const stamp = await inner.commit(commit);
      if (row > 0 && next === "after") throw new Error("answer lost");
      return row > 0 && next === "lied" ? null : stamp;
    },
  };
  const sleep = () => Promise.resolve();
  const committer = new Committer({ kv, worker: "w1", now: () => 0, sleep, lease_ms: 1_000 });
  await committer.acquire();
  return committer;
}

Deno.test("any commits, grouped and with whatever the database answers, end as one after the other", () =>
  fc.assert(
    fc.asyncProperty(anyTurns, anyFaults, async (turns, faults) => {
      const [db, model] = [new SimDatabase(), new SimDatabase()];
      const committer = await faulty(db, faults);
      for (const turn of turns) {
        const asked = turn.map((wish) => commitOf(wish, versionIn(db)));
        const expected = turn.map((wish) => commitOf(wish, versionIn(model)));
        const stamps = await Promise.all(asked.map((commit) => committer.submit(commit)));
        const happened = expected.map((commit) => model.apply(commit) !== null);
        assert.deepEqual(stamps.map((stamp) => stamp !== null), happened);
        assert.deepEqual(valuesIn(db), valuesIn(model));
      }
    }),
    { numRuns: 200 },
  ));

Deno.test("the version that a commit is answered with is that of what it wrote", () =>
  fc.assert(
    fc.asyncProperty(anyFaults, async (faults) => {
      const db = new SimDatabase();
      const committer = await faulty(db, faults);
      const names = Array.from({ length: 20 }, (_, n) => `n${n}`);
      const stamps = await Promise.all(names.map((name) => committer.submit(set(name))));
      assert.deepEqual(stamps, names.map(versionIn(db)));
    }),
  ));

Deno.test("a commit after an outage is not taken for the one that was applied in its last moment", async () => {
  const { kv, committer } = await setup((n, apply) => {
    if (n < 6) return Promise.reject(new Error("no answer"));
    if (n === 6) return apply().then(() => Promise.reject(new Error("answer lost")));
  });
  await assert.rejects(committer.submit(set("a")), { code: "store_unavailable" });
  assert.equal(await committer.submit(set("b")), (await kv.get(["k", "b"]))!.versionstamp);
  await kv.close();
});
