/** Agents that take a prompt as JSON over HTTP. @module */
import type { ExternalAgent } from "../../config/external.ts";
import type { Egress } from "../../guard/mod.ts";
import type { Json, JsonSchema } from "../../json/mod.ts";
import type { ToolScope } from "../tool.ts";
import { answerIn } from "./answer.ts";
import { post } from "./json_service.ts";

/** What the tool of such an agent takes. */
export const HTTP_AGENT_INPUT: JsonSchema = {
  type: "object",
  properties: {
    prompt: { type: "string", minLength: 1, description: "What to ask, in full." },
    context: { description: "Additional context for the agent: any JSON." },
  },
  required: ["prompt"],
  additionalProperties: false,
};

/** Asks one. @throws as `post` */
export async function askHttpAgent(
  egress: Egress,
  agent: ExternalAgent,
  { prompt = "", context = {} }: Record<string, Json>,
  scope: ToolScope,
): Promise<Json> {
  const body = {
    prompt,
    user_id: scope.caller.actor,
    metadata: scope.run ? { run_id: scope.run.id, step: scope.run.step } : {},
    context,
  };
  const name = `agent ${agent.name}`;
  return { answer: answerIn(await post(egress, { ...agent, name }, body, scope)) };
}
