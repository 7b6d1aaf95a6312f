/** Tools: what they are, and the registry that calls them. @module */
export { createRegistry, type Registry, type ToolStatus } from "./registry.ts";
export type { Artifact, NewArtifact, Tool, ToolInfo, ToolScope, ToolSet } from "./tool.ts";
