/**
 * What one evaluation of an expression may use, and has used; and JSONata's own functions, each with
 * a check of what it is asked for before it runs.
 *
 * @module
 */
import { canonicalJson } from "../../json/mod.ts";
import type { Json } from "../kernel/mod.ts";
import type { Scope } from "./scope.ts";

/** Any value inside an evaluation: JSON, functions, JSONata's marked arrays. */
// deno-lint-ignore no-explicit-any -- JSONata's values have no type
export type Value = any;

/** The bounds of one evaluation. */
export const LIMITS = Object.freeze({
  /** Longest time, in milliseconds. */
  milliseconds: 200,
  /** Sub-expressions inside one another. */
  depth: 1_000,
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

/** What one evaluation has used so far. */
export class Budget {
  #deadline = 0;
  #now = new Date(0);
  #sizes = new WeakMap<object, number>();

  /** Starts a new evaluation. */
  begin(scope: Scope): void {
    this.#deadline = performance.now() + LIMITS.milliseconds;
    this.#now = new Date(scope.run.created_at);
    this.#sizes = new WeakMap();
  }

  /** The run's own now, in milliseconds since the epoch. */
  get now(): number {
    return this.#now.getTime();
  }

  /** @throws {@linkcode Exceeded} when the time is over */
  check(): void {
    if (performance.now() > this.#deadline) {
      throw new Exceeded(`it takes longer than ${LIMITS.milliseconds} ms`);
    }
  }

  /** Hook before every sub-expression. */
  readonly enter = (_ast: unknown, _input: unknown, frame: { timestamp: Date; base: unknown }) => {
    this.check();
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

/** Built-in functions that an expression must not call, and why. */
const FORBIDDEN: Record<string, string> = {
  random: "a run must give the same values when it is resumed; make random values in a task",
  shuffle: "a run must give the same order when it is resumed; shuffle in a task",
  eval: "text is not run as code; write the expression out",
};

const GUARDED = (
  "sum count max min average string substring substringBefore substringAfter lowercase uppercase " +
  "length trim pad match contains replace split join formatNumber formatBase formatInteger " +
  "parseInteger number floor ceil round abs sqrt power boolean not map zip filter single reduce " +
  "sift keys lookup append exists spread merge reverse each error assert type sort distinct " +
  "base64encode base64decode encodeUrlComponent encodeUrl decodeUrlComponent decodeUrl toMillis " +
  "fromMillis clone"
).split(" ");

/** What JSONata keeps of a function. */
interface Builtin {
  _jsonata_function: true;
  implementation: (this: Value, ...args: Value[]) => Value;
  signature: unknown;
}
/** Why `$name` must not be used in expressions, if so. */
export function forbidden(name: string): string | undefined {
  return Object.hasOwn(FORBIDDEN, name) ? FORBIDDEN[name] : undefined;
}

/** The functions that expressions get, by name. `lookup` gives JSONata's own. */
export async function guardedBuiltins(
  lookup: (source: string) => Promise<unknown>,
  budget: Budget,
): Promise<Record<string, Builtin | ((...args: Value[]) => Value)>> {
  const guarded: Record<string, Builtin | ((...args: Value[]) => Value)> = {};
  for (const name of GUARDED) {
    guarded[name] = guard(name, await lookup(`$${name}`) as Builtin, budget);
  }
  const fromMillis = guarded.fromMillis as Builtin;
  guarded.millis = () => budget.now;
  guarded.now = (picture, timezone) =>
    fromMillis.implementation.call({}, budget.now, picture, timezone);
  for (const [name, why] of Object.entries(FORBIDDEN)) {
    guarded[name] = () => {
      throw new Failure(`$${name} is not allowed: ${why}`);
    };
  }
  return guarded;
}

function guard(name: string, original: Builtin, budget: Budget): Builtin {
  const run = name === "distinct" ? distinct : original.implementation;
  const check = CHECKS[name];
  const implementation = function (this: Value, ...args: Value[]): Value {
    budget.check();
    const size = budget.weigh(args);
    check?.(args, size, budget);
    return run.apply(this, args);
  };
  // JSONata reads a function's arity and, for partial application, its parameters from its source.
  Object.defineProperty(implementation, "length", { value: original.implementation.length });
  const source = original.implementation.toString();
  Object.defineProperty(implementation, "toString", { value: () => source });
  return { ...original, implementation };
}

/** Bounds for functions whose result can be much larger, or whose work longer, than their arguments. */
const CHECKS: Record<string, (args: Value[], size: number, budget: Budget) => void> = {
  pad: ([, width, filler], _size, budget) =>
    void budget.bounded(Math.abs(width) * (filler?.length || 1)),
  replace: ([text, , replacement], _size, budget) => {
    if (typeof replacement !== "string") return;
    budget.bounded((text.length + 1) * Math.max(1, replacement.length / 16));
  },
  join: ([items, separator], size, budget) =>
    void budget.bounded(size + (items?.length ?? 0) * (separator?.length ?? 0)),
  formatNumber: ([, picture]) => checkPicture(picture),
  formatInteger: ([, picture]) => checkPicture(picture),
  parseInteger: ([, picture]) => checkPicture(picture),
  fromMillis: ([, picture]) => checkPicture(picture),
  toMillis: ([text, picture]) => {
    checkPicture(picture);
    // Pictures become backtracking patterns: few places and short texts keep them quick.
    if (picture !== undefined && (text?.length > 40 || picture.split("[").length > 10)) {
      throw new Exceeded("a date to read has at most 40 characters and 9 places in its picture");
    }
  },
};

function checkPicture(picture: unknown): void {
  if (typeof picture !== "string") return;
  if (picture.length > 100 || /[,-]\s*\d{3}/.test(picture)) {
    throw new Exceeded("a picture string has at most 100 characters and two-digit widths");
  }
}

/** `$distinct` in linear time; the library compares every pair. */
function distinct(this: Value, items: Value): Value {
  if (!Array.isArray(items) || items.length <= 1) return items;
  const unique = new Map<string, Value>();
  for (const item of items) {
    const key = canonicalJson(item) ?? "";
    if (!unique.has(key)) unique.set(key, item);
  }
  const result = (items as Value).sequence ? this.createSequence() : [];
  for (const item of unique.values()) result.push(item);
  return result;
}
