/** Walks a pipeline's graph as a durable run. @module */
export type { NodeCache } from "./cache.ts";
export { createProgram, type ProgramDeps, validateInput } from "./interpreter.ts";
export { createNodeCache } from "./node_cache.ts";
