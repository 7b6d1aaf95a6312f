import { toOrchestratorError } from "../../errors.ts";
import type { Caller } from "../../guard/mod.ts";
import type { Engine, Json, StartRequest } from "../kernel/mod.ts";
import type { RememberDeps } from "./remember.ts";

/** What starting summaries needs. */
export interface StartSummaryDeps {
  prepare(
    caller: Caller,
    name: string,
    input: Json,
  ): Promise<Pick<StartRequest, "version" | "priority" | "budget" | "concurrency">>;
  engine: Pick<Engine, "start">;
  log: { warn(message: string, fields?: Record<string, unknown>): void };
}

/** The pipeline that summarizes. */
const PIPELINE = "summarize";

/**
 * Starts runs of the pipeline `summarize`, each once, whatever happens to the turn that asks. A turn
 * does not fail because its summary cannot be started: a later one asks again.
 */
export function createSummaries(deps: StartSummaryDeps): RememberDeps["summarize"] {
  return async ({ caller }, { conversation_id, upto }) => {
    try {
      const input = { conversation_id, upto };
      await deps.engine.start(caller, {
        pipeline: PIPELINE,
        ...await deps.prepare(caller, PIPELINE, input),
        input,
        idempotency: { key: `${PIPELINE}/${conversation_id}/${upto}`, fingerprint: upto },
      });
    } catch (thrown) {
      const { code, message } = toOrchestratorError(thrown);
      if (code === "idempotency_in_flight") return;
      deps.log.warn("a conversation was not summarized", { conversation_id, code, message });
    }
  };
}
