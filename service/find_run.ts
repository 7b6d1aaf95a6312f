import { OrchestratorError } from "../errors.ts";
import type { Caller } from "../guard/mod.ts";
import type { Engine, RunRecord } from "../pipeline/kernel/mod.ts";
import { ID } from "./requests.ts";

/** @throws `not_found`, also for a run of another tenant and for what cannot be a run's id */
export async function findRun(engine: Engine, caller: Caller, id: string): Promise<RunRecord> {
  const run = ID.test(id) ? await engine.get(caller, id) : null;
  if (run !== null) return run;
  throw new OrchestratorError(
    "not_found",
    `No run has the ID ${JSON.stringify(id)}. GET /v1/runs lists them.`,
  );
}
