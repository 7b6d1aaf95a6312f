/** Mock model servers that speak the providers' wire formats. Nothing here knows the adapters. */
export { startAnthropic } from "./anthropic.ts";
export { startCustomgpt } from "./customgpt.ts";
export { startGoogle } from "./google.ts";
export { startOpenai } from "./openai.ts";
export type { Fault, MockCall, MockServer, Reply, Script } from "./script.ts";
