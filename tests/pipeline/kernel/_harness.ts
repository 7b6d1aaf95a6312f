/** One engine on the simulated store, in virtual time, and events that its programs emit. */
import type { Caller } from "../../../guard/mod.ts";
import type { RunFunction, StartRequest } from "../../../pipeline/kernel/mod.ts";
import { OrchestratorError } from "../../../errors.ts";
import { callerOf } from "../../_caller.ts";
import { Cluster, type Node } from "../../_sim/cluster.ts";
import { SimWorld } from "../../_sim/world.ts";

/** Whoever starts runs here. */
export const T: Caller = callerOf("t");

declare module "../../../pipeline/kernel/events.ts" {
  interface OwnEvents {
    "test.noted": { type: "test.noted"; step: string; text: string };
    "test.done": { type: "test.done"; step: string };
  }
}

/** A cluster of one node that is open. */
export async function oneNode(program: RunFunction) {
  const world = new SimWorld(1);
  const cluster = new Cluster(world, () => program);
  cluster.boot();
  await world.run(5000, () => cluster.nodes[0]?.open ?? false);
  return { world, cluster, node: () => cluster.nodes[0] as Node };
}

/** Waits for a promise while virtual time passes. */
export async function settle<T>(world: SimWorld, promise: Promise<T>, ms = 60_000): Promise<T> {
  let outcome: { value: T } | { error: unknown } | undefined;
  promise.then((value) => outcome = { value }, (error) => outcome = { error });
  await world.run(ms, () => outcome !== undefined);
  if (!outcome) throw new Error(`not settled after ${ms} virtual ms`);
  if ("error" in outcome) throw outcome.error;
  return outcome.value;
}

/** A request to start. */
export function request(
  input: StartRequest["input"] = {},
  more: Partial<StartRequest> = {},
): StartRequest {
  return { pipeline: "p", version: "v", input, ...more };
}

/** An error that is worth another attempt. */
export function flaky(retry_after_ms?: number): OrchestratorError {
  return new OrchestratorError("model_unavailable", "Cannot answer: down.", {
    kind: "retryable",
    retry_after_ms,
  });
}

/** A promise that only the signal ends. */
export function hang(signal: AbortSignal): Promise<never> {
  return new Promise((_, reject) => {
    if (signal.aborted) reject(signal.reason);
    signal.addEventListener("abort", () => reject(signal.reason), { once: true });
  });
}
