/** Definitions: files, stored pipelines, versions, schedules. @module */
export {
  type Authoring,
  createAuthoring,
  type InstalledCheck,
  type PipelineDetail,
  type PipelineVersion,
} from "./authoring.ts";
export { type Catalog, createCatalog } from "./catalog.ts";
export {
  DefinitionFiles,
  hasOwnDefinitions,
  overriddenDefinitions,
  unreadDefinitions,
} from "./definition_files.ts";
export type { CatalogEntry } from "./resolver.ts";
export { createDefinitionStore, createPrograms, type ProgramOf } from "./programs.ts";
export { createSchedules, type Schedules } from "./schedules.ts";
export { createStoredPipelines, type StoredPipelines } from "./stored_pipelines.ts";
