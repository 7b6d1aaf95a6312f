/** Laws of all programs: what comes of one does not depend on what happens to its process. */
import assert from "node:assert/strict";
import fc from "fast-check";
import type { Engine, JournalEvent, Json } from "../../../pipeline/kernel/mod.ts";
import { Cluster } from "../../_sim/cluster.ts";
import { allEnded, checkInvariants, journalOf, runsOf } from "../../_sim/invariants.ts";
import { SimWorld } from "../../_sim/world.ts";
import { request, T } from "./_harness.ts";
import { type Act, anyProgram, outcomeOf, perform } from "./_programs.ts";

/** A moment at which a process dies: before or after one of its commits. */
interface Kill {
  commit: number;
  moment: "before" | "after";
}
const anyKill = fc.record({
  commit: fc.integer({ min: 4, max: 25 }),
  moment: fc.constantFrom("before", "after"),
}) as fc.Arbitrary<Kill>;

/** Runs a program whose processes die at `kills`, one each: two kills blame no run. */
async function play(
  acts: Act[],
  kills: Kill[],
  meddle?: (world: SimWorld, cluster: Cluster, id: string) => void,
) {
  const world = new SimWorld(1);
  const cluster: Cluster = new Cluster(
    world,
    () => (ctx, input) => perform(world, ctx, input as unknown as Act[]),
    { alone: true, concurrency: 10 },
  );
  const boot = cluster.boot.bind(cluster);
  const left = [...kills];
  cluster.boot = () => {
    const node = boot();
    const kill = left.shift();
    node.kv.onCommit = (moment, n) => {
      if (moment === kill?.moment && n === kill.commit) cluster.crash(node, 10);
    };
    return node;
  };
  const first = cluster.boot();
  await world.run(2_000, () => first.open);
  const started = first.engine.start(T, request(acts as unknown as Json));
  started.catch(() => {});
  await world.run(500, () => runsOf(cluster.db).length > 0);
  const [run] = runsOf(cluster.db);
  assert(run, "it is on disk before its process dies");
  meddle?.(world, cluster, run.id);
  const over = () => allEnded(cluster.db) && cluster.db.list({ prefix: ["inbox"] }).length === 0;
  assert(await world.run(600_000, over), "every run ends");
  checkInvariants(cluster.db, [run.id], cluster.calls);
  assert.equal(cluster.db.list({ prefix: ["timer"] }).length, 0, "I7: timers left");
  for (const { id } of runsOf(cluster.db)) checkLaws(journalOf(cluster.db, id));
  return { end: journalOf(cluster.db, run.id).at(-1)!, cluster };
}

/** What holds for the journal of every program. */
function checkLaws(events: JournalEvent[]): void {
  const done = new Set(events.flatMap((e) => e.type === "step.completed" ? [e.step] : []));
  for (const step of done) {
    if (!step.endsWith("/book")) continue;
    const ends = ["deal", "undo"].map((end) => done.has(step.replace(/book$/, end)));
    assert.notEqual(ends[0], ends[1], `${step} is either of use or undone`);
  }
  let isPaused = false;
  for (const [n, event] of events.entries()) {
    if (event.type === "run.paused") isPaused = true;
    if (event.type === "run.cancelling") isPaused = false;
    if (event.type === "run.resumed" && event.reason === "unpaused") isPaused = false;
    assert(!(isPaused && event.type === "step.started"), `${event.seq} begins during a pause`);
    const before = events[n - 1];
    if (!before || before.type === "run.waiting") continue;
    const silence = Date.parse(event.at) - Date.parse(before.at);
    assert(silence <= 1_300, `nothing happens for ${silence} ms before ${event.seq}`);
  }
}

/** Asks something of the process that lives then, `after_ms` from now. */
const later = (
  world: SimWorld,
  cluster: Cluster,
  after_ms: number,
  ask: (engine: Engine) => Promise<unknown>,
) =>
  world.at(after_ms, undefined, () => {
    const engine = cluster.nodes.find(({ open }) => open)?.engine;
    if (engine) ask(engine).catch(() => {});
    else later(world, cluster, 50, ask);
  });

const anyKills = fc.array(anyKill, { maxLength: 2 });
const RUNS = { numRuns: 120 };

function same(acts: Act[], end: JournalEvent): void {
  const outcome = outcomeOf(acts);
  const expected = outcome ? "run.completed" : "run.failed";
  assert.equal(end.type, expected, `${expected} was expected: ${JSON.stringify(end)}`);
  if (end.type === "run.completed") assert.deepEqual(end.output, outcome);
}

Deno.test("a program gives the same wherever its processes die", () =>
  fc.assert(
    fc.asyncProperty(anyProgram, anyKills, async (acts, kills) => {
      same(acts, (await play(acts, kills)).end);
    }),
    RUNS,
  ));

Deno.test("a program gives the same when it is paused and resumed on the way", () =>
  fc.assert(
    fc.asyncProperty(
      anyProgram,
      anyKills,
      fc.array(fc.nat(3_000), { minLength: 1, maxLength: 3 }),
      async (acts, kills, pauses) => {
        const { end } = await play(acts, kills, (world, cluster, id) => {
          for (const ms of pauses) {
            later(world, cluster, ms, async (engine) => {
              await engine.pause(T, id);
              later(world, cluster, 700, (then) => then.resume(T, id));
            });
          }
          later(world, cluster, 8_000, (engine) => engine.resume(T, id)); // whoever died before
        });
        same(acts, end);
      },
    ),
    RUNS,
  ));

Deno.test("a program that is cancelled on the way ends with every run within it", () =>
  fc.assert(
    fc.asyncProperty(anyProgram, anyKills, fc.nat(3_000), async (acts, kills, ms) => {
      const { end, cluster } = await play(acts, kills, (world, cluster, id) => {
        later(world, cluster, ms, (engine) => engine.cancel(T, id));
      });
      const types = journalOf(cluster.db, end.run_id).map(({ type }) => type);
      if (types.includes("run.cancelling")) assert.equal(end.type, "run.cancelled");
      else same(acts, end);
    }),
    RUNS,
  ));
