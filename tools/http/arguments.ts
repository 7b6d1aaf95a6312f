/** Arguments that fit a tool's schema and are not right all the same. @module */
import { OrchestratorError } from "../../errors.ts";

/** The address that the argument `url` gives. @throws `tool_bad_arguments` when it is no URL */
export function urlArgument(tool: string, text: string): URL {
  if (URL.canParse(text)) return new URL(text);
  const message = `${JSON.stringify(text.slice(0, 200))} is not a URL: write https://host/path`;
  return badArgument(tool, message, "/url");
}

/** @throws `tool_bad_arguments`; `location` is the JSON pointer of the argument that is wrong */
export function badArgument(tool: string, why: string, location?: string): never {
  throw new OrchestratorError("tool_bad_arguments", `Cannot call ${tool}: ${why}.`, {
    details: { tool },
    ...(location === undefined ? {} : { issues: [{ location, message: why }] }),
  });
}
