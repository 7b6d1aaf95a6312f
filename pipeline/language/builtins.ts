/**
 * JSONata's own functions, each with a check of what it is asked for before it runs.
 *
 * @module
 */
import { type Budget, Exceeded, Failure, type Value } from "./bounds.ts";
import { distinct, sorter, spreader } from "./collections.ts";

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
  const run = replacement(name, original, budget) ?? original.implementation;
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

/** What runs instead of a function that takes quadratic time in the library. */
function replacement(
  name: string,
  { implementation }: Builtin,
  budget: Budget,
): Builtin["implementation"] | undefined {
  if (name === "sort") return sorter(budget);
  if (name === "distinct") return distinct;
  return name === "spread" ? spreader(implementation) : undefined;
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
