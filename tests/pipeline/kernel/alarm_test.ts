import assert from "node:assert/strict";
import { Alarm } from "../../../pipeline/kernel/alarm.ts";
import { SimProcess, SimWorld } from "../../_sim/world.ts";

/** An alarm in virtual time. `fired` says when it did, in milliseconds since the beginning. */
function fixture() {
  const world = new SimWorld(1);
  const began = world.now;
  let ahead = 0;
  const { clock } = world.of(new SimProcess("w"));
  const alarm = new Alarm({ ...clock, now: () => world.now + ahead });
  const over = new AbortController();
  const fired: number[] = [];
  const ring = () => alarm.ring(over.signal).then(() => void fired.push(world.now - began));
  return {
    fired,
    ring,
    over,
    set: (ms: number) => alarm.set(began + ms),
    pass: async (ms: number) => {
      world.at(ms, undefined, () => {});
      await world.run(ms, () => false);
    },
    at: (ms: number, fn: () => void) => world.at(ms, undefined, fn),
    /** Sets the clock forward; what sleeps does not notice. */
    jump: (ms: number) => void (ahead += ms),
  };
}

Deno.test("an alarm fires at the earliest of the times that it was given", async () => {
  const { set, ring, fired, pass } = fixture();
  for (const ms of [700, 300, 500]) set(ms);
  void ring();
  await pass(1_000);
  assert.deepEqual(fired, [300]);
});

Deno.test("an earlier time that is set while it sleeps shortens the sleep, a later one does not", async () => {
  const { set, ring, fired, pass, at } = fixture();
  set(700);
  void ring();
  at(100, () => set(900));
  at(200, () => set(400));
  at(300, () => set(350));
  await pass(1_000);
  assert.deepEqual(fired, [350]);
});

Deno.test("a time that has passed fires at once, and only once", async () => {
  const { set, ring, fired, pass } = fixture();
  await pass(500);
  set(100);
  await ring();
  assert.deepEqual(fired, [500]);
  void ring();
  await pass(10_000);
  assert.deepEqual(fired, [500], "nothing is set any more");
  set(20_000);
  await pass(20_000);
  assert.deepEqual(fired, [500, 20_000]);
});

Deno.test("an alarm that is aborted resolves before its time", async () => {
  const { set, ring, fired, pass, at, over } = fixture();
  set(60_000);
  void ring();
  at(250, () => over.abort());
  await pass(1_000);
  assert.deepEqual(fired, [250]);
  await ring();
  assert.equal(fired.length, 2);
});

Deno.test("a clock that is set forward is noticed within a minute", async () => {
  const { set, ring, fired, pass, at, jump } = fixture();
  const day = 86_400_000;
  set(day);
  void ring();
  at(1_000, () => jump(day));
  await pass(2 * day);
  assert(fired[0]! <= 61_000, `after ${fired} ms`);
});
