/** Whether models answer, judged by the outcome of the latest calls. @module */
import { type ErrorCode, toOrchestratorError } from "../errors.ts";
import type { ModelClient } from "./model.ts";

/** Calls in a row that must have failed before the provider counts as down. */
const DOWN_AFTER = 3;
/** What says something of the provider; everything else may be the request's fault. */
const UNREACHABLE: readonly ErrorCode[] = [
  "model_auth",
  "model_not_found",
  "model_timeout",
  "model_unavailable",
];

/** The outcome of the latest calls. */
export interface ModelHealth {
  status: "ok" | "down";
  /** Why the latest call failed, if it did. */
  last_error?: { code: string; message: string; at: string };
}

/** A client that knows how its calls went. */
export interface WatchedModels extends ModelClient {
  health(): ModelHealth;
}

/** Watches the calls of a client. @param now milliseconds since the epoch */
export function watchModels(models: ModelClient, now: () => number): WatchedModels {
  let failures = 0;
  let last_error: ModelHealth["last_error"];
  return {
    provider: models.provider,
    models: (signal) => models.models(signal),
    unpriced: (model) => models.unpriced?.(model) ?? [],
    health: () => ({ status: failures < DOWN_AFTER ? "ok" : "down", last_error }),
    async generate(request, options) {
      try {
        const answer = await models.generate(request, options);
        failures = 0;
        last_error = undefined;
        return answer;
      } catch (thrown) {
        const { code, message } = toOrchestratorError(thrown);
        if (!options.signal.aborted && UNREACHABLE.includes(code)) {
          failures++;
          last_error = { code, message, at: new Date(now()).toISOString() };
        }
        throw thrown;
      }
    },
  };
}
