/** What can be asked of a run in which state, and what is answered otherwise. */
import assert from "node:assert/strict";
import type { Caller } from "../../../guard/mod.ts";
import type { Engine, Json, RunFunction, RunStatus } from "../../../pipeline/kernel/mod.ts";
import { callerOf } from "../../_caller.ts";
import { runsOf } from "../../_sim/invariants.ts";
import { flaky, hang, oneNode, request, settle, T } from "./_harness.ts";

/** A run whose input says how far it gets. */
const program: RunFunction = async (ctx, state) => {
  await ctx.step("first", () => 1);
  if (state === "running") await ctx.step("work", ({ signal }) => hang(signal));
  if (state === "waiting" || state === "paused") await ctx.wait("gate", { signal: "go" });
  if (state === "failed") await ctx.step("fail", () => Promise.reject(flaky()), { retry: [] });
  if (state === "cancelled") await ctx.wait("gate", { signal: "never" });
  return state;
};

/** An engine with one run in this state; `none`: with none. */
async function runIn(state: RunStatus | "none") {
  const { world, node, cluster } = await oneNode(program);
  const { engine } = node();
  const start = (input: Json) => {
    const concurrency = { key: "k", limit: 1, on_busy: "enqueue" as const };
    return settle(world, engine.start(T, request(input, { concurrency })));
  };
  if (state === "none") return { world, engine, id: "run_none" };
  if (state === "queued") await start("running");
  const { run: { id } } = await start(state);
  if (state === "paused") await settle(world, engine.pause(T, id));
  if (state === "cancelled") await settle(world, engine.cancel(T, id));
  const now = () => runsOf(cluster.db).find((run) => run.id === id)?.status;
  assert(await world.run(5_000, () => now() === state), `${now()}`);
  return { world, engine, id };
}

const live: RunStatus[] = ["queued", "running", "waiting", "paused"];
const ended: RunStatus[] = ["completed", "failed", "cancelled"];
const all = [...live, ...ended];

interface Operation {
  ask(engine: Engine, caller: Caller, id: string): Promise<unknown>;
  /** States in which it is done; in the others it is refused. */
  allowed: RunStatus[];
  /** The code of that; default: `conflict`. */
  refused?: string;
}

const OPERATIONS: Record<string, Operation> = {
  cancel: { ask: (engine, caller, id) => engine.cancel(caller, id), allowed: live },
  signal: { ask: (engine, caller, id) => engine.signal(caller, id, "go", 1), allowed: live },
  pause: { ask: (engine, caller, id) => engine.pause(caller, id), allowed: live },
  resume: { ask: (engine, caller, id) => engine.resume(caller, id), allowed: ["paused"] },
  redrive: { ask: (engine, caller, id) => engine.redrive(caller, id), allowed: ["failed"] },
  restart: {
    ask: (engine, caller, id) => engine.restart(caller, id, { from: "first" }),
    allowed: ["running", "waiting", "paused", ...ended],
    refused: "validation_failed", // it has no step yet
  },
  journal: { ask: (engine, caller, id) => engine.journal(caller, id), allowed: all },
  firstEvent: { ask: (engine, caller, id) => engine.firstEvent(caller, id), allowed: all },
  result: { ask: (engine, caller, id) => engine.result(caller, id), allowed: all },
  follow: {
    ask(engine, caller, id) {
      const left = new AbortController();
      return engine.follow(caller, id, { signal: left.signal }, () => left.abort());
    },
    allowed: all,
  },
};

for (const [name, { ask, allowed, refused = "conflict" }] of Object.entries(OPERATIONS)) {
  Deno.test(`${name}() is done or refused by the state of the run`, async () => {
    for (const state of [...all, "none"] as const) {
      const { world, engine, id } = await runIn(state);
      const answer = await settle(world, ask(engine, T, id)).then(() => "ok", ({ code }) => code);
      const isAllowed = state !== "none" && allowed.includes(state);
      const otherwise = state === "none" ? "not_found" : refused;
      assert.equal(answer, isAllowed ? "ok" : otherwise, state);
    }
  });

  Deno.test(`${name}() finds no run of another tenant`, async () => {
    const { world, engine, id } = await runIn(allowed[0]!);
    const asked = ask(engine, callerOf("u"), id);
    await assert.rejects(settle(world, asked), { code: "not_found" });
    assert.equal(await settle(world, engine.get(callerOf("u"), id)), null);
  });
}
