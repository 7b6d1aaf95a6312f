/**
 * Placeholders of HTTP tools: `{name}` stands for the argument of that name. In a query `{name*}`
 * repeats the parameter for each item of a list, where `{name}` puts commas between them (as in
 * RFC 6570).
 *
 * @module
 */
import type { Json } from "../../json/mod.ts";

/** A call's arguments. */
export type Args = Record<string, Json | undefined>;

const PLACEHOLDER = /\{([A-Za-z_][\w.-]*)(\*?)\}/g;
const WHOLE = /^\{([A-Za-z_][\w.-]*)(\*?)\}$/;

/** The names of a template's placeholders, at any depth. */
export function placeholders(template: Json | undefined): string[] {
  if (typeof template === "string") {
    return [...template.matchAll(PLACEHOLDER)].map(([, name = ""]) => name);
  }
  if (typeof template !== "object" || template === null) return [];
  return Object.values(template).flatMap(placeholders);
}

/** Fills a text. Nothing when an argument is missing: the whole text is then left out. */
export function fillText(
  template: string,
  args: Args,
  encode: (text: string) => string = (text) => text,
): string | undefined {
  let missing = false;
  const text = template.replace(PLACEHOLDER, (_whole, name: string) => {
    const value = own(args, name);
    missing ||= value === undefined;
    return encodeItems(value ?? "", encode);
  });
  return missing ? undefined : text;
}

/** Fills a query: pairs in their order, without those whose arguments are missing. */
export function fillQuery(query: Record<string, string>, args: Args): [string, string][] {
  return Object.entries(query).flatMap(([key, template]) => {
    const [, name, spread] = WHOLE.exec(template) ?? [];
    const value = name && spread ? own(args, name) : undefined;
    if (typeof value === "object" && value !== null) return pairs(key, value);
    const text = fillText(template, args);
    return text === undefined ? [] : [[key, text] as [string, string]];
  });
}

/**
 * Fills a JSON template. A text that is one placeholder becomes the argument itself, whatever its
 * type; one whose argument is missing is left out of its list or object.
 */
export function fillJson(template: Json, args: Args): Json | undefined {
  if (typeof template === "string") {
    const name = WHOLE.exec(template)?.[1];
    return name === undefined ? fillText(template, args) : own(args, name);
  }
  if (Array.isArray(template)) {
    return template.map((item) => fillJson(item, args)).filter((item) => item !== undefined);
  }
  if (typeof template !== "object" || template === null) return template;
  return Object.fromEntries(
    Object.entries(template).map(([key, item]) => [key, fillJson(item ?? null, args)])
      .filter(([, item]) => item !== undefined),
  );
}

/** How a value is written in an address, a header or a form. */
export function plainText(value: Json): string {
  if (value === null) return "";
  if (Array.isArray(value)) return value.map(plainText).join(",");
  return typeof value === "object" ? JSON.stringify(value) : String(value);
}

function encodeItems(value: Json, encode: (text: string) => string): string {
  // The comma between items is no part of them.
  return Array.isArray(value)
    ? value.map((item) => encode(plainText(item))).join(",")
    : encode(plainText(value));
}

/** A list repeats its key; an object's fields are parameters of their own. */
function pairs(
  key: string,
  value: Json[] | { [key: string]: Json | undefined },
): [string, string][] {
  if (Array.isArray(value)) return value.map((item) => [key, plainText(item)]);
  return Object.entries(value).map(([name, item]) => [name, plainText(item ?? null)]);
}

function own(args: Args, name: string): Json | undefined {
  return Object.hasOwn(args, name) ? args[name] : undefined;
}
