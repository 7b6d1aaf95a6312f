/** What every adapter of the KV port must do. Call it from the adapter's own test file. */
import assert from "node:assert/strict";
import {
  type Commit,
  type Entry,
  type Key,
  type Kv,
  setJson,
  type Store,
} from "../../store/mod.ts";
import { Mortal } from "./_mortal.ts";
import { keysIn, openOn } from "./_store.ts";

const bytes = (text: string) => new TextEncoder().encode(text);
const text = (entry: Entry | null) => entry && new TextDecoder().decode(entry.value);

/**
 * Declares the tests.
 *
 * @param open gives an empty database, which is gone once it is closed
 * @param connect gives another connection to a database, where there can be one
 */
export function conformance(
  name: string,
  open: () => Promise<Kv>,
  connect?: (kv: Kv) => Promise<Kv>,
): void {
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

  test("strings are in the order of their UTF-8 bytes", async (kv) => {
    const words = ["", "a", "a\u0000", "aa", "z", "é", "甲", "\uffff", "\u{10000}", "😀"];
    for (const word of words.toReversed()) await put(kv, ["p", word, 1]);
    const listed = await Array.fromAsync(kv.list({ prefix: ["p"] }), ({ key }) => key[1]);
    assert.deepEqual(listed, words);
    const from = { prefix: ["p"], start: ["p", "\uffff"] };
    assert.deepEqual(await Array.fromAsync(kv.list(from), ({ key }) => key[1]), words.slice(7));
  });

  test("what is larger than its limits is refused and changes nothing", async (kv) => {
    const { value_bytes, checks, mutations, key_bytes, commit_key_bytes } = kv.limits;
    const many = (count: number, part: string, value = "x") =>
      Array.from({ length: count }, (_, i) => ({ key: ["m", part, i], set: bytes(value) }));
    const long = "k".repeat(key_bytes / 4);
    const commits: Commit[] = [
      { checks: [], mutations: [{ key: ["m"], set: new Uint8Array(value_bytes + 1_000) }] },
      { checks: [], mutations: many(mutations + 1, "m") },
      { checks: [], mutations: many(1, "k".repeat(key_bytes + 100)) },
      { checks: [], mutations: many(Math.ceil(commit_key_bytes / long.length) + 1, long) },
      {
        checks: Array.from(
          { length: checks + 1 },
          (_, i) => ({ key: ["c", i], versionstamp: null }),
        ),
        mutations: many(1, "m"),
      },
    ];
    for (const commit of commits) await assert.rejects(() => kv.commit(commit));
    assert.deepEqual(await Array.fromAsync(kv.list({ prefix: ["m"] })), []);
  });

  test("keys that are read at one moment show a commit as a whole or not at all", async (kv) => {
    const count = kv.limits.snapshot_keys;
    const all = Array.from({ length: count }, (_, n): Key => ["s", n]);
    const write = (value: string) =>
      kv.commit({ checks: [], mutations: all.map((key) => ({ key, set: bytes(value) })) });
    await write("0");
    let writing = true;
    const seen = new Set<string>();
    const read = async () => {
      while (writing) {
        const listed = await Array.fromAsync(kv.list({ prefix: ["s"] }, { limit: count }));
        for (const entries of [await kv.getMany(all), listed]) {
          const texts = new Set(entries.map(text));
          assert.equal(texts.size, 1, `${[...texts]} at one moment`);
          seen.add([...texts][0]!);
        }
      }
    };
    const reading = [read(), read()];
    for (let n = 1; n <= 30; n++) await write(`${n}`);
    writing = false;
    await Promise.all(reading);
    assert(seen.size > 2, `${seen.size} states were seen`);
  });

  if (connect) {
    test("two connections see each other's commits and checks", async (one) => {
      const other = await connect(one);
      try {
        const stamp = await put(one, ["a"], "one");
        const seen = await other.get(["a"]);
        assert.deepEqual([text(seen), seen!.versionstamp], ["one", stamp]);
        const replace = (kv: Kv, value: string) =>
          kv.commit({
            checks: [{ key: ["a"], versionstamp: stamp }],
            mutations: [{ key: ["a"], set: bytes(value) }],
          });
        assert.notEqual(await replace(other, "other"), null);
        assert.equal(await replace(one, "late"), null);
        assert.equal(text(await one.get(["a"])), "other");
        const listed = await Array.fromAsync(one.list({ prefix: [] }), ({ key }) => key);
        assert.deepEqual(listed, [["a"]]);
        await other.commit({ checks: [], mutations: [{ key: ["a"], delete: true }] });
        assert.equal(await one.get(["a"]), null);
      } finally {
        await other.close();
      }
    });
  }

  test("a value of 1 MB is there whole or not at all, for two workers", async (kv) => {
    const [one, other] = [await openOn(kv), await openOn(kv)];
    const large = (letter: string) => letter.repeat(1_000_000);
    const key = ["big", "t"];
    const create = (store: Store, letter: string) =>
      store.commit({
        checks: [{ key, versionstamp: null }],
        mutations: [setJson(key, large(letter))],
      });
    const stamps = await Promise.all([create(one, "a"), create(one, "b"), create(other, "c")]);
    assert.equal(stamps.filter((stamp) => stamp !== null).length, 1);
    const winner = "abc"[stamps.findIndex((stamp) => stamp !== null)]!;
    for (const store of [one, other]) {
      assert((await store.get<string>(key))!.value === large(winner));
    }
    await other.commit({ checks: [], mutations: [{ key, delete: true }] });
    await Array.fromAsync(one.sweep());
    assert.deepEqual(await keysIn(kv), []);
  });

  for (const applied of [false, true]) {
    const moment = applied ? "right after" : "before";
    Deno.test(`${name}: a worker that dies ${moment} any commit of 1 MB leaves the old or the new value`, async () => {
      const key = ["big", "t"];
      const large = (letter: string) => letter.repeat(1_000_000);
      const seen = new Set<string>();
      for (let dies_at = 1, died = true; died; dies_at++) {
        const kv = await open();
        const put = async (on: Kv, letter: string) =>
          await (await openOn(on)).commit({ checks: [], mutations: [setJson(key, large(letter))] });
        await put(kv, "a");
        const mortal = new Mortal(kv, dies_at, applied);
        await put(mortal, "b").catch(() => {});
        died = mortal.died;
        const next = await openOn(kv, { alone: true });
        await Array.fromAsync(next.sweep());
        const found = (await next.get<string>(key))!.value;
        assert(found === large(found[0]!));
        seen.add(found[0]!);
        assert.equal((await keysIn(kv)).length, 2 + Math.ceil(1_000_002 / kv.limits.value_bytes));
        await kv.close();
      }
      assert.deepEqual([...seen].sort(), ["a", "b"]);
    });
  }
}
