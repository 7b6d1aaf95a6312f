/**
 * HTTP, server-sent events and WebSocket: validate, make one call, serialize.
 *
 * @module
 */
export { createApp } from "./app.ts";
export type {
  About,
  AppDeps,
  AppEnv,
  CatalogPort,
  HealthParts,
  Log,
  RouteSettings,
} from "./deps.ts";
export { type ChatResponse, unifiedResponse } from "./response.ts";
