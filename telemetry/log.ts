/**
 * Structured logs: one JSON line for each event, or a readable line on a terminal.
 *
 * Invariants: (1) logging never throws; (2) a line is out when its turn of the event loop ends, an
 * error line at once; (3) what a field's name marks as a credential is masked, at any depth.
 *
 * @module
 */
import { setImmediate } from "node:timers";
import { toErrorJson } from "../errors.ts";

/** How much is logged. */
export type LogLevel = "debug" | "info" | "warn" | "error";

/** What is logged, and in which form; `auto` is pretty on a terminal and JSON elsewhere. */
export interface LogConfig {
  readonly level: LogLevel;
  readonly format: "auto" | "json" | "pretty";
}

/** Facts of a log line. Errors and secrets may be among them. */
export type LogFields = Record<string, unknown>;

/** Where code logs to. */
export interface Logger {
  debug(message: string, fields?: LogFields): void;
  info(message: string, fields?: LogFields): void;
  warn(message: string, fields?: LogFields): void;
  error(message: string, fields?: LogFields): void;
  /** A logger whose every line has these fields too. */
  with(fields: LogFields): Logger;
  /** Writes what is pending; call it before the process ends. */
  flush(): void;
}

/** How a logger works. */
export interface LogOptions {
  /** Lines below it are dropped. */
  level: LogLevel;
  format: "json" | "pretty";
  /** Takes whole lines, ends included. */
  write: (text: string) => void;
  /** Colours in the pretty form. */
  color?: boolean;
  /** The clock, in milliseconds since the epoch. */
  now?: () => number;
}

const RANK: Record<LogLevel, number> = { debug: 0, info: 1, warn: 2, error: 3 };
const CREDENTIAL = /key|token|secret|authorization|password|cookie/i;

/** A logger that writes through `write`. */
export function createLogger(options: LogOptions): Logger {
  const { now = Date.now } = options;
  const format = options.format === "json" ? jsonLine : prettyLine(options.color ?? false);
  const buffer = lineBuffer(options.write);
  const make = (base: LogFields): Logger => {
    const log = (level: LogLevel) => (message: string, fields?: LogFields) => {
      if (RANK[level] < RANK[options.level]) return;
      buffer.add(format({ at: now(), level, message, fields: { ...base, ...fields } }));
      if (level === "error") buffer.flush();
    };
    return {
      debug: log("debug"),
      info: log("info"),
      warn: log("warn"),
      error: log("error"),
      with: (fields) => make({ ...base, ...fields }),
      flush: buffer.flush,
    };
  };
  return make({});
}

/** Something like `Deno.stdout`. */
export interface LogStream {
  writeSync(bytes: Uint8Array): number;
  isTerminal(): boolean;
}

/** A logger that writes to a stream. */
export function createStreamLogger(config: LogConfig, stream: LogStream): Logger {
  const terminal = stream.isTerminal();
  const encoder = new TextEncoder();
  return createLogger({
    level: config.level,
    format: config.format === "auto" ? (terminal ? "pretty" : "json") : config.format,
    color: terminal && !Deno.noColor,
    write(text) {
      for (let rest = encoder.encode(text); rest.length > 0;) {
        rest = rest.subarray(stream.writeSync(rest));
      }
    },
  });
}

function lineBuffer(write: (text: string) => void) {
  let pending = "";
  const flush = () => {
    const text = pending;
    pending = "";
    try {
      if (text) write(text);
    } catch {
      // The log has no reader any more (a closed pipe), and there is nowhere else to report it.
    }
  };
  const add = (line: string) => {
    if (!pending) setImmediate(flush);
    pending += line;
  };
  return { add, flush };
}

interface LogRecord {
  at: number;
  level: LogLevel;
  message: string;
  fields: LogFields;
}

function jsonLine({ at, level, message, fields }: LogRecord): string {
  const head = {
    timestamp: new Date(at).toISOString(),
    level: level.toUpperCase(),
    logger: "orchestrator",
    message,
  };
  return stringify({ ...head, ...fields, ...head }, head) + "\n";
}

const COLORS: Record<LogLevel, number> = { debug: 90, info: 32, warn: 33, error: 31 };

function prettyLine(color: boolean) {
  const paint = (code: number, text: string) => color ? `\x1b[${code}m${text}\x1b[0m` : text;
  return ({ at, level, message, fields }: LogRecord): string => {
    const time = new Date(at).toISOString().slice(11, 23);
    const facts = JSON.parse(stringify(fields, { error: "fields cannot be shown" })) as LogFields;
    const stacks: string[] = [];
    const words = Object.entries(facts).map(([name, value]) => {
      const { stack, ...rest } = isObject(value) ? value : {};
      if (typeof stack === "string") stacks.push(`\n${visible(stack)}`.replaceAll("\n", "\n  "));
      const shown = stack === undefined ? value : rest;
      const bare = typeof shown === "string" && /^[\w.:/@+-]+$/.test(shown);
      return ` ${paint(90, `${name}=`)}${bare ? shown : JSON.stringify(shown)}`;
    });
    const label = paint(COLORS[level], level.toUpperCase().padEnd(5));
    return `${paint(90, time)} ${label} ${visible(message)}${words.join("")}${stacks.join("")}\n`;
  };
}

/** Without control characters: text from outside must not drive the terminal. */
function visible(text: string): string {
  return text.replace(/[^\P{Cc}\n]/gu, "");
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null;
}

/** JSON of `value`, or of `instead` when that cannot be had (a cycle, a getter that throws). */
function stringify(value: unknown, instead: unknown): string {
  try {
    return JSON.stringify(value, safeField);
  } catch {
    return JSON.stringify(instead);
  }
}

function safeField(name: string, value: unknown): unknown {
  // Counts such as `input_tokens` are numbers; no credential is one.
  if ((typeof value === "string" || isObject(value)) && CREDENTIAL.test(name)) return "[masked]";
  if (typeof value === "bigint") return value.toString();
  if (!(value instanceof Error)) return value;
  const { code, message } = toErrorJson(value);
  return { code, message, stack: value.stack };
}
