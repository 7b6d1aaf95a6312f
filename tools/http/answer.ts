/** What HTTP tools make of a response. @module */
import { OrchestratorError } from "../../errors.ts";
import { type EgressResponse, retryAfterMs } from "../../guard/mod.ts";
import type { Json } from "../../json/mod.ts";
import type { ToolScope } from "../tool.ts";
import { redact } from "./secrets.ts";

const JSON_TYPE = /^application\/(?:[\w.+-]+\+)?json$/;
const TEXT_TYPE =
  /^(?:text\/.*|application\/(?:[\w.+-]+\+)?(?:xml|yaml|javascript|x-www-form-urlencoded|x-ndjson|graphql))$/;
/** The most of a failure's body that its error shows, in characters. */
const MAX_DETAIL_CHARS = 500;
const RETRYABLE = new Set([408, 425, 429]);

/** The media type of a response, without parameters; empty when it has none. */
export function mediaType(headers: Headers): string {
  return (headers.get("content-type") ?? "").split(";")[0]!.trim().toLowerCase();
}

/** The text of a response, in the encoding that it names. */
export function decodeText({ headers, body }: EgressResponse): string {
  const [, charset = "utf-8"] = /charset="?([^";\s]+)/i.exec(headers.get("content-type") ?? "") ??
    [];
  try {
    return new TextDecoder(charset).decode(body);
  } catch {
    return new TextDecoder().decode(body);
  }
}

/**
 * The content of a response: JSON, text, or an artifact for everything else; `null` when empty.
 *
 * @param as_json true to read JSON whatever the response calls itself
 * @throws `tool_failed` when it should be JSON and is not
 */
export async function contentOf(
  tool: string,
  response: EgressResponse,
  scope: ToolScope,
  secrets: readonly string[],
  as_json = false,
): Promise<Json> {
  const type = mediaType(response.headers);
  if (response.body.length === 0) return null;
  if (!as_json && type !== "" && !JSON_TYPE.test(type) && !TEXT_TYPE.test(type)) {
    const artifact = await scope.keep({ name: fileName(response), type, bytes: response.body });
    return { artifact: { ...artifact } };
  }
  const text = redact(decodeText(response), secrets);
  if (!as_json && !JSON_TYPE.test(type)) return text;
  try {
    return JSON.parse(text) as Json;
  } catch (cause) {
    const why = "its response should be JSON, but is not";
    throw new OrchestratorError("tool_failed", `Cannot call ${tool}: ${why}.`, { cause });
  }
}

/** The failure that a status stands for. */
export function statusFailure(
  tool: string,
  response: EgressResponse,
  secrets: readonly string[],
): OrchestratorError {
  const { status, headers } = response;
  const retryable = status >= 500 || RETRYABLE.has(status);
  const body = redact(decodeText(response), secrets).slice(0, MAX_DETAIL_CHARS);
  const retry_after_ms = retryAfterMs(headers);
  return new OrchestratorError(
    "tool_failed",
    `Cannot call ${tool}: the server answered ${status}. ` +
      (retryable ? "Try again later." : "Change the arguments, or ask the operator."),
    {
      kind: retryable ? "retryable" : "terminal",
      ...(retryable && retry_after_ms !== undefined ? { retry_after_ms } : {}),
      details: { tool, status, ...(body ? { body } : {}) },
    },
  );
}

function fileName({ url }: EgressResponse): string {
  const last = new URL(url).pathname.split("/").at(-1) ?? "";
  return last.replace(/[^\w.-]+/g, "_").slice(0, 100) || "download";
}
