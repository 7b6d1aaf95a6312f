/** Streams of runs: what a follower gets is the journal, wherever it joins and wherever the run goes. */
import assert from "node:assert/strict";
import type { Engine, RunEvent, RunFunction } from "../../../pipeline/kernel/mod.ts";
import { Cluster } from "../../_sim/cluster.ts";
import { allEnded, checkInvariants, journalOf, runsOf } from "../../_sim/invariants.ts";
import { type SimProcess, SimWorld } from "../../_sim/world.ts";
import { flaky, hang, oneNode, request, settle, T } from "./_harness.ts";

const { signal: NEVER } = new AbortController();

/** Steps with text, in memory and out of it. */
const talk = (world: SimWorld, process?: SimProcess): RunFunction => async (ctx) => {
  for (let n = 0; n < 6; n++) {
    await ctx.step(`s${n}`, async ({ delta, attempt }) => {
      for (const word of ["a", "b", "c"]) {
        await new Promise<void>((done) => world.at(world.int(0, 40), process, done));
        delta(word);
      }
      if (n === 2 && attempt === 1) throw flaky();
      return n;
    }, { retry: { interval_ms: 50 } });
    if (n === 3) await ctx.wait("nap", { timeout_ms: 2_000 });
  }
  return null;
};

/** A follower that counts on a gapless order, and joins again where its process dies. */
class Follower {
  readonly events: RunEvent[] = [];
  isDone = false;

  constructor(readonly after: number) {}

  get seq(): number {
    return this.events.reduce((last, event) => "seq" in event ? event.seq : last, this.after);
  }

  async follow(engine: Engine, id: string): Promise<void> {
    await engine.follow(T, id, { after: this.seq, signal: NEVER }, (event, json) => {
      if ("seq" in event) assert.equal(event.seq, this.seq + 1);
      this.events.push(JSON.parse(json));
    });
    this.isDone = true;
  }
}

Deno.test("followers that join anywhere, of any process, get the journal through kills and takeovers", async () => {
  for (let seed = 1; seed <= 40; seed++) {
    const world = new SimWorld(seed);
    const cluster = new Cluster(world, (process) => talk(world, process));
    for (let n = 0; n < 2; n++) cluster.boot();
    await world.run(2_000, () => cluster.nodes.every(({ open }) => open));
    cluster.faults = { ...cluster.faults, latency_ms: 8 };
    const { run } = await settle(world, cluster.nodes[0]!.engine.start(T, request()));
    const followers = [0, 0, 3, 7].map((after) => new Follower(after));
    const join = (follower: Follower) => {
      const nodes = cluster.nodes.filter(({ open }) => open);
      const node = nodes[world.int(0, nodes.length)];
      if (!node || follower.isDone) return void world.at(50, undefined, () => join(follower));
      follower.follow(node.engine, run.id).catch(() => {});
      const look = () => {
        if (node.process.dead) join(follower);
        else if (!follower.isDone) world.at(20, undefined, look);
      };
      look();
    };
    for (const follower of followers) world.at(world.int(0, 900), undefined, () => join(follower));
    world.at(world.int(50, 1_500), undefined, () => {
      const node = cluster.nodes[world.int(0, cluster.nodes.length)];
      if (node) cluster.crash(node, world.int(10, 300));
    });
    assert(await world.run(60_000, () => followers.every(({ isDone }) => isDone)), `seed ${seed}`);
    checkInvariants(cluster.db, [run.id], cluster.calls);
    const journal = journalOf(cluster.db, run.id);
    for (const { after, events } of followers) {
      assert.deepEqual(events.filter((event) => "seq" in event), journal.slice(after));
    }
  }
});

Deno.test("the text that a follower sees of a step is what the step streamed, whenever it joined", async () => {
  for (let seed = 1; seed <= 40; seed++) {
    const world = new SimWorld(seed);
    const cluster = new Cluster(world, () => talk(world));
    const node = cluster.boot();
    await world.run(2_000, () => node.open);
    const texts = [new Map<string, string>(), new Map<string, string>()];
    /** What a client shows: a snapshot replaces, a delta follows, the end of the step takes it away. */
    const show = (text: Map<string, string>, shown: string[]) => (event: RunEvent) => {
      if (event.type === "step.snapshot") text.set(event.step, event.text);
      if (event.type === "step.delta") {
        text.set(event.step, (text.get(event.step) ?? "") + event.text);
      }
      if (event.type !== "step.completed" && event.type !== "step.failed") return;
      if (text.has(event.step)) shown.push(`${event.step} ${text.get(event.step)}`);
      text.delete(event.step);
    };
    const [all, late] = [[], []] as string[][];
    const { run } = await settle(
      world,
      node.engine.start(T, request(), show(texts[0]!, all!)),
    );
    let over = 0;
    const join = () => {
      node.engine.follow(T, run.id, { after: 1, signal: NEVER }, show(texts[1]!, late!))
        .then(() => over++);
    };
    world.at(world.int(0, 900), undefined, join);
    await world.run(60_000, () => over === 1);
    const expected = ["s0", "s1", "s2", "s2", "s3", "s4", "s5"].map((step) => `${step} abc`);
    assert.deepEqual(all, expected);
    assert.deepEqual(late, expected.slice(expected.length - late!.length), `seed ${seed}`);
  }
});

Deno.test("a follower that goes away gets nothing more, in whatever state the run is", async () => {
  for (const status of ["running", "waiting", "completed"]) {
    const { world, node, cluster } = await oneNode(async (ctx) => {
      await ctx.step("a", () => 1);
      if (status === "waiting") await ctx.wait("gate", { signal: "go" });
      return await ctx.step("b", ({ signal }) => status === "running" ? hang(signal) : 2);
    });
    const { engine } = node();
    const { run } = await settle(world, engine.start(T, request()));
    await world.run(1_000, () => runsOf(cluster.db)[0]!.status === status);
    const left = new AbortController();
    const seen: RunEvent[] = [];
    const following = engine.follow(T, run.id, { signal: left.signal }, (e) => void seen.push(e));
    await world.run(10, () => false);
    left.abort();
    await settle(world, following);
    const before = seen.length;
    assert(before > 0);
    await settle(world, engine.cancel(T, run.id)).catch(({ code }) =>
      assert.equal(code, "conflict")
    );
    await world.run(5_000, () => allEnded(cluster.db));
    assert.equal(seen.length, before, status);
    const gone = AbortSignal.abort();
    await settle(world, engine.follow(T, run.id, { signal: gone }, (e) => void seen.push(e)));
    assert.equal(seen.length, before, "one that has left before it came");
  }
});

Deno.test("a redriven run is followed to its second end", async () => {
  let broken = true;
  const { world, node, cluster } = await oneNode((ctx) =>
    ctx.step("a", () => broken ? Promise.reject(flaky()) : 1, { retry: { max_attempts: 1 } })
  );
  const { engine } = node();
  const { run, result } = await settle(world, engine.start(T, request()));
  await settle(world, result);
  broken = false;
  await settle(world, engine.redrive(T, run.id));
  const follower = new Follower(0);
  await settle(world, follower.follow(engine, run.id));
  assert.deepEqual(follower.events, journalOf(cluster.db, run.id));
  assert.equal(follower.events.at(-1)?.type, "run.completed");
});
