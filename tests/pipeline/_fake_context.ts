import { type ErrorJson, fromErrorJson, toErrorJson } from "../../errors.ts";
import type {
  AllOptions,
  ChildRequest,
  GroupOptions,
  RunContext,
  RunInfo,
  StepOptions,
  StepScope,
  WaitOptions,
  WaitOutcome,
} from "../../pipeline/kernel/context.ts";
import type { EventBody, Json } from "../../pipeline/kernel/events.ts";
import type { RunResult } from "../../pipeline/kernel/mod.ts";
import type { Commit } from "../../store/mod.ts";
import { LOCAL } from "../_caller.ts";

/** What the fake keeps of a step that ended. */
export interface RecordedStep {
  key: string;
  options: StepOptions;
  outcome: { output: Json } | { error: ErrorJson };
}

/** The run that fakes belong to. */
export const RUN: RunInfo = {
  id: "run_1",
  caller: LOCAL,
  pipeline: "test",
  created_at: "2026-01-02T03:04:05.678Z",
};

/** A run's context in memory: records steps, gives recorded ones back, and keeps what was emitted. */
export class FakeContext implements RunContext {
  readonly run: RunInfo;
  readonly controller = new AbortController();
  readonly signal: AbortSignal = this.controller.signal;
  /** Steps in the order in which they ended. */
  readonly steps: RecordedStep[] = [];
  /** Keys of the steps whose function ran here, in the order in which they began. */
  readonly ran: string[] = [];
  readonly events: EventBody[] = [];
  readonly deltas: [step: string, text: string | null][] = [];
  /** Checks and mutations in the order in which they were asked for. */
  readonly changes: Commit[] = [];
  /** Waits in the order in which they began. */
  readonly waits: { key: string; options: WaitOptions }[] = [];
  /** Answers waits; without an answer a wait never ends. */
  onWait: (key: string, options: WaitOptions) => WaitOutcome | undefined = () => undefined;
  /** Answers child runs. */
  onChild: (key: string, request: ChildRequest) => RunResult = () => {
    throw new Error("no child runs here");
  };

  constructor(recorded: RecordedStep[] = [], run: Partial<RunInfo> = {}) {
    this.run = { ...RUN, ...run };
    this.steps.push(...recorded);
  }

  async step<T extends Json>(
    key: string,
    fn: (scope: StepScope) => T | Promise<T>,
    options: StepOptions = {},
  ): Promise<T> {
    const recorded = this.steps.find((step) => step.key === key);
    if (recorded) return reveal(recorded) as T;
    if (this.ran.includes(key)) throw new Error(`the step ${key} runs twice`);
    this.ran.push(key);
    const step: RecordedStep = { key, options, outcome: await this.#attempt(key, fn) };
    this.steps.push(step);
    return reveal(step) as T;
  }

  emit(event: EventBody): void {
    this.events.push(structuredClone(event));
  }

  change(commit: Commit): void {
    this.changes.push(commit);
  }

  async wait(key: string, options: WaitOptions): Promise<WaitOutcome> {
    this.waits.push({ key, options });
    if (options.enter) this.changes.push(options.enter());
    const outcome = this.onWait(key, options);
    if (!outcome) return await new Promise(() => {});
    const change = await options.settle?.(outcome);
    if (change) this.changes.push(change);
    return outcome;
  }

  async group<T extends Json>(
    key: string,
    fn: (ctx: RunContext) => Promise<T>,
    options: GroupOptions = {},
  ): Promise<T> {
    const recorded = this.steps.find((step) => step.key === key);
    if (recorded) return reveal(recorded) as T;
    const output = await fn(this);
    this.steps.push({ key, options, outcome: { output: structuredClone(output) } });
    return output;
  }

  async all<T>(
    branches: ((ctx: RunContext) => Promise<T>)[],
    { tolerate = 0 }: AllOptions = {},
  ): Promise<PromiseSettledResult<T>[]> {
    const results = await Promise.allSettled(branches.map((branch) => branch(this)));
    const failed = results.filter((result) => result.status === "rejected");
    if (failed.length > tolerate) throw failed[tolerate]!.reason;
    return results;
  }

  child(key: string, request: ChildRequest): Promise<RunResult> {
    return Promise.resolve(this.onChild(key, request));
  }

  cleanup<T>(fn: (ctx: RunContext) => Promise<T>): Promise<T> {
    return fn(this);
  }

  async #attempt(key: string, fn: (scope: StepScope) => Json | Promise<Json>) {
    try {
      const output = await fn({
        key,
        attempt: 1,
        idempotency_key: `${this.run.id}/${key}`,
        signal: this.signal,
        delta: (text) => void this.deltas.push([key, text]),
        reset: () => void this.deltas.push([key, null]),
      });
      return { output: structuredClone(output) };
    } catch (error) {
      return { error: toErrorJson(error) };
    }
  }
}

function reveal({ outcome }: RecordedStep): Json {
  if ("error" in outcome) throw fromErrorJson(outcome.error);
  return outcome.output;
}
