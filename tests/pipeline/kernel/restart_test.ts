/** What a restart with another input may keep of the run before it. */
import assert from "node:assert/strict";
import type { EventBody, JournalEvent, RunFunction } from "../../../pipeline/kernel/mod.ts";
import { keptEvents } from "../../../pipeline/kernel/restart.ts";
import { checkInvariants, runsOf } from "../../_sim/invariants.ts";
import { oneNode, request, settle, T } from "./_harness.ts";

/** A run that waited as `program` does before its step `pay`, restarted there with another input. */
async function restarted(program: RunFunction, signals: string[] = ["go"]) {
  const { world, node, cluster } = await oneNode(async (ctx, input) => {
    if (!ctx.run.parent) await program(ctx, input);
    else await ctx.wait("ok", { signal: "go" });
    return ctx.run.parent ? 1 : await ctx.step("pay", () => input);
  });
  const { engine } = node();
  const { run, result } = await settle(world, engine.start(T, request("old")));
  for (const name of signals) {
    const waits = () =>
      runsOf(cluster.db).find(({ status, waiting_for }) =>
        status === "waiting" && waiting_for?.some(({ signal }) => signal === name)
      );
    await world.run(5000, () => waits() !== undefined);
    await settle(world, engine.signal(T, waits()!.id, name, 1));
  }
  await settle(world, result);
  const again = await settle(world, engine.restart(T, run.id, { from: "pay", input: "new" }));
  const end = await settle(world, again.result);
  checkInvariants(cluster.db, [run.id, again.run.id], []);
  return end.status === "completed" && end.output;
}

const refused = { code: "validation_failed", message: /sub was approved|ok was approved/ };

Deno.test("an answer that says nothing of itself is for what was shown, whatever its kind is called", async () => {
  for (const options of [{}, { kind: "vote" }, { binding: true }]) {
    const vote: RunFunction = (ctx) => ctx.wait("ok", { signal: "go", ...options });
    await assert.rejects(restarted(vote), refused);
  }
});

Deno.test("a wait whose outcome holds for any input is kept", async () => {
  const wait: RunFunction = (ctx) => ctx.wait("ok", { signal: "go", binding: false });
  assert.equal(await restarted(wait), "new");
});

Deno.test("an answer within a run that the run waited for counts as its own", async () => {
  const child = { pipeline: "q", version: "v", input: 1 };
  const sub: RunFunction = async (ctx) => (await ctx.child("sub", child)).status;
  await assert.rejects(restarted(sub), refused);
});

Deno.test("journals of earlier versions tell an answer by its kind only", () => {
  const journal = (kind: string): JournalEvent[] =>
    ([
      { type: "step.completed", step: "ok", attempt: 1, kind, output: null, duration_ms: 1 },
      { type: "step.started", step: "pay", attempt: 1 },
    ] as EventBody[]).map((event, index) => ({ ...event, run_id: "r", seq: index + 1, at: "" }));
  const change = { from: "pay", input: 2 };
  const none = () => false;
  assert.throws(() => keptEvents("r", journal("approval"), change, none), refused);
  assert.equal(keptEvents("r", journal("wait"), change, none).length, 1);
});

Deno.test("of the events that a function emitted those are kept that the application names", () => {
  const bodies: EventBody[] = [
    { type: "test.noted", step: "ok", text: "a" },
    { type: "step.completed", step: "ok", attempt: 1, output: 1, duration_ms: 1 },
    { type: "test.done", step: "ok" },
    { type: "step.started", step: "late", attempt: 1 },
    { type: "test.noted", step: "late", text: "b" },
    { type: "step.started", step: "pay", attempt: 1 },
  ];
  const journal = bodies.map((body, index) => ({ ...body, run_id: "r", seq: index + 1, at: "" }));
  const kept = keptEvents(
    "r",
    journal,
    { from: "pay" },
    (event, has) => event.type === "test.noted" && has("step.completed", event.step),
  );
  assert.deepEqual(kept, bodies.slice(0, 2));
});
