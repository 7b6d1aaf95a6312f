/**
 * HTTP, server-sent events and WebSocket: validate, make one call, serialize.
 *
 * @module
 */
export { createApp } from "./app.ts";
export { identifyLocal } from "./identity.ts";
export type { About, AppDeps, AppEnv, HealthParts, Identify, RouteSettings } from "./deps.ts";
