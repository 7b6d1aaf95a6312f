/** Reading documents into the knowledge base as a durable run. @module */
export { type BuiltInProgram, ingestPrograms } from "./ingest.ts";
