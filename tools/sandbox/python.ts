/**
 * Python: each run has a process of its own, which holds Pyodide and ends with the run. The process
 * is this program again, without environment; it gives up its permissions before the code begins.
 *
 * @module
 */
import { type Job, MAX_OUTPUT_BYTES, TOO_LARGE } from "./contract.ts";
import { encodeFrame, type Frame, readFrames } from "./frames.ts";
import type { Failure, Outcome } from "./outcome.ts";
import { pyodideFolder, startChild } from "./python_process.ts";

const MAX_SNAPSHOT_BYTES = 128 * 1024 * 1024;

/** Runs Python. */
export interface Python {
  /** Runs code to its end. @throws `sandbox_unavailable`, and what aborted the job's signal */
  run(job: Job): Promise<Outcome>;
}

/** Makes a runner of Python. It remembers the memory of the first interpreter that it started. */
export function createPython(): Python {
  let snapshot: Uint8Array | undefined;

  return {
    async run(job) {
      const folder = await pyodideFolder();
      job.signal.throwIfAborted();
      const child = startChild(folder);
      const stop = stopping(child, job);
      const asked = { make_snapshot: snapshot === undefined };
      try {
        const [outcome] = await Promise.all([
          collect(child.stdout, (bytes) => snapshot ??= bytes),
          write(child.stdin, job, asked, snapshot),
        ]);
        job.signal.throwIfAborted();
        return stop.why ? { ...outcome, end: { code: stop.why } } : outcome;
      } finally {
        await stop.end();
      }
    },
  };
}

/** Ends a child when its time is over, its memory too large or its job is not wanted any more. */
function stopping(child: Deno.ChildProcess, { signal, timeout_ms }: Job) {
  const stop: { why?: Failure["code"]; end(): Promise<void> } = { end };
  const kill = () => {
    try {
      child.kill("SIGKILL");
    } catch {
      // It has ended by itself.
    }
  };
  const because = (code: Failure["code"]) => {
    stop.why ??= code;
    kill();
  };
  const timer = setTimeout(() => because("code_timeout"), timeout_ms);
  const watched = listen(child.stderr, () => because("code_memory"));
  signal.addEventListener("abort", kill, { once: true });
  async function end(): Promise<void> {
    clearTimeout(timer);
    signal.removeEventListener("abort", kill);
    kill();
    await Promise.all([child.status, watched]);
  }
  return stop;
}

/** A child says on standard error that it has grown too large; else Deno may complain there. */
async function listen(stream: ReadableStream<Uint8Array>, onTooLarge: () => void): Promise<void> {
  for await (const bytes of stream) {
    if (bytes.includes(TOO_LARGE)) onTooLarge();
  }
}

/** A child that has ended takes no input: then its outcome says why. */
async function write(
  stream: WritableStream<Uint8Array<ArrayBuffer>>,
  { code, input, files, memory_mb }: Job,
  asked: { make_snapshot: boolean },
  snapshot?: Uint8Array,
): Promise<void> {
  const writer = stream.getWriter();
  try {
    const job = { code, input: JSON.stringify(input), memory_mb, ...asked };
    await writer.write(encodeFrame({ kind: "job", ...job }));
    if (snapshot) await writer.write(encodeFrame({ kind: "snapshot" }, snapshot));
    for (const [name, bytes] of Object.entries(files)) {
      await writer.write(encodeFrame({ kind: "file", name }, bytes));
    }
    await writer.close();
  } catch {
    // See above.
  }
}

/** Gathers what a child tells, and stops listening where that is too much or makes no sense. */
async function collect(
  stream: ReadableStream<Uint8Array>,
  keepSnapshot: (bytes: Uint8Array) => void,
): Promise<Outcome> {
  const outcome: Outcome = { end: DIED, stdout: "", stderr: "", files: {} };
  const printed = { stdout: new TextDecoder(), stderr: new TextDecoder() };
  let bytes = 0;
  try {
    for await (const frame of readFrames(stream, MAX_SNAPSHOT_BYTES)) {
      const { kind } = frame.head;
      // Only the first frame is sent before the code runs.
      if (kind === "snapshot" && bytes === 0) keepSnapshot(frame.body);
      else if ((bytes += frame.body.length + 64) > MAX_OUTPUT_BYTES) return tooLarge(outcome);
      else if (kind === "stdout" || kind === "stderr") {
        outcome[kind] += printed[kind].decode(frame.body, { stream: true });
      } else if (kind === "file") outcome.files[String(frame.head.name)] = frame.body;
      else if (kind === "end") outcome.end = endOf(frame);
    }
    return outcome;
  } catch (error) {
    return error instanceof RangeError ? tooLarge(outcome) : outcome;
  }
}

const DIED: Failure = {
  code: "code_failed",
  reason: "it broke the interpreter, or awaits something that never settles",
};

function tooLarge(outcome: Outcome): Outcome {
  return { ...outcome, end: { code: "code_output_too_large" } };
}

/** What the code's process says of itself need not be true, but it must be one of these. */
function endOf({ head, body }: Frame): Outcome["end"] {
  if (head.code === undefined) return { json: new TextDecoder().decode(body) };
  const code = FAILURES.find((code) => code === head.code) ?? "code_failed";
  return { code, reason: String(head.reason) };
}

const FAILURES: Failure["code"][] = ["code_failed", "code_memory", "code_output_too_large"];
