/**
 * How a run calls a tool: whether it may, whether a person must say so first, and the call itself as
 * a durable step. Agents, `tool` nodes and plans all come through here.
 *
 * 1. The decision is journaled before the call, so a replay decides the same.
 * 2. A run that has read what others wrote sends and changes nothing outside unless a person agreed
 *    to exactly this tool with exactly these arguments.
 * 3. No model output can approve a call.
 *
 * @module
 */
import { OrchestratorError, toErrorJson, toOrchestratorError } from "../../errors.ts";
import type { Caller } from "../../guard/mod.ts";
import type { Json } from "../../json/mod.ts";
import { NO_USAGE } from "../../telemetry/mod.ts";
import type { Artifact, NewArtifact, ToolInfo, ToolScope } from "../../tools/mod.ts";
import { type ApprovalDeps, requestApproval } from "./approvals/mod.ts";
import type { RunContext, RunInfo, StepOptions } from "../kernel/mod.ts";
import { decide, type GatedCall, type Verdict } from "./gate.ts";
import { nameUrls, taint } from "./taint.ts";

/** The port to the tools; see `tools/registry.ts`. */
export interface Tools {
  /** The enabled ones with these names; `*` at the end of a name stands for anything. */
  describe(caller: Caller, names: readonly string[]): Promise<ToolInfo[]>;
  /** Makes one call. */
  call(name: string, args: Json, scope: ToolScope): Promise<Json>;
}

/** What calling tools needs. */
export interface ToolCallDeps {
  tools: Tools;
  approvals: ApprovalDeps;
  /** Keeps a file that step `step` of `run` made. */
  keep(run: RunInfo, step: string, file: NewArtifact): Promise<Artifact>;
}

/** One call. */
export interface ToolRequest extends GatedCall {
  /** Who calls, for people: an agent or a node. */
  by: string;
  /** Policies of the step; the tool's own time-out and effect where it names none. */
  options?: Pick<StepOptions, "retry" | "timeout_ms" | "effect">;
}

/** How a call went: an agent sees failures as data. */
export type ToolOutcome =
  | { output: Json; duration_ms: number }
  | { error: { code: string; message: string }; duration_ms: number };

/**
 * What is known of a tool, recorded under step `step`.
 *
 * @throws `tool_unknown`, also when it is disabled
 */
export async function describeTool(
  ctx: RunContext,
  step: string,
  name: string,
  tools: Tools,
): Promise<ToolInfo> {
  const describe = () => tools.describe(ctx.run.caller, [name]) as Promise<unknown>;
  const options = { effect: "none", kind: "tools" } as const;
  const [tool] = await ctx.step(step, describe as () => Promise<Json[]>, options);
  if (tool) return tool as unknown as ToolInfo;
  throw new OrchestratorError(
    "tool_unknown",
    `Cannot call ${name}: no tool has this name, or it is disabled. See GET /v1/tools/list.`,
  );
}

/**
 * Calls a tool under step `step`.
 *
 * @throws `tool_denied`, and what the tool throws
 */
export async function callTool(
  ctx: RunContext,
  step: string,
  request: ToolRequest,
  deps: ToolCallDeps,
): Promise<Json> {
  await admit(ctx, step, request, deps);
  const output = await makeCall(ctx, step, request, async (scope) => {
    return await deps.tools.call(request.tool.name, request.args, scope);
  }, deps);
  returned(ctx, step, request.tool, output);
  return output;
}

/**
 * Calls a tool that was admitted, and gives its failure as data. Only what concerns the run itself
 * (cancel, shutdown, a lost claim) is thrown.
 */
export async function tryTool(
  ctx: RunContext,
  step: string,
  request: ToolRequest,
  deps: ToolCallDeps,
): Promise<ToolOutcome> {
  const { tool, args, options } = request;
  const outcome = await makeCall<ToolOutcome>(ctx, step, request, async (scope) => {
    const started = performance.now();
    const since = () => Math.round(performance.now() - started);
    try {
      return { output: await deps.tools.call(tool.name, args, scope), duration_ms: since() };
    } catch (error) {
      if (scope.signal.aborted) throw error;
      return { error: failure(error), duration_ms: since() };
    }
  }, deps).catch((error): ToolOutcome => {
    const { code } = toOrchestratorError(error);
    // Recorded ends of the call itself; everything else concerns the run.
    if (code !== "step_timeout" && code !== "effect_unknown") throw error;
    return { error: failure(error), duration_ms: options?.timeout_ms ?? tool.timeout_ms };
  });
  returned(ctx, step, tool, "error" in outcome ? { error: outcome.error } : outcome.output);
  return outcome;
}

/**
 * Decides whether a call may be made, and waits for a person where one must agree.
 *
 * @throws `tool_denied`
 */
export async function admit(
  ctx: RunContext,
  step: string,
  request: ToolRequest,
  deps: ToolCallDeps,
): Promise<void> {
  const verdict = await ctx.step<Verdict>(`${step}/gate`, () => decide(ctx.run, request), {
    effect: "none",
    kind: "policy",
  });
  if (verdict.decision === "allow") return;
  const { tool, args, by } = request;
  const { decision, comment } = await requestApproval(ctx, `${step}/approval`, {
    title: `Let ${by} call ${tool.name}?`,
    preview: `${verdict.reason}\n\n${tool.name} (${tool.capability}): ${tool.description}\n\n` +
      JSON.stringify(args, null, 2),
    payload: { tool: tool.name, arguments: args },
  }, deps.approvals);
  if (decision === "approved") return;
  const reason = `the call was ${decision}${comment ? `: ${comment}` : ""}`;
  ctx.emit({ type: "tool.denied", step, tool: tool.name, reason });
  throw denied(tool.name, reason);
}

/** The error of a call that may not be made. */
export function denied(tool: string, reason: string): OrchestratorError {
  return new OrchestratorError(
    "tool_denied",
    `Cannot call ${tool}: ${reason}.`,
    { details: { tool, reason } },
  );
}

function makeCall<T extends Json>(
  ctx: RunContext,
  step: string,
  { tool, args, options }: ToolRequest,
  call: (scope: ToolScope) => Promise<T>,
  deps: ToolCallDeps,
): Promise<T> {
  ctx.emit({ type: "tool.called", step, tool: tool.name, arguments: args });
  const { run } = ctx;
  const { cost_usd } = tool;
  return ctx.step(step, ({ signal, idempotency_key }) =>
    call({
      caller: run.caller,
      run: { id: run.id, step },
      signal,
      idempotency_key,
      keep: (file) => deps.keep(run, step, file),
    }), {
    kind: "tool",
    reusable: tool.capability === "compute" || tool.capability === "read",
    // The registry ends a call by its time-out; the step's is for what the registry cannot end.
    timeout_ms: tool.timeout_ms + 1_000,
    effect: tool.effect === "none" ? "at_least_once" : tool.effect,
    ...(cost_usd === undefined ? {} : { usage: () => ({ ...NO_USAGE, cost_usd }) }),
    ...options,
  }).finally(() => {
    if (tool.untrusted || tool.untrusted_with?.some((name) => name in args)) taint(ctx);
  });
}

function returned(ctx: RunContext, step: string, tool: ToolInfo, output: Json): void {
  ctx.emit({ type: "tool.returned", step, tool: tool.name, output });
  if (tool.finds_urls) nameUrls(ctx.run, urlsOf(output));
}

/** What the fields named `url` hold. */
function urlsOf(value: Json): Json[] {
  if (typeof value !== "object" || value === null) return [];
  return Object.entries(value).flatMap(([field, part]) =>
    field === "url" && typeof part === "string" ? [part] : urlsOf(part ?? null)
  );
}

function failure(error: unknown): { code: string; message: string } {
  const { code, message } = toErrorJson(error);
  return { code: code === "internal" ? "tool_failed" : code, message };
}
