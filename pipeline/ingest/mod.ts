/** Reading documents into the knowledge base as a durable run. @module */
export { type BuiltInPrograms, createPrograms } from "./ingest.ts";
