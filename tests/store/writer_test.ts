/** Values of any size: whole or not at all, and nothing left behind. */
import { expect } from "expect";
import fc from "fast-check";
import { type Key, keys, type Kv, setJson, type Store } from "../../store/mod.ts";
import { Mortal } from "./_mortal.ts";
import { keysIn, onKv, openOn, simulatedKv } from "./_store.ts";

const KEY: Key = ["pipeline", "acme", "big"];
/** In one commit of the database, in several, in many. */
const SIZES = [70_000, 700_000, 1_000_000, 5_000_000];
const DEAD = { alone: true };

const text = (letter: string, size: number) => letter.repeat(size / letter.length);
const value = (store: Store) => store.get<string>(KEY).then((found) => found?.value[0]);
const put = (store: Store, content: string, versionstamp?: string | null) =>
  store.commit({
    checks: versionstamp === undefined ? [] : [{ key: KEY, versionstamp }],
    mutations: [setJson(KEY, content)],
  });
const remove = (store: Store) =>
  store.commit({ checks: [], mutations: [{ key: KEY, delete: true }] });
const sweep = async (store: Store) => {
  let swept = 0;
  for await (const blobs of store.sweep()) swept += blobs;
  return swept;
};
/** The keys that a value of this size has. */
const keysOf = (size: number) => 2 + Math.ceil((size + 2) / 65_536);

for (const size of SIZES) {
  Deno.test(`a value of ${size} bytes that is replaced or deleted leaves nothing`, () =>
    onKv(async (kv) => {
      const store = await openOn(kv);
      for (const letter of ["a", "b", "c"]) {
        await put(store, text(letter, size));
        expect(await value(store)).toBe(letter);
        expect(await keysIn(kv)).toHaveLength(keysOf(size));
      }
      await put(store, "short");
      expect(await keysIn(kv)).toEqual([KEY.join("/")]);
      await put(store, text("d", size));
      await remove(store);
      expect(await keysIn(kv)).toEqual([]);
    }));

  Deno.test(`the sweep finds the ${size} bytes that a process left which never read them`, () =>
    onKv(async (kv) => {
      await put(await openOn(kv), text("a", size));
      const replacing = await openOn(kv);
      await put(replacing, text("b", size));
      expect(await sweep(replacing)).toBe(1);
      expect(await keysIn(kv)).toHaveLength(keysOf(size));
      expect(await value(replacing)).toBe("b");
      const deleting = await openOn(kv);
      await remove(deleting);
      expect(await sweep(deleting)).toBe(1);
      expect(await keysIn(kv)).toEqual([]);
    }));

  for (const applied of [false, true]) {
    const moment = applied ? "right after" : "before";
    Deno.test(`a process that dies ${moment} any commit of ${size} bytes leaves the old or the new value`, async () => {
      const seen = new Set<string | undefined>();
      for (let dies_at = 1, died = true; died; dies_at++) {
        await onKv(async (kv) => {
          await put(await openOn(kv), text("a", size));
          const mortal = new Mortal(kv, dies_at, applied);
          await openOn(mortal).then((dying) => put(dying, text("b", size))).catch(() => {});
          died = mortal.died;
          const next = await openOn(kv, DEAD);
          const found = await value(next);
          expect((await next.get<string>(KEY))!.value === text(found!, size)).toBe(true);
          seen.add(found);
          await sweep(next);
          expect(await keysIn(kv)).toHaveLength(keysOf(size));
          expect((await next.get<string>(KEY))!.value === text(found!, size)).toBe(true);
        });
      }
      expect([...seen].sort()).toEqual(["a", "b"]);
    });
  }

  Deno.test(`a commit with ${size} bytes that is refused changes nothing and leaves nothing`, () =>
    onKv(async (kv) => {
      const store = await openOn(kv);
      await put(store, text("a", size));
      const before = await keysIn(kv);
      expect(await put(store, text("b", size), null)).toBe(null);
      expect(await keysIn(kv)).toEqual(before);
      expect((await store.get<string>(KEY))!.value === text("a", size)).toBe(true);
    }));

  Deno.test(`of two that create ${size} bytes at the same time one is stored, whole`, () =>
    onKv(async (kv) => {
      const one = await openOn(kv);
      const stores = [one, one, await openOn(kv)];
      const letters = ["甲", "乙", "丙"];
      const won = await Promise.all(
        stores.map((store, n) => put(store, text(letters[n]!, size), null)),
      );
      expect(won.filter((stamp) => stamp !== null)).toHaveLength(1);
      const winner = letters[won.findIndex((stamp) => stamp !== null)]!;
      for (const store of stores) {
        expect((await store.get<string>(KEY))!.value === text(winner, size)).toBe(true);
      }
      const pieces = (await keysIn(kv)).filter((key) => key.startsWith("blob/"));
      const bytes = new TextEncoder().encode(JSON.stringify(text(winner, size))).length;
      expect(pieces).toHaveLength(Math.ceil(bytes / 65_536));
    }));
}

Deno.test("a commit that is refused is refused before the first piece is written", () =>
  onKv(async (kv) => {
    const counted = new Mortal(kv);
    const store = await openOn(counted);
    await put(store, "there");
    const before = counted.commits;
    expect(await put(store, text("a", 5_000_000), null)).toBe(null);
    expect(counted.commits - before).toBe(1);
  }));

Deno.test("a value that is replaced or deleted while its pieces are read is read again", () =>
  onKv(async (kv) => {
    const slow = new Mortal(kv);
    const [writer, reader] = [await openOn(kv), await openOn(slow)];
    const { list } = slow;
    let meddle: (() => Promise<unknown>) | undefined;
    slow.list = async function* (selector, options) {
      const now = selector.prefix[0] === "blob" ? meddle : undefined;
      if (now) meddle = undefined;
      await now?.();
      yield* list(selector, options);
    };
    const letters = async () =>
      await Array.fromAsync(reader.list<string>({ prefix: ["pipeline"] }), (one) => one.value[0]);
    await put(writer, text("a", 1_000_000));
    meddle = () => put(writer, text("b", 1_000_000));
    expect(await value(reader)).toBe("b");
    meddle = () => put(writer, "short");
    expect(await value(reader)).toBe("s");
    await put(writer, text("c", 1_000_000));
    meddle = () => put(writer, text("d", 70_000));
    expect(await letters()).toEqual(["d"]);
    meddle = () => remove(writer);
    expect(await letters()).toEqual([]);
    await put(writer, text("e", 70_000));
    meddle = () => remove(writer);
    expect(await reader.get(KEY)).toBe(null);
  }));

Deno.test("readers see the old or the new value while it is replaced again and again", () =>
  onKv(async (kv) => {
    const [writer, reader] = [await openOn(kv), await openOn(kv)];
    await put(writer, text("a", 1_000_000));
    let writing = true;
    const seen = new Set<string>();
    const read = async () => {
      while (writing) {
        const listed = await Array.fromAsync(reader.list<string>({ prefix: ["pipeline"] }));
        for (const found of [...listed, (await reader.get<string>(KEY))!]) {
          expect(found.value === text(found.value[0]!, 1_000_000)).toBe(true);
          seen.add(found.value[0]!);
        }
      }
    };
    const reading = [read(), read()];
    for (let round = 0; round < 20; round++) await put(writer, text(round % 2 ? "a" : "b", 1e6));
    writing = false;
    await Promise.all(reading);
    expect(seen.size).toBe(2);
  }));

Deno.test("what fits one commit of the database together with its pointer takes one", () =>
  onKv(async (kv) => {
    const counted = new Mortal(kv);
    const store = await openOn(counted);
    for (const [size, commits] of [[60_000, 1], [100_000, 1], [700_000, 1], [1_000_000, 3]]) {
      const before = counted.commits;
      await put(store, text("a", size!));
      expect([size, counted.commits - before]).toEqual([size, commits]);
    }
  }));

Deno.test("a commit may hold more bytes than the database takes at once", () =>
  onKv(async (kv) => {
    const store = await openOn(kv);
    const many = Array.from({ length: 60 }, (_, n): Key => ["part", "acme", n]);
    const check = { key: many[0]!, versionstamp: null };
    const mutations = many.map((key) => setJson(key, text("a", 50_000)));
    expect(await store.commit({ checks: [check], mutations })).not.toBe(null);
    expect(await store.commit({ checks: [check], mutations })).toBe(null);
    const found = await store.getMany<string>(many);
    expect(found.every((one) => one?.value === text("a", 50_000))).toBe(true);
    await store.commit({ checks: [], mutations: many.map((key) => ({ key, delete: true })) });
    expect(await keysIn(kv)).toEqual([]);
  }));

Deno.test("what can never be written is refused as such, at once", () =>
  onKv(async (kv) => {
    const store = await openOn(kv);
    const too_large = { code: "payload_too_large", kind: "terminal" };
    const changes = (count: number, part = "p") =>
      store.commit({
        checks: [],
        mutations: Array.from({ length: count }, (_, n) => setJson([part, "acme", n], n)),
      });
    await expect(changes(1_001)).rejects.toMatchObject(too_large);
    await expect(changes(1, "p".repeat(2_100))).rejects.toMatchObject(too_large);
    await expect(changes(400, "p".repeat(300))).rejects.toMatchObject(too_large);
    expect(await changes(900)).not.toBe(null);
    expect(() => setJson(KEY, "甲".repeat(6_000_000))).toThrow(
      expect.objectContaining(too_large),
    );
    expect((await keysIn(kv)).length).toBe(900);
  }));

Deno.test("a worker that was replaced while it wrote keeps nothing, and its bytes are swept", () =>
  onKv(async (kv) => {
    const slow = new Mortal(kv);
    const commit = slow.commit.bind(slow);
    const frozen = await openOn(slow);
    const other = await openOn(kv);
    let commits = 0;
    slow.commit = async (what) => {
      if (++commits === 3) {
        const [lease] = (await other.workers()).filter(({ worker }) => worker === frozen.worker);
        await other.reap(lease!.entry);
        expect(await sweep(other)).toBe(1);
      }
      return await commit(what);
    };
    await expect(put(frozen, text("a", 3_000_000))).rejects.toMatchObject({
      code: "worker_fenced",
    });
    expect(await keysIn(kv)).toEqual([]);
  }));

Deno.test("a sweep leaves alone what this worker, or another one that lives, still writes", () =>
  onKv(async (kv) => {
    const slow = new Mortal(kv);
    const commit = slow.commit.bind(slow);
    const [writer, other] = [await openOn(slow), await openOn(kv)];
    let swept = 0;
    let commits = 0;
    const own: Promise<number>[] = [];
    slow.commit = async (what) => {
      swept += await sweep(other);
      if (++commits === 3) own.push(sweep(writer));
      return await commit(what);
    };
    await put(writer, text("a", 3_000_000));
    expect([swept, ...await Promise.all(own)]).toEqual([0, 0]);
    expect((await other.get<string>(KEY))!.value === text("a", 3_000_000)).toBe(true);
  }));

Deno.test("a sweep keeps the bytes of a value whose pointer cannot be read", () =>
  onKv(async (kv) => {
    const store = await openOn(kv);
    await put(store, text("a", 70_000));
    const entry = (await kv.get(KEY))!;
    const broken = entry.value.slice();
    broken[10]! ^= 1;
    await kv.commit({ checks: [], mutations: [{ key: KEY, set: broken }] });
    expect(await sweep(await openOn(kv, DEAD))).toBe(0);
    await kv.commit({ checks: [], mutations: [{ key: KEY, set: entry.value }] });
    expect(await value(store)).toBe("a");
  }));

Deno.test("a blob that was never published is swept once its worker has no lease", () =>
  onKv(async (kv: Kv) => {
    const mortal = new Mortal(kv, 4, true);
    const dying = await openOn(mortal);
    await put(dying, text("a", 3_000_000)).catch(() => {});
    expect((await keysIn(kv)).length).toBeGreaterThan(10);
    const alive = await openOn(kv);
    expect(await sweep(alive)).toBe(0);
    await kv.commit({ checks: [], mutations: [{ key: keys.lease(dying.worker), delete: true }] });
    expect(await sweep(alive)).toBe(1);
    expect(await keysIn(kv)).toEqual([]);
  }));

/** What two workers do at the same time: each writes or deletes some keys, in one commit. */
interface Round {
  worker: 0 | 1;
  changes: { key: number; size: number | undefined }[];
  /** True: only where none of the keys has a value. */
  isNew: boolean;
}

const anyRounds = fc.array(
  fc.array(
    fc.record({
      worker: fc.constantFrom(0, 1),
      changes: fc.uniqueArray(
        fc.record({
          key: fc.nat(3),
          size: fc.constantFrom(undefined, 10, 10, 65_531, 65_532, 130_000, 820_000),
        }),
        { selector: ({ key }) => key, minLength: 1, maxLength: 3 },
      ),
      isNew: fc.boolean(),
    }),
    { minLength: 1, maxLength: 4 },
  ),
  { maxLength: 8, size: "max" },
) as fc.Arbitrary<Round[][]>;

Deno.test("whatever two workers write at the same time, each value is one that was written, and nothing else is left", () =>
  fc.assert(
    fc.asyncProperty(anyRounds, fc.boolean(), async (rounds, restart) => {
      const kv = simulatedKv();
      const stores = [await openOn(kv), await openOn(kv)];
      const keyOf = (key: number): Key => ["pipeline", "acme", `k${key}`];
      /** By its first letter what each write put; those that were refused are taken out. */
      const written = new Map<string, { key: number; size: number }>();
      let letter = 0x4e00;
      for (const round of rounds) {
        await Promise.all(round.map(async ({ worker, changes, isNew }) => {
          const own = String.fromCharCode(letter++);
          const checks = isNew
            ? changes.map(({ key }) => ({ key: keyOf(key), versionstamp: null }))
            : [];
          const mutations = changes.map(({ key, size }) => {
            if (size === undefined) return { key: keyOf(key), delete: true as const };
            written.set(`${own}${key}`, { key, size });
            return setJson(keyOf(key), `${own}${key}`.padEnd(size, "x"));
          });
          if (await stores[worker]!.commit({ checks, mutations }) !== null) return;
          for (const { key } of changes) written.delete(`${own}${key}`);
        }));
      }
      const reader = restart ? await openOn(kv, DEAD) : stores[0]!;
      await sweep(reader);
      let pieces = 0, records = 0;
      for (let key = 0; key < 4; key++) {
        const found = await reader.get<string>(keyOf(key));
        if (!found) continue;
        const known = written.get(found.value.slice(0, 2));
        expect([known?.key, found.value.length]).toEqual([key, known?.size]);
        const bytes = new TextEncoder().encode(JSON.stringify(found.value)).length;
        if (bytes + 5 <= 65_536) continue;
        pieces += Math.ceil(bytes / 65_536);
        records++;
      }
      const left = Object.groupBy(await keysIn(kv), (key) => key.split("/")[0]!);
      expect([left.blob?.length ?? 0, left.blob_of?.length ?? 0]).toEqual([pieces, records]);
    }),
    { numRuns: 60 },
  ));
