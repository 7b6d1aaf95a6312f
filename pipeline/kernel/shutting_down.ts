import { OrchestratorError } from "../../errors.ts";

/** Why a run that is on disk cannot be waited for here. */
export function shuttingDown(id: string): OrchestratorError {
  return new OrchestratorError(
    "shutting_down",
    `Cannot wait for run ${id}: the server is stopping. The run is saved and resumes after the restart.`,
    { kind: "cancelled", retry_after_ms: 2000, details: { run_id: id } },
  );
}
