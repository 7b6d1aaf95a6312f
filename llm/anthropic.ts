/**
 * Anthropic's messages. The SDK makes the request; the stream is decoded by `sse.ts`.
 *
 * @module
 */
import type Anthropic from "@anthropic-ai/sdk";
import { AnswerBuilder, refused } from "./answer.ts";
import { attempt, checked } from "./failure.ts";
import type {
  GenerateOptions,
  JsonSchema,
  ModelAnswer,
  ModelClient,
  ModelMessage,
  ModelRequest,
} from "./model.ts";
import { type Names, OptionalParameters } from "./optional.ts";
import { askForJson, isClosable } from "./schema.ts";
import { readEvents } from "./sse.ts";
import { type Fetch, NO_TIMEOUT_MS, platformFetch } from "./transport.ts";

type Body = Anthropic.MessageCreateParamsStreaming;
type Event = Anthropic.RawMessageStreamEvent;
type Block = Anthropic.ContentBlockParam;

const OPTIONAL = ["temperature", "output_config"];

/** The API wants a limit, and thinking counts; this one every current model takes. */
const DEFAULT_MAX_TOKENS = 32_000;

/** The address of the API itself. */
export const ANTHROPIC_ADDRESS = "https://api.anthropic.com";

/** Where Anthropic is and how to get in. */
export interface AnthropicOptions {
  apiKey: string;
  /** Another server that speaks the same API. */
  baseUrl?: string;
  /** Default: the platform's `fetch`. */
  fetch?: Fetch;
}

/** What `load` brings: the client and the SDK's own preparation of output schemas. */
interface Sdk {
  client: Anthropic;
  transformJSONSchema(schema: JsonSchema): JsonSchema;
}

/** Makes a client of Anthropic. The SDK is loaded with the first call. */
export function createAnthropicModel(options: AnthropicOptions): ModelClient {
  const provider = "anthropic";
  const secrets = [options.apiKey];
  const optional = new OptionalParameters(OPTIONAL);
  let loaded: Promise<Sdk> | undefined;
  return {
    provider,
    async generate(request, { signal, ...rest }) {
      const model = request.model ?? "";
      const sdk = await (loaded ??= load(options));
      return await attempt({ provider, model, secrets }, signal, async () => {
        const response = await optional.send(
          model,
          (refused) => toBody(request, sdk, refused),
          (body) => sdk.client.messages.create(body, { signal }).asResponse(),
        );
        return await readAnswer(response, `${provider}/${model}`, { signal, ...rest });
      });
    },
    async models(signal) {
      const { client } = await (loaded ??= load(options));
      return await attempt({ provider, model: "models", secrets }, signal, async () => {
        const page = await client.models.list({ limit: 1000 }, { signal });
        return page.data.map((model) => model.id);
      });
    },
  };
}

async function load(options: AnthropicOptions): Promise<Sdk> {
  const [{ default: Anthropic }, { transformJSONSchema }] = await Promise.all([
    import("@anthropic-ai/sdk"),
    import("@anthropic-ai/sdk/lib/transform-json-schema"),
  ]);
  const client = new Anthropic({
    apiKey: options.apiKey,
    authToken: null,
    baseURL: options.baseUrl ?? ANTHROPIC_ADDRESS,
    fetch: checked(options.fetch ?? platformFetch),
    maxRetries: 0,
    timeout: NO_TIMEOUT_MS,
    logLevel: "off",
  });
  return { client, transformJSONSchema };
}

function toBody(request: ModelRequest, sdk: Sdk, refused: Names): Body {
  const { output, tools, temperature } = request;
  const system = request.messages.filter((message) => message.role === "system")
    .map((message) => message.content);
  const native = output && !refused.has("output_config") && isClosable(output.schema);
  if (output && !native) system.push(askForJson(output.schema));
  return {
    model: request.model ?? "",
    max_tokens: request.max_output_tokens ?? DEFAULT_MAX_TOKENS,
    messages: toMessages(request.messages),
    stream: true,
    ...(system.length ? { system: system.join("\n\n") } : {}),
    ...(temperature === undefined || refused.has("temperature") ? {} : { temperature }),
    ...(tools?.length ? { tools: tools.map(toTool) } : {}),
    ...(native
      ? {
        output_config: {
          format: { type: "json_schema", schema: sdk.transformJSONSchema(output.schema) },
        },
      }
      : {}),
  };
}

function toTool(tool: NonNullable<ModelRequest["tools"]>[number]): Anthropic.Tool {
  return {
    name: tool.name,
    description: tool.description,
    input_schema: { ...tool.parameters, type: "object" },
  };
}

/** Neighbours of one role become one message: all results of a turn's tools must be in one. */
function toMessages(messages: ModelMessage[]): Anthropic.MessageParam[] {
  const turns: { role: "user" | "assistant"; content: Block[] }[] = [];
  for (const message of messages) {
    if (message.role === "system") continue;
    const role = message.role === "assistant" ? "assistant" : "user";
    const last = turns.at(-1);
    if (last?.role === role) last.content.push(...toBlocks(message));
    else turns.push({ role, content: toBlocks(message) });
  }
  return turns;
}

function toBlocks(message: ModelMessage): Block[] {
  if (message.role === "tool") {
    const { tool_call_id, content } = message;
    return [{ type: "tool_result", tool_use_id: tool_call_id, content }];
  }
  // The API refuses empty text.
  const text: Block[] = message.content ? [{ type: "text", text: message.content }] : [];
  if (message.role !== "assistant") return text;
  const calls = (message.tool_calls ?? []).map(({ id, name, arguments: args }): Block => ({
    type: "tool_use",
    id,
    name,
    input: parseArguments(args),
  }));
  return [...text, ...calls];
}

/** The loop has already reported arguments that are not JSON to the model; the API wants an object. */
function parseArguments(args: string): unknown {
  try {
    return JSON.parse(args);
  } catch {
    return {};
  }
}

const FINISH: Record<string, ModelAnswer["finish_reason"]> = {
  max_tokens: "length",
  model_context_window_exceeded: "length",
  tool_use: "tool_calls",
};

async function readAnswer(
  response: Response,
  model: string,
  options: GenerateOptions,
): Promise<ModelAnswer> {
  const answer = new AnswerBuilder(options);
  await readEvents<Event>(response, (event) => take(event, answer), options.onActivity);
  return answer.build(model);
}

/** Takes one event; true when it was the last. */
function take(event: Event, answer: AnswerBuilder): boolean {
  if (event.type === "message_start") {
    answer.count({ input: inputOf(event.message.usage) });
  } else if (event.type === "content_block_start" && event.content_block.type === "tool_use") {
    const { id, name } = event.content_block;
    answer.addCall(event.index, { id, name });
  } else if (event.type === "content_block_delta") {
    const { delta } = event;
    if (delta.type === "text_delta") answer.addText(delta.text);
    if (delta.type === "input_json_delta") {
      answer.addCall(event.index, { arguments: delta.partial_json });
    }
  } else if (event.type === "message_delta") {
    const reason = event.delta.stop_reason;
    // Some servers report the input here only.
    answer.count({ input: inputOf(event.usage), output: [event.usage?.output_tokens] });
    if (reason === "refusal") throw refused("safety");
    if (reason) answer.finish_reason = FINISH[reason] ?? "stop";
  }
  return event.type === "message_stop";
}

/** What was read from the cache or written to it is not in `input_tokens`. */
function inputOf(usage?: Partial<Anthropic.MessageDeltaUsage> | null): unknown[] {
  return [
    usage?.input_tokens,
    usage?.cache_creation_input_tokens,
    usage?.cache_read_input_tokens,
  ];
}
