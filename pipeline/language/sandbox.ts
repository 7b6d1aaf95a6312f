/**
 * JSONata with bounds, for expressions that users wrote. It is imported on first use.
 *
 * Boundary: source text and JSON in, JSON out. Nothing outside is reachable from an expression.
 *
 * 1. An evaluation ends: it is bounded in time ({@linkcode LIMITS}.milliseconds, checked before every
 *    sub-expression and every built-in function, and within `$sort`), in depth, in the length of sequences and in the
 *    size of every value it makes, so that no single operation can run long either.
 * 2. It is deterministic: `$now()` and `$millis()` are the run's `created_at`; `$random`, `$shuffle`
 *    and `$eval` fail.
 * 3. Regular expressions run in linear time (RE2): no look-around, no back-references.
 * 4. One evaluation at a time, so that the time one takes is its own. They never wait for I/O.
 *
 * @module
 */
import { OrchestratorError } from "../../errors.ts";
import type { Json } from "../kernel/mod.ts";
import { Budget, Exceeded, Failure, LIMITS } from "./bounds.ts";
import { guardedBuiltins } from "./builtins.ts";
import type { Scope } from "./scope.ts";

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

// A cached import: it holds compiled library code and the queue of invariant 4, no state of a run.
let engine: Promise<(source: string) => Program> | undefined;

async function loadEngine(): Promise<(source: string) => Program> {
  const [{ default: jsonata }, { RE2JS }] = await Promise.all([import("jsonata"), import("re2js")]);
  const budget = new Budget();
  const builtins = await guardedBuiltins((source) => jsonata(source).evaluate(null), budget);
  const options = {
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

/** JSONata throws plain objects with these fields; the guards throw the classes above. */
interface Thrown {
  code?: string;
  message?: string;
  position?: number;
}

/** JSONata's own codes for limits: sequence of a range, sequence. */
const LIMIT_CODES = ["D2014", "D2015"];

function asOrchestratorError(source: string, error: unknown): OrchestratorError {
  const { code, message, position } = (error ?? {}) as Thrown;
  if (error instanceof RangeError) {
    return limit(source, "it is nested too deeply or creates too many values");
  }
  if (error instanceof Exceeded || LIMIT_CODES.includes(code ?? "")) {
    return limit(source, message ?? "it needs too much memory", position);
  }
  const where = position === undefined ? "" : ` (at character ${position})`;
  return new OrchestratorError(
    "expression_failed",
    `Cannot evaluate \${ ${source} }: ${message ?? String(error)}${where}. Fix the expression.`,
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
