/**
 * Vectors of texts from OpenAI and every server that speaks its `/embeddings` (Ollama, vLLM, LiteLLM,
 * text-embeddings-inference …).
 *
 * @module
 */
import type OpenAI from "openai";
import { OrchestratorError, toOrchestratorError } from "../errors.ts";
import { attempt, checked } from "./failure.ts";
import { type Fetch, platformFetch } from "./transport.ts";

/** Texts of one request: every known server takes as many. */
const BATCH = 64;
/** What a model reads of a text at least, in characters; what comes after is cut off. */
const MAX_CHARS = 8_000;
const MAX_ATTEMPTS = 4;
const FIRST_DELAY_MS = 250;
/** A longer wait is the caller's to decide about: it gets the error, which says how long. */
const MAX_DELAY_MS = 10_000;
const PROVIDER = "embeddings";

/** Turns texts into vectors. */
export interface Embedder {
  /** Vectors of different models cannot be compared. */
  readonly model: string;
  /**
   * One vector for each text, all of the same length. Tries again what may pass.
   *
   * @throws `model_*`; what aborted `signal`
   */
  embed(texts: string[], signal: AbortSignal): Promise<number[][]>;
}

/** Where the model is and how to get in. */
export interface EmbedderOptions {
  model: string;
  /** Up to `/embeddings`, without it. */
  baseUrl: string;
  /** Servers without keys need none. */
  apiKey?: string;
  /** For one request. */
  timeout_ms: number;
  /** Default: the platform's `fetch`. */
  fetch?: Fetch;
  /** Rejects when `signal` aborts. */
  sleep(ms: number, signal: AbortSignal): Promise<void>;
}

/** Makes an embedder. The SDK is loaded with the first call. */
export function createEmbedder(options: EmbedderOptions): Embedder {
  const { model } = options;
  let sdk: Promise<OpenAI> | undefined;
  const ask = async (texts: string[], signal: AbortSignal): Promise<number[][]> => {
    const client = await (sdk ??= load(options));
    const call = { provider: PROVIDER, model, secrets: [options.apiKey ?? ""] };
    return await attempt(call, signal, async () => {
      const { data } = await client.embeddings.create({
        model,
        input: texts.map((text) => text.slice(0, MAX_CHARS) || " "),
        encoding_format: "float",
      }, { signal });
      return inOrder(model, texts.length, data);
    });
  };
  return {
    model,
    async embed(texts, signal) {
      const vectors: number[][] = [];
      for (let at = 0; at < texts.length; at += BATCH) {
        const batch = texts.slice(at, at + BATCH);
        vectors.push(...await persist(() => ask(batch, signal), options.sleep, signal));
      }
      return vectors;
    },
  };
}

async function load(options: EmbedderOptions): Promise<OpenAI> {
  const { default: OpenAI } = await import("openai");
  return new OpenAI({
    // Servers without keys take any; the SDK wants one.
    apiKey: options.apiKey || "none",
    baseURL: options.baseUrl,
    fetch: checked(options.fetch ?? platformFetch),
    maxRetries: 0,
    timeout: options.timeout_ms,
    organization: null,
    project: null,
    logLevel: "off",
  });
}

/** Tries again after failures that may pass, with pauses that double. */
async function persist<T>(
  ask: () => Promise<T>,
  sleep: EmbedderOptions["sleep"],
  signal: AbortSignal,
): Promise<T> {
  for (let attempt = 1;; attempt++) {
    try {
      return await ask();
    } catch (thrown) {
      signal.throwIfAborted();
      const error = toOrchestratorError(thrown);
      const asked = error.retry_after_ms ?? 0;
      const isLast = attempt === MAX_ATTEMPTS || asked > MAX_DELAY_MS;
      if (error.kind !== "retryable" || isLast) throw error;
      await sleep(Math.max(FIRST_DELAY_MS * 2 ** (attempt - 1), asked), signal);
    }
  }
}

/** The vectors in the order of the texts. @throws `model_bad_output` */
function inOrder(
  model: string,
  count: number,
  data: { index: number; embedding: number[] }[],
): number[][] {
  const vectors: number[][] = [];
  for (const { index, embedding } of data) vectors[index] = embedding;
  const size = vectors[0]?.length ?? 0;
  const complete = vectors.length === count && size > 0 &&
    Array.from(vectors).every((vector) =>
      Array.isArray(vector) && vector.length === size && vector.every(Number.isFinite)
    );
  if (complete) return vectors;
  throw new OrchestratorError(
    "model_bad_output",
    `Cannot use the vectors of ${PROVIDER}/${model}: they are not one per text, all of the same ` +
      "length. Choose another EMBEDDING_MODEL.",
  );
}
