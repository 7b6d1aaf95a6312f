/**
 * HTTP, server-sent events and WebSocket: validate, make one call, serialize.
 *
 * @module
 */
export { createApp } from "./app.ts";
export type { About, AppDeps, AppEnv, HealthParts, RouteSettings } from "./deps.ts";
export type { CatalogPort, Log } from "./ports.ts";
export { type ChatResponse, unifiedResponse } from "./response.ts";
