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
  const made = new Map<string, ModelClient>();
  const clientOf = (provider: string): ModelClient => {
    const client = made.get(provider) ?? known(clients, provider)();
    made.set(provider, client);
    return client;
  };
  const limited = async <T>(call: (signal: AbortSignal) => Promise<T>): Promise<T> => {
    const controller = new AbortController();
    const timer = setTimeout(
      () => controller.abort(new DOMException("too slow", "TimeoutError")),
      timeout_ms,
    );
    try {
      return await call(controller.signal);
    } finally {
      clearTimeout(timer);
    }
  };
  const list = async (provider: string): Promise<OfferedModels> => {
    try {
      const names = await limited((signal) => clientOf(provider).models(signal));
      // Google lists its models as `models/<name>`.
      const models = names.map((name) => ({ id: name.replace(/^models\//, ""), provider }));
      return { models, errors: [] };
    } catch (error) {
      const diagnosis = await diagnose(error, provider, config);
      return { models: [], errors: [{ provider, ...diagnosis }] };
    }
  };
  return {
    async offered(_caller) {
      const all = await Promise.all(Object.keys(clients).sort().map(list));
      return {
        models: all.flatMap(({ models }) => models),
        errors: all.flatMap(({ errors }) => errors),
      };
    },
    async test(_caller, { provider = config.provider, model: asked } = {}) {
      const client = clientOf(provider);
      const model = modelOf(config, provider, asked);
      const began = performance.now();
      const result = () => ({ provider, model, latency_ms: Math.round(performance.now() - began) });
      try {
        await limited<unknown>((signal) =>
          model === null ? client.models(signal) : say(client, model, signal)
        );
        return { ok: true, ...result() };
      } catch (error) {
        const facts = result();
        return { ok: false, ...facts, ...await diagnose(error, provider, config) };
      }
    },
  };
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
