/** The simulated database and the real one are the same to whoever uses them. */
import assert from "node:assert/strict";
import fc from "fast-check";
import { type Commit, type Key, type Kv, openDenoKv } from "../../store/mod.ts";
import { simulatedKv } from "./_store.ts";

/** Key parts whose order is not that of their characters, and some that look alike. */
const part = fc.oneof(
  fc.constantFrom("a", "b", "", "a\u0000", "\u0001", "é", "\uffff", "\u{1f600}", "1"),
  fc.constantFrom(0, 1, 2, 10, 1_700_000_000_000),
);
const anyKey: fc.Arbitrary<Key> = fc.array(part, { minLength: 1, maxLength: 3 });

/** A check by what the database holds: that there is nothing, what there is, or something else. */
type Expected = "nothing" | "this" | "other";
interface Change {
  key: Key;
  value?: number;
}
const anyCommit = fc.record({
  checks: fc.array(
    fc.record({ key: anyKey, expected: fc.constantFrom<Expected>("nothing", "this", "other") }),
    { maxLength: 2 },
  ),
  changes: fc.array(
    fc.record({ key: anyKey, value: fc.option(fc.nat(255), { nil: undefined }) }),
    { maxLength: 5 },
  ) as fc.Arbitrary<Change[]>,
});
const anyList = fc.record({
  prefix: fc.array(part, { maxLength: 2 }),
  /** Where it begins, or where it ends. */
  bound: fc.option(fc.record({ at: part, side: fc.constantFrom("start", "end") }), {
    nil: undefined,
  }),
  limit: fc.option(fc.integer({ min: 1, max: 4 }), { nil: undefined }),
  reverse: fc.boolean(),
});

async function commitTo(
  kv: Kv,
  { checks, changes }: typeof anyCommit extends fc.Arbitrary<infer T> ? T : never,
): Promise<boolean> {
  const commit: Commit = {
    checks: await Promise.all(checks.map(async ({ key, expected }) => {
      const now = (await kv.get(key))?.versionstamp ?? null;
      const versionstamp = { nothing: null, this: now, other: "f".repeat(20) }[expected];
      return { key, versionstamp };
    })),
    mutations: changes.map(({ key, value }) =>
      value === undefined ? { key, delete: true } : { key, set: Uint8Array.of(value) }
    ),
  };
  return await kv.commit(commit) !== null;
}

Deno.test("any commits and lists give the same on the simulated database as on Deno KV", () =>
  fc.assert(
    fc.asyncProperty(
      fc.array(anyCommit, { maxLength: 25, size: "max" }),
      fc.array(anyList, { minLength: 5, maxLength: 15, size: "max" }),
      async (commits, lists) => {
        const [real, simulated] = [await openDenoKv(":memory:"), simulatedKv()];
        const same = async <T>(ask: (kv: Kv) => Promise<T>) =>
          assert.deepEqual(await ask(simulated), await ask(real));
        try {
          for (const commit of commits) await same((kv) => commitTo(kv, commit));
          for (const { prefix, bound, ...options } of lists) {
            const selector = { prefix, ...(bound && { [bound.side]: [...prefix, bound.at] }) };
            await same((kv) =>
              Array.fromAsync(kv.list(selector, options), ({ key, value }) => [key, ...value])
            );
          }
        } finally {
          await real.close();
        }
      },
    ),
    { numRuns: 60 },
  ));
