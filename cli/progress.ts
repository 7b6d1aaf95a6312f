/** Progress of a run for people: one line per agent, the current one alive on a terminal. @module */
import type { RunEvent } from "../pipeline/kernel/mod.ts";

/** Shows events. */
export interface Progress {
  show(event: RunEvent): void;
  /** Leaves the terminal tidy. */
  end(): void;
}

/** Where progress goes. */
export interface ProgressOutput {
  write(text: string): void;
  /** Lines may be rewritten. */
  terminal: boolean;
}

const FRAMES = ["⠋", "⠙", "⠹", "⠸", "⠼", "⠴", "⠦", "⠧", "⠇", "⠏"];
const FRAME_MS = 80;
const CLEAR = "\r\x1b[2K";

/** Shows the progress of one run. */
export function showProgress({ write, terminal }: ProgressOutput): Progress {
  let agent: string | undefined, chars = 0, frame = 0;
  let timer: ReturnType<typeof setInterval> | undefined;
  const draw = () => {
    const text = chars > 0 ? `${chars} characters` : "thinking";
    write(`${CLEAR}${FRAMES[frame++ % FRAMES.length]} ${agent} ${text}`);
  };
  const begin = (name: string) => {
    agent = name;
    chars = 0;
    if (!terminal) return;
    timer ??= setInterval(draw, FRAME_MS);
    draw();
  };
  const settle = (line: string) => {
    clearInterval(timer);
    timer = agent = undefined;
    write(`${terminal ? CLEAR : ""}${line}\n`);
  };
  return {
    show(event) {
      if (event.type === "agent.started") return begin(event.agent);
      if (event.type === "step.delta") chars += event.text.length;
      const line = lineOf(event);
      if (line) settle(line);
    },
    end() {
      clearInterval(timer);
      timer = undefined;
      if (terminal && agent) write(CLEAR);
    },
  };
}

/** The line that stays of an event, if one does. */
function lineOf(event: RunEvent): string | undefined {
  switch (event.type) {
    case "agent.completed":
      return doneLine(event);
    case "step.failed":
      return `✗ ${event.step} failed (${event.error.code})${retryText(event.retry_at)}`;
    case "approval.requested":
      return `… asks for approval: ${event.title}`;
    case "approval.decided":
      return `✓ approval ${event.decision}${byText(event.by)}`;
    case "run.failed":
      return `✗ run ${event.run_id} failed: ${event.error.code}`;
    case "run.completed":
      return `✓ run ${event.run_id} completed`;
  }
}

function doneLine(event: Extract<RunEvent, { type: "agent.completed" }>): string {
  const { agent, duration_ms, usage, model } = event;
  const seconds = (duration_ms / 1000).toFixed(1);
  return `✓ ${agent} ${seconds} s, ${usage.output_tokens} tokens, ${model}`;
}

function byText(by: string[] = []): string {
  return by.length > 0 ? ` by ${by.join(", ")}` : "";
}

function retryText(retry_at?: string): string {
  return retry_at ? `, again at ${retry_at.slice(11, 19)}` : "";
}
