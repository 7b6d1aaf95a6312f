/**
 * OpenAI and every server that speaks its chat completions (vLLM, Ollama, OpenRouter, LiteLLM …).
 * The SDK makes the request; the stream is decoded by `sse.ts`.
 *
 * @module
 */
import type OpenAI from "openai";
import { AnswerBuilder } from "./answer.ts";
import { attempt, checked } from "./failure.ts";
import type {
  GenerateOptions,
  ModelAnswer,
  ModelClient,
  ModelMessage,
  ModelRequest,
} from "./model.ts";
import { type Names, OptionalParameters } from "./optional.ts";
import { isStrict, withJsonAsked } from "./schema.ts";
import { readEvents } from "./sse.ts";
import { type Fetch, NO_TIMEOUT_MS, platformFetch } from "./transport.ts";

type Body = OpenAI.Chat.Completions.ChatCompletionCreateParamsStreaming;
type Chunk = OpenAI.Chat.Completions.ChatCompletionChunk;

/** The names of the token limit: compatible servers mostly know the older one only. */
const LIMITS = ["max_completion_tokens", "max_tokens"] as const;
const OPTIONAL = ["temperature", "response_format", "stream_options"];

/** The address of the API itself. */
export const OPENAI_ADDRESS = "https://api.openai.com/v1";

/** Where OpenAI is and how to get in. */
export interface OpenaiOptions {
  /** Servers without keys need none. */
  apiKey?: string;
  /** An OpenAI-compatible server; OpenAI itself when absent. */
  baseUrl?: string;
  /** The provider's name in answers and errors; `openai` when absent. */
  provider?: string;
  /** Default: the platform's `fetch`. */
  fetch?: Fetch;
}

/** Makes a client of OpenAI or of a compatible server. The SDK is loaded with the first call. */
export function createOpenaiModel(options: OpenaiOptions): ModelClient {
  const { provider = "openai", baseUrl = OPENAI_ADDRESS } = options;
  const secrets = [options.apiKey ?? ""];
  const limits = baseUrl === OPENAI_ADDRESS ? LIMITS : LIMITS.toReversed();
  // A limit is never left out: its first name only can be replaced.
  const optional = new OptionalParameters([...OPTIONAL, ...limits.slice(0, 1)]);
  let sdk: Promise<OpenAI> | undefined;
  return {
    provider,
    async generate(request, { signal, ...rest }) {
      const model = request.model ?? "";
      const client = await (sdk ??= load(options));
      return await attempt({ provider, model, secrets }, signal, async () => {
        const response = await optional.send(
          model,
          (refused) => toBody(request, limits, refused),
          (body, refused) =>
            client.chat.completions
              .create(body, { signal, headers: toHeaders(request, refused) }).asResponse(),
        );
        return await readAnswer(response, `${provider}/${model}`, { signal, ...rest });
      });
    },
    async models(signal) {
      const client = await (sdk ??= load(options));
      return await attempt({ provider, model: "models", secrets }, signal, async () => {
        const page = await client.models.list({ signal });
        return page.data.map((model) => model.id);
      });
    },
  };
}

async function load(options: OpenaiOptions): Promise<OpenAI> {
  const { default: OpenAI } = await import("openai");
  return new OpenAI({
    // Servers without keys take any; the SDK wants one.
    apiKey: options.apiKey || "none",
    baseURL: options.baseUrl ?? OPENAI_ADDRESS,
    fetch: checked(options.fetch ?? platformFetch),
    maxRetries: 0,
    timeout: NO_TIMEOUT_MS,
    organization: null,
    project: null,
    logLevel: "off",
  });
}

/** A key stands for one body: the same request without a parameter has another. */
function toHeaders({ idempotency_key: key }: ModelRequest, refused: Names): Record<string, string> {
  return key ? { "Idempotency-Key": [key, ...refused].join("-") } : {};
}

function toBody(request: ModelRequest, limits: readonly string[], refused: Names): Body {
  const { output, tools, temperature, max_output_tokens } = request;
  const native = output && !refused.has("response_format");
  const messages = output && !native
    ? withJsonAsked(request.messages, output.schema)
    : request.messages;
  const limit = limits.find((name) => !refused.has(name));
  return {
    model: request.model ?? "",
    messages: messages.map(toMessage),
    stream: true,
    ...(refused.has("stream_options") ? {} : { stream_options: { include_usage: true } }),
    ...(temperature === undefined || refused.has("temperature") ? {} : { temperature }),
    ...(max_output_tokens === undefined || !limit ? {} : { [limit]: max_output_tokens }),
    ...(tools?.length
      ? { tools: tools.map((tool) => ({ type: "function" as const, function: { ...tool } })) }
      : {}),
    ...(native ? { response_format: toFormat(output) } : {}),
  };
}

function toFormat(output: NonNullable<ModelRequest["output"]>): Body["response_format"] {
  const { name, schema } = output;
  return {
    type: "json_schema",
    json_schema: {
      name: name.replace(/[^\w-]/g, "_").slice(0, 64) || "output",
      schema,
      strict: isStrict(schema),
    },
  };
}

function toMessage(message: ModelMessage): Body["messages"][number] {
  if (message.role === "tool") {
    return { role: "tool", content: message.content, tool_call_id: message.tool_call_id };
  }
  if (message.role !== "assistant" || !message.tool_calls?.length) {
    return { role: message.role, content: message.content };
  }
  return {
    role: "assistant",
    content: message.content || null,
    tool_calls: message.tool_calls.map(({ id, name, arguments: args }) => ({
      id,
      type: "function" as const,
      function: { name, arguments: args },
    })),
  };
}

const FINISH: Record<string, ModelAnswer["finish_reason"]> = {
  stop: "stop",
  length: "length",
  tool_calls: "tool_calls",
  function_call: "tool_calls",
};

async function readAnswer(
  response: Response,
  model: string,
  options: GenerateOptions,
): Promise<ModelAnswer> {
  const answer = new AnswerBuilder(options);
  await readEvents<Chunk>(response, (chunk) => {
    // Only the last chunks have it.
    const { usage } = chunk;
    if (usage) answer.count({ input: [usage.prompt_tokens], output: [usage.completion_tokens] });
    const choice = chunk.choices?.[0];
    if (!choice) return;
    if (choice.delta?.content) answer.addText(choice.delta.content);
    if (choice.delta?.refusal) answer.addRefusal(choice.delta.refusal);
    for (const call of choice.delta?.tool_calls ?? []) {
      answer.addCall(call.index, { id: call.id, ...call.function });
    }
    if (choice.finish_reason === "content_filter") answer.refusal ||= "content filter";
    if (choice.finish_reason) answer.finish_reason = FINISH[choice.finish_reason] ?? "stop";
  }, options.onActivity);
  return answer.build(model);
}
