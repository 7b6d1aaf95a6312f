import { expect } from "expect";
import type { Hono } from "hono";
import { OrchestratorError } from "../../errors.ts";
import type { EventBody, Json } from "../../pipeline/kernel/events.ts";
import type { AppDeps, AppEnv } from "../../routes/deps.ts";
import { createApprovals } from "../../pipeline/calls/approvals/mod.ts";
import { createApp, identifyLocal } from "../../routes/mod.ts";
import type { Store } from "../../store/mod.ts";
import { SENTENCES, UNIDIOMATIC } from "../_language.ts";
import { createFakeEngine, type FakeEngine, type ScriptFunction } from "./_fake_engine.ts";

/** A line that was logged. */
export interface LogLine {
  level: "info" | "warn" | "error";
  message: string;
  fields: Record<string, unknown>;
}

/** A fresh app and what it was made of. */
export interface Fixture {
  app: Hono<AppEnv>;
  deps: AppDeps;
  engine: FakeEngine;
  log: LogLine[];
  shutdown: AbortController;
  /** Lets scripts that wait for `gate` go on. */
  open(): void;
  /** `app.request` with a JSON body. */
  post(path: string, body: unknown, headers?: Record<string, string>): Promise<Response>;
}

/** The usage that {@linkcode agentDone} reports. */
export const USAGE = { input_tokens: 10, output_tokens: 5, cost_usd: 0.01 };

/** The event of an agent that is done. */
export function agentDone(agent: string, output: Json, model = "test/model"): EventBody {
  return {
    type: "agent.completed",
    step: agent,
    agent,
    output,
    usage: USAGE,
    model,
    duration_ms: 7,
    attempts: 1,
  };
}

/** A fresh app over a scripted engine; `gate` is what the `gated` pipeline waits for. */
export function setup(options: {
  scripts?: Record<string, ScriptFunction>;
  settings?: Partial<AppDeps["settings"]>;
  deps?: Partial<AppDeps>;
  /** Where approvals are; without it there are none. */
  store?: Pick<Store, "get" | "tryGet" | "list" | "commit">;
  now?: () => number;
} = {}): Fixture {
  let open = () => {};
  const gate = new Promise<void>((resolve) => open = resolve);
  const engine = createFakeEngine({
    compose({ emit, delta }) {
      emit({ type: "agent.started", step: "research", agent: "researcher" });
      delta("research", "look");
      delta("research", "ing");
      emit(agentDone("researcher", "notes", "offline"));
      emit(agentDone("builder", "draft"));
      const review = { score: 8, comments: ["fine"], edits: [], violations: [] };
      return { content: "the answer", sources: [{ title: "A" }], review };
    },
    gated({ delta, emit, signal }) {
      emit({ type: "step.started", step: "wait", attempt: 1 });
      delta("wait", "so ");
      delta("wait", "far");
      const cancelled = new Promise<void>((resolve) => {
        signal.addEventListener("abort", () => resolve());
      });
      return Promise.race([gate, cancelled]).then(() => "done");
    },
    failing() {
      const details = { model: "test/model" };
      throw new OrchestratorError("model_unavailable", "Cannot ask the model: it is down.", {
        kind: "retryable",
        details,
      });
    },
    echo: ({ input }) => input,
    ...options.scripts,
  }, options.store && ((commit) => options.store!.commit(commit)));
  const known = ["compose", "gated", "failing", "echo", ...Object.keys(options.scripts ?? {})];
  const log: LogLine[] = [];
  const write = (level: LogLine["level"]) => (message: string, fields = {}) => {
    log.push({ level, message, fields });
  };
  const shutdown = new AbortController();
  let ids = 0;
  const deps: AppDeps = {
    identify: identifyLocal,
    engine,
    catalog: {
      prepare(_caller, name, input) {
        if (!known.includes(name)) {
          const message = `Cannot find the pipeline ${name}: there are ${known.join(", ")}.`;
          return Promise.reject(new OrchestratorError("not_found", message));
        }
        const wrong = name === "echo" && typeof input === "object" && input !== null &&
          "wrong" in input;
        if (!wrong) return Promise.resolve({ version: `v-${name}` });
        const issues = [{ location: "/wrong", message: "must not be there" }];
        const message = "Cannot run pipeline echo: the input does not fit.";
        return Promise.reject(new OrchestratorError("validation_failed", message, { issues }));
      },
    },
    approvals: createApprovals({
      store: options.store ?? NOTHING,
      engine,
      now: options.now ?? (() => Date.now()),
    }),
    artifacts: unused("artifacts"),
    pipelines: unused("pipelines"),
    knowledge: unused("knowledge"),
    schedules: unused("schedules"),
    llm: unused("llm"),
    conversations: unused("conversations"),
    memory: unused("memory"),
    recollection: unused("recollection"),
    responses: { ...unused<AppDeps["responses"]>("responses"), ttl: () => 0 },
    tools: unused("tools"),
    log: { info: write("info"), warn: write("warn"), error: write("error") },
    settings: {
      max_body_bytes: 1_000_000,
      max_document_bytes: 1_000_000,
      max_message_bytes: 10_000,
      max_artifact_bytes: 10_000,
      allowed_hosts: ["orchestrator.test"],
      allowed_origins: ["http://localhost:3000"],
      ...options.settings,
    },
    about: { name: "orchestrator", version: "0.1.0", mode: "embedded" },
    health: () =>
      Promise.resolve({
        store: { status: "ok" as const },
        model_provider: { name: "offline", status: "offline" as const },
        configuration: { status: "ok" as const },
      }),
    newId: () => String(++ids),
    now: () => performance.now(),
    shutdown: shutdown.signal,
    ...options.deps,
  };
  const app = createApp(deps);
  return {
    app,
    deps,
    engine,
    log,
    shutdown,
    open: () => open(),
    async post(path, body, headers = {}) {
      return await app.request(path, {
        method: "POST",
        headers: { "content-type": "application/json", ...headers },
        body: typeof body === "string" ? body : JSON.stringify(body),
      });
    },
  };
}

/** A store that is empty and stays so. */
/** Stands for a part that a test gives itself if it needs it. */
function unused<T extends object>(name: string): T {
  const refuse = () => {
    throw new Error(`this test has no ${name}`);
  };
  return new Proxy({} as T, { get: () => refuse });
}

const NOTHING: Pick<Store, "get" | "tryGet" | "list" | "commit"> = {
  get: () => Promise.resolve(null),
  tryGet: () => Promise.resolve(null),
  async *list() {},
  commit: () => Promise.resolve("1"),
};

/** A user's message. */
export function user(content: string): { role: "user"; content: string } {
  return { role: "user", content };
}

/** Checks that `response` is this problem and returns it. */
export async function expectProblem(
  response: Response,
  status: number,
  code: string,
  // deno-lint-ignore no-explicit-any -- tests look into it freely
): Promise<any> {
  const problem = await response.json();
  expect([response.status, response.headers.get("content-type"), problem.code])
    .toEqual([status, "application/problem+json", code]);
  expect(problem).toMatchObject({ status, code, type: `urn:orchestrator:error:${code}` });
  expect(problem.request_id).toBe(response.headers.get("x-request-id"));
  expect(problem.detail).toMatch(SENTENCES);
  expect(problem.detail).not.toMatch(UNIDIOMATIC);
  return problem;
}

/** One server-sent event. */
export interface SseEvent {
  id?: string;
  event?: string;
  // deno-lint-ignore no-explicit-any -- tests look into it freely
  data: any;
}

/** The events of a whole SSE text; comments left out. */
export function parseSse(text: string): SseEvent[] {
  const events: SseEvent[] = [];
  for (const block of text.split("\n\n")) {
    const fields: Record<string, string> = {};
    for (const line of block.split("\n")) {
      const colon = line.indexOf(": ");
      if (colon > 0) fields[line.slice(0, colon)] = line.slice(colon + 2);
    }
    if (fields.data !== undefined) events.push({ ...fields, data: JSON.parse(fields.data) });
  }
  return events;
}
