/** The configured providers, each made when it is first asked. @module */
import type { ModelsConfig } from "../config/models.ts";
import { createAnthropicModel } from "./anthropic.ts";
import { createCustomgptModel } from "./customgpt.ts";
import { createGoogleModel } from "./google.ts";
import type { ModelClient } from "./model.ts";
import { createOpenaiModel } from "./openai.ts";
import { createFetch, type Fetch, platformFetch } from "./transport.ts";

/**
 * Makers of clients by provider name: those that need an address or a key.
 *
 * @param fetch by default the fast transport, which knows no proxies, or the platform's
 */
export function configuredProviders(
  { providers, proxied }: Pick<ModelsConfig, "providers" | "proxied">,
  fetch: Fetch = proxied ? platformFetch : createFetch(),
): Record<string, () => ModelClient> {
  const { openai, anthropic, google, customgpt, "openai-compatible": compatible } = providers;
  return {
    ...(openai && { openai: () => createOpenaiModel({ ...access(openai), fetch }) }),
    ...(compatible && {
      "openai-compatible": () =>
        createOpenaiModel({ ...access(compatible), provider: "openai-compatible", fetch }),
    }),
    ...(anthropic && { anthropic: () => createAnthropicModel({ ...access(anthropic), fetch }) }),
    ...(google && { google: () => createGoogleModel({ ...access(google), fetch }) }),
    ...(customgpt && {
      customgpt: () =>
        createCustomgptModel({ ...access(customgpt), projects: customgpt.projects, fetch }),
    }),
  };
}

function access(
  { api_key, base_url }: { api_key?: { reveal(): string }; base_url?: string },
): { apiKey: string; baseUrl?: string } {
  return { apiKey: api_key?.reveal() ?? "", ...(base_url && { baseUrl: base_url }) };
}
