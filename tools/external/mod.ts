/** Agents and data that others run, as tools. @module */
import type { ExternalAgent, ExternalConfig } from "../../config/external.ts";
import type { Caller } from "../../guard/mod.ts";
import type { Json } from "../../json/mod.ts";
import { type Breakers, createBreakers, type ServiceHealth } from "../breaker.ts";
import type { Tool, ToolScope } from "../tool.ts";
import { A2A_AGENT_INPUT, type A2aDeps, askA2aAgent } from "./a2a_agent.ts";
import { createDatasource } from "./datasource.ts";
import { askHttpAgent, HTTP_AGENT_INPUT } from "./http_agent.ts";

export type { A2aDeps } from "./a2a_agent.ts";

/** The set of these tools, and how the services are doing. */
export interface ExternalTools {
  readonly name: string;
  tools(): Promise<Tool[]>;
  health(caller: Caller): ServiceHealth[];
}

/** Makes `agent_NAME` for each agent, `external_agent` for the first one, and `datasource`. */
export function createExternalTools(
  { agents, datasource }: Pick<ExternalConfig, "agents" | "datasource">,
  deps: A2aDeps,
): ExternalTools {
  const named = agents.map((agent) => createAgent(agent, deps));
  const first = named.slice(0, 1).map(({ tool }) => ({ ...tool, name: "external_agent" }));
  const source = datasource ? [createDatasource(datasource, deps.egress)] : [];
  const all = [...named, ...source];
  const tools = [...first, ...all.map(({ tool }) => tool)];
  return {
    name: "external",
    tools: () => Promise.resolve(tools),
    health: (caller) => all.map(({ breakers }) => breakers.of(caller).health()),
  };
}

function createAgent(agent: ExternalAgent, deps: A2aDeps): { tool: Tool; breakers: Breakers } {
  const { name, description, timeout_ms } = agent;
  const isA2a = agent.protocol === "a2a";
  const breakers = createBreakers({ name: `agent:${name}` });
  const ask = (args: Record<string, Json>, scope: ToolScope) =>
    isA2a ? askA2aAgent(deps, agent, args, scope) : askHttpAgent(deps.egress, agent, args, scope);
  const tool: Tool = {
    name: `agent_${name}`,
    description,
    input: isA2a ? A2A_AGENT_INPUT : HTTP_AGENT_INPUT,
    source: "agent",
    capability: "write",
    effect: "at_least_once",
    timeout_ms,
    untrusted: true,
    secrets: () => agent.auth_token ? [agent.auth_token.reveal()] : [],
    run: (args, scope) => breakers.of(scope.caller).run(() => ask(args, scope)),
  };
  return { tool, breakers };
}
