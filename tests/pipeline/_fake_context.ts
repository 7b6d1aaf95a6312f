import { type ErrorJson, fromErrorJson, toErrorJson } from "../../errors.ts";
import type { RunContext, RunInfo, StepOptions, StepScope } from "../../pipeline/kernel/context.ts";
import type { EventBody, Json } from "../../pipeline/kernel/events.ts";

/** What the fake keeps of a step that ended. */
export interface RecordedStep {
  key: string;
  options: StepOptions;
  outcome: { output: Json } | { error: ErrorJson };
}

/** The run that fakes belong to. */
export const RUN: RunInfo = {
  id: "run_1",
  tenant: "default",
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

  write(): void {}

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
