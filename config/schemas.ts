/** What values of environment variables look like, each with its own words for the documentation. @module */
import * as z from "zod";
import { Secret } from "./secret.ts";

/** What the documentation says about a variable. */
export interface VariableMeta {
  /** Heading it is listed under. */
  group: string;
  /** What a value must be, as it reads after "must be": `a whole number from 0 to 65535`. */
  type: string;
  description: string;
  /** The value that is used if it is not set. */
  default?: string;
  example: string;
  /** Keys and the like: never printed. */
  secret: boolean;
}

type Described = Omit<VariableMeta, "type" | "secret">;

/** Any text. */
export const text = z.string().min(1).meta({ type: "text" });

/** A key; it does not show when it is printed. */
export const secret = z.string().regex(/^[!-~]+$/).transform((value) => new Secret(value))
  .meta({ type: "a key (no spaces)", secret: true });

/** A project's id. */
export const projectId = z.string().regex(/^[A-Za-z0-9_-]+$/)
  .meta({ type: "a project id (letters, digits, `-`, `_`)" });

/** An address, without slashes at its end. */
export const url = z.url({ protocol: /^https?$/ })
  .transform((value) => value.replace(/\/+$/, "")).meta({ type: "an http(s) URL" });

/** A whole number within bounds. */
export const integer = (min: number, max: number) =>
  z.string().regex(/^\d+$/).transform(Number).pipe(z.number().int().min(min).max(max))
    .meta({ type: `an integer from ${min} to ${max}` });

const UNITS = { s: 1_000, m: 60_000, h: 3_600_000, d: 86_400_000 } as const;

/** Text such as `30d` to milliseconds. */
export const duration = z.string().toLowerCase().regex(/^(0|[1-9]\d{0,5}[smhd])$/)
  .transform((value) => parseInt(value) * (UNITS[value.at(-1) as keyof typeof UNITS] ?? 0))
  .meta({ type: "a number followed by s, m, h or d (30d, 12h), or 0" });

/** One of these words; each stands for its value. */
export const oneOf = <const T extends Record<string, string>>(words: T) =>
  z.string().toLowerCase().refine((value) => Object.hasOwn(words, value))
    .transform((value) => words[value] as T[keyof T])
    .meta({ type: `one of ${Object.keys(words).join(", ")}` });

/** True or false. */
export const flag = oneOf({ true: "true", false: "false" }).transform((value) => value === "true")
  .meta({ type: "`true` or `false`" });

/** A list, separated by commas. */
export const listOf = (item: z.ZodType<string, string>, type: string) =>
  z.string().transform((value) => value.split(",").map((part) => part.trim()).filter(Boolean))
    .pipe(z.array(item)).meta({ type: `a comma-separated list of ${type}` });

/** A name or IP address to listen on. */
export const address = z.string().regex(/^[A-Za-z0-9.:[\]_-]+$/).toLowerCase()
  .meta({ type: "a host name or an IP address" });

/** The port is removed: only names are compared. */
export const host = z.string().regex(/^([\w.-]+|\[[\da-f:]+\])(:\d+)?$/i)
  .transform((value) => value.toLowerCase().replace(/:\d+$/, ""));

/** The port stays: it is part of the rule. */
export const hostRule = z.string().regex(/^(\*\.)?([\w-][\w.-]*|\[[\da-f:.]+\])(:\d{1,5})?$/i);

/** The services that can search the web. */
export const searchServices = {
  brave: "brave",
  tavily: "tavily",
  serper: "serper",
  searxng: "searxng",
} as const;

/** A web page's origin. */
export const origin = z.string().refine((value) =>
  URL.canParse(value) && new URL(value).origin === value.toLowerCase()
).toLowerCase();

/** Addresses by name. */
export const addresses = z.string().transform((value, check) => {
  try {
    return JSON.parse(value) as unknown;
  } catch {
    check.addIssue({ code: "custom", message: "not JSON" });
    return z.NEVER;
  }
}).pipe(z.record(z.string().regex(/^[a-z][a-z0-9_]*$/), url))
  .meta({ type: "a JSON object of names (lower-case letters, digits, `_`) and http(s) URLs" });

/** A JSON list, whose items are read elsewhere. */
const jsonList = z.string().transform((value, check) => {
  try {
    const found = JSON.parse(value) as unknown;
    if (Array.isArray(found)) return found as unknown[];
  } catch {
    // Reported below, with the other values that are not lists.
  }
  check.addIssue({ code: "custom", message: "not a JSON list" });
  return z.NEVER;
});

/** Its items may hold keys. */
export const secretList = jsonList.meta({ type: "a JSON list", secret: true });

/** Command lines. */
export const commandLines = jsonList.pipe(z.array(z.string().min(1)))
  .meta({ type: "a JSON list of command lines" });

/** Describes an optional variable. */
export function optional<T extends z.ZodType>(schema: T, meta: Described) {
  return schema.optional().meta({ secret: false, ...schema.meta(), ...meta });
}

/** Describes a variable with a default, written as the environment would hold it. */
export function required<T extends z.ZodType<unknown, string>>(
  schema: T,
  meta: Described & { default: string },
) {
  return schema.prefault(meta.default as z.input<T>)
    .meta({ secret: false, ...schema.meta(), ...meta });
}

/** Describes a key. */
export const apiKey = (group: string, who: string, example: string) =>
  optional(secret, { group, description: `The API key for ${who}.`, example });

/** Describes an address that a service has unless it is set. */
export const baseUrl = (group: string, who: string, example: string) =>
  optional(url, { group, description: `The address of ${who}. Set it to use a gateway.`, example });
