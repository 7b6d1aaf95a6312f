import * as z from "zod";
import { OrchestratorError } from "../../errors.ts";
import type { Json, WaitOptions } from "../kernel/mod.ts";
import { compileTemplate, type Evaluate, type Scope } from "../language/mod.ts";
import { common, next, nextTarget, type NodeKind } from "./kind.ts";

interface WaitNode {
  wait: { signal?: string; seconds?: number | string; until?: string };
  next?: string;
  on_timeout?: string;
}

/** The longest wait, in seconds. */
const MAX_SECONDS = 86_400 * 365 * 10;
const EXPRESSION = z.string().regex(/\$\{/, "must be an expression, such as ${ input.seconds }");

/** `wait:` lets the run sleep until a signal or a time. */
export const wait: NodeKind<WaitNode, unknown> = {
  kind: "wait",
  // What was sent to a run was sent to that run.
  personal: true,
  recorded: { outputOf: payloadOf },
  loosens: false,
  schema: z.strictObject({
    wait: z.strictObject({
      signal: z.string().min(1).optional()
        .describe("Name of the signal to wait for. The output is its payload."),
      seconds: z.union([z.number().min(0).max(MAX_SECONDS), EXPRESSION], {
        error: "must be a number of seconds or an expression, such as ${ input.seconds }",
      }).optional().describe("How long to wait at most."),
      until: z.string().refine((text) => text.includes("${") || !isNaN(Date.parse(text)), {
        error: "must be a time such as 2026-01-31T09:00:00Z, or an expression",
      }).optional().describe("Until when to wait at most (RFC 3339)."),
    }).refine(({ signal, seconds, until }) => signal ?? seconds ?? until, {
      error: "waits for nothing: add signal, seconds or until",
    }).refine(({ seconds, until }) => seconds === undefined || until === undefined, {
      error: "has both seconds and until: keep one of them",
    }),
    ...common,
    ...next,
    on_timeout: z.string().optional()
      .describe("The next node if the time passes before the signal arrives."),
  }).refine(({ wait, on_timeout }) => on_timeout === undefined || bothEnds(wait), {
    error: "on_timeout needs a signal and a time: add signal, and seconds or until",
  }),
  templates: ({ wait }) =>
    Object.entries(wait).map(([field, value]) => ({ path: ["wait", field], value })),
  targets: (node) => [
    ...nextTarget(node),
    ...(node.on_timeout === undefined ? [] : [{ path: ["on_timeout"], value: node.on_timeout }]),
  ],
  compile(node) {
    const evaluate = compileTemplate(node.wait);
    return {
      async run(ctx, key, scope) {
        const outcome = await ctx.wait(key, await waitOptions(key, evaluate, scope));
        if ("signal" in outcome) return outcome.signal;
        return node.wait.signal === undefined ? null : { timed_out: true };
      },
      next: (output) =>
        node.on_timeout !== undefined && isTimedOut(output) ? node.on_timeout : node.next,
    };
  },
};

/** A time that came is recorded as `{ timed_out: true }`, with and without a signal. */
function payloadOf(record: Json): Json {
  const { signal = record } = record as { signal?: Json };
  return signal;
}

function bothEnds({ signal, seconds, until }: WaitNode["wait"]): boolean {
  return signal !== undefined && (seconds ?? until) !== undefined;
}

/** Outputs are all that a replay has, so a signal with exactly this payload counts as the time. */
function isTimedOut(output: Json): boolean {
  return typeof output === "object" && output !== null && !Array.isArray(output) &&
    output.timed_out === true && Object.keys(output).length === 1;
}

async function waitOptions(key: string, evaluate: Evaluate, scope: Scope): Promise<WaitOptions> {
  const { signal, seconds, until } = await evaluate(scope) as Record<string, Json | undefined>;
  return {
    kind: "wait",
    // A restart keeps it, as it keeps every output before the step that it begins with.
    binding: false,
    ...(signal === undefined ? {} : { signal: signalName(key, signal) }),
    ...(seconds === undefined ? {} : { timeout_ms: milliseconds(key, seconds) }),
    ...(until === undefined ? {} : { until: time(key, until) }),
  };
}

function signalName(key: string, value: Json): string {
  if (typeof value === "string" && value !== "") return value;
  throw unfit(key, "signal", value, "a non-empty string");
}

function milliseconds(key: string, value: Json): number {
  if (typeof value === "number" && value >= 0 && value <= MAX_SECONDS) return value * 1_000;
  throw unfit(key, "seconds", value, `a number from 0 to ${MAX_SECONDS}`);
}

function time(key: string, value: Json): number {
  const at = typeof value === "string" ? Date.parse(value) : NaN;
  if (!isNaN(at)) return at;
  throw unfit(key, "until", value, "a time such as 2026-01-31T09:00:00Z");
}

function unfit(key: string, field: string, value: Json, wanted: string): OrchestratorError {
  const shown = JSON.stringify(value).slice(0, 60);
  return new OrchestratorError(
    "validation_failed",
    `Cannot wait in ${key}: ${field} must be ${wanted}, but is ${shown}. Fix the node's expression.`,
    { details: { step: key } },
  );
}
