/** What the failures of MCP calls mean. @module */
import { OrchestratorError, sentence } from "../../errors.ts";

/** Longest text of a server in an error. */
const MAX_TEXT = 1000;

/** Shapes what a call of server `name` threw; `signal` is the caller's. */
export async function toolError(
  name: string,
  error: unknown,
  signal?: AbortSignal,
): Promise<unknown> {
  if (signal?.aborted) return signal.reason;
  if (error instanceof OrchestratorError) return error;
  const { ErrorCode, McpError, StreamableHTTPError } = await import("./sdk.ts");
  const failed = (why: string, retryable: boolean) =>
    new OrchestratorError("tool_failed", `Cannot use MCP server ${name}: ${sentence(why)}`, {
      kind: retryable ? "retryable" : "terminal",
      cause: error,
    });
  if (error instanceof McpError) {
    if (error.data instanceof OrchestratorError) return error.data;
    if (error.code === ErrorCode.RequestTimeout) return timedOut(name, error);
    return failed(excerpt(error.message), error.code === ErrorCode.ConnectionClosed);
  }
  if (error instanceof StreamableHTTPError) {
    const { code = 0 } = error;
    if (code === 401 || code === 403) {
      return failed(`it answered ${code}. Check its \`headers\`.`, false);
    }
    return failed(excerpt(error.message), code >= 500 || code === 429 || code === 408);
  }
  if (isZodError(error)) {
    return new OrchestratorError(
      "tool_bad_output",
      `Cannot use the answer of MCP server ${name}: it does not follow the protocol. Fix the server.`,
      { cause: error },
    );
  }
  if (error instanceof Deno.errors.NotCapable) {
    return failed("the service may not start programs. Allow it with --allow-run.", false);
  }
  return failed(excerpt(error instanceof Error ? error.message : String(error)), true);
}

/** True when a server does not know the session any more: it has not looked at the request. */
export async function isLostSession(error: unknown): Promise<boolean> {
  const { StreamableHTTPError } = await import("./sdk.ts");
  return error instanceof StreamableHTTPError && (error.code === 404 || error.code === 400);
}

/** Text of a server, cut for an error. */
export function excerpt(text: string): string {
  return text.length > MAX_TEXT ? `${text.slice(0, MAX_TEXT)}…` : text;
}

function timedOut(name: string, cause: unknown): OrchestratorError {
  return new OrchestratorError(
    "tool_timeout",
    `MCP server ${name} did not answer in time. Raise its \`timeout_seconds\`, or check the server.`,
    { kind: "retryable", cause },
  );
}

function isZodError(error: unknown): boolean {
  return error instanceof Error && Array.isArray((error as { issues?: unknown }).issues);
}
