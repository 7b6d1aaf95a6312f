/**
 * Whether a tool may be called, and whether a person must agree first.
 *
 * A run that has read what others wrote sends and changes nothing outside unless a person agreed.
 * What can carry nothing that the run has read is let through: addresses that were named before.
 *
 * @module
 */
import type { Json } from "../../json/mod.ts";
import type { ToolInfo } from "../../tools/mod.ts";
import type { RunInfo } from "../kernel/mod.ts";
import { isNamed, isTainted } from "./taint.ts";

/** When a person is asked before a call. */
export type AskPolicy = "tainted" | "always" | "never";

/** A call as the gate sees it. */
export interface GatedCall {
  tool: ToolInfo;
  args: Record<string, Json>;
  /** Default `tainted`: before a call that sends or changes something, once the run is tainted. */
  ask?: AskPolicy;
}

/** What the gate decides; the reason is for people. */
export type Verdict = { decision: "allow" } | { decision: "ask"; reason: string };

/** Decides about a call. The outcome depends on what the run has read so far: record it. */
export function decide(run: RunInfo, { tool, args, ask = "tainted" }: GatedCall): Verdict {
  if (ask === "always") {
    return { decision: "ask", reason: "Every call to this tool requires approval." };
  }
  const goesOut = tool.capability === "egress" || tool.capability === "read" && namesAddress(args);
  if (ask === "never" || !isTainted(run)) return { decision: "allow" };
  if (
    tool.capability !== "write" &&
    (!goesOut || Object.values(args).every((part) => tellsNothing(run, tool, part)))
  ) {
    return { decision: "allow" };
  }
  const does = tool.capability === "write" ? "changes things outside" : "sends data outside";
  return {
    decision: "ask",
    reason: `The run has read untrusted text, and this call ${does}.`,
  };
}

/** A tool that reads what is here reads from outside when it is given an address. */
function namesAddress(value: Json): boolean {
  if (typeof value === "string") return isAddress(value);
  return typeof value === "object" && value !== null &&
    Object.values(value).some((part) => namesAddress(part ?? null));
}

/** True when everything that could carry something outside was named before. */
function tellsNothing(run: RunInfo, tool: ToolInfo, value: Json): boolean {
  if (typeof value === "string") {
    return isNamed(run, value) || tool.capability === "read" && !isAddress(value);
  }
  if (typeof value !== "object" || value === null) {
    // A number may be what the run has read. Built-in tools keep theirs to themselves.
    return value === null || tool.capability === "read" || tool.source === "built_in";
  }
  const isRead = tool.capability === "read";
  return isRead && Object.values(value).every((part) => tellsNothing(run, tool, part ?? null));
}

/** Read as the guard reads it: `https:host`, blanks and backslashes make an address, too. */
function isAddress(text: string): boolean {
  return URL.canParse(text) && /^https?:$/.test(new URL(text).protocol);
}
