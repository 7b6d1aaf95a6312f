/** A pipeline of steps that sleep, and the trace that they leave. */
import { source } from "./_process.ts";

const STEPS = ["s1", "s2", "s3", "s4", "s5"];

/** The program that knows the task `sleep`. */
export const SLEEPER = source("tests/e2e/_server.ts");

const nodes = STEPS.map((step, at) => {
  const next = STEPS[at + 1] ? `, next: ${STEPS[at + 1]}` : "";
  return `  ${step}: { task: sleep, with: { step: ${step}, run: "\${ input.run }", ms: "\${ input.ms }" }${next} }`;
});

/** A home folder's files: the pipeline `sleeps` of five steps. */
export const SLEEPS_HOME = {
  "pipelines/sleeps.yaml": `name: sleeps\nversion: 1\nstart: s1\nnodes:\n${nodes.join("\n")}\n`,
};

/** One line of the trace. */
export interface Trace {
  what: "start" | "end";
  run: string;
  step: string;
  /** In milliseconds since 1970. */
  at: number;
}

/** What the steps of all processes on this home left. */
export async function readTrace(home: string): Promise<Trace[]> {
  const text = await Deno.readTextFile(`${home}/trace.log`);
  return text.trimEnd().split("\n").map((line) => {
    const [what, run, step, at] = line.split(" ");
    return { what: what as Trace["what"], run: run!, step: step!, at: Number(at) };
  });
}

/** Starts a run of `sleeps`. */
export function startSleeps(
  url: string,
  input: { run: string; ms: number },
  headers: Record<string, string> = {},
): Promise<Response> {
  return fetch(`${url}/v1/runs`, {
    method: "POST",
    headers: { "content-type": "application/json", ...headers },
    body: JSON.stringify({ pipeline: "sleeps", input }),
  });
}
