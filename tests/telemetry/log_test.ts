import { expect } from "expect";
import { Secret } from "../../config/secret.ts";
import { OrchestratorError } from "../../errors.ts";
import {
  createLogger,
  createStreamLogger,
  type LogFields,
  type LogOptions,
} from "../../telemetry/log.ts";

const AT = Date.parse("2026-01-14T10:29:41.000Z");

function capture(options: Partial<LogOptions> = {}) {
  const writes: string[] = [];
  const log = createLogger({
    level: "info",
    format: "json",
    write: (text) => writes.push(text),
    now: () => AT,
    ...options,
  });
  return { log, writes, text: () => (log.flush(), writes.join("")) };
}

/** What one field looks like in a JSON line. */
function logged(fields: LogFields): LogFields {
  const { log, text } = capture();
  log.info("m", fields);
  return JSON.parse(text());
}

const nextTurn = () => new Promise<void>((resolve) => setTimeout(resolve));

Deno.test("createLogger() writes JSON lines in the documented form", () => {
  const { log, text } = capture();
  log.info("Workflow started successfully", { workflow_id: "wf-abc123" });
  expect(text()).toBe(
    '{"timestamp":"2026-01-14T10:29:41.000Z","level":"INFO","logger":"orchestrator",' +
      '"message":"Workflow started successfully","workflow_id":"wf-abc123"}\n',
  );
});

Deno.test("createLogger() drops what is below its level", () => {
  const { log, text } = capture({ level: "warn" });
  log.debug("a");
  log.info("b");
  log.warn("c");
  log.error("d");
  const levels = text().trim().split("\n").map((line) => JSON.parse(line).level);
  expect(levels).toEqual(["WARN", "ERROR"]);
});

Deno.test("Logger.with() adds its fields to every line and to no other logger", () => {
  const { log, text } = capture();
  const run = log.with({ run_id: "r1" }).with({ step: "plan" });
  run.info("one", { step: "build" });
  run.info("two");
  log.info("three");
  const lines = text().trim().split("\n").map((line) => JSON.parse(line));
  expect(lines.map(({ run_id, step }) => [run_id, step]))
    .toEqual([["r1", "build"], ["r1", "plan"], [undefined, undefined]]);
});

Deno.test("createLogger() writes once a turn, and errors at once", async () => {
  const { log, writes } = capture();
  log.info("a");
  log.info("b");
  expect(writes).toHaveLength(0);
  await nextTurn();
  await nextTurn();
  expect(writes).toHaveLength(1);
  log.info("c");
  log.error("d");
  expect(writes).toHaveLength(2);
  await nextTurn();
  await nextTurn();
  expect(writes).toHaveLength(2);
});

Deno.test("createLogger() masks credentials at any depth and keeps counts", () => {
  expect(logged({
    api_key: "canary",
    headers: { Authorization: "Bearer canary", Cookie: ["canary"], accept: "*/*" },
    webhookSecret: { value: "canary" },
    wrapped: new Secret("canary"),
    usage: { input_tokens: 3 },
    password: null,
  })).toMatchObject({
    api_key: "[masked]",
    headers: { Authorization: "[masked]", Cookie: "[masked]", accept: "*/*" },
    webhookSecret: "[masked]",
    wrapped: "[secret]",
    usage: { input_tokens: 3 },
    password: null,
  });
});

Deno.test("createLogger() writes code, message and stack of an error", () => {
  const error = new OrchestratorError("model_timeout", "Cannot wait: too slow.");
  expect(logged({ error }).error)
    .toEqual({ code: "model_timeout", message: "Cannot wait: too slow.", stack: error.stack });
  expect(logged({ error: new TypeError("x") }).error).toMatchObject({ code: "internal" });
});

Deno.test("createLogger() never throws", () => {
  const cycle: LogFields = {};
  cycle.self = cycle;
  expect(logged({ cycle }).message).toBe("m");
  const throwing = Object.defineProperty({}, "x", {
    enumerable: true,
    get() {
      throw new Error("no");
    },
  });
  expect(logged({ throwing }).message).toBe("m");
  expect(logged({ big: 12n }).big).toBe("12");
  expect(logged({ level: "X", message: "y" })).toMatchObject({ level: "INFO", message: "m" });
  const broken = capture({
    write() {
      throw new Deno.errors.BrokenPipe();
    },
  });
  broken.log.error("x");
  const { log, text } = capture({ format: "pretty" });
  log.info("m", { cycle });
  expect(text()).toContain('error="fields cannot be shown"');
});

Deno.test("createLogger() writes readable lines in the pretty form", () => {
  const { log, text } = capture({ format: "pretty" });
  log.warn("Retrying", { run_id: "r1", why: "two words", n: 3, at: { x: 1 } });
  expect(text()).toBe(
    '10:29:41.000 WARN  Retrying run_id=r1 why="two words" n=3 at={"x":1}\n',
  );
});

Deno.test("createLogger() puts an error's stack below the pretty line", () => {
  const { log, text } = capture({ format: "pretty" });
  const error = new OrchestratorError("internal", "bad");
  error.stack = "OrchestratorError: bad\n    at x\x1b[2J.ts:1";
  log.error("Failed", { error });
  expect(text()).toBe(
    '10:29:41.000 ERROR Failed error={"code":"internal","message":"bad"}\n' +
      "  OrchestratorError: bad\n      at x[2J.ts:1\n",
  );
});

Deno.test("createLogger() lets no text drive the terminal", () => {
  const { log, text } = capture({ format: "pretty" });
  log.info("a\x1b[2Jb", { c: "\x1b]0;x\x07" });
  expect(text()).not.toMatch(/[^\P{Cc}\n]/u);
});

Deno.test("createLogger() colours the pretty form where asked to", () => {
  const { log, text } = capture({ format: "pretty", color: true });
  log.info("a", { b: 1 });
  expect(text()).toContain("\x1b[32mINFO \x1b[0m a");
});

function stream(terminal: boolean) {
  const bytes: number[] = [];
  return {
    isTerminal: () => terminal,
    /** Takes three bytes at a time, as a full pipe does. */
    writeSync(chunk: Uint8Array) {
      const part = chunk.subarray(0, 3);
      bytes.push(...part);
      return part.length;
    },
    text: () => new TextDecoder().decode(new Uint8Array(bytes)),
  };
}

Deno.test("createStreamLogger() writes whole lines to a stream that takes parts", () => {
  const out = stream(false);
  const log = createStreamLogger({ level: "info", format: "auto" }, out);
  log.info("Grüße");
  log.flush();
  expect(JSON.parse(out.text())).toMatchObject({ message: "Grüße" });
});

Deno.test("createStreamLogger() is pretty on a terminal unless told otherwise", () => {
  const shown = (format: "auto" | "json") => {
    const out = stream(true);
    const log = createStreamLogger({ level: "info", format }, out);
    log.info("hello");
    log.flush();
    return out.text();
  };
  expect(shown("auto")).toMatch(/^.*INFO.*hello\n$/);
  expect(JSON.parse(shown("json"))).toMatchObject({ message: "hello" });
});
