/**
 * What one evaluation of an expression may use, and has used.
 *
 * @module
 */
import type { Json } from "../kernel/mod.ts";
import type { Scope } from "./scope.ts";

/** Any value inside an evaluation: JSON, functions, JSONata's marked arrays. */
// deno-lint-ignore no-explicit-any -- JSONata's values have no type
export type Value = any;

/** The bounds of one evaluation. */
export const LIMITS = Object.freeze({
  /** Longest time, in milliseconds. */
  milliseconds: 200,
  /** Sub-expressions at work: inside one another, or, for groups, beside one another. */
  depth: 100_000,
  /** Items of a sequence. */
  sequence: 100_000,
  /** Size of a value: values in it plus characters of its texts. */
  size: 4_000_000,
  /** Characters of an expression. */
  source: 10_000,
});

/** Thrown inside an evaluation that asks for too much. */
export class Exceeded extends Error {}
/** Thrown inside an evaluation that cannot have a result. */
export class Failure extends Error {}

/** What JSONata evaluates a sub-expression in. */
interface Frame {
  timestamp: Date;
  /** The outermost frame; its depth counts the sub-expressions at work. */
  base: Frame & { depth: number };
}

/** What one evaluation has used so far. */
export class Budget {
  #deadline = 0;
  #now = new Date(0);
  #sizes = new WeakMap<object, number>();
  // Thousands of groups can fail together: they share one error, since each would take a while.
  #exceeded: Exceeded | undefined;

  /** Starts a new evaluation. */
  begin(scope: Scope): void {
    this.#deadline = performance.now() + LIMITS.milliseconds;
    this.#now = new Date(scope.run.created_at);
    this.#sizes = new WeakMap();
    this.#exceeded = undefined;
  }

  /** The run's own now, in milliseconds since the epoch. */
  get now(): number {
    return this.#now.getTime();
  }

  /** @throws {@linkcode Exceeded} when the time is over */
  check(): void {
    if (performance.now() > this.#deadline) {
      throw this.#exceeded ??= new Exceeded(`it takes longer than ${LIMITS.milliseconds} ms`);
    }
  }

  /** Hook before every sub-expression. */
  readonly enter = (_ast: unknown, _input: unknown, frame: Frame) => {
    this.check();
    if (frame.base.depth > LIMITS.depth) {
      throw this.#exceeded ??= new Exceeded("it is nested too deeply");
    }
    // Dates with missing parts are completed from this clock.
    if (frame.base === frame) frame.timestamp = this.#now;
  };

  /** Hook after every sub-expression. */
  readonly leave = (_ast: unknown, _input: unknown, _frame: unknown, result: Value) => {
    this.weigh(result);
  };

  /**
   * The size of a value. Sizes are kept, so that a value shared many times is walked once.
   *
   * @throws {@linkcode Exceeded} when it is too large
   */
  weigh(value: Value): number {
    if (typeof value === "string") return this.bounded(value.length);
    if (typeof value !== "object" || value === null || isFunction(value)) return 1;
    const known = this.#sizes.get(value);
    if (known !== undefined) return known;
    let size = 1;
    for (const key of Object.keys(value)) size += this.weigh(value[key]);
    this.#sizes.set(value, this.bounded(size));
    return size;
  }

  /** Gives `size` back. @throws {@linkcode Exceeded} when it is too large */
  bounded(size: number): number {
    if (size > LIMITS.size) throw new Exceeded(`it creates a value larger than ${LIMITS.size}`);
    return size;
  }

  /** A copy of a result as plain JSON: no marks on arrays, no functions. */
  plain(value: Value): Json | undefined {
    this.weigh(value);
    return copy(value);
  }
}

function copy(value: Value): Json | undefined {
  if (value === undefined || value === null) return value;
  if (isFunction(value)) throw new Failure("its result is a function; call it");
  if (typeof value === "number" && !Number.isFinite(value)) {
    throw new Failure(`its result is ${value}, which is not JSON`);
  }
  if (Array.isArray(value)) return Array.from(value, (item) => copy(item) ?? null);
  if (typeof value !== "object") return value;
  const result: Record<string, Json | undefined> = {};
  for (const key of Object.keys(value)) {
    if (key !== "__proto__" && value[key] !== undefined) result[key] = copy(value[key]);
  }
  return result;
}

function isFunction(value: Value): boolean {
  return typeof value === "function" || value._jsonata_function === true ||
    value._jsonata_lambda === true;
}
