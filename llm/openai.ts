/**
 * OpenAI and every server that speaks its chat completions (vLLM, Ollama, OpenRouter, LiteLLM …).
 * The stream is decoded by `sse.ts`. The SDK gives the types only: what it does for a request costs
 * more than all the rest of a call (docs/decisions/005-model-transport.md).
 *
 * @module
 */
import type OpenAI from "openai";
import { AnswerBuilder, refused } from "./answer.ts";
import { attempt, checked } from "./failure.ts";
import type {
  GenerateOptions,
  ModelAnswer,
  ModelClient,
  ModelMessage,
  ModelRequest,
} from "./model.ts";
import { isStrict } from "./schema.ts";
import { readEvents } from "./sse.ts";
import type { Fetch } from "./transport.ts";
import { version } from "../version.ts";

type Body = OpenAI.Chat.Completions.ChatCompletionCreateParamsStreaming;
type Chunk = OpenAI.Chat.Completions.ChatCompletionChunk;

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

/** What is asked of the API: `POST` when there is a body. */
interface Call {
  signal: AbortSignal;
  body?: Body;
  idempotency_key?: string;
}

/** Makes a client of OpenAI or of a compatible server. */
export function createOpenaiModel(options: OpenaiOptions): ModelClient {
  const { provider = "openai", baseUrl } = options;
  const secrets = [options.apiKey ?? ""];
  const api = createApi(options);
  return {
    provider,
    async generate(request, { signal, ...rest }) {
      const { model = "", idempotency_key } = request;
      const body = toBody(request, baseUrl !== undefined);
      return await attempt({ provider, model, secrets }, signal, async () => {
        const response = await api("/chat/completions", { signal, body, idempotency_key });
        return await readAnswer(response, `${provider}/${model}`, { signal, ...rest });
      });
    },
    async models(signal) {
      return await attempt({ provider, model: "models", secrets }, signal, async () => {
        const { data }: { data: { id: string }[] } = await (await api("/models", { signal }))
          .json();
        return data.map((model) => model.id);
      });
    },
  };
}

function createApi(options: OpenaiOptions): (path: string, call: Call) => Promise<Response> {
  const base = new URL(options.baseUrl ?? "https://api.openai.com/v1");
  const send = checked(options.fetch ?? fetch);
  const common = {
    "accept": "application/json",
    // Servers without keys take any.
    "authorization": `Bearer ${options.apiKey || "none"}`,
    "user-agent": `orchestrator/${version}`,
  };
  return (path, { signal, body, idempotency_key }) => {
    const url = new URL(base);
    url.pathname = url.pathname.replace(/\/*$/, path);
    return send(url, {
      signal,
      method: body ? "POST" : "GET",
      headers: {
        ...common,
        ...(body ? { "content-type": "application/json" } : {}),
        ...(idempotency_key ? { "idempotency-key": idempotency_key } : {}),
      },
      ...(body ? { body: JSON.stringify(body) } : {}),
    });
  };
}

function toBody(request: ModelRequest, compatible: boolean): Body {
  const { output, tools, temperature, max_output_tokens: limit } = request;
  return {
    model: request.model ?? "",
    messages: request.messages.map(toMessage),
    stream: true,
    stream_options: { include_usage: true },
    ...(temperature === undefined ? {} : { temperature }),
    // Compatible servers mostly know the older name only.
    ...(limit === undefined
      ? {}
      : compatible
      ? { max_tokens: limit }
      : { max_completion_tokens: limit }),
    ...(tools?.length
      ? { tools: tools.map((tool) => ({ type: "function" as const, function: { ...tool } })) }
      : {}),
    ...(output ? { response_format: toFormat(output) } : {}),
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
  let refusal = "";
  await readEvents<Chunk>(response, (chunk) => {
    if (chunk.usage) {
      answer.input_tokens = chunk.usage.prompt_tokens ?? 0;
      answer.output_tokens = chunk.usage.completion_tokens ?? 0;
    }
    const choice = chunk.choices?.[0];
    if (!choice) return;
    if (choice.delta?.content) answer.addText(choice.delta.content);
    if (choice.delta?.refusal) refusal += choice.delta.refusal;
    for (const call of choice.delta?.tool_calls ?? []) {
      answer.addCall(call.index, { id: call.id, ...call.function });
    }
    if (choice.finish_reason === "content_filter") throw refused("content filter");
    if (choice.finish_reason) answer.finish_reason = FINISH[choice.finish_reason] ?? "stop";
  }, options.onActivity);
  if (refusal) throw refused(refusal.slice(0, 200));
  return answer.build(model);
}
