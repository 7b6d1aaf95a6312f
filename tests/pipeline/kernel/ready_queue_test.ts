import assert from "node:assert/strict";
import fc from "fast-check";
import type { ActiveRun } from "../../../pipeline/kernel/active_run.ts";
import { ReadyQueue } from "../../../pipeline/kernel/ready_queue.ts";

interface Ready {
  tenant: string;
  priority?: number;
  /** Order of arrival. */
  n: number;
}

/** A queue reads no more of a run than this. */
const runOf = (record: Ready) => ({ record }) as unknown as ActiveRun;
const readyOf = (run: ActiveRun) => run.record as unknown as Ready;

const tenants = ["a", "b", "c", "d"];
const anyRun = fc.record({
  tenant: fc.constantFrom(...tenants),
  priority: fc.constantFrom(undefined, 0, 5, -5),
});

/** What is done to a queue: a run arrives, one is taken, the nth that waits is removed. */
type Act = Omit<Ready, "n"> | "shift" | number;
const anyActs: fc.Arbitrary<Act[]> = fc.array(
  fc.oneof(
    { weight: 3, arbitrary: anyRun },
    { weight: 2, arbitrary: fc.constant("shift" as const) },
    { weight: 1, arbitrary: fc.nat(20) },
  ),
  { maxLength: 120, size: "max" },
);

/** Applies `acts`. @returns who was taken, beside everyone who waited right before */
function play(queue: ReadyQueue, acts: Act[]): Taken[] {
  let waiting: ActiveRun[] = [];
  const taken: Taken[] = [];
  for (const [n, act] of acts.entries()) {
    if (act === "shift") {
      const run = queue.shift();
      taken.push({ run: run && readyOf(run), of: waiting.map(readyOf) });
      waiting = waiting.filter((one) => one !== run);
    } else if (typeof act === "number") {
      const [run] = waiting.splice(act, 1);
      if (run) assert.equal(queue.remove(run), true);
    } else {
      const run = runOf({ ...act, n });
      waiting.push(run);
      queue.push(run);
    }
    assert.equal(queue.size, waiting.length);
    for (const tenant of tenants) {
      const own = waiting.filter((run) => readyOf(run).tenant === tenant).length;
      assert.equal(queue.sizeOf(tenant), own, tenant);
    }
  }
  return taken;
}

interface Taken {
  run: Ready | undefined;
  of: Ready[];
}

const level = ({ priority = 0 }: Ready) => priority;

Deno.test("the run that is taken has the highest priority, and is the first of its tenant there", () => {
  fc.assert(fc.property(anyActs, (acts) => {
    for (const { run, of } of play(new ReadyQueue(), acts)) {
      if (!run) {
        assert.deepEqual(of, []);
        continue;
      }
      assert.equal(level(run), Math.max(...of.map(level)));
      const line = of.filter((one) => one.tenant === run.tenant && level(one) === level(run));
      assert.equal(run.n, Math.min(...line.map(({ n }) => n)));
    }
  }));
});

Deno.test("while a tenant waits every other one of its priority is served once at most before it", () => {
  fc.assert(fc.property(anyActs, (acts) => {
    /** Of each line that waits: its runs, and the tenants that were served since it was. */
    const lines = new Map<string, { runs: Set<number>; served: string[] }>();
    for (const { run, of } of play(new ReadyQueue(), acts)) {
      if (!run) continue;
      const now = Map.groupBy(of, (one) => `${level(one)} ${one.tenant}`);
      for (const [name, { runs }] of lines) {
        if (!now.get(name)?.some(({ n }) => runs.has(n))) lines.delete(name); // it was empty
      }
      for (const [name, line] of now) {
        const served = lines.get(name)?.served ?? [];
        lines.set(name, { runs: new Set(line.map(({ n }) => n)), served });
        if (level(line[0]!) !== level(run)) continue;
        if (line[0]!.tenant === run.tenant) lines.delete(name);
        else assert(!served.includes(run.tenant), `${run.tenant} again before ${name}`);
        served.push(run.tenant);
      }
    }
  }));
});

Deno.test("a small tenant gets its turns among the runs of a large one", () => {
  const queue = new ReadyQueue();
  for (let n = 0; n < 1_000; n++) queue.push(runOf({ tenant: "large", n }));
  for (let n = 0; n < 3; n++) queue.push(runOf({ tenant: "small", n }));
  const order = Array.from({ length: 6 }, () => readyOf(queue.shift()!).tenant);
  assert.deepEqual(order, ["large", "small", "large", "small", "large", "small"]);
});

Deno.test("clear() forgets every run, and a run that has gone is not removed again", () => {
  const queue = new ReadyQueue();
  const run = runOf({ tenant: "a", n: 0 });
  queue.push(run);
  queue.push(runOf({ tenant: "b", priority: 5, n: 1 }));
  queue.clear();
  assert.deepEqual([queue.size, queue.sizeOf("a"), queue.sizeOf("b")], [0, 0, 0]);
  assert.equal(queue.shift(), undefined);
  assert.equal(queue.remove(run), false);
  queue.push(run);
  assert.equal(queue.remove(run), true);
  assert.equal(queue.remove(run), false);
});
