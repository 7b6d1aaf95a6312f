/** The load: an HTTP client that keeps its connections, pools of callers, percentiles. @module */
import { Agent, request } from "node:http";

/** A pool begins nothing new after this long: a slow machine gives fewer calls, not a long wait. */
const CAP_MS = 8_000;
const TIMEOUT_MS = 60_000;
/** A pool gives up after so many failures. */
const MAX_FAILURES = 50;
const EXCERPT = 300;

const agent = new Agent({ keepAlive: true, maxSockets: Infinity, scheduling: "fifo" });

/** What a call can be given. */
export interface CallOptions {
  headers?: Record<string, string>;
  /** Gets each piece of the answer as it comes in. */
  onData?: (piece: string) => void;
}

/** Posts JSON and returns the whole answer. @throws Error when its status is not 2xx */
export function post(url: string, body: unknown, options: CallOptions = {}): Promise<string> {
  const text = JSON.stringify(body);
  const headers = {
    "content-type": "application/json",
    "content-length": String(new TextEncoder().encode(text).length),
    ...options.headers,
  };
  return call("POST", url, text, { ...options, headers });
}

/** Gets an answer. @throws Error when its status is not 2xx */
export function get(url: string): Promise<string> {
  return call("GET", url);
}

function call(
  method: string,
  url: string,
  body?: string,
  { headers, onData }: CallOptions = {},
): Promise<string> {
  const { promise, resolve, reject } = Promise.withResolvers<string>();
  const sent = request(url, { method, agent, headers }, (response) => {
    let text = "";
    response.setEncoding("utf8");
    response.on("data", (piece: string) => {
      onData?.(piece);
      text += piece;
    });
    response.on("error", reject);
    response.on("end", () => {
      const status = response.statusCode ?? 0;
      if (status >= 200 && status < 300) resolve(text);
      else reject(new Error(`${method} ${url} answered ${status}: ${text.slice(0, EXCERPT)}`));
    });
  });
  sent.setTimeout(TIMEOUT_MS, () => sent.destroy(new Error(`${method} ${url} took too long`)));
  sent.on("error", reject);
  sent.end(body);
  return promise;
}

/** Closes the connections that are kept. */
export function closeConnections(): void {
  agent.destroy();
}

/** @throws Error when an answer does not contain `part` */
export function expectPart(answer: string, part: string): void {
  if (!answer.includes(part)) {
    throw new Error(`No ${part} in the answer ${answer.slice(-EXCERPT)}`);
  }
}

/** What a pool did. */
export interface PoolResult {
  done: number;
  per_sec: number;
  p50_ms: number | null;
  p99_ms: number | null;
  /** One line that says how many calls failed and how the first one did. */
  problems: string[];
}

/** Makes `count` calls from `callers` callers, each of which waits for its last one. */
export async function runPool(
  count: number,
  callers: number,
  call: (index: number, caller: number) => Promise<unknown>,
): Promise<PoolResult> {
  const times: number[] = [];
  const failures: unknown[] = [];
  const began = performance.now();
  let next = 0;
  const work = async (caller: number) => {
    while (next < count && performance.now() - began < CAP_MS && failures.length < MAX_FAILURES) {
      const started = performance.now();
      try {
        await call(next++, caller);
        times.push(performance.now() - started);
      } catch (error) {
        failures.push(error);
      }
    }
  };
  await Promise.all(Array.from({ length: Math.min(callers, count) }, (_, i) => work(i)));
  const seconds = (performance.now() - began) / 1000;
  return {
    done: times.length,
    per_sec: times.length / seconds,
    p50_ms: percentile(times, 0.5),
    p99_ms: percentile(times, 0.99),
    problems: failures.length ? [`${failures.length} calls failed, first: ${failures[0]}`] : [],
  };
}

/** The pool's rate and times, the rate under the name of what is counted, as `runs_per_sec`. */
export function poolFigures(result: PoolResult, rate: string): Record<string, number | null> {
  return { [rate]: result.per_sec, p50_ms: result.p50_ms, p99_ms: result.p99_ms };
}

/** The value that the share `p` of `values` does not exceed, null without values. */
export function percentile(values: number[], p: number): number | null {
  const sorted = values.toSorted((a, b) => a - b);
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * p))] ?? null;
}
