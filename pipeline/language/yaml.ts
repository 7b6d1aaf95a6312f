/**
 * Reads YAML that people wrote: values with the line each of them stands on. Alias expansion, size
 * and depth are bounded, because documents also arrive over HTTP.
 *
 * @module
 */
import type { Path } from "../../json/mod.ts";
import {
  type Document,
  isAlias,
  isMap,
  isScalar,
  isSeq,
  Lexer,
  LineCounter,
  type Node as YamlNode,
  parseDocument,
  visit,
} from "yaml";
import type { Issue } from "../../errors.ts";

/** The largest document that is read, in characters. */
export const MAX_DOCUMENT_CHARS = 256 * 1024;
const MAX_ALIASES = 100;
const MAX_DEPTH = 64;
/** What begins a level of a block, so that several stand in one line. */
const INDICATORS = new Set(["-", "?", ":"]);

/** A document that was read. */
export interface YamlDocument {
  /** Plain JSON; `undefined` when there are issues. */
  value: unknown;
  issues: Issue[];
  /** `line 12, nodes.plan.next`: the line of the key at `path`, or of its nearest ancestor. */
  locate(path: Path): string;
}

/**
 * Reads one YAML document.
 *
 * @param firstLine line of the text's first line in its file (front matter starts at 2)
 */
export function readYaml(text: string, firstLine = 1): YamlDocument {
  if (text.length > MAX_DOCUMENT_CHARS) {
    const limit = `the document has ${text.length} characters, more than ${MAX_DOCUMENT_CHARS}`;
    return failed([{ location: `line ${firstLine}`, message: `${limit}; split it` }]);
  }
  if (nestsTooDeeply(text)) return failed([tooDeep(firstLine)]);
  const counter = new LineCounter();
  const line = (offset: number) => counter.linePos(offset).line + firstLine - 1;
  try {
    const document = parseDocument(text, {
      lineCounter: counter,
      prettyErrors: false,
      merge: true,
      schema: "core",
      stringKeys: true,
      // The parser's own check compares every pair of keys.
      uniqueKeys: false,
    });
    const issues = syntaxIssues(document, line);
    if (issues.length > 0) return failed(issues);
    const value: unknown = document.toJS({ maxAliasCount: MAX_ALIASES });
    if (isDeeperThan(value, MAX_DEPTH)) return failed([tooDeep(firstLine)]);
    return { value, issues: [], locate: (path) => locate(document, path, line) };
  } catch (error) {
    // Too many aliases, or nesting so deep that the parser's stack overflows.
    const why = error instanceof Error ? error.message : String(error);
    return failed([{ location: `line ${firstLine}`, message: `the YAML cannot be read: ${why}` }]);
  }
}

function tooDeep(line: number): Issue {
  const message = `values are nested deeper than ${MAX_DEPTH} levels; flatten them`;
  return { location: `line ${line}`, message };
}

/**
 * Whether brackets, or the indicators at the start of one line, nest too deeply. The parser takes
 * seconds for those; levels of indentation are few in a text of bounded size.
 */
function nestsTooDeeply(text: string): boolean {
  let brackets = 0;
  let indicators = 0;
  for (const token of new Lexer().lex(text)) {
    if (token === "[" || token === "{") brackets++;
    else if (token === "]" || token === "}") brackets = Math.max(0, brackets - 1);
    else if (token.startsWith("\n") || token.startsWith("\r")) indicators = 0;
    else if (brackets === 0 && INDICATORS.has(token)) indicators++;
    if (Math.max(brackets, indicators) > MAX_DEPTH) return true;
  }
  return false;
}

function failed(issues: Issue[]): YamlDocument {
  return { value: undefined, issues, locate: () => "line 1" };
}

function syntaxIssues(document: Document, line: (offset: number) => number): Issue[] {
  const issues = [...document.errors, ...document.warnings].map((problem) => ({
    location: `line ${line(problem.pos[0])}`,
    message: `invalid YAML: ${problem.message}`,
  }));
  let aliases = 0;
  visit(document, {
    Alias(_, alias) {
      const location = `line ${line(alias.range?.[0] ?? 0)}`;
      if (++aliases > MAX_ALIASES) {
        issues.push({ location, message: `more than ${MAX_ALIASES} aliases: write some out` });
        return visit.BREAK;
      }
      if (alias.resolve(document)) return;
      const message = `unknown anchor "${alias.source}": define it first with &${alias.source}`;
      issues.push({ location, message });
    },
    Map(_, map) {
      const seen = new Set<unknown>();
      for (const { key } of map.items) {
        if (!isScalar(key)) continue;
        const message = seen.has(key.value)
          ? "duplicate key: remove one of the two"
          : key.value === "__proto__"
          ? 'the key "__proto__" is not allowed: rename it'
          : undefined;
        seen.add(key.value);
        if (message) issues.push({ location: `line ${line(key.range?.[0] ?? 0)}`, message });
      }
    },
  });
  return issues;
}

function locate(document: Document, path: Path, line: (offset: number) => number): string {
  let node: unknown = document.contents;
  let offset = 0;
  for (const part of path) {
    if (isAlias(node)) node = node.resolve(document);
    const child = step(node, part);
    if (!child) break;
    offset = child.offset ?? offset;
    node = child.node;
  }
  const dotted = path.map((part) => typeof part === "number" ? `[${part}]` : `.${part}`).join("");
  return `line ${line(offset)}${path.length === 0 ? "" : `, ${dotted.replace(/^\./, "")}`}`;
}

function step(
  node: unknown,
  part: string | number,
): { node: unknown; offset?: number } | undefined {
  if (isMap(node)) {
    const pair = node.items.find((item) => isScalar(item.key) && String(item.key.value) === part);
    return pair && { node: pair.value, offset: (pair.key as YamlNode).range?.[0] };
  }
  if (isSeq(node) && typeof part === "number") {
    const item = node.items[part] as YamlNode | undefined;
    return item && { node: item, offset: item.range?.[0] };
  }
}

function isDeeperThan(value: unknown, depth: number): boolean {
  if (typeof value !== "object" || value === null) return false;
  if (depth === 0) return true;
  return Object.values(value).some((child) => isDeeperThan(child, depth - 1));
}
