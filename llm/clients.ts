/** The configured providers' clients, each made when it is first asked. @module */
import type { ModelClient } from "./model.ts";
import { type ProviderName, PROVIDERS } from "./providers.ts";
import { createFetch, type Fetch, platformFetch } from "./transport.ts";

/** How a provider is reached. Absent parts are those of its row. */
export interface Reached {
  api_key?: { reveal(): string };
  base_url?: string;
  projects?: Record<string, string>;
}

/** The providers that can be used, and how. */
export interface ReachedProviders {
  providers: Partial<Record<ProviderName, Reached>>;
  /** True when calls have to go through a proxy. */
  proxied: boolean;
}

/**
 * Makers of clients by provider name.
 *
 * @param fetch by default the fast transport, which knows no proxies, or the platform's
 */
export function configuredProviders(
  { providers, proxied }: ReachedProviders,
  fetch: Fetch = proxied ? platformFetch : createFetch(),
): Record<string, () => ModelClient> {
  const entries = Object.entries(providers) as [ProviderName, Reached][];
  return Object.fromEntries(entries.map(([provider, { api_key, base_url, projects = {} }]) => {
    const { address, create } = PROVIDERS[provider];
    const baseUrl = base_url ?? address ?? "";
    const access = { provider, apiKey: api_key?.reveal() ?? "", baseUrl, projects, fetch };
    return [provider, () => create(access)];
  }));
}
