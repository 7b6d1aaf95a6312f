import * as z from "zod";
import { OrchestratorError, sentence } from "../../errors.ts";
import {
  type AgentDeps,
  type AgentProfile,
  type ConversationMessage,
  createAgent,
  runAgent,
} from "../agent/mod.ts";
import type { Json, RunContext } from "../kernel/mod.ts";
import type { Scope } from "../language/mod.ts";
import { unknownName } from "../../json/mod.ts";
import {
  common,
  compileInput,
  inputTemplate,
  type Limits,
  next,
  nextTarget,
  type NodeKind,
  stepLimits,
  withInput,
} from "./kind.ts";

interface AgentNode extends Limits {
  agent: string;
  with?: unknown;
  next?: string;
}

/** What agent nodes need: the loop's dependencies and the definition's agents and prompts. */
export interface AgentEnv extends AgentDeps {
  agents: Record<string, AgentProfile>;
  prompts: Record<string, string>;
}

/** `agent: name` lets an agent work; its model and tool calls are steps. */
export const agent: NodeKind<AgentNode, AgentEnv> = {
  kind: "agent",
  // Tools may answer by who asks; a model does not know.
  personal: ({ agent }, agents) => agents[agent]?.tools.length !== 0,
  recorded: "own",
  loosens: false,
  schema: z.strictObject({
    agent: z.string().describe("Name of a profile: agents/NAME.md."),
    ...common,
    ...withInput,
    ...next,
  }),
  templates: inputTemplate,
  references: ({ agent }) => [{ to: "agent", path: ["agent"], value: agent }],
  targets: nextTarget,
  compile(node, env) {
    const profile = env.agents[node.agent];
    if (!profile) {
      const why = unknownName("agent", node.agent, Object.keys(env.agents));
      throw new OrchestratorError(
        "pipeline_invalid",
        `Cannot run agent "${node.agent}": ${sentence(why)}`,
      );
    }
    const prepared = createAgent(
      profile,
      profile.prompt === undefined ? undefined : env.prompts[profile.prompt],
    );
    const input = compileInput(node);
    const options = stepLimits(node);
    const run = async (ctx: RunContext, key: string, scope: Scope): Promise<Json> => {
      const messages = conversation(scope.input);
      const given = await input(scope) ?? null;
      const value = node.with === undefined ? withAsk(given, messages) : given;
      return runAgent(ctx, { key, agent: prepared, input: value, messages, ...options }, env);
    };
    return { run, next: () => node.next };
  },
};

/** The input of a node without `with`: `ask` is the user's last message, unless it has another one. */
function withAsk(input: Json, messages: ConversationMessage[]): Json {
  const ask = messages.findLast(({ role }) => role === "user")?.content;
  if (ask === undefined || typeof input !== "object" || input === null || Array.isArray(input)) {
    return input;
  }
  return { ask, ...input };
}

/** The messages of a chat request: `messages` of the run's input, as far as they are texts. */
export function conversation(input: Json): ConversationMessage[] {
  if (typeof input !== "object" || input === null || Array.isArray(input)) return [];
  const messages: unknown = input.messages;
  return Array.isArray(messages) ? messages.filter(isMessage) : [];
}

function isMessage(value: unknown): value is ConversationMessage {
  const { role, content } = (value ?? {}) as Partial<ConversationMessage>;
  return (role === "user" || role === "assistant") && typeof content === "string";
}
