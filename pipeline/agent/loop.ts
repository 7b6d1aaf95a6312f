/**
 * The agent loop: model ↔ tools until the model answers.
 *
 * Boundary: gets a run's context, an agent and its input; gives the agent's output. Every model call
 * and every tool call is a step, so a resumed run pays for none of them twice.
 *
 * 1. Messages are a function of the agent, the input and recorded steps only: a replay builds the
 *    same ones.
 * 2. Step keys count up in the order in which the model asked, also when tools run at the same time.
 * 3. What a tool throws is data for the model. What ends the run (cancel, shutdown, a lost claim) is
 *    thrown on.
 *
 * @module
 */
import { OrchestratorError, toOrchestratorError } from "../../errors.ts";
import {
  type Draft,
  type JsonSchema,
  type ModelAnswer,
  type ModelClient,
  type ModelMessage,
  type ModelRequest,
  mustBePriced,
  type ToolCall,
} from "../../llm/mod.ts";
import { addUsage, NO_USAGE, type Usage } from "../../telemetry/mod.ts";
import type { Json, RetryPolicy, RunContext } from "../kernel/mod.ts";
import {
  type AgentWork,
  openingMessages,
  type Output,
  readOutput,
  resultText,
  specOf,
} from "./agent.ts";
import type { AgentProfile } from "./profile.ts";
import type { ToolInfo } from "../../tools/mod.ts";
import {
  admit,
  type ToolCallDeps,
  type ToolOutcome,
  type ToolRequest,
  tryTool,
} from "../calls/mod.ts";
import { checkCall } from "./tools.ts";

/** What the loop needs from outside. */
export interface AgentDeps extends ToolCallDeps {
  models: ModelClient;
  /** For model calls; the policies of an agent node's own `retry` win field by field. */
  model_retry: Partial<RetryPolicy>;
}

/** One piece of work for an agent. */
export interface AgentCall extends AgentWork {
  /** Key of the agent's node; steps are `key/llm#1`, `key/tool#1`, … */
  key: string;
  retry?: Partial<RetryPolicy> | Partial<RetryPolicy>[];
  /** Instead of the profile's `timeout_seconds`. */
  timeout_ms?: number;
}

/**
 * Runs an agent.
 *
 * @returns its answer: text, or JSON that fits the profile's `output` schema
 * @throws `model_bad_output` when the answer does not fit twice, `model_refused`, `prompt_invalid`,
 *   and what a model call threw at last
 */
export async function runAgent(ctx: RunContext, call: AgentCall, deps: AgentDeps): Promise<Json> {
  const { key, agent: { profile } } = call;
  const model = profile.model === undefined ? {} : { model: profile.model };
  ctx.emit({ type: "agent.started", step: key, agent: profile.name, ...model });
  const tools = await toolsOf(ctx, call, deps);
  const session = new Session(ctx, call, deps, await openingMessages(ctx.run, call), tools);
  const answer = await session.converse();
  const output = profile.output ? await session.fulfil(answer, profile.output) : answer.text;
  ctx.emit({
    type: "agent.completed",
    step: key,
    agent: profile.name,
    output,
    ...session.totals,
  });
  return output;
}

/** The tools that the agent has from here on: recorded, so that a replay sees the same ones. */
async function toolsOf(ctx: RunContext, call: AgentCall, deps: AgentDeps): Promise<ToolInfo[]> {
  const { tools } = call.agent.profile;
  if (tools.length === 0) return [];
  const describe = () => deps.tools.describe(ctx.run.caller, tools) as Promise<unknown>;
  const options = { effect: "none", kind: "tools" } as const;
  return await ctx.step(`${call.key}/tools`, describe as () => Promise<Json>, options) as never;
}

/** A recorded model call. */
type ModelStep = ModelAnswer & { attempt: number; duration_ms: number };
/** One agent's talk with its model. */
class Session {
  #models = 0;
  #tools = 0;
  #usage: Usage = NO_USAGE;
  #model = "";
  #attempts = 1;
  #durationMs = 0;

  constructor(
    private readonly ctx: RunContext,
    private readonly call: AgentCall,
    private readonly deps: AgentDeps,
    private readonly messages: ModelMessage[],
    private readonly tools: ToolInfo[],
  ) {}

  /** What the recorded steps add up to. `attempts`: the most that one model call needed. */
  get totals(): { usage: Usage; model: string; duration_ms: number; attempts: number } {
    return {
      usage: this.#usage,
      model: this.#model,
      duration_ms: this.#durationMs,
      attempts: this.#attempts,
    };
  }

  /** Lets the model ask for tools until it answers; on its last turn it has none. */
  async converse(): Promise<ModelAnswer> {
    const { max_turns } = this.call.agent.profile;
    for (let turn = 1;; turn++) {
      const tools = turn < max_turns ? this.tools : [];
      const answer = await this.#ask(tools);
      if (answer.tool_calls.length === 0 || tools.length === 0) return answer;
      const { text: content, tool_calls } = answer;
      this.messages.push({ role: "assistant", content, tool_calls });
      this.messages.push(...await this.#callTools(tool_calls));
    }
  }

  /** Reads an answer as JSON of `schema`; asks again if it does not match. */
  async fulfil(answer: ModelAnswer, schema: JsonSchema): Promise<Json> {
    let output: Output = readOutput(answer.text, schema);
    if ("problems" in output) {
      const list = output.problems.map((problem) => `- ${problem}`).join("\n");
      this.messages.push({ role: "assistant", content: answer.text }, {
        role: "user",
        content:
          `That answer cannot be used:\n${list}\n\nAnswer again with nothing but the corrected JSON.`,
      });
      output = readOutput((await this.#ask([])).text, schema);
    }
    if ("value" in output) return output.value;
    const { name } = this.call.agent.profile;
    throw new OrchestratorError(
      "model_bad_output",
      `Cannot use the answer of agent ${name}: it does not match the agent's output schema, even after a retry. Use a model that follows schemas better, or simplify the schema.`,
      { details: { agent: name, step: this.call.key, problems: output.problems } },
    );
  }

  async #ask(tools: ToolInfo[]): Promise<ModelAnswer> {
    const { profile } = this.call.agent;
    const request = this.#request(tools);
    let drafts: (() => Draft)[] = [];
    const answer = await this.ctx.step(
      `${this.call.key}/llm#${++this.#models}`,
      async (scope) => {
        const begun: typeof drafts = drafts = [];
        // Agents, and prices, that the start of the run could not see.
        if (this.ctx.run.budget?.cost_usd !== undefined) {
          mustBePriced(this.deps.models.unpriced?.(profile.model) ?? []);
        }
        const started = performance.now();
        const answer = await this.deps.models.generate(
          { ...request, idempotency_key: scope.idempotency_key },
          {
            signal: scope.signal,
            onDelta: (text) => scope.delta(text),
            onReset: () => scope.reset(),
            onDraft: (draft) => begun.push(draft),
          },
        );
        return {
          ...answer,
          attempt: scope.attempt,
          duration_ms: since(started),
        } as unknown as Json;
      },
      {
        kind: "model",
        reusable: true,
        retry: this.#retry(),
        usage: usageOf,
        spent: () => spentOn(drafts),
        timeout_ms: this.call.timeout_ms ?? profile.timeout_seconds * 1_000,
      },
    ) as unknown as ModelStep;
    this.#count(answer);
    if (answer.finish_reason === "content_filter") throw refused(profile, answer);
    return answer;
  }

  #retry(): Partial<RetryPolicy> | Partial<RetryPolicy>[] {
    const { call: { retry }, deps: { model_retry } } = this;
    if (!Array.isArray(retry)) return { ...model_retry, ...retry };
    return retry.map((policy) => ({ ...model_retry, ...policy }));
  }

  #request(tools: ToolInfo[]): ModelRequest {
    const { profile } = this.call.agent;
    const { name, capabilities, model, output, temperature, max_output_tokens } = profile;
    return {
      // A copy: what a client keeps must not grow with the talk.
      messages: [...this.messages],
      agent: { name, capabilities },
      input: this.call.input,
      ...(model === undefined ? {} : { model }),
      ...(output ? { output: { name, schema: output } } : {}),
      ...(tools.length === 0 ? {} : { tools: tools.map(specOf) }),
      ...(temperature === undefined ? {} : { temperature }),
      ...(max_output_tokens === undefined ? {} : { max_output_tokens }),
    };
  }

  #count(answer: ModelStep): void {
    this.#usage = addUsage(this.#usage, answer.usage);
    this.#model = answer.model;
    this.#attempts = Math.max(this.#attempts, answer.attempt);
    this.#durationMs += answer.duration_ms;
  }

  /** Makes the calls of one turn at the same time; results come in the order of the calls. */
  async #callTools(calls: ToolCall[]): Promise<ModelMessage[]> {
    const turns: ToolTurn[] = [];
    // People are asked about one call after the other, before any of them is made.
    for (const call of calls) turns.push(await this.#admit(call));
    const results = await Promise.allSettled(turns.map((turn) => this.#make(turn)));
    const failed = results.find((result) => result.status === "rejected");
    if (failed) throw failed.reason;
    const outcomes = results.map((result) => (result as PromiseFulfilledResult<ToolOutcome>).value);
    // Tools of one turn overlap: the slowest counts.
    this.#durationMs += Math.max(...outcomes.map(({ duration_ms }) => duration_ms));
    return outcomes.map((outcome, index) => {
      const { id, name } = calls[index]!;
      const turn = turns[index]!;
      const untrusted = "request" in turn && turn.request.tool.untrusted;
      return { role: "tool", content: resultText(outcome, untrusted), tool_call_id: id, name };
    });
  }

  /** Whether a call may be made. A denied call is reported to the model. */
  async #admit(call: ToolCall): Promise<ToolTurn> {
    const { ctx, deps } = this;
    const { key, timeout_ms, agent: { profile } } = this.call;
    const step = `${key}/tool#${++this.#tools}`;
    const checked = checkCall(call, this.tools);
    if ("denied" in checked) {
      ctx.emit({ type: "tool.denied", step, tool: call.name, reason: checked.denied });
      return { step, denied: checked.denied };
    }
    const options = timeout_ms === undefined ? {} : { options: { timeout_ms } };
    const request: ToolRequest = { ...checked, by: profile.name, ...options };
    try {
      await admit(ctx, step, request, deps);
      return { step, request };
    } catch (error) {
      const { code, details } = toOrchestratorError(error);
      if (code !== "tool_denied") throw error;
      return { step, denied: String(details?.reason) };
    }
  }

  async #make(turn: ToolTurn): Promise<ToolOutcome> {
    if ("request" in turn) return await tryTool(this.ctx, turn.step, turn.request, this.deps);
    return { error: { code: "tool_denied", message: turn.denied }, duration_ms: 0 };
  }
}

/** One call of a turn: its step, and whether it may be made. */
type ToolTurn = { step: string } & ({ request: ToolRequest } | { denied: string });

function usageOf(answer: Json): Usage {
  return (answer as unknown as ModelStep).usage;
}

/** What an attempt used without an answer: each candidate that had begun one is paid. */
function spentOn(drafts: (() => Draft)[]): Usage | undefined {
  if (drafts.length === 0) return undefined;
  return drafts.map((draft) => draft().usage).reduce(addUsage, NO_USAGE);
}

function refused(profile: AgentProfile, answer: ModelAnswer): OrchestratorError {
  return new OrchestratorError(
    "model_refused",
    `Cannot get an answer for agent ${profile.name}: ${answer.model} filtered it. Rephrase the request or use another model.`,
    { details: { agent: profile.name, model: answer.model } },
  );
}

function since(started: number): number {
  return Math.round(performance.now() - started);
}
