/**
 * Chooses who answers: one call is one pass over the model asked for and the fallbacks, each with
 * its deadlines. Repeating a pass is the kernel's business, which journals it.
 *
 * Invariants:
 * 1. Each candidate is asked once; an abort by the caller ends the pass at once.
 * 2. Text of a candidate that failed is void: `onReset` comes before the next one's first piece.
 * 3. A deadline aborts the candidate's signal, which closes its connection; no timer outlives a call.
 *
 * @module
 */
import { OrchestratorError, toOrchestratorError } from "../errors.ts";
import { addUsage, NO_USAGE, type Usage } from "../telemetry/mod.ts";
import type {
  Draft,
  FailedCandidate,
  GenerateOptions,
  ModelAnswer,
  ModelClient,
  ModelRequest,
} from "./model.ts";
import { resolveModel } from "./names.ts";
import type { Price } from "./provider.ts";
import { completeUsage, costOf, priceOf } from "./usage.ts";

/** Who can answer, in which order and how long. */
export interface RouterOptions {
  /** A model of `default_provider`, without its prefix. */
  default_model: string;
  /** `provider/model`, tried in this order after the model asked for. */
  fallbacks: string[];
  /** Made with the first call that needs one, once. */
  providers: Record<string, () => ModelClient | Promise<ModelClient>>;
  default_provider: string;
  /** Longest time for one candidate's whole answer. */
  timeout_ms: number;
  /** Longest silence of a candidate: nothing at all arrives. */
  stall_timeout_ms: number;
  /** USD for a million tokens by `provider/model`; goes before the built-in table. */
  prices?: Record<string, Price>;
}

interface Candidate {
  provider: string;
  model: string;
  /** `provider/model`; the provider alone when it has no models to choose from. */
  name: string;
}

/**
 * Makes the client that everything above `llm/` uses.
 *
 * @throws from `generate` when every candidate failed: the error that is most worth retrying
 *   (retryable ones first, then the shortest `retry_after_ms`), with `details.failed_candidates`
 */
export function createModels(options: RouterOptions): ModelClient {
  const clients = new Map<string, Promise<ModelClient>>();
  const clientOf = (provider: string): Promise<ModelClient> => {
    const known = clients.get(provider);
    if (known) return known;
    const made = Promise.resolve().then(() => makeClient(options, provider));
    clients.set(provider, made);
    // A client that could not be created is created again next time; callers that await it see the error.
    made.catch(() => clients.delete(provider));
    return made;
  };
  return {
    provider: "router",
    async generate(request, generateOptions) {
      const failures: Failure[] = [];
      for (const candidate of candidatesOf(options, request.model)) {
        generateOptions.signal.throwIfAborted();
        const client = clientOf(candidate.provider);
        let draft: (() => Draft) | undefined;
        try {
          const onDraft = (begun: () => Draft) => {
            draft = begun;
            generateOptions.onDraft?.(begun);
          };
          const to = { ...generateOptions, onDraft };
          const answer = await ask(options, candidate, client, request, to);
          return finish(options, candidate, { request, answer }, failures);
        } catch (error) {
          if (generateOptions.signal.aborted) throw generateOptions.signal.reason;
          failures.push({ candidate, error: toOrchestratorError(error), usage: draft?.().usage });
        }
      }
      throw bestOf(failures);
    },
    async models(signal) {
      const client = await clientOf(options.default_provider);
      return await client.models(signal);
    },
    unpriced: (model) =>
      candidatesOf(options, model).map(({ name }) => name)
        .filter((name) => priceOf(name, options.prices) === undefined),
  };
}

function makeClient(options: RouterOptions, provider: string): ModelClient | Promise<ModelClient> {
  const make = options.providers[provider];
  if (make) return make();
  throw new OrchestratorError(
    "model_not_configured",
    `Cannot use the provider "${provider}": it is not configured. Set its API key or choose another.`,
  );
}

/** @throws `model_not_configured` for the model asked for: another one's answer would hide it */
function candidatesOf(options: RouterOptions, asked: string | undefined): Candidate[] {
  const { default_provider, default_model, fallbacks } = options;
  const configured = Object.keys(options.providers);
  const find = (name: string) => resolveModel(name, default_provider, configured);
  const first = asked ? find(asked) : { provider: default_provider, model: default_model };
  const unique = new Map<string, Candidate>();
  for (const { provider, model } of [first, ...fallbacks.map(find)]) {
    const name = provider === "offline" ? provider : `${provider}/${model}`;
    if (!unique.has(name)) unique.set(name, { provider, model, name });
  }
  return [...unique.values()];
}

async function ask(
  options: RouterOptions,
  candidate: Candidate,
  client: Promise<ModelClient>,
  request: ModelRequest,
  { signal, onDelta, onReset, onActivity, onDraft }: GenerateOptions,
): Promise<ModelAnswer> {
  const deadline = new Deadline(options, candidate.name, signal);
  let delivered = false;
  const answered = client.then((client) =>
    client.generate({ ...request, model: candidate.model }, {
      signal: deadline.signal,
      onActivity() {
        deadline.touch();
        onActivity?.();
      },
      onDraft(draft) {
        if (deadline.signal.aborted) return;
        onDraft?.(() => bill(options, candidate, request, draft()));
      },
      onDelta(text) {
        if (deadline.signal.aborted) return;
        deadline.touch();
        delivered = true;
        onDelta?.(text);
      },
    })
  );
  try {
    // A client that ignores its signal must not hold up the pass.
    return await Promise.race([answered, deadline.passed()]);
  } catch (error) {
    if (delivered && !signal.aborted) onReset?.();
    throw error;
  } finally {
    deadline.clear();
  }
}

/** The two deadlines of one candidate and the caller's signal in one signal. */
class Deadline {
  readonly #controller = new AbortController();
  readonly #began = performance.now();
  #heard = this.#began;
  #timer!: ReturnType<typeof setTimeout>;

  constructor(
    private readonly options: RouterOptions,
    private readonly model: string,
    private readonly caller: AbortSignal,
  ) {
    caller.addEventListener("abort", this.#abort);
    this.#check();
  }

  get signal(): AbortSignal {
    return this.#controller.signal;
  }

  /** Rejects with the signal's reason when it is aborted. */
  passed(): Promise<never> {
    return new Promise((_, reject) => {
      const { signal } = this;
      signal.addEventListener("abort", () => reject(signal.reason), { once: true });
    });
  }

  /** Something arrived. Cheap: called for every piece, so it moves no timer. */
  touch() {
    this.#heard = performance.now();
  }

  clear() {
    clearTimeout(this.#timer);
    this.caller.removeEventListener("abort", this.#abort);
  }

  readonly #abort = () => this.#controller.abort(this.caller.reason);

  /** Looks at both deadlines when the first of them may have passed: one timer serves both. */
  readonly #check = () => {
    const { timeout_ms, stall_timeout_ms } = this.options;
    const now = performance.now();
    const whole = this.#began + timeout_ms - now;
    const stall = this.#heard + stall_timeout_ms - now;
    if (whole <= 0) this.#expire(`no complete answer within ${timeout_ms} ms`);
    else if (stall <= 0) this.#expire(`nothing arrived for ${stall_timeout_ms} ms`);
    else this.#timer = setTimeout(this.#check, Math.ceil(Math.min(whole, stall)));
  };

  #expire(why: string) {
    this.#controller.abort(
      new OrchestratorError(
        "model_timeout",
        `Cannot get an answer from ${this.model}: ${why}. Try again, or allow more time.`,
        { kind: "retryable" },
      ),
    );
  }
}

function finish(
  options: RouterOptions,
  candidate: Candidate,
  { request, answer }: { request: ModelRequest; answer: ModelAnswer },
  failures: Failure[],
): ModelAnswer {
  const wasted = failures.map(({ usage = NO_USAGE }) => usage);
  const billed = bill(options, candidate, request, answer);
  return {
    ...billed,
    usage: wasted.reduce(addUsage, billed.usage),
    model: candidate.name,
    ...(failures.length ? { failed_candidates: failures.map(toFailedCandidate) } : {}),
  };
}

/** An answer, or the beginning of one, with everything that it has used and what that costs. */
function bill<T extends Draft>(
  options: RouterOptions,
  candidate: Candidate,
  request: ModelRequest,
  draft: T,
): T {
  const usage = completeUsage(request, draft);
  return {
    ...draft,
    usage: { ...usage, cost_usd: costOf(candidate.name, usage, options.prices) },
  };
}

interface Failure {
  candidate: Candidate;
  error: OrchestratorError;
  /** What it used before it failed, if it had begun to answer. */
  usage?: Usage;
}

function toFailedCandidate({ candidate, error }: Failure): FailedCandidate {
  return { model: candidate.name, code: error.code, message: error.message };
}

/** The error of a pass in which no model answered. */
function bestOf(failures: Failure[]): OrchestratorError {
  const rank = ({ error }: Failure) =>
    error.kind === "retryable" ? error.retry_after_ms ?? 0 : Infinity;
  const { error } = failures.reduce((best, next) => rank(next) < rank(best) ? next : best);
  return new OrchestratorError(error.code, error.message, {
    kind: error.kind,
    cause: error,
    retry_after_ms: error.retry_after_ms,
    issues: error.issues,
    details: { ...error.details, failed_candidates: failures.map(toFailedCandidate) },
  });
}
