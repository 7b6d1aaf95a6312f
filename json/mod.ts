/** JSON: values, schemas, canonical text, and names that were meant. @module */
export { canonicalJson } from "./canonical.ts";
export { patternProblem } from "./pattern.ts";
export { schemaIssues, type SchemaProblem, schemaProblems } from "./schema.ts";
export { editDistance, nearest, unknownName } from "./suggest.ts";
export type { Json, JsonSchema, Path } from "./value.ts";
