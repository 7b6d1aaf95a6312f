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
      switch (event.type) {
        case "agent.started":
          return begin(event.agent);
        case "step.delta":
          chars += event.text.length;
          return;
        case "agent.completed":
          return settle(doneLine(event));
        case "step.failed":
          return settle(`✗ ${event.step} failed (${event.error.code})${retryText(event.retry_at)}`);
        case "approval.requested":
          return settle(`… asks for approval: ${event.title}`);
        case "approval.decided":
          return settle(`✓ approval ${event.decision}${byText(event.by)}`);
        case "run.failed":
          return settle(`✗ run ${event.run_id} failed: ${event.error.code}`);
        case "run.completed":
          return settle(`✓ run ${event.run_id} completed`);
      }
    },
    end() {
      clearInterval(timer);
      timer = undefined;
      if (terminal && agent) write(CLEAR);
    },
  };
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
