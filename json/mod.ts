/** JSON: values, schemas, canonical text, and names that were intended. @module */
export { canonicalJson } from "./canonical.ts";
export { parse, type Parsed, type Problem, toIssues } from "./parse.ts";
export { patternProblem } from "./pattern.ts";
export { schemaIssues, schemaProblems } from "./schema.ts";
export { editDistance, nearest, unknownName } from "./suggest.ts";
export type { Json, JsonSchema, Path } from "./value.ts";
