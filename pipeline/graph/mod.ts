/** Pipeline documents: reading, checking and running them. @module */
export {
  type Definition,
  type Pipeline,
  pipelineJsonSchema,
  type PipelineNode,
  pipelineSchema,
} from "./document.ts";
export { createProgram, type ProgramDeps, validateInput } from "./interpreter.ts";
export { parsePipeline } from "./parse.ts";
export type { KnownNames } from "./validate.ts";
