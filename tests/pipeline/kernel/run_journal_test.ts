import assert from "node:assert/strict";
import { setImmediate } from "node:timers";
import fc from "fast-check";
import { OrchestratorError } from "../../../errors.ts";
import type { JournalEvent } from "../../../pipeline/kernel/mod.ts";
import { Feed } from "../../../pipeline/kernel/feed.ts";
import { RunJournal } from "../../../pipeline/kernel/run_journal.ts";
import { type Commit, keys, type Store } from "../../../store/mod.ts";
import { jsonOf } from "../../../store/values.ts";

/** A journal on a store whose commits wait until they are answered. */
function fixture(seq = 0) {
  const commits: (Commit & PromiseWithResolvers<string | null>)[] = [];
  const store = {
    commit(commit: Commit) {
      const asked = { ...commit, ...Promise.withResolvers<string | null>() };
      commits.push(asked);
      return asked.promise;
    },
  } as unknown as Store;
  const clock = {
    now: () => 0,
    sleep: () => Promise.reject(new Error("unused")),
    afterTurn: () => {},
  };
  const feed = new Feed("run_1", clock);
  const published: JournalEvent[] = [];
  feed.join((event) => void published.push(event as JournalEvent));
  const journal = new RunJournal("t", "run_1", seq, { store, clock, feed });
  return {
    journal,
    commits,
    published,
    note: (text = "x") => journal.append({ type: "test.noted", step: "a", text }),
    /** Answers the commits that were asked for so far, and those that follow from the answers. */
    async answer(stamp: string | null = "1", until = Infinity) {
      for (let n = 0; n < Math.min(commits.length, until); n++) {
        commits[n]!.resolve(stamp);
        await turn();
      }
    },
  };
}

/** Lets every promise that is settled be seen. */
const turn = () => new Promise<void>((done) => void setImmediate(done));
const change = (name: string, bytes = 1): Commit => ({
  checks: [],
  mutations: [{ key: ["test", name], set: new Uint8Array(bytes) }],
});
/** The sequence numbers of the events in a commit, by its keys. */
const eventsIn = ({ mutations }: Commit): Record<string, number[]> =>
  Object.fromEntries(
    mutations.filter(({ key }) => key[0] === "journal").map((mutation) => {
      const entry = { key: mutation.key, value: (mutation as { set: Uint8Array }).set };
      return [`${mutation.key.at(-1)}`, jsonOf<JournalEvent[]>(entry).map(({ seq }) => seq)];
    }),
  );
const numbersIn = (commit: Commit) => Object.values(eventsIn(commit)).flat();
const namesIn = ({ mutations }: Commit) =>
  mutations.flatMap(({ key }) => key[0] === "test" ? [key[1]] : []);

Deno.test("what is appended and changed before a flush is one commit; what comes meanwhile is the next", async () => {
  const { journal, commits, published, note, answer } = fixture(4);
  note();
  note();
  journal.change(change("one"));
  const first = journal.flush();
  await turn();
  note();
  const second = journal.flush();
  journal.change(change("two"));
  await turn();
  assert.equal(commits.length, 1, "one commit at a time");
  assert.equal(journal.last, 4, "nothing else is on disk yet");
  assert.deepEqual(eventsIn(commits[0]!), { 5: [5, 6] });
  assert.deepEqual(namesIn(commits[0]!), ["one"]);
  assert.deepEqual(published, [], "nothing is published before it is on disk");
  await answer("1", 1);
  assert.deepEqual(published.map(({ seq }) => seq), [5, 6]);
  assert.equal(journal.last, 6);
  assert.equal(await first, "1");
  await answer("2");
  assert.equal(await second, "2");
  assert.deepEqual(eventsIn(commits[1]!), { 7: [7] });
  assert.deepEqual(namesIn(commits[1]!), ["two"]);
  assert.equal(journal.isFlushing, false);
});

Deno.test("a flush with nothing to write waits for the commit under way, or for nothing", async () => {
  const { journal, commits, note, answer } = fixture();
  await journal.flush();
  note();
  void journal.flush();
  await turn();
  let isOver = false;
  const again = journal.flush().then(() => isOver = true);
  await turn();
  assert.equal(isOver, false);
  await answer();
  await again;
  assert.equal(commits.length, 1);
});

type Act = "note" | "change" | "cut" | "flush" | "turn" | { big: number };
const anyActs: fc.Arbitrary<Act[]> = fc.array(
  fc.oneof(
    { weight: 4, arbitrary: fc.constantFrom<Act>("note", "change", "cut", "flush", "turn") },
    { weight: 1, arbitrary: fc.record({ big: fc.integer({ min: 1, max: 400_000 }) }) },
  ),
  { maxLength: 60, size: "max" },
);

Deno.test("events reach the disk in their order without gap or double, those of one turn between two cuts together", () =>
  fc.assert(
    fc.asyncProperty(anyActs, async (acts) => {
      const { journal, commits, published, note, answer } = fixture();
      const parts: (number | string)[][] = [[]];
      let changes = 0;
      for (const act of acts) {
        if (act === "note") parts.at(-1)!.push(note().seq);
        else if (act === "cut") journal.cut(), parts.push([]);
        else if (act === "flush") journal.flush().catch(() => {});
        else if (act === "turn") await answer(), parts.push([]);
        else {
          const name = `c${++changes}`;
          journal.change(change(name, act === "change" ? 1 : act.big));
          parts.at(-1)!.push(name);
        }
      }
      const last = note().seq;
      const flushed = journal.flush();
      await turn();
      await answer();
      await flushed;
      const written = commits.flatMap(numbersIn);
      assert.deepEqual(written, Array.from({ length: last }, (_, n) => n + 1));
      assert.deepEqual(published.map(({ seq }) => seq), written);
      assert.deepEqual(
        commits.flatMap(namesIn),
        Array.from({ length: changes }, (_, n) => `c${n + 1}`),
      );
      const places = new Map<number | string, number>();
      for (const [n, commit] of commits.entries()) {
        for (const what of [...numbersIn(commit), ...namesIn(commit)]) {
          places.set(what as string, n);
        }
      }
      for (const part of parts) assert(new Set(part.map((what) => places.get(what))).size <= 1);
    }),
    { numRuns: 60 },
  ));

Deno.test("a part that has grown large is cut off, so that no commit is too large for the store", async () => {
  for (const [count, bytes] of [[1_000, 10], [40, 20_000]] as const) {
    const { journal, commits, answer } = fixture();
    for (let n = 0; n < count; n++) {
      journal.cut();
      journal.change(change(`${n}`, bytes));
    }
    const flushed = journal.flush();
    await turn();
    await answer();
    await flushed;
    assert(commits.length >= 3, `${commits.length} commits`);
    for (const commit of commits) {
      assert(namesIn(commit).length <= 300);
      assert(namesIn(commit).length * bytes <= 320_000);
    }
    assert.equal(commits.flatMap(namesIn).length, count);
  }
});

Deno.test("events that are very large together have a key each, and one that is too large is refused without a number", async () => {
  const { journal, commits, note, answer } = fixture();
  note("x".repeat(3_000_000));
  note("y".repeat(1_500_000));
  note("small");
  assert.throws(() => note("é".repeat(2_000_000)), { code: "payload_too_large" });
  const flushed = journal.flush();
  await turn();
  await answer();
  await flushed;
  assert.deepEqual(eventsIn(commits[0]!), { 1: [1], 2: [2, 3] });
  assert.equal(note().seq, 4);
  assert.deepEqual(commits[0]!.mutations[0]!.key, keys.events("t", "run_1", 1));
});

const FAILURES: Record<string, [answer: string | null | Error, expected: object]> = {
  "is refused": [null, { code: "conflict", kind: "cancelled" }],
  "fails": [
    new OrchestratorError("store_unavailable", "Cannot write."),
    { code: "store_unavailable" },
  ],
};

for (const [how, [outcome, expected]] of Object.entries(FAILURES)) {
  Deno.test(`after a commit that ${how} the journal takes nothing more and publishes nothing`, async () => {
    const { journal, commits, published, note } = fixture();
    note();
    const flushed = journal.flush();
    await turn();
    note();
    const later = journal.flush();
    if (outcome instanceof Error) commits[0]!.reject(outcome);
    else commits[0]!.resolve(outcome);
    for (const promise of [flushed, later]) await assert.rejects(promise, expected);
    assert.throws(() => note(), expected);
    await assert.rejects(journal.flush(), expected);
    await assert.rejects(journal.giveUp(new Error("anything")), expected);
    assert.equal(commits.length, 1);
    assert.deepEqual(published, []);
  });
}

Deno.test("what a commit was too large for can be given up, and the numbers go on after what is on disk", async () => {
  const { journal, commits, note, answer } = fixture();
  note();
  void journal.flush();
  await turn();
  await answer();
  note("lost");
  const flushed = journal.flush();
  await turn();
  commits[1]!.reject(new OrchestratorError("payload_too_large", "Too large."));
  await assert.rejects(flushed, { code: "payload_too_large" });
  assert.equal(await journal.giveUp(new Error("given up")), true, "something is on disk");
  assert.equal(note("the end").seq, 2);
  const end = journal.flush();
  await turn();
  commits[2]!.resolve("3");
  await end;
  assert.deepEqual(commits.map(numbersIn), [[1], [2], [2]]);
});

Deno.test("giving up before anything was written says that nothing is on disk", async () => {
  const { journal, note } = fixture();
  note();
  assert.equal(await journal.giveUp(new Error("given up")), false);
});

Deno.test("a journal that was closed says why, from then on and to whoever waits for it", async () => {
  const { journal, commits, note } = fixture();
  const reason = new OrchestratorError("worker_fenced", "Replaced.", { kind: "cancelled" });
  note();
  const begun = journal.begun;
  journal.close(reason);
  await assert.rejects(begun, reason);
  journal.close(new Error("later"));
  assert.throws(() => note(), reason);
  await assert.rejects(journal.flush(), reason);
  await turn();
  assert.equal(commits.length, 0);
});
