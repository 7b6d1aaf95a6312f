/**
 * Google's Gemini through its SDK, which decodes the stream itself.
 *
 * @module
 */
import type {
  Content,
  GenerateContentConfig,
  GenerateContentResponse,
  GoogleGenAI,
  Part,
} from "@google/genai";
import { AnswerBuilder, badOutput, refused } from "./answer.ts";
import { attempt, checked } from "./failure.ts";
import type {
  GenerateOptions,
  ModelAnswer,
  ModelClient,
  ModelMessage,
  ModelRequest,
} from "./model.ts";
import { OrchestratorError } from "../errors.ts";
import { type Names, OptionalParameters } from "./optional.ts";
import { withJsonAsked } from "./schema.ts";
import { type Fetch, platformFetch } from "./transport.ts";

const OPTIONAL = ["temperature", "responseMimeType", "responseJsonSchema"];

/** The SDK searches an unfinished event again with each read, without a limit: lines get one. */
const MAX_LINE_BYTES = 1024 * 1024;
const NEWLINE = 10;

/** The address of the API itself. */
export const GOOGLE_ADDRESS = "https://generativelanguage.googleapis.com";

/** Where Gemini is and how to get in. */
export interface GoogleOptions {
  apiKey: string;
  /** Another server that speaks the same API. */
  baseUrl?: string;
  /** Default: the platform's `fetch`. */
  fetch?: Fetch;
}

/** Makes a client of Gemini. The SDK is loaded with the first call. */
export function createGoogleModel(options: GoogleOptions): ModelClient {
  const provider = "google";
  const secrets = [options.apiKey];
  const optional = new OptionalParameters(OPTIONAL);
  let sdk: Promise<GoogleGenAI> | undefined;
  return {
    provider,
    async generate(request, { signal, ...rest }) {
      const model = request.model ?? "";
      const client = await (sdk ??= load(options));
      return await attempt({ provider, model, secrets }, signal, async () => {
        // The SDK does not close the connection of a stream that is left early.
        const leave = new AbortController();
        const abortSignal = AbortSignal.any([signal, leave.signal]);
        const contents = toContents(request.messages);
        const stream = await optional.send(model, (names) => toConfig(request, names), (config) => {
          const body = { model, contents, config: { ...config, abortSignal } };
          return client.models.generateContentStream(body);
        });
        try {
          return await readAnswer(stream, `${provider}/${model}`, { signal, ...rest });
        } finally {
          leave.abort();
        }
      });
    },
    async models(signal) {
      const client = await (sdk ??= load(options));
      return await attempt({ provider, model: "models", secrets }, signal, async () => {
        const pager = await client.models.list({ config: { pageSize: 1000, abortSignal: signal } });
        return pager.page.map((model) => (model.name ?? "").replace(/^models\//, ""));
      });
    },
  };
}

async function load(options: GoogleOptions): Promise<GoogleGenAI> {
  const { GoogleGenAI } = await import("@google/genai");
  return new GoogleGenAI({
    apiKey: options.apiKey,
    vertexai: false,
    httpOptions: {
      baseUrl: options.baseUrl ?? GOOGLE_ADDRESS,
      fetch: limited(checked(options.fetch ?? platformFetch)),
    },
  });
}

/** A `fetch` whose bodies break off with `model_bad_output` at a line above the limit. */
function limited(fetchLike: Fetch): Fetch {
  return async (input, init) => {
    const response = await fetchLike(input, init);
    let length = 0;
    const body = response.body?.pipeThrough(
      new TransformStream<Uint8Array<ArrayBuffer>, Uint8Array<ArrayBuffer>>({
        transform(chunk, controller) {
          const end = chunk.lastIndexOf(NEWLINE);
          length = end < 0 ? length + chunk.length : chunk.length - end;
          if (length > MAX_LINE_BYTES) throw badOutput();
          controller.enqueue(chunk);
        },
      }),
    );
    return new Response(body, { status: response.status, headers: response.headers });
  };
}

function toConfig(request: ModelRequest, refused: Names): GenerateContentConfig {
  const { output, tools, temperature, max_output_tokens } = request;
  // One does not go without the other.
  const native = output && !refused.has("responseMimeType") && !refused.has("responseJsonSchema");
  const messages = output && !native
    ? withJsonAsked(request.messages, output.schema)
    : request.messages;
  const system = messages.filter((message) => message.role === "system");
  return {
    ...(system.length
      ? { systemInstruction: system.map((message) => message.content).join("\n\n") }
      : {}),
    ...(temperature === undefined || refused.has("temperature") ? {} : { temperature }),
    ...(max_output_tokens === undefined ? {} : { maxOutputTokens: max_output_tokens }),
    ...(native ? { responseMimeType: "application/json", responseJsonSchema: output.schema } : {}),
    ...(tools?.length
      ? {
        tools: [{
          functionDeclarations: tools.map(({ name, description, parameters }) => ({
            name,
            description,
            parametersJsonSchema: parameters,
          })),
        }],
      }
      : {}),
  };
}

/** Neighbours of one role become one turn: all results of a turn's tools must be in one. */
function toContents(messages: ModelMessage[]): Content[] {
  const contents: { role: string; parts: Part[] }[] = [];
  for (const message of messages) {
    if (message.role === "system") continue;
    const role = message.role === "assistant" ? "model" : "user";
    const last = contents.at(-1);
    if (last?.role === role) last.parts.push(...toParts(message));
    else contents.push({ role, parts: toParts(message) });
  }
  return contents;
}

function toParts(message: ModelMessage): Part[] {
  if (message.role === "tool") {
    return [{ functionResponse: { name: message.name, response: { output: message.content } } }];
  }
  const text: Part[] = message.content ? [{ text: message.content }] : [];
  if (message.role !== "assistant") return text;
  return [...text, ...(message.tool_calls ?? []).map(toCallPart)];
}

/**
 * Newer models want the signature of their reasoning back with each call, and a conversation has no
 * place for it but the call's id, which only this adapter reads: `call_0.SIGNATURE`.
 */
function toCallPart(call: { id: string; name: string; arguments: string }): Part {
  const [, signature] = call.id.split(".", 2);
  return {
    functionCall: { name: call.name, args: parseArguments(call.arguments) },
    ...(signature ? { thoughtSignature: signature } : {}),
  };
}

function parseArguments(args: string): Record<string, unknown> {
  try {
    return JSON.parse(args);
  } catch {
    return {}; // the loop has already reported it to the model
  }
}

const FINISH: Record<string, ModelAnswer["finish_reason"]> = {
  STOP: "stop",
  MAX_TOKENS: "length",
};
const BROKEN = new Set([
  "MALFORMED_FUNCTION_CALL",
  "UNEXPECTED_TOOL_CALL",
  "TOO_MANY_TOOL_CALLS",
  "MALFORMED_RESPONSE",
]);

async function readAnswer(
  stream: AsyncIterable<GenerateContentResponse>,
  model: string,
  options: GenerateOptions,
): Promise<ModelAnswer> {
  const answer = new AnswerBuilder(options);
  for await (const chunk of stream) {
    options.onActivity?.();
    take(chunk, answer);
  }
  return answer.build(model);
}

function take(chunk: GenerateContentResponse, answer: AnswerBuilder) {
  const { usageMetadata: usage, promptFeedback, candidates } = chunk;
  answer.count({
    input: [usage?.promptTokenCount],
    output: [usage?.candidatesTokenCount, usage?.thoughtsTokenCount],
  });
  if (promptFeedback?.blockReason) throw refused(promptFeedback.blockReason);
  const [candidate] = candidates ?? [];
  for (const part of candidate?.content?.parts ?? []) takePart(part, answer);
  if (candidate?.finishReason) answer.finish_reason = finishOf(candidate.finishReason);
}

function takePart(part: Part, answer: AnswerBuilder) {
  if (part.text && !part.thought) answer.addText(part.text);
  if (!part.functionCall) return;
  const index = answer.calls;
  const signature = part.thoughtSignature ? `.${part.thoughtSignature}` : "";
  answer.addCall(index, {
    id: `call_${index}${signature}`,
    name: part.functionCall.name,
    arguments: JSON.stringify(part.functionCall.args ?? {}),
  });
}

function finishOf(reason: string): ModelAnswer["finish_reason"] {
  const known = FINISH[reason];
  if (known) return known;
  if (!BROKEN.has(reason)) throw refused(reason);
  throw new OrchestratorError(
    "model_bad_output",
    `Cannot use the model's answer: it ended with ${reason}. Try another model.`,
  );
}
