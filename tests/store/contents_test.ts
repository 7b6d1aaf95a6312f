/** Lists and reads of a store in which some values are damaged. */
import { expect } from "expect";
import {
  type Key,
  type Kv,
  refuseDamaged,
  setBytes,
  setJson,
  type Store,
} from "../../store/mod.ts";
import { onKv, openOn } from "./_store.ts";

const keyOf = (n: number): Key => ["fact", "acme", n];

/** A store of ten values of which some are damaged; the third is large. */
async function damagedStore(kv: Kv, damaged: number[]) {
  const reported: unknown[] = [];
  const onDamaged = (error: { details?: Record<string, unknown> }) =>
    void reported.push((error.details!.key as Key)[2]);
  const store = await openOn(kv, { onDamaged });
  const mutations = Array.from(
    { length: 10 },
    (_, n) => setJson(keyOf(n), n === 3 ? "x".repeat(100_000) : n),
  );
  await store.commit({ checks: [], mutations });
  for (const n of damaged) {
    const { value } = (await kv.get(keyOf(n)))!;
    const set = value.with(-1, value.at(-1)! ^ 1);
    await kv.commit({ checks: [], mutations: [{ key: keyOf(n), set }] });
  }
  return { store, reported };
}

async function numbers(store: Store, options?: Parameters<Store["list"]>[1]): Promise<unknown[]> {
  const selector = { prefix: ["fact", "acme"] };
  return await Array.fromAsync(store.list(selector, options), ({ key }) => key[2]);
}

Deno.test("a list leaves damaged values out and gives as many others as it was asked for", () =>
  onKv(async (kv) => {
    const { store } = await damagedStore(kv, [0, 1, 3, 9]);
    expect(await numbers(store)).toEqual([2, 4, 5, 6, 7, 8]);
    expect(await numbers(store, { limit: 2 })).toEqual([2, 4]);
    expect(await numbers(store, { limit: 6 })).toEqual([2, 4, 5, 6, 7, 8]);
    expect(await numbers(store, { limit: 7 })).toEqual([2, 4, 5, 6, 7, 8]);
    expect(await numbers(store, { limit: 2, reverse: true })).toEqual([8, 7]);
    expect(await numbers(store, { limit: 7, reverse: true })).toEqual([8, 7, 6, 5, 4, 2]);
    const end = { prefix: ["fact", "acme"], end: keyOf(2) };
    expect(await Array.fromAsync(store.list(end, { limit: 1 }))).toEqual([]);
  }));

Deno.test("a damaged value is reported once, with its key, however often it is met", () =>
  onKv(async (kv) => {
    const { store, reported } = await damagedStore(kv, [3, 5]);
    for (let time = 0; time < 3; time++) {
      await numbers(store);
      await expect(store.get(keyOf(5))).rejects.toMatchObject({ code: "value_damaged" });
      expect(await store.tryGet(keyOf(5))).toBe(null);
    }
    expect(reported).toEqual([3, 5]);
  }));

Deno.test("list() can report each damaged value, or end at the first", () =>
  onKv(async (kv) => {
    const { store } = await damagedStore(kv, [2, 3]);
    const met: unknown[] = [];
    await numbers(store, {
      onDamaged: (_error, at) => void met.push([at.key[2], at.versionstamp]),
    });
    const stamps = await Promise.all(
      [2, 3].map(async (n) => (await kv.get(keyOf(n)))!.versionstamp),
    );
    expect(met).toEqual([[2, stamps[0]], [3, stamps[1]]]);
    const refusing = numbers(store, { onDamaged: refuseDamaged });
    await expect(refusing).rejects.toMatchObject({ code: "value_damaged" });
  }));

Deno.test("keys are listed and values replaced and deleted, damaged or not", () =>
  onKv(async (kv) => {
    const { store } = await damagedStore(kv, [3, 5]);
    const listed = await Array.fromAsync(store.keys({ prefix: ["fact"] }), ({ key }) => key[2]);
    expect(listed).toEqual([0, 1, 2, 3, 4, 5, 6, 7, 8, 9]);
    const mutations = [setJson(keyOf(5), "new"), { key: keyOf(3), delete: true as const }];
    await store.commit({ checks: [], mutations });
    expect((await store.get(keyOf(5)))!.value).toBe("new");
    expect(await numbers(store)).toEqual([0, 1, 2, 4, 5, 6, 7, 8, 9]);
    await Array.fromAsync(store.sweep());
    expect(await Array.fromAsync(kv.list({ prefix: ["blob"] }))).toEqual([]);
  }));

Deno.test("reading several values fails for a damaged one, unless it is to be left out", () =>
  onKv(async (kv) => {
    const { store } = await damagedStore(kv, [1]);
    const wanted = [0, 1, 2, 11].map(keyOf);
    await expect(store.getMany(wanted)).rejects.toMatchObject({ code: "value_damaged" });
    const found = await store.getMany(wanted, { onDamaged() {} });
    expect(found.map((one) => one?.value ?? null)).toEqual([0, null, 2, null]);
  }));

Deno.test("a vector is what was stored, whatever its length", () =>
  onKv(async (kv) => {
    const store = await openOn(kv);
    const key: Key = ["vector", "acme", "kb", "doc_1", 0];
    // The lengths of checksums and ids vary, and so does that of the entry that says where it is.
    for (let n = 0; n < 20; n++) {
      const bytes = new Uint8Array(70_000 + 4 * n).fill(n + 1);
      await store.commit({ checks: [], mutations: [setBytes(key, bytes)] });
      expect((await store.getBytes(key))!.length).toBe(bytes.length);
      const listed = store.listBytes({ prefix: ["vector"] });
      expect(await Array.fromAsync(listed, ({ value }) => value.length)).toEqual([bytes.length]);
    }
  }));
