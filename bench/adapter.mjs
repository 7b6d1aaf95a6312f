// The service for a driver that compares systems: how to start it and which requests do the same work.
import fs from "node:fs";

const ROOT = new URL("..", import.meta.url).pathname;
const U = "http://127.0.0.1:9170";
const DENO = process.env.DENO ?? "deno";
// As `deno task start` has it.
const HEAP =
  "--v8-flags=--min-semi-space-size=32,--max-semi-space-size=32,--heap-growing-percent=50,--no-large-page-pool";
const home = (x) => x.dir + "/home";
const wait = { headers: { prefer: "wait=60" } };
const stream = { headers: { accept: "text/event-stream" } };

export default {
  prepare: (x) => fs.cpSync(ROOT + "bench/home", home(x), { recursive: true }),
  wipe: (x) => fs.rmSync(home(x) + "/data", { recursive: true, force: true }),
  procs: (x) => [{
    ...(process.env.BINARY
      ? { cmd: process.env.BINARY, args: ["serve"] }
      : { cmd: DENO, args: ["run", "-A", "--no-check", "--unstable-kv", HEAP, "bench/server.ts"] }),
    cwd: ROOT,
    env: {
      PORT: "9170",
      ORCHESTRATOR_HOME: home(x),
      LLM_BASE_URL: x.MOCK + "/v1",
      LLM_DEFAULT_MODEL: "mock-0",
      LOG_LEVEL: "warn",
      W6_LOG: x.w6log,
    },
  }],
  ready: (x) => x.getOk(U + "/health"),
  w1: (x, run) => x.post(U + "/v1/runs", { pipeline: "steps", input: { run } }, wait),
  w2: (x, run) => chat(x, "agents", run),
  w3open: () => ({ id: "c" + Math.random().toString(36).slice(2) }),
  w3turn: (x, c, text, model, onData) =>
    x.post(U + "/v1/chat", {
      pipeline: model === "mock-20" ? "slow-turn" : "turn",
      conversation_id: c.id,
      messages: [{ role: "user", content: text }],
    }, { ...stream, onData }),
  w3ok: (text) => text.includes('"complete"'),
  w6: (x, run) => x.post(U + "/v1/runs", { pipeline: "sleeps", input: { run } }),
  w6idle: 10_000,
};

function chat(x, pipeline, run) {
  return x.post(U + "/v1/chat", {
    pipeline,
    messages: [{ role: "user", content: "Build a thing for " + run }],
  });
}
