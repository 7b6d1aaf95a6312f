import { expect } from "expect";
import { agents, COMPATIBLE, DRAFT, FINAL, slowAgents } from "./_agents.ts";
import {
  type Body,
  expectGapless,
  follow,
  journal,
  journaled,
  parseSse,
  post,
  talk,
} from "./_api.ts";
import { startServer, withHome, withServer } from "./_process.ts";
import { SLEEPER, SLEEPS_HOME, startSleeps } from "./_sleeps.ts";
import type { Script } from "../_mock/script.ts";
import { within } from "../_yardstick.ts";

const ASK = { messages: [{ role: "user", content: "Why does timber matter?" }] };

async function withModel(script: Script, use: (url: string) => Promise<void>) {
  const model = COMPATIBLE.start(script);
  try {
    await withServer({ env: COMPATIBLE.env(model.url) }, ({ url }) => use(url));
  } finally {
    await model.close();
  }
}

const isComplete = ({ type }: Body) => type === "complete";

Deno.test("a WebSocket gets every event in order, then complete", () =>
  withModel(agents(), async (url) => {
    const received = await talk(url, ASK, isComplete);
    const complete = received.at(-1);
    expect(complete).toMatchObject({ type: "complete", message: { content: FINAL } });
    const events = journaled(received);
    expectGapless(events);
    expect(events).toEqual(await journal(url, complete.run_id));
    const completed = events.filter(({ type }) => type === "agent.completed");
    expect(completed.map((event) => "agent" in event && event.agent))
      .toEqual(["researcher", "planner", "builder", "reviewer"]);
    const isDelta = ({ type, step }: Body) => type === "step.delta" && step === "build/llm#1";
    expect(received.filter(isDelta).map(({ text }) => text).join("")).toBe(DRAFT);
  }));

Deno.test("a WebSocket that was lost is resumed on another one without a gap", () =>
  withModel(slowAgents(1_200), async (url) => {
    const before = journaled(await talk(url, ASK, ({ type }) => type === "agent.completed"));
    const { run_id, seq } = before.at(-1)!;
    const rest = await talk(url, { type: "resume", run_id, after: seq }, isComplete);
    expectGapless(journaled(rest), seq);
    expectGapless([...before, ...journaled(rest)]);
    expect(rest.at(-1)).toMatchObject({ type: "complete", run_id, message: { content: FINAL } });
  }));

Deno.test("an event stream is continued from Last-Event-ID without a gap", () =>
  withModel(slowAgents(1_200), async (url) => {
    const response = await post(`${url}/v1/chat`, ASK, { accept: "text/event-stream" });
    let text = "";
    for await (const piece of response.body!.pipeThrough(new TextDecoderStream())) {
      text += piece;
      if (text.includes("agent.completed")) break;
    }
    // What was cut off in the middle of an event does not count.
    const before = journaled(parseSse(text.slice(0, text.lastIndexOf("\n\n") + 2)));
    const { run_id, seq } = before.at(-1)!;
    const rest = await follow(url, run_id, seq);
    expectGapless(rest, seq);
    expect([...before, ...rest]).toEqual(await journal(url, run_id));
    const again = await fetch(`${url}/v1/runs/${run_id}/events`, {
      headers: { "last-event-id": String(rest.at(-1)!.seq) },
    });
    expect(again.status).toBe(204);
    await again.body?.cancel();
  }));

Deno.test("SIGTERM under load loses nothing: runs end now or after the next start", () =>
  withHome(SLEEPS_HOME, async (home) => {
    const options = { home, command: SLEEPER, env: { DRAIN_TIMEOUT_SECONDS: "1" } };
    const first = await startServer(options);
    const accepted: string[] = [];
    const start = async (run: number) => {
      // Most reach a step's end while the server drains; some do not and are given up.
      const ms = run % 10 === 0 ? 1_200 : 100;
      const response = await startSleeps(first.url, { run: `r${run}`, ms });
      const { id } = await response.json();
      if (response.status === 202) accepted.push(id);
      return response.status;
    };
    await Promise.all(Array.from({ length: 50 }, (_, run) => start(run)));
    const late = Array.from({ length: 50 }, (_, run) => start(50 + run).catch(() => 0));
    const { code } = await within(10_000, () => first.stop("SIGTERM"));
    expect(code).toBe(0);
    for (const status of await Promise.all(late)) expect([0, 202, 503]).toContain(status);
    expect(accepted.length).toBeGreaterThanOrEqual(50);

    const second = await startServer(options);
    try {
      for (const id of accepted) expectGapless(await follow(second.url, id));
    } finally {
      await second.stop();
    }
  }));
