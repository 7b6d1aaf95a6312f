/** Tools that make HTTP requests: from definitions, files and OpenAPI documents. @module */
export { contentOf, decodeText, mediaType, statusFailure } from "./answer.ts";
export { urlArgument } from "./arguments.ts";
export { type HttpToolDefinition, parseToolDefinition } from "./definition.ts";
export {
  compileDefinition,
  createFileTools,
  type FileTools,
  type FileToolsDeps,
} from "./file_tools.ts";
export { readToolFiles, type ToolFiles } from "./files.ts";
export { openapiTools } from "./openapi.ts";
export { createHttpRequest, type HttpHost } from "./request.ts";
export { configuredSecrets, missingVariables, redact, type Secrets } from "./secrets.ts";
export { httpTool, type HttpToolDeps, type Select } from "./tool.ts";
