/** The tasks that pipelines may call by name. @module */
import { mergeReviewTask } from "../pipeline/compose/mod.ts";
import type { Task } from "../pipeline/nodes/mod.ts";
import { agentStateTask, environmentsTask, giveUpTask } from "../pipeline/notebook/mod.ts";
import { capabilitiesTask, type PipelineOffers } from "../pipeline/plans/mod.ts";
import { keepSummaryTask, readConversationTask, rememberTask } from "../pipeline/recall/mod.ts";
import type { Ports } from "./ports.ts";

/** Their names. */
export const TASKS = [
  "agent_state",
  "capabilities",
  "environments",
  "give_up",
  "keep_summary",
  "merge_review",
  "read_conversation",
  "remember",
] as const;

/** Makes them. */
export function builtInTasks(
  { services, tools, conversations, memory }: Ports,
  { offers }: PipelineOffers,
): Record<typeof TASKS[number], Task> {
  return {
    agent_state: agentStateTask,
    capabilities: capabilitiesTask({ offers, tools }),
    environments: environmentsTask(services),
    give_up: giveUpTask,
    keep_summary: keepSummaryTask(conversations),
    merge_review: mergeReviewTask,
    read_conversation: readConversationTask(conversations),
    remember: rememberTask(memory),
  };
}
