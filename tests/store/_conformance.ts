/** What every adapter of the KV port must do. Call it from the adapter's own test file. */
import assert from "node:assert/strict";
import type { Entry, Key, Kv } from "../../store/mod.ts";

const bytes = (text: string) => new TextEncoder().encode(text);
const text = (entry: Entry | null) => entry && new TextDecoder().decode(entry.value);

/** Declares the tests. `open` gives an empty store. */
export function conformance(name: string, open: () => Promise<Kv>): void {
  const test = (what: string, fn: (kv: Kv) => Promise<void>) =>
    Deno.test(`${name}: ${what}`, async () => {
      const kv = await open();
      try {
        await fn(kv);
      } finally {
        await kv.close();
      }
    });
  const put = (kv: Kv, key: Key, value = "x") =>
    kv.commit({ checks: [], mutations: [{ key, set: bytes(value) }] });

  test("an absent key is null", async (kv) => {
    assert.equal(await kv.get(["a"]), null);
    assert.deepEqual(await kv.getMany([["a"], ["b"]]), [null, null]);
  });

  test("a value comes back with the versionstamp of its commit", async (kv) => {
    const stamp = await put(kv, ["a", 1], "hello");
    const entry = await kv.get(["a", 1]);
    assert.equal(text(entry), "hello");
    assert.equal(entry!.versionstamp, stamp);
    assert.deepEqual(entry!.key, ["a", 1]);
  });

  test("versionstamps rise", async (kv) => {
    const stamps = [];
    for (let i = 0; i < 5; i++) stamps.push((await put(kv, ["a"]))!);
    assert.deepEqual(stamps, [...new Set(stamps)].sort());
  });

  test("a commit is refused whole when one check fails", async (kv) => {
    const stamp = await put(kv, ["a"], "old");
    await put(kv, ["a"], "new");
    const refused = await kv.commit({
      checks: [{ key: ["b"], versionstamp: null }, { key: ["a"], versionstamp: stamp }],
      mutations: [{ key: ["a"], set: bytes("lost") }, { key: ["b"], set: bytes("lost") }],
    });
    assert.equal(refused, null);
    assert.equal(text(await kv.get(["a"])), "new");
    assert.equal(await kv.get(["b"]), null);
  });

  test("null checks that a key does not exist", async (kv) => {
    const create = () =>
      kv.commit({
        checks: [{ key: ["a"], versionstamp: null }],
        mutations: [{ key: ["a"], set: bytes("1") }],
      });
    assert.notEqual(await create(), null);
    assert.equal(await create(), null);
  });

  test("of two racing creations one wins", async (kv) => {
    const create = (value: string) =>
      kv.commit({
        checks: [{ key: ["a"], versionstamp: null }],
        mutations: [{ key: ["a"], set: bytes(value) }],
      });
    const results = await Promise.all(["1", "2", "3"].map(create));
    assert.equal(results.filter((stamp) => stamp !== null).length, 1);
  });

  test("delete removes; a later check sees it", async (kv) => {
    await put(kv, ["a"]);
    await kv.commit({ checks: [], mutations: [{ key: ["a"], delete: true }] });
    assert.equal(await kv.get(["a"]), null);
  });

  test("list walks a prefix in key order, numbers by value, itself excluded", async (kv) => {
    for (const key of [["p"], ["p", 10], ["p", 2], ["p", "s"], ["q", 1], ["p", 2, "x"]]) {
      await put(kv, key as Key);
    }
    const listed = await Array.fromAsync(kv.list({ prefix: ["p"] }), (entry) => entry.key);
    assert.deepEqual(listed, [["p", "s"], ["p", 2], ["p", 2, "x"], ["p", 10]]);
  });

  test("list honours start, end, limit and reverse", async (kv) => {
    for (let i = 1; i <= 9; i++) await put(kv, ["p", i]);
    const list = async (selector: Parameters<Kv["list"]>[0], options?: Parameters<Kv["list"]>[1]) =>
      await Array.fromAsync(kv.list(selector, options), (entry) => entry.key[1]);
    const prefix = ["p"];
    assert.deepEqual(await list({ prefix, start: ["p", 7] }), [7, 8, 9]);
    assert.deepEqual(await list({ prefix, end: ["p", 3] }), [1, 2]);
    assert.deepEqual(await list({ prefix }, { limit: 2, reverse: true }), [9, 8]);
    assert.deepEqual(await list({ prefix, end: ["p", 4] }, { limit: 1, reverse: true }), [3]);
  });

  test("list pages through more than one batch", async (kv) => {
    for (let from = 0; from < 1200; from += 400) {
      const mutations = Array.from({ length: 400 }, (_, i) => ({
        key: ["many", from + i],
        set: bytes("x"),
      }));
      await kv.commit({ checks: [], mutations });
    }
    assert.equal((await Array.fromAsync(kv.list({ prefix: ["many"] }))).length, 1200);
  });

  test("getMany takes more keys than one request of the store does", async (kv) => {
    for (let i = 0; i < 25; i++) await put(kv, ["a", i], `${i}`);
    const keys = Array.from({ length: 25 }, (_, i): Key => ["a", 24 - i]);
    const found = await kv.getMany(keys);
    assert.deepEqual(found.map(text), keys.map(([, i]) => `${i}`));
  });

  test("the largest value and the largest batch fit", async (kv) => {
    const big = new Uint8Array(kv.limits.value_bytes).fill(7);
    await kv.commit({ checks: [], mutations: [{ key: ["big"], set: big }] });
    assert.deepEqual((await kv.get(["big"]))!.value, big);
    const checks = Array.from(
      { length: kv.limits.checks },
      (_, i) => ({ key: ["c", i], versionstamp: null }),
    );
    const mutations = Array.from(
      { length: kv.limits.mutations },
      (_, i) => ({ key: ["m", i], set: bytes("x") }),
    );
    assert.notEqual(await kv.commit({ checks, mutations }), null);
  });
}
