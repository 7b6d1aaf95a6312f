/** Pipeline documents: reading, checking and running them. @module */
export type { NodeCache } from "./cache.ts";
export {
  type Definition,
  type Pipeline,
  pipelineJsonSchema,
  type PipelineNode,
  pipelineSchema,
  type Schedule,
} from "./document.ts";
export { createProgram, type ProgramDeps, validateInput } from "./interpreter.ts";
export { namesOf } from "./nodes.ts";
export { parsePipeline } from "./parse.ts";
export { evaluateConcurrency, startOptions } from "./start.ts";
export type { KnownNames } from "./validate.ts";
