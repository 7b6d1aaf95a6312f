/** The changes of a run's state, in any order, against what is to be in the store. */
import assert from "node:assert/strict";
import fc from "fast-check";
import type { RunRecord } from "../../../pipeline/kernel/mod.ts";
import {
  claimRun,
  createRun,
  endRun,
  type LiveRun,
  offerRun,
  parkRun,
  releaseRun,
  reopenRun,
  sendMessage,
  suspendRun,
  type WaitingRun,
  wakeRun,
} from "../../../pipeline/kernel/transitions.ts";
import { type Commit, type Key, keys, setJson, type Versioned } from "../../../store/mod.ts";
import { SimDatabase } from "../../_sim/kv.ts";

const AT = "2026-01-01T00:00:00.000Z";
const USAGE = { input_tokens: 0, output_tokens: 0, cost_usd: 0 };
const RUN: RunRecord = {
  id: "run_1",
  tenant: "t",
  pipeline: "p",
  version: "v",
  status: "running",
  created_at: AT,
};
const KEYS = {
  live: keys.live("t", "run_1"),
  waiting: keys.waiting("t", "run_1"),
  ended: keys.run("t", "run_1"),
};
type State = keyof typeof KEYS;
const END = {
  completed: { status: "completed", output: 1, usage: USAGE },
  failed: { status: "failed", error: { code: "internal", message: "No.", kind: "terminal" } },
  cancelled: { status: "cancelled", reason: "enough" },
} as const;

/** What is asked of a run. `old`: by what was read before the last change, if that was this state. */
type Act =
  | { act: "claim"; worker: string; old: boolean }
  | { act: "release"; old: boolean }
  | { act: "suspend"; due?: number }
  | { act: "wake"; worker: string; old: boolean }
  | { act: "end"; as: keyof typeof END }
  | { act: "reopen"; worker?: string; old: boolean }
  | { act: "message"; old: boolean };

const worker = fc.constantFrom("w1", "w2");
const old = fc.boolean();
const anyActs = fc.array(
  fc.oneof(
    fc.record({ act: fc.constant("claim"), worker, old }),
    fc.record({ act: fc.constant("release"), old }),
    fc.record({ act: fc.constant("suspend"), due: fc.constantFrom(undefined, 5, 1_000) }),
    fc.record({ act: fc.constant("wake"), worker, old }),
    fc.record({ act: fc.constant("end"), as: fc.constantFrom("completed", "failed", "cancelled") }),
    fc.record({ act: fc.constant("reopen"), worker: fc.option(worker, { nil: undefined }), old }),
    fc.record({ act: fc.constant("message"), old }),
  ) as fc.Arbitrary<Act>,
  { maxLength: 40, size: "max" },
);

/** A run in a database, and what was read of it before its last change. */
class Bench {
  readonly db = new SimDatabase();
  private before = new Map<State, Versioned<unknown>>();
  private messages = 0;

  read<T>(state: State): Versioned<T> | undefined {
    const entry = this.db.get(KEYS[state]);
    if (!entry) return undefined;
    return { key: entry.key, versionstamp: entry.versionstamp, value: this.db.json<T>(entry) };
  }

  get states(): State[] {
    return (Object.keys(KEYS) as State[]).filter((state) => this.read(state) !== undefined);
  }

  /** @returns whether it happened; `undefined` when it could not even be asked for */
  perform(act: Act): boolean | undefined {
    const commit = this.commitOf(act);
    if (!commit) return undefined;
    const seen = new Map(this.states.map((state) => [state, this.read(state)!]));
    const stamp = this.db.apply(commit);
    if (stamp !== null && act.act !== "message") this.before = seen;
    return stamp !== null;
  }

  private commitOf(act: Act): Commit | undefined {
    const of = <T>(...states: State[]) =>
      states.map((state) => "old" in act && act.old ? this.before.get(state) : this.read(state))
        .find((found) => found !== undefined) as Versioned<T> | undefined;
    const live = of<LiveRun>("live");
    const waiting = of<WaitingRun>("waiting");
    const ended = of<RunRecord>("ended");
    switch (act.act) {
      case "claim":
        return live && claimRun(live, act.worker);
      case "release":
        return live && releaseRun(live);
      case "suspend":
        return live && suspendRun({ ...live.value.run, status: "waiting" }, act.due);
      case "wake":
        return waiting && wakeRun(waiting, { ...waiting.value.run, status: "running" }, act.worker);
      case "end":
        return live && endRun(live.value.run, END[act.as], AT, 9);
      case "reopen": {
        if (ended?.value.status !== "failed") return undefined;
        const reopened = reopenRun(ended);
        const run = { ...RUN, attempts: 2 };
        const where = act.worker ? createRun(run, act.worker) : parkRun(run);
        return { checks: reopened.checks, mutations: [...reopened.mutations, ...where.mutations] };
      }
      case "message": {
        const holder = of<LiveRun | WaitingRun>("live", "waiting");
        const id = `${++this.messages}`.padStart(3, "0");
        return holder && sendMessage(holder, id, { type: "unpause" });
      }
    }
  }
}

/** What the store may hold of a run in a state, besides its messages. */
function indexes(bench: Bench): Key[] {
  const [state] = bench.states;
  if (state === "waiting") {
    const { due } = bench.read<WaitingRun>("waiting")!.value;
    return due === undefined ? [] : [keys.timer(due, "t", "run_1")];
  }
  const { status } = state === "ended" ? bench.read<RunRecord>("ended")!.value : RUN;
  return status === "failed" || status === "cancelled" ? [keys.ended("t", status, "run_1")] : [];
}

Deno.test("a run is in one state at a time with its indexes, and is not changed by what was read before a change", () => {
  fc.assert(
    fc.property(anyActs, (acts) => {
      const bench = new Bench();
      bench.db.apply(createRun(RUN, "w1"));
      for (const act of acts) {
        const [before] = bench.states;
        const happened = bench.perform(act);
        assert.equal(
          bench.states.length,
          1,
          `after ${act.act} it is ${bench.states.join(" and ")}`,
        );
        if (happened === false) assert.equal(bench.states[0], before);
        if ("old" in act && act.old) assert(!happened, `${act.act} by what was read before`);
        const found = ["timer", "ended"].flatMap((prefix) => bench.db.list({ prefix: [prefix] }));
        assert.deepEqual(found.map(({ key }) => key), indexes(bench));
      }
    }),
    { numRuns: 400 },
  );
});

Deno.test("a run is claimed only once its worker has no lease any more, or has released it", () => {
  const { db, ...bench } = setUp();
  db.apply({ checks: [], mutations: [setJson(keys.lease("w1"), {})] });
  db.apply(createRun(RUN, "w1"));
  assert.equal(db.apply(claimRun(bench.live(), "w2")), null, "w1 lives");
  assert.notEqual(db.apply(claimRun(bench.live(), "w1")), null, "its own");
  db.apply(releaseRun(bench.live()));
  assert.notEqual(db.apply(claimRun(bench.live(), "w2")), null, "w1 has released it");
  assert.equal(bench.live().value.worker, "w2");
  assert.equal(bench.live().value.released, undefined);
  db.apply({ checks: [], mutations: [{ key: keys.lease("w1"), delete: true }] });
  db.apply(createRun(RUN, "w1"));
  assert.notEqual(db.apply(claimRun(bench.live(), "w2")), null, "w1 is dead");
});

function setUp() {
  const db = new SimDatabase();
  return {
    db,
    live: (): Versioned<LiveRun> => {
      const entry = db.get(KEYS.live)!;
      return { key: entry.key, versionstamp: entry.versionstamp, value: db.json(entry) };
    },
  };
}

Deno.test("what is offered is free to be claimed, and the end of a run says how, when and with which event", () => {
  const { db, live } = setUp();
  db.apply({ checks: [], mutations: [offerRun(RUN)] });
  assert.deepEqual(live().value, { run: RUN, worker: "", released: true });
  db.apply(claimRun(live(), "w1"));
  db.apply(endRun(RUN, END.failed, AT, 7));
  assert.deepEqual(db.json(db.get(KEYS.ended)!), {
    ...RUN,
    status: "failed",
    error: END.failed.error,
    ended_at: AT,
    last_seq: 7,
  });
});

Deno.test("a message that no journal could take is refused before it is sent", () => {
  const { db, live } = setUp();
  db.apply(createRun(RUN, "w1"));
  const signal = (bytes: number) =>
    ({ type: "signal", name: "go", payload: "é".repeat(bytes / 2) }) as const;
  assert.throws(() => sendMessage(live(), "1", signal(4_000_000)), { code: "payload_too_large" });
  assert.equal(sendMessage(live(), "1", signal(3_900_000)).mutations.length, 1);
});
