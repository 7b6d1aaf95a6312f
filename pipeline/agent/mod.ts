/** Agents: profiles, prompts and the loop between model and tools. @module */
export {
  type Agent,
  type AgentCall,
  type AgentDeps,
  type ConversationMessage,
  createAgent,
  runAgent,
} from "./loop.ts";
export {
  type AgentProfile,
  modelIssues,
  parseProfile,
  profileWarnings,
  takesTasks,
} from "./profile.ts";
export { createPrompt, type Prompt, promptIssues } from "./prompt.ts";
