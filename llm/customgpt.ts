/**
 * CustomGPT: one project per agent, over its HTTP API (conversations and messages), which has no
 * JavaScript SDK. Every call opens a new conversation: what the agent is to know is in its messages.
 *
 * @module
 */
import { OrchestratorError } from "../errors.ts";
import { AnswerBuilder } from "./answer.ts";
import { attempt, checked, StreamFailure } from "./failure.ts";
import type { Citation, GenerateOptions, ModelAnswer, ModelClient, ModelRequest } from "./model.ts";
import { askForJson } from "./schema.ts";
import { readEvents } from "./sse.ts";
import { type Fetch, platformFetch } from "./transport.ts";

/** Citations beyond this many are left out: each costs a request. */
const MAX_CITATIONS = 10;

/** The address of the API itself. */
export const CUSTOMGPT_ADDRESS = "https://app.customgpt.ai/api/v1";

/** Where CustomGPT is, how to get in and which project answers for which agent. */
export interface CustomgptOptions {
  apiKey: string;
  /** Another server that speaks the same API. */
  baseUrl?: string;
  /** Project ids by agent name. */
  projects: Record<string, string>;
  /** Default: the platform's `fetch`. */
  fetch?: Fetch;
}

/** One event of a streamed message. */
interface MessageEvent {
  status?: "start" | "progress" | "finish" | "error";
  message?: string;
  citations?: (number | string)[] | null;
}

/** Calls the API: `GET`, or `POST` when there is a body. */
type Api = (path: string, signal: AbortSignal, body?: unknown) => Promise<Response>;

/**
 * Makes a client of CustomGPT. It knows no tools, no output schemas and no token counts;
 * an output schema becomes part of the prompt.
 */
export function createCustomgptModel(options: CustomgptOptions): ModelClient {
  const provider = "customgpt";
  const secrets = [options.apiKey];
  const api = createApi(options);
  return {
    provider,
    async generate(request, { signal, ...rest }) {
      const project = projectOf(options.projects, request.agent?.name);
      return await attempt({ provider, model: project, secrets }, signal, async () => {
        const path = `/projects/${encodeURIComponent(project)}`;
        const session = await openConversation(api, path, signal);
        const body = { prompt: toPrompt(request), custom_persona: toPersona(request) };
        const response = await api(
          `${path}/conversations/${session}/messages?stream=true`,
          signal,
          body,
        );
        return await readAnswer(
          response,
          `${provider}/${project}`,
          { signal, ...rest },
          (id) => readCitation(api, `${path}/citations/${encodeURIComponent(id)}`, signal),
        );
      });
    },
    async models(signal) {
      return await attempt({ provider, model: "projects", secrets }, signal, async () => {
        const { data } = await (await api("/projects", signal)).json();
        return data.data.map((project: { id: number }) => String(project.id));
      });
    },
  };
}

function createApi(options: CustomgptOptions): Api {
  const base = (options.baseUrl ?? CUSTOMGPT_ADDRESS).replace(/\/+$/, "");
  const send = checked(options.fetch ?? platformFetch);
  return (path, signal, body) =>
    send(base + path, {
      method: body === undefined ? "GET" : "POST",
      headers: {
        "accept": "application/json",
        "authorization": `Bearer ${options.apiKey}`,
        ...(body === undefined ? {} : { "content-type": "application/json" }),
      },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
      signal,
    });
}

function projectOf(projects: Record<string, string>, agent: string | undefined): string {
  const project = agent === undefined ? undefined : projects[agent];
  if (project) return project;
  throw new OrchestratorError(
    "model_not_found",
    `Cannot call CustomGPT for the agent "${agent ?? ""}": it has no project. Set the agent's ` +
      "project in the environment (RESEARCH_AGENT_PROJECT_ID, PLANNING_AGENT_PROJECT_ID, " +
      "BUILDER_AGENT_PROJECT_ID, REVIEW_AGENT_PROJECT_ID), or set another model for the agent.",
    { details: { provider: "customgpt", agent: agent ?? null } },
  );
}

async function openConversation(api: Api, path: string, signal: AbortSignal): Promise<string> {
  const response = await api(`${path}/conversations`, signal, { name: "orchestrator" });
  const session = (await response.json())?.data?.session_id;
  if (typeof session !== "string") {
    throw new StreamFailure(undefined, "the new conversation has no session_id");
  }
  return encodeURIComponent(session);
}

function toPersona(request: ModelRequest): string | undefined {
  const system = request.messages.filter((message) => message.role === "system")
    .map((message) => message.content);
  if (request.output) system.push(askForJson(request.output.schema));
  return system.length ? system.join("\n\n") : undefined;
}

/** A conversation of several turns is written as a dialogue: the API takes one prompt. */
function toPrompt(request: ModelRequest): string {
  const turns = request.messages.filter((message) => message.role !== "system");
  const [only] = turns;
  if (turns.length === 1 && only) return only.content;
  return turns.map((turn) => `${turn.role}: ${turn.content}`).join("\n\n");
}

async function readAnswer(
  response: Response,
  model: string,
  options: GenerateOptions,
  citationOf: (id: string) => Promise<Citation[]>,
): Promise<ModelAnswer> {
  const answer = new AnswerBuilder(options);
  let ids: string[] = [];
  await readEvents<MessageEvent>(response, (event) => {
    if (event.status === "error") throw new StreamFailure(event);
    if (event.status === "progress") answer.addText(event.message ?? "");
    if (event.citations) ids = event.citations.map(String);
    if (event.status === "finish") answer.finish_reason = "stop";
    return event.status === "finish";
  }, options.onActivity);
  if (answer.finish_reason) {
    answer.citations = (await Promise.all(ids.slice(0, MAX_CITATIONS).map(citationOf))).flat();
  }
  return answer.build(model);
}

/** Leaves a citation out when it cannot be read: the answer is there and paid for. */
async function readCitation(api: Api, path: string, signal: AbortSignal): Promise<Citation[]> {
  try {
    const { data } = await (await api(path, signal)).json();
    return [{
      ...(data.title ? { title: data.title } : {}),
      ...(data.url ? { url: data.url } : {}),
    }];
  } catch {
    return [];
  }
}
