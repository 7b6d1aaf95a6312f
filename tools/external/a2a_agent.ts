/**
 * Agents that speak A2A 1.0, or 0.3.
 *
 * 1. The card is read for each call: what it says holds for that call only.
 * 2. A task that its caller gave up is cancelled, as soon as its id is known.
 * 3. The token goes to the configured origin, wherever the card points.
 *
 * @module
 */
import type { Message, Part, SendMessageRequest } from "@a2a-js/sdk";
import type { Client } from "@a2a-js/sdk/client";
import type { ExternalAgent } from "../../config/external.ts";
import { OrchestratorError, sentence } from "../../errors.ts";
import type { Egress } from "../../guard/mod.ts";
import type { Json, JsonSchema } from "../../json/mod.ts";
import { guardedFetch } from "../guarded_fetch.ts";
import { type Artifact, distinct, type ToolScope } from "../tool.ts";
import { Reply } from "./a2a_task.ts";
import { mustSucceed } from "./answer.ts";
import { bearer, MAX_ANSWER_BYTES } from "./json_service.ts";

/** What the tool of such an agent takes. */
export const A2A_AGENT_INPUT: JsonSchema = {
  type: "object",
  properties: {
    prompt: { type: "string", minLength: 1, description: "What to ask, in full." },
    context: { description: "Additional context for the agent: any JSON." },
    task_id: { type: "string", description: "ID of the task that asked for more input." },
    context_id: {
      type: "string",
      description: "ID of the context of an earlier answer, to continue from it.",
    },
  },
  required: ["prompt"],
  additionalProperties: false,
};

/** What asking needs. */
export interface A2aDeps {
  egress: Egress;
  /** @throws what aborted `signal` */
  sleep: (ms: number, signal: AbortSignal) => Promise<void>;
}

const FIRST_POLL_MS = 250;
const LAST_POLL_MS = 5000;
const CANCEL_MS = 5000;

/**
 * Asks one and waits for the end of its task.
 *
 * @throws `tool_failed`, `tool_bad_output`, `egress_*`, `response_too_large`, what aborted the signal
 */
export async function askA2aAgent(
  { egress, sleep }: A2aDeps,
  agent: ExternalAgent,
  args: Record<string, Json>,
  scope: ToolScope,
): Promise<Json> {
  const { signal } = scope;
  const reply = new Reply();
  let client: Client | undefined;
  try {
    client = await connect(egress, agent, signal);
    await send(client, await requestOf(args, scope), reply, signal);
    for (
      let wait = FIRST_POLL_MS;
      !await isSettled(reply);
      wait = Math.min(wait * 2, LAST_POLL_MS)
    ) {
      await sleep(wait, signal);
      const { id } = reply.task!;
      reply.replace(await client.getTask({ tenant: "", id }, { signal }));
    }
  } catch (error) {
    if (signal.aborted && client && reply.task) await cancel(client, reply.task.id);
    throw failure(agent.name, error, signal);
  }
  return await resultOf(agent.name, reply, scope);
}

async function connect(egress: Egress, agent: ExternalAgent, signal: AbortSignal): Promise<Client> {
  const { ClientFactory, DefaultAgentCardResolver, JsonRpcTransportFactory, RestTransportFactory } =
    await import("@a2a-js/sdk/client");
  const guarded = guardedFetch(egress, {
    url: agent.url,
    secret_headers: () => bearer(agent.auth_token),
    max_bytes: MAX_ANSWER_BYTES,
    timeout_ms: agent.timeout_ms,
  });
  const fetchImpl: typeof fetch = async (input, init) => {
    const url = input instanceof Request ? input.url : String(input);
    const response = await guarded(url, { ...init, signal: init?.signal ?? signal });
    const { status, headers } = response;
    // Other statuses come with a reason that the SDK understands.
    if (status < 500 && ![401, 403, 408, 429].includes(status)) return response;
    const body = new Uint8Array(await response.arrayBuffer());
    mustSucceed(`agent ${agent.name}`, { url, status, headers, body });
    return response;
  };
  const options = { fetchImpl, legacyCompat: { enabled: true } };
  const factory = new ClientFactory({
    transports: [new JsonRpcTransportFactory(options), new RestTransportFactory(options)],
    preferredTransports: ["JSONRPC"],
    cardResolver: new DefaultAgentCardResolver(options),
    // An agent that cannot stream tells its task's id at once, so that the task can be cancelled.
    clientConfig: { polling: true },
  });
  const { pathname } = new URL(agent.url);
  return await factory.createFromUrl(agent.url, pathname.endsWith(".json") ? pathname : undefined);
}

async function requestOf(
  { prompt, context, task_id, context_id }: Record<string, Json>,
  scope: ToolScope,
): Promise<SendMessageRequest> {
  const { Role } = await import("@a2a-js/sdk");
  const part = (content: Part["content"], mediaType: string): Part => ({
    content,
    mediaType,
    filename: "",
    metadata: undefined,
  });
  const message: Message = {
    // The same for each attempt of a call: an agent can tell a repeated message.
    messageId: scope.idempotency_key,
    contextId: String(context_id ?? ""),
    taskId: String(task_id ?? ""),
    role: Role.ROLE_USER,
    parts: [
      part({ $case: "text", value: String(prompt) }, "text/plain"),
      ...(context === undefined
        ? []
        : [part({ $case: "data", value: context }, "application/json")]),
    ],
    metadata: { user_id: scope.caller.actor },
    extensions: [],
    referenceTaskIds: [],
  };
  return { tenant: "", message, configuration: undefined, metadata: undefined };
}

/** Follows the stream, or takes the one answer of an agent that has none. */
async function send(
  client: Client,
  request: SendMessageRequest,
  reply: Reply,
  signal: AbortSignal,
): Promise<void> {
  const { capabilities } = await client.getAgentCard({ signal });
  if (!capabilities?.streaming) {
    const answer = await client.sendMessage(request, { signal });
    if ("messageId" in answer) reply.message = answer;
    else reply.replace(answer);
    return;
  }
  try {
    for await (const update of client.sendMessageStream(request, { signal })) {
      reply.apply(update);
      if (await isSettled(reply)) return;
    }
  } catch (error) {
    // A stream that broke leaves a task that can be asked for.
    if (signal.aborted || error instanceof OrchestratorError || !reply.task) throw error;
  }
  if (!reply.task && !reply.message) throw new Error("its answer was empty");
}

/** True when nothing more comes by itself. */
async function isSettled({ message, state }: Reply): Promise<boolean> {
  const { TaskState } = await import("@a2a-js/sdk");
  const going: Reply["state"][] = [
    undefined,
    TaskState.TASK_STATE_UNSPECIFIED,
    TaskState.TASK_STATE_SUBMITTED,
    TaskState.TASK_STATE_WORKING,
  ];
  return message !== undefined || !going.includes(state);
}

/** Best effort: the caller is gone. */
async function cancel(client: Client, id: string): Promise<void> {
  const late = new AbortController();
  const timer = setTimeout(() => late.abort(), CANCEL_MS);
  await client.cancelTask({ tenant: "", id, metadata: undefined }, { signal: late.signal })
    .catch(() => {});
  clearTimeout(timer);
}

async function resultOf(name: string, reply: Reply, { keep }: ToolScope): Promise<Json> {
  const { TaskState } = await import("@a2a-js/sdk");
  const isAsking = reply.state === TaskState.TASK_STATE_INPUT_REQUIRED;
  const isDone = reply.message !== undefined || reply.state === TaskState.TASK_STATE_COMPLETED;
  const text = isDone ? reply.words() : reply.remark();
  if (!isDone && !isAsking) {
    const state = TaskState[reply.state!]?.replace("TASK_STATE_", "").toLowerCase();
    const why = `its task is ${state}${text ? `: ${text.slice(0, 1000)}` : ""}`;
    throw new OrchestratorError(
      "tool_failed",
      `Cannot get an answer of agent ${name}: ${sentence(why)}`,
    );
  }
  return {
    ...await contentOf(text, reply.parts(), keep),
    ...(isAsking ? { status: "input_required" } : {}),
    ...(reply.task ? { task_id: reply.task.id, context_id: reply.task.contextId } : {}),
  };
}

/** Words are the answer, or data where there are none; files are kept. */
async function contentOf(text: string, parts: Part[], keep: ToolScope["keep"]) {
  const data: Json[] = [];
  const links: string[] = [];
  const files: Artifact[] = [];
  for (const { content, filename, mediaType } of parts) {
    if (content?.$case === "data") data.push(content.value as Json);
    if (content?.$case === "url") links.push(content.value);
    if (content?.$case !== "raw") continue;
    const name = distinct(filename.split(/[/\\]/).at(-1) || "file", files);
    const type = mediaType || "application/octet-stream";
    files.push(await keep({ name, type, bytes: new Uint8Array(content.value) }));
  }
  return {
    answer: text || (data.length > 1 ? data : data[0] ?? ""),
    ...(text && data.length > 0 ? { data } : {}),
    ...(files.length > 0 ? { files: files.map((file) => ({ ...file })) } : {}),
    ...(links.length > 0 ? { links } : {}),
  };
}

/** Errors of the SDK are what the agent said, or said wrongly. */
function failure(name: string, error: unknown, signal: AbortSignal): unknown {
  if (signal.aborted) return signal.reason;
  if (error instanceof OrchestratorError) return error;
  const why = (error instanceof Error ? error.message : String(error)).slice(0, 1000);
  const message = `Cannot get an answer of agent ${name}: ${
    sentence(why)
  } Check its address and its card.`;
  // Errors of connections have a code in words.
  const broke = typeof (error as { code?: unknown } | undefined)?.code === "string";
  const kind = broke ? "retryable" : "terminal";
  return new OrchestratorError("tool_failed", message, { kind, cause: error });
}
