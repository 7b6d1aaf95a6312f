/** Tools: what they are, and the registry that calls them. @module */
export type { ServiceHealth } from "./breaker.ts";
export { createCodeExecutor } from "./code_executor.ts";
export { createRegistry, type Registry, type ToolStatus } from "./registry.ts";
export { createSearchDocuments } from "./search_documents.ts";
export type { Artifact, NewArtifact, Tool, ToolInfo, ToolScope, ToolSet } from "./tool.ts";
export { createWebTools, toolFileIssues, toolFileNames } from "./web.ts";
