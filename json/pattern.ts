/**
 * Finds regular expressions that can take exponential time. JSON Schema patterns run on JavaScript's
 * backtracking engine against whatever a client or a model sends, so such patterns are refused when
 * a document is read. (Expressions use a linear-time engine instead: see `sandbox.ts`.)
 *
 * The rule is simple and strict: a group that may repeat without bound must not hold another
 * unbounded repetition or alternatives, unless it begins with a character that nothing else in it
 * matches (`(-[a-z]+)*` is fine: every `-` starts a new round).
 *
 * @module
 */

const TOKEN =
  /\\(?:u\{[^}]*\}|u[\da-f]{4}|x[\da-f]{2}|p\{[^}]*\}|k<[^>]*>|.)|\[(?:\\.|[^\]\\])*\]|\(\?(?:<?[=!]|:|<[^>]*>)|[()|]|[*+?]\??|\{\d+(?:,\d*)?\}\??|./gisu;
const QUANTIFIER = /^(?:[*+?]\??|\{\d+(?:,\d*)?\}\??)$/;

/** Repetitions from this count on are taken for unbounded. */
const MANY = 10;

/** An open group: what it consists of so far. */
interface Group {
  atoms: string[];
  /** It holds an unbounded repetition or alternatives. */
  ambiguous: boolean;
}

/** Why a pattern is refused, or nothing. */
export function patternProblem(pattern: string): string | undefined {
  try {
    new RegExp(pattern, "u");
  } catch (error) {
    const why = error instanceof Error ? error.message : String(error);
    return `is not a valid regular expression: ${why.replace(/^Invalid regular expression: /, "")}`;
  }
  if (/\\(?:[1-9]|k<)/.test(pattern)) {
    return "a pattern with back-references can take very long: write it without them";
  }
  return repeatsAmbiguously(pattern)
    ? "this pattern can take exponential time, because a repeated group contains a repetition or alternatives: write it without the nesting"
    : undefined;
}

function repeatsAmbiguously(pattern: string): boolean {
  const stack: Group[] = [{ atoms: [], ambiguous: false }];
  let closed: Group | undefined;
  for (const [token] of pattern.matchAll(TOKEN)) {
    const top = stack.at(-1)!;
    if (QUANTIFIER.test(token)) {
      if (repeatsOften(token)) {
        if (closed?.ambiguous && !isDelimited(closed)) return true;
        top.ambiguous = true;
      }
      // A first atom that may be absent or repeated delimits nothing.
      if (top.atoms.length === 1) top.atoms[0] = ".";
      closed = undefined;
      continue;
    }
    closed = undefined;
    if (token.startsWith("(")) stack.push({ atoms: [], ambiguous: false });
    else if (token === ")") closed = close(stack);
    else if (token === "|") [top.ambiguous, top.atoms[0]] = [true, "."];
    else top.atoms.push(token);
  }
  return false;
}

function repeatsOften(quantifier: string): boolean {
  if (!quantifier.startsWith("{")) return !quantifier.startsWith("?");
  return quantifier.includes(",}") || Number(/(\d+)\}/.exec(quantifier)?.[1]) >= MANY;
}

function close(stack: Group[]): Group {
  const group = stack.pop()!;
  const parent = stack.at(-1)!;
  // A group may be optional: it delimits nothing for its parent.
  if (parent.atoms.length === 0) parent.atoms.push(".");
  parent.atoms.push(...group.atoms);
  parent.ambiguous ||= group.ambiguous;
  return group;
}

/** True when the group's first atom is one character that none of its other atoms can match. */
function isDelimited(group: Group): boolean {
  const [first, ...rest] = group.atoms;
  if (first === undefined || !/^(?:[^.[\\^$]|\\[^\w])$/u.test(first)) return false;
  const character = first.length > 1 ? first.slice(1) : first;
  return !rest.some((atom) => new RegExp(`^(?:${atom})$`, "us").test(character));
}
