/** Graphs on the real kernel: straight through, and with a crash at every commit. */
import assert from "node:assert/strict";
import { OrchestratorError } from "../../../errors.ts";
import { createProgram } from "../../../pipeline/walk/interpreter.ts";
import type { Definition } from "../../../pipeline/document/document.ts";
import type { JournalEvent, RunFunction } from "../../../pipeline/kernel/mod.ts";
import type { Tasks } from "../../../pipeline/nodes/task.ts";
import { Cluster } from "../../_sim/cluster.ts";
import { checkInvariants, journalOf, runsOf } from "../../_sim/invariants.ts";
import { SimWorld } from "../../_sim/world.ts";
import { request, settle, T } from "../kernel/_harness.ts";
import { define, deps } from "./_define.ts";

const tasks: Tasks = {
  act: {
    run: (input) => {
      if (input === "break") {
        throw new OrchestratorError("call_failed", "It broke.");
      }
      return input;
    },
  },
};

/** Visits every kind that the walker runs by itself, fails, and puts right what it did. */
const NODES = `
  a: { task: act, with: a, on_fail: [undo_a], on_cancel: [undo_a], next: each }
  undo_a: { task: act, with: "\${ 'undo ' & nodes.a & ' ' & error.code }" }
  each:
    map:
      items: [x, y]
      body:
        start: book
        nodes:
          book: { task: act, with: "\${ item }", on_fail: [drop], on_cancel: [drop], next: rest }
          drop: { task: act, with: "\${ 'drop ' & nodes.book }" }
          rest: { wait: { seconds: 2 }, timeout_seconds: 60, next: pay }
          pay: { task: act, with: "\${ item & index }" }
    next: flaky
  flaky:
    parallel:
      bad: { start: bang, nodes: { bang: { task: act, with: break } } }
    retry: { errors: [call_failed], max_attempts: 2, interval_seconds: 3 }
    catch: [{ errors: [all], next: gate }]
    next: gate
  gate: { wait: { signal: go, seconds: 30 }, next: last }
  last: { task: act, with: break }`;

type World = {
  world: SimWorld;
  cluster: Cluster;
  end: () => JournalEvent | undefined;
};

/** Runs the pipeline to its end; `crash` says at which commit the process is killed, and when. */
async function play(
  program: RunFunction,
  crash?: { moment: "before" | "after"; n: number },
  meanwhile: (world: World, run: string) => Promise<void> = async () => {},
): Promise<{ events: JournalEvent[]; crashed: boolean }> {
  const world = new SimWorld(1);
  const cluster = new Cluster(world, () => program);
  const node = cluster.boot();
  await world.run(2000, () => node.open);
  let count = 0, crashed = false;
  node.kv.onCommit = (when) => {
    if (when !== crash?.moment || ++count !== crash.n || node.process.dead) {
      return;
    }
    crashed = true;
    cluster.crash(node, 10);
  };
  node.engine.start(T, request()).catch(() => {});
  await world.run(1000, () => runsOf(cluster.db).length > 0);
  const [run] = runsOf(cluster.db);
  // The process died before the run was on disk: nothing was acknowledged.
  if (!run) return { events: [], crashed };
  const ended = () => runsOf(cluster.db).every(({ last_seq }) => last_seq !== undefined);
  const end = () => journalOf(cluster.db, run.id).at(-1);
  await meanwhile({ world, cluster, end }, run.id);
  await world.run(120_000, ended);
  assert(ended(), "the run has not ended");
  checkInvariants(cluster.db, [run.id], cluster.calls);
  return { events: journalOf(cluster.db, run.id), crashed };
}

function outputs(
  events: JournalEvent[],
  keys: RegExp,
): Record<string, unknown> {
  return Object.fromEntries(
    events.flatMap((event) =>
      event.type === "step.completed" && keys.test(event.step) ? [[event.step, event.output]] : []
    ),
  );
}

const UNDONE = {
  "undo/each[1]/drop": "drop y",
  "undo/each[0]/drop": "drop x",
  "undo/undo_a": "undo a call_failed",
};

function checkFailed(events: JournalEvent[]): void {
  const last = events.at(-1)!;
  assert.equal(last.type === "run.failed" && last.error.code, "call_failed");
  assert.deepEqual(
    Object.entries(outputs(events, /^undo\//)),
    Object.entries(UNDONE),
  );
  assert.deepEqual(outputs(events, /pay$/), {
    "each[0]/pay": "x0",
    "each[1]/pay": "y1",
  });
  const failed = events.flatMap((e) => e.type === "step.failed" && !e.retry_at ? [e.step] : []);
  assert.deepEqual(failed, [
    "flaky.bad/bang",
    "flaky",
    "flaky~2.bad/bang",
    "flaky~2",
    "last",
  ]);
}

async function program(definition?: Definition): Promise<RunFunction> {
  return createProgram(definition ?? await define(NODES), deps(tasks));
}

Deno.test("a run that waits, branches, tries again and fails puts right what it did", async () => {
  const { events } = await play(await program());
  checkFailed(events);
  assert(
    events.some(({ type }) => type === "run.waiting"),
    "it never left memory",
  );
});

for (const moment of ["before", "after"] as const) {
  Deno.test(`a crash ${moment} any commit changes nothing of what a graph does`, async () => {
    const walk = await program();
    let n = 1;
    for (;; n++) {
      const { events, crashed } = await play(walk, { moment, n });
      if (events.length > 0) checkFailed(events);
      if (!crashed) break;
    }
    assert(n > 15, `only ${n} commits were tried`);
  });
}

/** Cancels the run while it waits at `gate`, after everything inside nodes has ended. */
async function cancelAtGate(
  { world, cluster }: World,
  run: string,
): Promise<void> {
  const waits = () => runsOf(cluster.db)[0]?.waiting_for?.[0]?.step === "gate";
  await world.run(60_000, waits);
  const node = cluster.nodes.find(({ open }) => open);
  assert(waits() && node, "it never waited at the gate");
  await settle(world, node.engine.cancel(T, run));
}

Deno.test("a cancelled run that left memory puts right what it did, also inside nodes", async () => {
  const { events } = await play(await program(), undefined, cancelAtGate);
  assert.equal(events.at(-1)!.type, "run.cancelled");
  assert.deepEqual(outputs(events, /^undo\//), {
    ...UNDONE,
    "undo/undo_a": "undo a run_cancelled",
  });
});

Deno.test("a run that is cancelled inside a node puts right what began there", async () => {
  const { events } = await play(
    await program(),
    undefined,
    async ({ world, cluster }, run) => {
      const waits = () =>
        runsOf(cluster.db)[0]?.waiting_for?.some(({ step }) => step === "each[1]/rest/wait") ??
          false;
      await world.run(60_000, waits);
      assert(waits(), "it never waited inside the map");
      await settle(world, cluster.nodes[0]!.engine.cancel(T, run));
    },
  );
  assert.equal(events.at(-1)!.type, "run.cancelled");
  assert.deepEqual(
    Object.keys(outputs(events, /^undo\//)),
    Object.keys(UNDONE),
  );
  assert.deepEqual(outputs(events, /pay$/), {});
});

Deno.test("a cancelled run tells what could not be put right", async () => {
  const definition = await define(`
  a: { task: act, with: a, on_cancel: [undo], next: gate }
  undo: { task: act, with: break }
  gate: { wait: { signal: go } }`);
  const { events } = await play(await program(definition), undefined, cancelAtGate);
  assert.equal(events.at(-1)!.type, "run.cancelled");
  assert.match(JSON.stringify(events.at(-1)), /"compensation_errors":\[\{"node":"undo"/);
});
