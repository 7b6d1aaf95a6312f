/** The task `give_up`: ends a run whose code failed too often. @module */
import { OrchestratorError } from "../../errors.ts";
import type { Task } from "../nodes/mod.ts";

/** Fails with `code_failed` and the last error of `{what, result}`. */
export const giveUpTask: Task = {
  effect: "none",
  run(input) {
    const { what, result } = (input ?? {}) as { what?: string; result?: Result };
    const { error, exit_code, stdout, stderr } = result ?? {};
    const why = typeof error === "string" ? error : error?.message ?? `exit code ${exit_code}`;
    throw new OrchestratorError(
      "code_failed",
      `Cannot continue: ${what} failed again after it was fixed twice: ${why} Review the code in the run, and start again with a goal that says what to avoid.`,
      { details: { ...(stdout ? { stdout } : {}), ...(stderr ? { stderr } : {}) } },
    );
  },
};

interface Result {
  error?: string | { message?: string };
  exit_code?: number;
  stdout?: string;
  stderr?: string;
}
