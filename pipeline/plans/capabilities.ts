/**
 * What plans may use. It is looked up once per plan and recorded, so that what a plan was checked
 * against is what it runs with.
 *
 * @module
 */
import type { Caller } from "../../guard/mod.ts";
import type { Json, JsonSchema } from "../../json/mod.ts";
import type { ToolInfo } from "../../tools/mod.ts";
import type { AgentProfile } from "../agent/mod.ts";
import type { RunContext, RunInfo } from "../kernel/mod.ts";
import type { Tools } from "../calls/mod.ts";

/** An agent as planners see it. */
export interface AgentOffer {
  name: string;
  description: string;
  /** Absent: any text or JSON. */
  input?: JsonSchema;
  /** Absent: text. */
  output?: JsonSchema;
}

/** A pipeline as planners see it. */
export interface PipelineOffer {
  name: string;
  description: string;
  input?: JsonSchema;
  /** The definition that its runs keep. */
  version: string;
}

/** Everything that a plan may use. Plain JSON. */
export interface Capabilities {
  agents: AgentOffer[];
  tools: ToolInfo[];
  pipelines: PipelineOffer[];
}

/** The port to the installed pipelines. */
export interface PipelineOffers {
  /** Those that can run. Makes sure that their versions are kept. */
  offers(caller: Caller): Promise<PipelineOffer[]>;
}

/** Names of what a plan may use; `*` at the end stands for anything. Absent: all there is. */
export interface Allowed {
  tools?: readonly string[];
  pipelines?: readonly string[];
}

/** What looking them up needs. */
export interface CapabilityDeps {
  agents: AgentProfile[];
  tools: Pick<Tools, "describe">;
  plans?: PipelineOffers;
}

/** Runs within runs that plan, at most: a plan may run a pipeline that plans itself. */
const MAX_DEPTH = 2;

/** Looks up what a plan may use, once under step `key`. */
export async function capabilitiesOf(
  ctx: RunContext,
  key: string,
  allowed: Allowed,
  deps: CapabilityDeps,
): Promise<Capabilities> {
  const found = await ctx.step(key, async () => {
    const { agents, tools, plans } = deps;
    const { tools: names = ["*"] } = allowed;
    return {
      agents: agents.map(agentOffer),
      tools: await tools.describe(ctx.run.caller, names),
      pipelines: plans ? await pipelineOffers(ctx.run, allowed, plans) : [],
    } as unknown as Json;
  }, { effect: "none", kind: "capabilities" });
  return found as unknown as Capabilities;
}

async function pipelineOffers(
  { caller, pipeline, ancestors = [] }: RunInfo,
  { pipelines: names = ["*"] }: Allowed,
  plans: PipelineOffers,
): Promise<PipelineOffer[]> {
  if (ancestors.length >= MAX_DEPTH || names.length === 0) return [];
  const offers = await plans.offers(caller);
  return offers.filter(({ name }) =>
    name !== pipeline && names.some((wanted) => fits(wanted, name))
  );
}

function fits(wanted: string, name: string): boolean {
  return wanted.endsWith("*") ? name.startsWith(wanted.slice(0, -1)) : wanted === name;
}

function agentOffer({ name, description, input, output }: AgentProfile): AgentOffer {
  return { name, description, ...(input ? { input } : {}), ...(output ? { output } : {}) };
}

/** What the one who does a step must be given; nothing when anything will do. */
export function inputSchema(
  { agents, tools, pipelines }: Capabilities,
  { kind, name }: { kind: "agent" | "tool" | "pipeline"; name: string },
): JsonSchema | undefined {
  const offers: { name: string; input?: JsonSchema }[] =
    { agent: agents, tool: tools, pipeline: pipelines }[kind];
  return offers.find((offer) => offer.name === name)?.input;
}
