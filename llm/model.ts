/**
 * The port to language models. Everything above it (the agent loop) speaks these types only; every
 * provider is an adapter of {@linkcode ModelClient}.
 *
 * @module
 */
import type { JsonSchema } from "../json/mod.ts";
import type { Usage } from "../telemetry/mod.ts";

export type { JsonSchema };

/** One message of a model conversation. */
export type ModelMessage =
  | { role: "system" | "user"; content: string }
  | { role: "assistant"; content: string; tool_calls?: ToolCall[] }
  | { role: "tool"; content: string; tool_call_id: string; name: string };

/** A tool the model may call. */
export interface ToolSpec {
  name: string;
  description: string;
  parameters: JsonSchema;
}

/** A call the model asks for. `arguments` is the raw JSON text as the model wrote it. */
export interface ToolCall {
  id: string;
  name: string;
  arguments: string;
}

/** One request for one answer. */
export interface ModelRequest {
  /** `provider/model`, a bare model name of the default provider, or nothing for the default. */
  model?: string;
  messages: ModelMessage[];
  /** Who asks: providers with one project per agent (CustomGPT) and the offline model need it. */
  agent?: { name: string; capabilities: string[] };
  /**
   * The data that the prompt was rendered from (`{ask, context, documents, research, plan, draft…}`).
   * Remote providers ignore it; the offline model works on it instead of parsing prose.
   */
  input?: unknown;
  /** The answer must be JSON of this schema. */
  output?: { name: string; schema: JsonSchema };
  tools?: ToolSpec[];
  temperature?: number;
  max_output_tokens?: number;
  /** Sent to providers that honour idempotency keys. */
  idempotency_key?: string;
}

/** A place an answer is based on. */
export interface Citation {
  title?: string;
  url?: string;
}

/** One candidate that failed before another one of the fallback list answered. */
export interface FailedCandidate {
  model: string;
  code: string;
  message: string;
}

/** What a model answered. Plain JSON: it is journaled as it is. */
export interface ModelAnswer {
  /** The whole text, also when it was streamed. */
  text: string;
  tool_calls: ToolCall[];
  finish_reason: "stop" | "length" | "tool_calls" | "content_filter";
  usage: Usage;
  /** `provider/model` that answered; `offline` for the offline model. */
  model: string;
  citations?: Citation[];
  failed_candidates?: FailedCandidate[];
}

/** How far an answer has come. */
export type Draft = Pick<ModelAnswer, "text" | "tool_calls" | "usage">;

/** How to deliver an answer while it is made. */
export interface GenerateOptions {
  /** Aborting it ends the call with its `reason` thrown. */
  signal: AbortSignal;
  /** Called with each piece of text. */
  onDelta?: (text: string) => void;
  /** Called when text that was delivered is void because another candidate starts over. */
  onReset?: () => void;
  /**
   * Called when an answer begins, once per candidate. `draft` tells how far it has come: what it has
   * used has to be paid, also when it is never finished.
   */
  onDraft?: (draft: () => Draft) => void;
  /** Called when anything arrived, text or not: the provider is alive. */
  onActivity?: () => void;
}

/**
 * One provider. `generate` makes exactly one attempt and throws an
 * `OrchestratorError` with a `model_*` code: `retryable` for 408, 409, 429, 5xx, connection errors
 * and time-outs (with `retry_after_ms` where the provider said so), `terminal` otherwise.
 */
export interface ModelClient {
  readonly provider: string;
  generate(request: ModelRequest, options: GenerateOptions): Promise<ModelAnswer>;
  /** Names of the models on offer; used by `check --online`. */
  models(signal: AbortSignal): Promise<string[]>;
  /**
   * Which of the models that may answer a request for `model` have no price: a budget in US dollars
   * cannot hold for them. Absent for clients that know no prices.
   *
   * @throws `model_not_configured`
   */
  unpriced?(model?: string): string[];
}
