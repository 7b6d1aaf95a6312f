/**
 * Templates: any JSON value whose texts may hold `${ expression }`. A text that is exactly one
 * expression gives its value as it is; in a longer text values are inserted as text. `$${` is a
 * literal `${`.
 *
 * @module
 */
import { OrchestratorError } from "../../errors.ts";
import type { Json } from "../kernel/mod.ts";
import { compileExpression, type Evaluate } from "./expression.ts";
import type { Path } from "../../json/mod.ts";

/** An expression in a template, and where. */
export interface Embedded {
  path: Path;
  source: string;
}

/**
 * Prepares a template. A field whose value is missing is absent; a missing array item is `null`.
 *
 * @throws `expression_failed` when an expression is not closed
 */
export function compileTemplate(template: Json): Evaluate {
  if (isConstant(template)) return constant(unescape(template));
  if (typeof template === "string") return compileText(template);
  if (Array.isArray(template)) {
    return combine(template.map(compileTemplate), (values) => values.map((v) => v ?? null));
  }
  const entries = Object.entries(template as Record<string, Json>);
  const names = entries.map(([name]) => name);
  return combine(entries.map(([, value]) => compileTemplate(value)), (values) => {
    const result: Record<string, Json> = {};
    values.forEach((value, index) => {
      if (value !== undefined) result[names[index]!] = value;
    });
    return result;
  });
}

/** True when a text is to be evaluated, not taken as it is. */
export function isTemplate(text: string): boolean {
  return text.includes("${");
}

/** The expressions of a template. @throws `expression_failed` when one is not closed */
export function expressionsOf(template: unknown, path: Path): Embedded[] {
  if (typeof template === "string") {
    return splitText(template).filter((part) => typeof part === "object")
      .map(({ source }) => ({ path, source }));
  }
  if (typeof template !== "object" || template === null) return [];
  return Object.entries(template).flatMap(([key, value]) =>
    expressionsOf(value, [...path, Array.isArray(template) ? Number(key) : key])
  );
}

function constant(value: Json): Evaluate {
  return () => value;
}

function isConstant(template: Json): boolean {
  if (typeof template === "string") return splitText(template).every((p) => typeof p === "string");
  if (typeof template !== "object" || template === null) return true;
  return Object.values(template).every((value) => value === undefined || isConstant(value));
}

function unescape(template: Json): Json {
  if (typeof template === "string") return splitText(template).join("");
  if (typeof template !== "object" || template === null) return template;
  if (Array.isArray(template)) return template.map(unescape);
  return Object.fromEntries(
    Object.entries(template).map(([name, value]) => [name, unescape(value as Json)]),
  );
}

/** Waits only when one of the parts has to. */
function combine(parts: Evaluate[], join: (values: (Json | undefined)[]) => Json): Evaluate {
  return (scope) => {
    const values = parts.map((part) => part(scope));
    return values.some((value) => value instanceof Promise)
      ? Promise.all(values).then(join)
      : join(values as (Json | undefined)[]);
  };
}

function compileText(text: string): Evaluate {
  const parts = splitText(text);
  const [only] = parts;
  if (parts.length === 1 && typeof only === "object") return compileExpression(only.source);
  return combine(
    parts.map((part) => typeof part === "string" ? constant(part) : compileExpression(part.source)),
    (values) => values.map(asText).join(""),
  );
}

function asText(value: Json | undefined): string {
  if (value === undefined || value === null) return "";
  return typeof value === "object" ? JSON.stringify(value) : String(value);
}

type Part = string | { source: string };

/** Text and expressions in turn. */
function splitText(text: string): Part[] {
  if (!isTemplate(text)) return [text];
  const parts: Part[] = [];
  let plain = "";
  for (let at = 0; at < text.length;) {
    const open = text.indexOf("${", at);
    if (open === -1) {
      plain += text.slice(at);
      break;
    }
    if (open > at && text[open - 1] === "$") {
      plain += text.slice(at, open - 1) + "${";
      at = open + 2;
      continue;
    }
    plain += text.slice(at, open);
    const close = endOfExpression(text, open + 2);
    if (plain !== "") parts.push(plain);
    plain = "";
    parts.push({ source: text.slice(open + 2, close).trim() });
    at = close + 1;
  }
  if (plain !== "") parts.push(plain);
  return parts;
}

/** Quoted texts, comments and regular expressions may hold braces that do not count. */
const SKIPPED = /"(?:[^"\\]|\\.)*"|'(?:[^'\\]|\\.)*'|`[^`]*`|\/\*[\s\S]*?\*\//y;
const REGEX = /\/(?:[^/\\\[]|\\.|\[(?:[^\]\\]|\\.)*\])+\//y;

function endOfExpression(text: string, start: number): number {
  let depth = 0;
  for (let at = start, previous = "("; at < text.length; at++) {
    const skipped = matchAt(SKIPPED, text, at) ??
      // After a value a slash divides; elsewhere it opens a regular expression.
      (/[\w)\]}"'`]/.test(previous) ? undefined : matchAt(REGEX, text, at));
    if (skipped !== undefined) {
      at += skipped.length - 1;
      if (!skipped.startsWith("/*")) previous = '"';
      continue;
    }
    const character = text[at]!;
    if (character === "{") depth++;
    if (character === "}" && depth-- === 0) return at;
    if (/\S/.test(character)) previous = character;
  }
  throw new OrchestratorError(
    "expression_failed",
    `Cannot read the template "${
      text.slice(0, 60)
    }": \${ is not closed. Add the missing }, or write $\${ for a literal one.`,
  );
}

function matchAt(pattern: RegExp, text: string, at: number): string | undefined {
  pattern.lastIndex = at;
  return pattern.exec(text)?.[0];
}
