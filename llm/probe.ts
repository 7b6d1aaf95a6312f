/**
 * Asks providers how they are: which models they offer, and whether one of them answers.
 *
 * @module
 */
import { OrchestratorError } from "../errors.ts";
import type { Caller } from "../guard/mod.ts";
import type { ReachedProviders } from "./clients.ts";
import { diagnose, type Diagnosis } from "./diagnosis.ts";
import type { ModelClient } from "./model.ts";
import { rowOf } from "./providers.ts";

/** Longest time for one answer, in milliseconds. */
const PROBE_MS = 15_000;
/** Enough for a word, little enough to cost nothing. */
const PROBE_TOKENS = 16;

/** What the configured providers offer. */
export interface OfferedModels {
  models: { id: string; provider: string }[];
  /** The providers that did not say. */
  errors: ({ provider: string } & Diagnosis)[];
}

/** Whether a provider answers. */
export type ProbeResult =
  | { ok: true; provider: string; model: string | null; latency_ms: number }
  | ({ ok: false; provider: string; model: string | null; latency_ms: number } & Diagnosis);

/** Which provider and model to ask; default: those of the configuration. */
export interface ProbeRequest {
  provider?: string;
  model?: string;
}

/** What a probe needs of the configuration. */
export interface ProbedConfig extends Pick<ReachedProviders, "providers"> {
  provider: string;
  default_model: string;
}

/** Asks providers, with the operator's keys: all callers get the same answers. */
export interface Probe {
  offered(caller: Caller): Promise<OfferedModels>;
  /**
   * Has a model say one word, past all fallbacks and retries. A provider whose model is not known is
   * asked for its list instead.
   *
   * @throws `validation_failed` for a provider that is not set up
   */
  test(caller: Caller, request?: ProbeRequest): Promise<ProbeResult>;
}

/** Makes a probe of the configured providers, given makers of their clients. `timeout_ms` is for tests. */
export function createProbe(
  config: ProbedConfig,
  clients: Record<string, () => ModelClient>,
  timeout_ms: number = PROBE_MS,
): Probe {
  return new ClientProbe(config, clients, timeout_ms);
}

class ClientProbe implements Probe {
  private readonly made = new Map<string, ModelClient>();

  constructor(
    private readonly config: ProbedConfig,
    private readonly clients: Record<string, () => ModelClient>,
    private readonly timeout_ms: number,
  ) {}

  async offered(_caller: Caller): Promise<OfferedModels> {
    const providers = Object.keys(this.clients).sort();
    const all = await Promise.all(providers.map((provider) => this.list(provider)));
    return {
      models: all.flatMap(({ models }) => models),
      errors: all.flatMap(({ errors }) => errors),
    };
  }

  async test(
    _caller: Caller,
    { provider = this.config.provider, model: asked }: ProbeRequest = {},
  ): Promise<ProbeResult> {
    const client = this.clientOf(provider);
    const model = modelOf(this.config, provider, asked);
    const began = performance.now();
    const facts = () => ({ provider, model, latency_ms: Math.round(performance.now() - began) });
    try {
      await this.limited<unknown>((signal) =>
        model === null ? client.models(signal) : say(client, model, signal)
      );
      return { ok: true, ...facts() };
    } catch (error) {
      const known = facts();
      return { ok: false, ...known, ...await diagnose(error, provider, this.config) };
    }
  }

  private async list(provider: string): Promise<OfferedModels> {
    try {
      const names = await this.limited((signal) => this.clientOf(provider).models(signal));
      // Google lists its models as `models/<name>`.
      const models = names.map((name) => ({ id: name.replace(/^models\//, ""), provider }));
      return { models, errors: [] };
    } catch (error) {
      const diagnosis = await diagnose(error, provider, this.config);
      return { models: [], errors: [{ provider, ...diagnosis }] };
    }
  }

  private clientOf(provider: string): ModelClient {
    const client = this.made.get(provider) ?? known(this.clients, provider)();
    this.made.set(provider, client);
    return client;
  }

  private async limited<T>(call: (signal: AbortSignal) => Promise<T>): Promise<T> {
    const controller = new AbortController();
    const expire = () => controller.abort(new DOMException("too slow", "TimeoutError"));
    const timer = setTimeout(expire, this.timeout_ms);
    try {
      return await call(controller.signal);
    } finally {
      clearTimeout(timer);
    }
  }
}

function known<T>(clients: Record<string, T>, provider: string): T {
  if (Object.hasOwn(clients, provider)) return clients[provider]!;
  const message = `is not configured; available: ${Object.keys(clients).sort().join(", ")}`;
  throw new OrchestratorError(
    "validation_failed",
    `Cannot test the provider "${
      provider.slice(0, 60)
    }": it ${message}. Set its key, or choose an available one.`,
    { issues: [{ location: "/provider", message }] },
  );
}

/** Projects belong to agents: there is no model to ask for. */
function modelOf(
  { provider: chosen, default_model }: ProbedConfig,
  provider: string,
  asked: string | undefined,
): string | null {
  if (rowOf(provider)?.projects) return null;
  return asked ?? (provider === chosen ? default_model : null);
}

async function say(client: ModelClient, model: string, signal: AbortSignal): Promise<void> {
  await client.generate({
    model,
    messages: [{ role: "user", content: "Say OK." }],
    max_output_tokens: PROBE_TOKENS,
  }, { signal });
}
