/** Agents: profiles, prompts and the loop between model and tools. @module */
export { type Agent, type ConversationMessage, createAgent } from "./agent.ts";
export { type AgentCall, type AgentDeps, runAgent } from "./loop.ts";
export {
  type AgentProfile,
  modelIssues,
  parseProfile,
  profileWarnings,
  takesTasks,
} from "./profile.ts";
export { createPrompt, type Prompt, promptIssues } from "./prompt.ts";
