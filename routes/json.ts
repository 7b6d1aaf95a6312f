/**
 * Reads JSON that strangers wrote.
 *
 * @module
 */
import { OrchestratorError } from "../errors.ts";
import type { Json } from "../pipeline/kernel/mod.ts";
import { errorOffset } from "./json_position.ts";

/** Deeper values are refused: recursion over them would be the sender's to steer. */
const MAX_DEPTH = 64;

/**
 * Parses `text`.
 *
 * @param part where the text is from, when it is not the whole of what was sent
 * @throws `invalid_request` with line and column when it is not JSON, or when it is too deep
 */
export function parseJson(text: string, part?: string): Json {
  let value: Json;
  try {
    value = JSON.parse(text);
  } catch {
    throw notJson(text, part);
  }
  harden(value, 1);
  return value;
}

/**
 * Checks the depth and drops `__proto__` members: `JSON.parse` makes plain members of them, but the
 * first careless merge further down would not. Of duplicate members the last one counts.
 */
function harden(value: Json, depth: number): void {
  if (typeof value !== "object" || value === null) return;
  if (depth > MAX_DEPTH) {
    throw new OrchestratorError(
      "invalid_request",
      `Cannot read the JSON: it is nested deeper than ${MAX_DEPTH} levels. Flatten it.`,
    );
  }
  if (Array.isArray(value)) {
    for (const item of value) harden(item, depth + 1);
    return;
  }
  for (const key of Object.keys(value)) {
    if (key === "__proto__") delete value[key];
    else harden(value[key] as Json, depth + 1);
  }
}

function notJson(text: string, part?: string): OrchestratorError {
  const what = part === undefined ? "the JSON" : `the JSON of ${part}`;
  const prefix = part === undefined ? "" : `${part}, `;
  if (text.trim() === "") {
    return new OrchestratorError(
      "invalid_request",
      `Cannot read ${what}: it is empty. Send JSON, at least {}.`,
      { issues: [{ location: part ?? "", message: "empty" }] },
    );
  }
  const before = text.slice(0, errorOffset(text));
  const line = before.split("\n").length;
  const column = before.length - before.lastIndexOf("\n");
  const location = `line ${line}, column ${column}`;
  return new OrchestratorError(
    "invalid_request",
    `Cannot read ${what}: it is not valid at ${location}. Fix it and resend the request.`,
    { issues: [{ location: `${prefix}${location}`, message: "is not valid JSON from here on" }] },
  );
}
