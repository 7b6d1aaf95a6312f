/** What a run remembers and what is remembered of it. @module */
export {
  answerText,
  questionText,
  type RememberDeps,
  remembering,
  wantsMemory,
} from "./remember.ts";
export { createSummaries } from "./summary.ts";
export { keepSummaryTask, readConversationTask, rememberTask } from "./tasks.ts";
