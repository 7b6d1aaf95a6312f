/**
 * Collects a streamed answer. One per call; every adapter uses it. The usage that a provider reports
 * is a number from outside and is checked.
 */
import { Buffer } from "node:buffer";
import { OrchestratorError } from "../errors.ts";
import type { Citation, GenerateOptions, ModelAnswer, ToolCall } from "./model.ts";
import type { Usage } from "../telemetry/mod.ts";
import { StreamFailure } from "./failure.ts";

/** The longest answer that is taken, text and tool calls together, in bytes of UTF-8. */
export const MAX_ANSWER_BYTES = 8 * 1024 * 1024;
/** More than any model reads or writes in one call: a larger number is a mistake. */
const MOST_TOKENS = 100_000_000;
const MAX_REASON_CHARS = 200;

/** The error for an answer above {@linkcode MAX_ANSWER_BYTES}: `model_bad_output`, terminal. */
export function badOutput(): OrchestratorError {
  return new OrchestratorError(
    "model_bad_output",
    `Cannot use the model's answer: it is longer than ${MAX_ANSWER_BYTES} bytes. ` +
      "Ask for less, or limit the output tokens.",
  );
}

/** The error for an answer that the provider or the model refused: `model_refused`, terminal. */
export function refused(reason: string): OrchestratorError {
  return new OrchestratorError(
    "model_refused",
    `Cannot get an answer: the model refused (${reason}). Change the request.`,
  );
}

/** An answer in the making. */
export class AnswerBuilder {
  finish_reason?: ModelAnswer["finish_reason"];
  citations?: Citation[];
  /** Why the model refuses. The answer is read on: its usage may follow. */
  refusal = "";
  #begun = false;
  #input_tokens = 0;
  #output_tokens = 0;
  #text = "";
  #bytes = 0;
  readonly #calls = new Map<number, ToolCall>();

  constructor(private readonly options: GenerateOptions) {}

  /** Adds a piece of text and delivers it. @throws `model_bad_output` above the limit */
  addText(delta: string): void {
    this.#begin();
    if (delta === "") return;
    this.#count(delta);
    this.#text += delta;
    this.options.onDelta?.(delta);
  }

  /** Adds a piece of the refusal's text. @throws `model_bad_output` above the limit */
  addRefusal(delta: string): void {
    this.#count(delta);
    this.refusal += delta;
  }

  /** Adds a piece of the tool call number `index`. @throws `model_bad_output` above the limit */
  addCall(index: number, piece: { id?: string; name?: string; arguments?: string }): void {
    this.#begin();
    const call = this.#calls.get(index) ?? { id: `call_${index}`, name: "", arguments: "" };
    this.#calls.set(index, call);
    if (piece.id) call.id = piece.id;
    if (piece.name) call.name = piece.name;
    if (!piece.arguments) return;
    this.#count(piece.arguments);
    call.arguments += piece.arguments;
  }

  /** Takes the tokens that the provider reports; the latest sound numbers count. */
  count({ input = [], output = [] }: { input?: unknown[]; output?: unknown[] }): void {
    this.#begin();
    this.#input_tokens = readTokens(...input) ?? this.#input_tokens;
    this.#output_tokens = readTokens(...output) ?? this.#output_tokens;
  }

  /** How many tool calls there are. */
  get calls(): number {
    return this.#calls.size;
  }

  /** The answer. @throws `model_refused`; {@linkcode StreamFailure} when the stream ended early */
  build(model: string): ModelAnswer {
    if (this.refusal) throw refused(this.refusal.slice(0, MAX_REASON_CHARS));
    if (!this.finish_reason) throw new StreamFailure(undefined, "the stream ended early");
    const tool_calls = [...this.#calls.values()];
    for (const call of tool_calls) call.arguments ||= "{}";
    const called = tool_calls.length > 0 && this.finish_reason === "stop";
    return {
      text: this.#text,
      tool_calls,
      finish_reason: called ? "tool_calls" : this.finish_reason,
      usage: this.#usage,
      model,
      ...(this.citations?.length ? { citations: this.citations } : {}),
    };
  }

  get #usage(): Usage {
    return { input_tokens: this.#input_tokens, output_tokens: this.#output_tokens, cost_usd: 0 };
  }

  #begin() {
    if (this.#begun) return;
    this.#begun = true;
    this.options.onDraft?.(() => ({
      text: this.#text + this.refusal,
      tool_calls: [...this.#calls.values()],
      usage: this.#usage,
    }));
  }

  #count(piece: string) {
    this.#bytes += Buffer.byteLength(piece);
    if (this.#bytes > MAX_ANSWER_BYTES) throw badOutput();
  }
}

/**
 * The sum of what a provider reports for one side of a call, such as new and cached input.
 *
 * @returns `undefined` when nothing is reported, or something that is no count of tokens
 */
export function readTokens(...reported: unknown[]): number | undefined {
  const given = reported.filter((value) => value !== undefined && value !== null);
  const counts = given.map(toCount).filter((value) => value !== undefined);
  const isSound = given.length > 0 && counts.length === given.length;
  return isSound ? counts.reduce((sum, value) => sum + value) : undefined;
}

function toCount(value: unknown): number | undefined {
  const number = typeof value === "string" && /^\d+$/.test(value) ? Number(value) : value;
  const isCount = Number.isInteger(number) && (number as number) >= 0 &&
    (number as number) <= MOST_TOKENS;
  return isCount ? number as number : undefined;
}
