/** The language of pipeline documents: YAML, expressions, templates, cron. @module */
export { cronProblem, DEFAULT_TIMEZONE, readCron, type Ticks } from "./cron.ts";
export { compileExpression, type Evaluate, inspectExpression } from "./expression.ts";
export { type Begun, type Scope, SCOPE_FIELDS, type Walk } from "./scope.ts";
export { compileTemplate, type Embedded, expressionsOf, isTemplate } from "./template.ts";
export { readYaml, type YamlDocument } from "./yaml.ts";
