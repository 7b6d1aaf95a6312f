/**
 * JSONata with bounds, for expressions that users wrote. It is imported on first use.
 *
 * Boundary: source text and JSON in, JSON out. Nothing outside is reachable from an expression.
 *
 * 1. An evaluation ends: it is bounded in time ({@linkcode LIMITS}.milliseconds, checked before every
 *    sub-expression and every built-in function), in depth, in the length of sequences and in the
 *    size of every value it makes, so that no single operation can run long either.
 * 2. It is deterministic: `$now()` and `$millis()` are the run's `created_at`; `$random`, `$shuffle`
 *    and `$eval` fail.
 * 3. Regular expressions run in linear time (RE2): no look-around, no back-references.
 * 4. One evaluation at a time, so that the time one takes is its own. They never wait for I/O.
 *
 * @module
 */
import { OrchestratorError } from "../../errors.ts";
import type { Json } from "../kernel/events.ts";
import { canonicalJson } from "./canonical_json.ts";
import type { Scope } from "./expression.ts";

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

// deno-lint-ignore no-explicit-any -- JSONata's values have no type
type Value = any;
/** What JSONata keeps of a function. */
interface Builtin {
  _jsonata_function: true;
  implementation: (this: Value, ...args: Value[]) => Value;
  signature: unknown;
}
/** The part of JSONata's syntax tree that is read here. */
export interface Ast {
  type: string;
  value?: unknown;
  position?: number;
  steps?: Ast[];
  [key: string]: unknown;
}

/** An expression that is ready to run. */
export interface Program {
  ast: Ast;
  /** @throws `expression_failed`, `expression_limit` */
  evaluate(scope: Scope): Promise<Json | undefined>;
}

/**
 * Compiles an expression.
 *
 * @throws `expression_failed` with the position when its syntax is wrong
 */
export async function compileProgram(source: string): Promise<Program> {
  engine ??= loadEngine();
  return (await engine)(source);
}

/** Why `$name` must not be used in expressions, if so. */
export function forbidden(name: string): string | undefined {
  return Object.hasOwn(FORBIDDEN, name) ? FORBIDDEN[name] : undefined;
}

// A cached import: it holds compiled library code and the queue of invariant 4, no state of a run.
let engine: Promise<(source: string) => Program> | undefined;

async function loadEngine(): Promise<(source: string) => Program> {
  const [{ default: jsonata }, { RE2JS }] = await Promise.all([import("jsonata"), import("re2js")]);
  const budget = new Budget();
  const builtins = await guardedBuiltins((source) => jsonata(source).evaluate(null), budget);
  const options = {
    stack: LIMITS.depth,
    sequence: LIMITS.sequence,
    RegexEngine: linearRegex(RE2JS, budget) as unknown as RegExpConstructor,
  };
  let tail: Promise<unknown> = Promise.resolve();
  return (source) => {
    const expression = tryCompile(source, () => jsonata(source, options));
    for (const [name, builtin] of Object.entries(builtins)) expression.assign(name, builtin);
    // Hooks are bound by symbol, so that no expression can name them.
    const bind = expression.assign.bind(expression) as unknown as Bind;
    bind(Symbol.for("jsonata.__evaluate_entry"), budget.enter);
    bind(Symbol.for("jsonata.__evaluate_exit"), budget.leave);
    const evaluate = async (scope: Scope) => {
      budget.begin(scope);
      try {
        return budget.plain(await expression.evaluate(scope));
      } catch (error) {
        throw asOrchestratorError(source, error);
      }
    };
    return {
      ast: expression.ast() as unknown as Ast,
      evaluate: (scope) => {
        const result = tail.then(() => evaluate(scope));
        tail = result.catch(() => {});
        return result;
      },
    };
  };
}

function tryCompile<T>(source: string, compile: () => T): T {
  if (source.length > LIMITS.source) {
    throw limit(source.slice(0, 100), `it is longer than ${LIMITS.source} characters`);
  }
  try {
    return compile();
  } catch (error) {
    throw asOrchestratorError(source, error);
  }
}

type Bind = (name: symbol, hook: unknown) => void;

/** What one evaluation has used so far. */
class Budget {
  #deadline = 0;
  #now = new Date(0);
  #sizes = new WeakMap<object, number>();

  begin(scope: Scope): void {
    this.#deadline = performance.now() + LIMITS.milliseconds;
    this.#now = new Date(scope.run.created_at);
    this.#sizes = new WeakMap();
  }

  get now(): number {
    return this.#now.getTime();
  }

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

  /** The size of a value. Sizes are kept, so that a value shared many times is walked once. */
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

  bounded(size: number): number {
    if (size > LIMITS.size) throw new Exceeded(`it makes a value larger than ${LIMITS.size}`);
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

async function guardedBuiltins(
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

/** A stand-in for `RegExp` as far as JSONata uses it: `lastIndex` and `exec`. */
function linearRegex(re2: typeof import("re2js").RE2JS, budget: Budget) {
  return class {
    lastIndex = 0;
    readonly #pattern: import("re2js").RE2JS;

    constructor(pattern: RegExp) {
      const flags = (pattern.ignoreCase ? re2.CASE_INSENSITIVE : 0) |
        (pattern.multiline ? re2.MULTILINE : 0);
      try {
        this.#pattern = re2.compile(pattern.source, flags);
      } catch (error) {
        const why = error instanceof Error ? error.message : String(error);
        throw new Failure(`${why}; look-around and back-references are not supported`);
      }
    }

    exec(text: string): (string[] & { index: number }) | null {
      budget.check();
      const matcher = this.#pattern.matcher(text);
      if (this.lastIndex > text.length || !matcher.find(this.lastIndex)) {
        this.lastIndex = 0;
        return null;
      }
      this.lastIndex = matcher.end();
      const groups = Array.from(
        { length: matcher.groupCount() + 1 },
        (_, index) => matcher.group(index) as string,
      );
      return Object.assign(groups, { index: matcher.start() });
    }
  };
}

/** Thrown inside an evaluation that asks for too much. */
class Exceeded extends Error {}
/** Thrown inside an evaluation that cannot have a result. */
class Failure extends Error {}

/** JSONata throws plain objects with these fields; the guards throw the classes above. */
interface Thrown {
  code?: string;
  message?: string;
  position?: number;
}

/** JSONata's own codes for limits: stack, sequence of a range, sequence. */
const LIMIT_CODES = ["D1011", "D2014", "D2015"];

function asOrchestratorError(source: string, error: unknown): OrchestratorError {
  const { code, message, position } = (error ?? {}) as Thrown;
  if (error instanceof RangeError) return limit(source, "it is nested too deep or makes too much");
  if (error instanceof Exceeded || LIMIT_CODES.includes(code ?? "")) {
    return limit(source, message ?? "it asks for too much", position);
  }
  const where = position === undefined ? "" : ` (at character ${position})`;
  return new OrchestratorError(
    "expression_failed",
    `Cannot evaluate \${ ${source} }: ${message ?? String(error)}${where}. Mend the expression.`,
    { details: { expression: source, ...(position === undefined ? {} : { position }) } },
  );
}

function limit(source: string, why: string, position?: number): OrchestratorError {
  return new OrchestratorError(
    "expression_limit",
    `Cannot evaluate \${ ${source} }: ${why}. Simplify it, or do this work in a task.`,
    { details: { expression: source, ...(position === undefined ? {} : { position }) } },
  );
}
