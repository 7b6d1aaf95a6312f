/** Messages for runs: none is ever out of sight. */
import assert from "node:assert/strict";
import type { Json } from "../../../pipeline/kernel/mod.ts";
import { keys, setJson } from "../../../store/mod.ts";
import { checkInvariants, runsOf } from "../../_sim/invariants.ts";
import { oneNode, request, settle, T } from "./_harness.ts";

const GO = { type: "signal", name: "go", payload: 1 };

/** Runs that wait for a signal, the first of them paused. */
async function waitingRuns(count: number) {
  const { world, node, cluster } = await oneNode(async (ctx) =>
    await ctx.wait("gate", { signal: "go" }) as Json
  );
  const { engine } = node();
  const ids: string[] = [];
  for (let n = 0; n < count; n++) {
    const { run } = await settle(world, engine.start(T, request()));
    if (n === 0) await settle(world, engine.pause(T, run.id));
    ids.push(run.id);
  }
  const statuses = () => runsOf(cluster.db).map(({ status }) => status).join();
  const settled = ["paused", ...Array(count - 1).fill("waiting")].join();
  assert(await world.run(5_000, () => statuses() === settled), statuses());
  await world.run(50, () => false); // who put them aside has looked at their inboxes
  /** Commits messages for a run as a process does that dies before it rings. */
  const leave = (id: string, messages: number, first = 0) => {
    const all = Array.from({ length: messages }, (_, n) => {
      const message = (first + n).toString().padStart(8, "0");
      return setJson(keys.message("t", id, message), GO);
    });
    cluster.db.apply({ checks: [], mutations: all.flat() });
  };
  const endedOf = () => runsOf(cluster.db).filter(({ last_seq }) => last_seq !== undefined);
  return { world, node, cluster, ids, leave, endedOf };
}

for (const crash of [false, true]) {
  Deno.test(`a message behind 1,005 of a paused run is found${crash ? " after a restart" : ""}`, async () => {
    const { world, node, cluster, ids, leave, endedOf } = await waitingRuns(2);
    const [paused, waiting] = ids as [string, string];
    assert(paused < waiting);
    leave(paused, 1_005);
    leave(waiting, 1);
    if (crash) cluster.crash(node(), 10);
    await world.run(10_000, () => endedOf().length === 1);
    assert.deepEqual(endedOf().map(({ id }) => id), [waiting]);
    await settle(world, node().engine.resume(T, paused));
    await world.run(10_000, () => endedOf().length === 2);
    checkInvariants(cluster.db, ids, cluster.calls);
  });
}

Deno.test("messages of runs that have ended are cleared away, however many there are", async () => {
  const { world, cluster, ids, leave, endedOf } = await waitingRuns(2);
  const [, waiting] = ids as [string, string];
  leave(waiting, 1);
  await world.run(10_000, () => endedOf().length === 1);
  leave(waiting, 2_500, 10);
  const inbox = () => cluster.db.list({ prefix: keys.inbox("t", waiting) }).length;
  await world.run(10_000, () => inbox() === 0);
  assert.equal(inbox(), 0);
});
