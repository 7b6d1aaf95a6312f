import { expect } from "expect";
import type { Key, Kv } from "../../store/mod.ts";
import { isDamaged, setBytes, setJson, setText } from "../../store/mod.ts";
import { contentOf, parseContent } from "../../store/values.ts";
import { onKv, openOn } from "./_store.ts";

const KEY: Key = ["tool", "acme", "x"];
const bytes = (text: string) => new TextEncoder().encode(text);
const setOf = (mutation: ReturnType<typeof setJson>) => (mutation as { set: Uint8Array }).set;
const write = (kv: Kv, key: Key, set: Uint8Array) =>
  kv.commit({ checks: [], mutations: [{ key, set }] });

for (const value of [null, true, 0, -1.5, "", "é😀", [], {}, { a: [{ b: "x".repeat(300) }] }]) {
  const json = JSON.stringify(value);
  Deno.test(`${json.slice(0, 20)} comes back, and no flipped bit of it is taken for a value`, () => {
    const set = setOf(setJson(KEY, value));
    expect(parseContent(KEY, contentOf({ key: KEY, value: set }) as Uint8Array)).toEqual(value);
    for (let bit = 0; bit < set.length * 8; bit++) {
      const flipped = set.with(bit >> 3, set[bit >> 3]! ^ 1 << (bit & 7));
      const read = () => contentOf({ key: KEY, value: flipped });
      expect(read).toThrow(expect.objectContaining({ code: "value_damaged", kind: "terminal" }));
    }
    for (let length = 0; length < set.length; length++) {
      expect(() => contentOf({ key: KEY, value: set.slice(0, length) })).toThrow("Cannot read");
    }
  });
}

Deno.test("no flipped bit of a large value's pointer, record or pieces gives another value", () =>
  onKv(async (kv) => {
    const content = "甲".repeat(30_000);
    await (await openOn(kv)).commit({ checks: [], mutations: [setJson(KEY, content)] });
    for (const entry of await Array.fromAsync(kv.list({ prefix: [] }))) {
      if (entry.key[0] === "meta" || entry.key[0] === "lease") continue;
      for (let at = 0; at < entry.value.length; at += 1 + entry.value.length / 60 | 0) {
        await write(kv, entry.key, entry.value.with(at, entry.value[at]! ^ 1 << at % 8));
        const found = await (await openOn(kv)).get<string>(KEY).catch((error) => {
          expect(isDamaged(error)).toBe(true);
          return null;
        });
        expect([entry.key[0], found === null || found.value === content]).toEqual([
          entry.key[0],
          true,
        ]);
        if (entry.key[0] === "tool" || entry.key[0] === "blob") expect(found).toBe(null);
      }
      await write(kv, entry.key, entry.value);
    }
  }));

Deno.test("a value without a checksum is damaged: the migration gives each one its own", () =>
  onKv(async (kv) => {
    const store = await openOn(kv);
    for (const text of ["null", "7", '"x"', '["a"]', '{"b":"é"}', '{"a":']) {
      await write(kv, KEY, bytes(text));
      await expect(store.get(KEY)).rejects.toMatchObject({
        code: "value_damaged",
        details: { key: KEY },
        message: expect.stringContaining("`tool/acme/x`"),
      });
    }
    const vector = new Uint8Array(new Float32Array([1.5, 2.5, -2.3509887e-38]).buffer);
    const place = ["vector", "acme", "c", "d"];
    await write(kv, [...place, 0], vector.with(0, 1));
    await write(kv, [...place, 1], vector.with(0, 4));
    await store.commit({ checks: [], mutations: [setBytes([...place, 2], vector)] });
    const found = await Array.fromAsync(store.listBytes({ prefix: place }), ({ value }) => value);
    expect(found).toEqual([vector]);
  }));

Deno.test("a value is as large as its bytes, not as its characters", () => {
  const fits = "甲".repeat(5_592_404);
  expect(setOf(setText(KEY, `"${fits}"`)).length).toBe(5_592_404 * 3 + 2 + 5);
  expect(() => setText(KEY, `"${fits}甲"`)).toThrow(
    expect.objectContaining({ code: "payload_too_large", kind: "terminal" }),
  );
});
