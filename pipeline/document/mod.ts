/** Pipeline documents: their schema, reading and checking them. @module */
export {
  DEFAULT_MAX_STEPS,
  type Definition,
  type Pipeline,
  type PipelineNode,
  type Schedule,
} from "./document.ts";
export { kindOf, type NodeEnv } from "./kinds.ts";
export { namedTools, namesOf, nodesWithin, wantsAllAgents } from "./nodes.ts";
export { invalidPipeline, parsePipeline } from "./parse.ts";
export { startOptions } from "./start.ts";
