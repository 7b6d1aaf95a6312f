import { OrchestratorError, sentence } from "../../errors.ts";

/** The error for a document that is not what its type says; `cause` itself if it says so already. */
export function unreadable(what: string, why: string, cause?: unknown): OrchestratorError {
  if (cause instanceof OrchestratorError) return cause;
  return new OrchestratorError(
    "document_unreadable",
    `Cannot read the ${what}: ${sentence(why)} Send it in another format, for example as text.`,
    { cause },
  );
}
