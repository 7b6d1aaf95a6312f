/** An A2A agent made with the SDK's own server, over JSON-RPC. @module */
import type { AgentCard, Message, Part } from "@a2a-js/sdk";
import { Role, TaskState } from "@a2a-js/sdk";
import { LegacyJsonRpcTransportHandler } from "@a2a-js/sdk/compat/v0_3/server";
import {
  AgentEvent,
  type AgentExecutor,
  DefaultRequestHandler,
  type ExecutionEventBus,
  InMemoryTaskStore,
  JsonRpcTransportHandler,
  type RequestContext,
  ServerCallContext,
} from "@a2a-js/sdk/server";

/** What the agent does with a message. */
export type Execute = (context: RequestContext, say: Say, signal: AbortSignal) => Promise<void>;

/** How it answers. */
export interface Say {
  message(...parts: Part[]): void;
  task(): void;
  status(state: TaskState, ...parts: Part[]): void;
  artifact(id: string, parts: Part[], append?: boolean): void;
}

/** A running agent. */
export interface MockA2a {
  url: string;
  card: AgentCard;
  requests: { path: string; method?: string; headers: Headers; params?: unknown }[];
  cancelled: string[];
  /** Answers instead of the agent when it gives a response. */
  intercept?: (method: string | undefined) => Response | undefined;
  stop(): Promise<void>;
}

/** A text part. */
export const text = (value: string): Part => part({ $case: "text", value });
/** A part of any kind. */
export const part = (content: Part["content"], filename = "", mediaType = ""): Part => ({
  content,
  filename,
  mediaType,
  metadata: undefined,
});

/** Starts an agent on a free port. `legacy`: one that speaks 0.3 only. */
export function startA2a(
  execute: Execute,
  { streaming = true, legacy = false } = {},
): MockA2a {
  const running = new Map<string, AbortController>();
  const executor: AgentExecutor = {
    async execute(context, bus) {
      const stop = new AbortController();
      running.set(context.taskId, stop);
      await execute(context, sayOn(context, bus), stop.signal);
      running.delete(context.taskId);
      bus.finished();
    },
    cancelTask(id, bus) {
      mock.cancelled.push(id);
      bus.publish(AgentEvent.statusUpdate({
        taskId: id,
        contextId: "",
        status: { state: TaskState.TASK_STATE_CANCELED, message: undefined, timestamp: undefined },
        metadata: undefined,
      }));
      running.get(id)?.abort();
      return Promise.resolve();
    },
  };
  const http = Deno.serve({ port: 0, hostname: "127.0.0.1", onListen() {} }, async (request) => {
    const { pathname: path } = new URL(request.url);
    const body = request.method === "POST" ? await request.json() : undefined;
    const { headers } = request;
    mock.requests.push({ path, method: body?.method, headers, params: body?.params });
    const instead = mock.intercept?.(body?.method);
    if (instead) return instead;
    if (!body) return Response.json(legacy ? legacyCard(mock.card) : mock.card);
    const context = new ServerCallContext({ requestedVersion: legacy ? "0.3" : "1.0" });
    const answer = await rpc.handle(body, context);
    return Symbol.asyncIterator in answer ? eventStream(answer) : Response.json(answer);
  });
  const url = `http://127.0.0.1:${http.addr.port}`;
  const card = cardOf(`${url}/rpc`, streaming);
  const handler = new DefaultRequestHandler(card, new InMemoryTaskStore(), executor);
  const rpc = legacy
    ? new LegacyJsonRpcTransportHandler(handler)
    : new JsonRpcTransportHandler(handler);
  const mock: MockA2a = {
    url,
    card,
    requests: [],
    cancelled: [],
    stop: () => http.shutdown(),
  };
  return mock;
}

function cardOf(url: string, streaming: boolean): AgentCard {
  return {
    name: "mock",
    description: "An agent for tests.",
    supportedInterfaces: [{ url, protocolBinding: "JSONRPC", tenant: "", protocolVersion: "1.0" }],
    provider: undefined,
    version: "1.0.0",
    capabilities: { streaming, pushNotifications: false, extensions: [] },
    securitySchemes: {},
    securityRequirements: [],
    defaultInputModes: ["text/plain"],
    defaultOutputModes: ["text/plain"],
    skills: [],
    signatures: [],
  };
}

/** The same card as 0.3 writes it. */
function legacyCard({ name, description, version, capabilities, supportedInterfaces }: AgentCard) {
  return {
    protocolVersion: "0.3.0",
    name,
    description,
    version,
    url: supportedInterfaces[0]?.url,
    preferredTransport: "JSONRPC",
    capabilities: { streaming: capabilities?.streaming },
    defaultInputModes: ["text/plain"],
    defaultOutputModes: ["text/plain"],
    skills: [],
  };
}

function sayOn({ taskId, contextId, userMessage }: RequestContext, bus: ExecutionEventBus): Say {
  const says = (parts: Part[]): Message => ({
    messageId: crypto.randomUUID(),
    contextId,
    taskId,
    role: Role.ROLE_AGENT,
    parts,
    metadata: undefined,
    extensions: [],
    referenceTaskIds: [],
  });
  const status = (state: TaskState, parts: Part[] = []) => ({
    state,
    message: parts.length > 0 ? says(parts) : undefined,
    timestamp: undefined,
  });
  return {
    message: (...parts) => bus.publish(AgentEvent.message(says(parts))),
    task: () =>
      bus.publish(AgentEvent.task({
        id: taskId,
        contextId,
        status: status(TaskState.TASK_STATE_WORKING),
        artifacts: [],
        history: [userMessage],
        metadata: undefined,
      })),
    status: (state, ...parts) =>
      bus.publish(AgentEvent.statusUpdate({
        taskId,
        contextId,
        status: status(state, parts),
        metadata: undefined,
      })),
    artifact: (artifactId, parts, append = false) =>
      bus.publish(AgentEvent.artifactUpdate({
        taskId,
        contextId,
        artifact: {
          artifactId,
          name: "",
          description: "",
          parts,
          metadata: undefined,
          extensions: [],
        },
        append,
        lastChunk: true,
        metadata: undefined,
      })),
  };
}

function eventStream(answers: AsyncIterable<unknown>): Response {
  const encoder = new TextEncoder();
  const iterator = answers[Symbol.asyncIterator]();
  const body = new ReadableStream<Uint8Array>({
    async pull(controller) {
      const { done, value } = await iterator.next();
      if (done) controller.close();
      else controller.enqueue(encoder.encode(`data: ${JSON.stringify(value)}\n\n`));
    },
  });
  return new Response(body, { headers: { "content-type": "text/event-stream" } });
}
