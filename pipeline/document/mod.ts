/** Pipeline documents: their schema, reading and checking them. @module */
export {
  DEFAULT_MAX_STEPS,
  type Definition,
  type Pipeline,
  pipelineJsonSchema,
  type PipelineNode,
  type Schedule,
} from "./document.ts";
export { kindNamed, kindOf, type NodeEnv } from "./kinds.ts";
export {
  allNodes,
  type KindedNode,
  loosenings,
  namedTools,
  namesOf,
  nodesWithin,
  useAnyAgent,
} from "./nodes.ts";
export { invalidPipeline, parsePipeline } from "./parse.ts";
