/** A store of schema version 1 opens and keeps its values, whenever its migration is interrupted. */
import { expect } from "expect";
import { type Key, keys, type Kv, SCHEMA_VERSION, type Store } from "../../store/mod.ts";
import { findDamaged } from "../../store/verify.ts";
import { SimDatabase } from "../_sim/kv.ts";
import { Mortal } from "./_mortal.ts";
import { entriesOfSchema1, keyOf, valuesOfSchema1 } from "./_schema_1.ts";
import { openOn, simulatedKv } from "./_store.ts";

const ENTRIES = await entriesOfSchema1();
const VALUES = await valuesOfSchema1();
const DEAD = { alone: true };

/** A database of schema version 1. */
function schema1(): Kv {
  const db = new SimDatabase();
  db.apply({ checks: [], mutations: ENTRIES });
  return simulatedKv(db);
}

/** Every value is there as it was, and nothing besides. */
async function expectMigrated(store: Store, kv: Kv): Promise<void> {
  await Array.fromAsync(store.sweep());
  const left = new Set(VALUES.keys());
  const named = new Set<string>();
  for await (const { key, value } of kv.list({ prefix: [] })) {
    const name = JSON.stringify(key);
    switch (key[0]) {
      case "meta":
      case "lease":
        left.delete(name);
        break;
      case "blob":
      case "artifact_bytes":
        break;
      case "blob_of":
        named.add(key.at(-1) as string);
        break;
      default:
        expect([name, left.delete(name)]).toEqual([name, true]);
        await expectValue(store, name, value);
    }
  }
  expect([...left].map((name) => keyOf(name)[0])).toEqual(["lease"]);
  for await (const { key } of kv.list({ prefix: ["blob"] })) {
    expect(named.has(key[2] as string)).toBe(true);
  }
}

async function expectValue(store: Store, name: string, raw: Uint8Array): Promise<void> {
  const key = keyOf(name);
  const was = VALUES.get(name);
  expect([name, [1, 4].includes(raw[0]!)]).toEqual([name, true]); // it has a checksum
  const found = (await store.get(key))!.value;
  if (key[0] !== "artifact") return expect(found).toEqual(was);
  const { write, ...value } = was as Record<string, unknown>;
  expect(typeof write).toBe("string");
  expect(found).toEqual(value);
  const bytes = await store.getBytes(keys.artifactBytes("default", key[2] as string));
  const content = value.size === 5 ? "hello" : "a,b\n".repeat(50_000);
  expect(new TextDecoder().decode(bytes!)).toBe(content);
}

Deno.test("a store of schema version 1 keeps every value, and nothing that no value needs", async () => {
  const kv = schema1();
  const store = await openOn(kv, DEAD);
  await expectMigrated(store, kv);
  const schema = await kv.get(keys.schema());
  expect(JSON.parse(new TextDecoder().decode(schema!.value))).toEqual({ version: SCHEMA_VERSION });
});

for (const applied of [false, true]) {
  const moment = applied ? "right after" : "before";
  Deno.test(`a migration that is interrupted ${moment} any commit is continued by the next start`, async () => {
    let commits = 0;
    for (let died = true; died; commits++) {
      const kv = schema1();
      const mortal = new Mortal(kv, commits + 1, applied);
      await openOn(mortal, DEAD).catch(() => {});
      died = mortal.died;
      await expectMigrated(await openOn(kv, DEAD), kv);
    }
    expect(commits).toBeGreaterThan(30);
  });
}

Deno.test("an older program refuses the store from the first commit of its migration on", async () => {
  const kv = schema1();
  const mortal = new Mortal(kv, 4);
  await openOn(mortal, DEAD).catch(() => {});
  const schema = await kv.get(keys.schema());
  // What the program of schema version 1 does: JSON without a header, and a comparison.
  expect(JSON.parse(new TextDecoder().decode(schema!.value)).version).toBeGreaterThan(1);
});

Deno.test("a value whose chunks are not all there is damaged, and everything else migrates", async () => {
  const db = new SimDatabase();
  const isLost = (mutation: { key: readonly unknown[] }) =>
    mutation.key.join("/") === "chunk/pipeline/default/large/3";
  db.apply({ checks: [], mutations: ENTRIES.filter((entry) => !isLost(entry)) });
  const kv = simulatedKv(db);
  const store = await openOn(kv, DEAD);
  await expect(store.get(keys.pipeline("default", "large"))).rejects.toMatchObject({
    code: "value_damaged",
    details: { key: ["pipeline", "default", "large"] },
  });
  const found = await store.get(keys.pipeline("default", "medium"));
  expect(found!.value).toEqual(VALUES.get(JSON.stringify(["pipeline", "default", "medium"])));
  expect(await Array.fromAsync(kv.list({ prefix: ["chunk"] }))).toEqual([]);
});

/** A store of these JSON values, or bytes, of schema version 1. */
async function openWith(values: [Key, unknown][]): Promise<{ store: Store; kv: Kv }> {
  const db = new SimDatabase();
  const encode = (value: unknown) => new TextEncoder().encode(JSON.stringify(value));
  const mutations = [[keys.schema(), { version: 1 }] as [Key, unknown], ...values].map(
    ([key, value]) => ({ key, set: value instanceof Uint8Array ? value : encode(value) }),
  );
  db.apply({ checks: [], mutations });
  const kv = simulatedKv(db);
  return { kv, store: await openOn(kv, DEAD) };
}

Deno.test("a small value that has not the form of its kind is damaged, and only that", async () => {
  const good = (await openWith([])).kv;
  for (const { key, set } of ENTRIES as { key: Key; set: Uint8Array }[]) {
    if (["meta", "lease", "blob", "blob_loose", "chunk"].includes(String(key[0]))) continue;
    const { kv, store } = await openWith([[key, new TextEncoder().encode("7")]]);
    if (key[0] === "conversation_at") continue; // an index: its values mean nothing
    await expect(store.get(key)).rejects.toMatchObject({ code: "value_damaged", details: { key } });
    expect((await Array.fromAsync(findDamaged(kv))).map(({ details }) => details!.key))
      .toEqual([key]);
    if (set[0] === 0) continue;
    expect(await (await openWith([[key, set]])).store.get(key)).not.toBe(null);
  }
  expect(await Array.fromAsync(findDamaged(good))).toEqual([]);
});

Deno.test("numbers of a vector that begin like a checksum or a place are numbers", async () => {
  const vectors = [0, 1, 4].map((first, n): [Key, Uint8Array] => {
    const bytes = new Uint8Array(84).fill(7);
    bytes[0] = first;
    return [keys.vector("default", "kb", "doc_1", n), bytes];
  });
  const { store } = await openWith(vectors);
  for (const [key, bytes] of vectors) expect(await store.getBytes(key)).toEqual(bytes);
});

Deno.test("small values are given checksums however many there are and however long their keys", async () => {
  const values = Array.from({ length: 500 }, (_, n): [Key, unknown] => [
    ["memory_of", "default", `${"甲".repeat(n % 2 === 0 ? 600 : 1)}${n}`],
    "x".repeat(n % 3 === 0 ? 60_000 : 3),
  ]);
  const { store } = await openWith(values);
  for (const [key, value] of values) expect((await store.get(key))!.value).toBe(value);
});

Deno.test("a schema record without a version is damage", async () => {
  for (const value of [{}, null]) {
    await expect(openWith([[keys.schema(), value]])).rejects.toMatchObject({
      code: "value_damaged",
    });
  }
});
