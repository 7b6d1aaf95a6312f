/** Data sets: the tool `dataset`, and tables for the code that works on them. @module */
export { toCsv } from "./read.ts";
export { type DatasetDeps, loadTable } from "./source.ts";
export { createDatasetTool } from "./tool.ts";
