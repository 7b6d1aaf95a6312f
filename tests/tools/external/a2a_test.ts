import { TaskState } from "@a2a-js/sdk";
import { expect } from "expect";
import { part, startA2a, text } from "../../_mock/a2a.ts";
import { agent, test } from "./_setup.ts";
import { Secret } from "../../../config/secret.ts";

const ask = { prompt: "How many?" };

/** A task with two artifacts, the first one in pieces. */
async function work(_context: unknown, say: Parameters<Parameters<typeof startA2a>[0]>[1]) {
  say.task();
  say.artifact("words", [text("for")]);
  say.artifact("words", [text("ty-two")], true);
  say.artifact("files", [
    part({ $case: "raw", value: Buffer.from([1, 2]) }, "a/n.bin", "application/x-n"),
    part({ $case: "url", value: "https://x.example/n" }),
    part({ $case: "data", value: { n: 42 } }),
  ]);
  await Promise.resolve();
  say.status(TaskState.TASK_STATE_COMPLETED);
}

for (const streaming of [true, false]) {
  test(`an agent's task is followed to its end ${streaming ? "by its stream" : "by asking"}`, async (bench) => {
    const peer = startA2a(work, { streaming });
    const auth_token = new Secret("t0ken");
    const tools = bench.open({ agents: [agent({ url: peer.url, protocol: "a2a", auth_token })] });
    const args = { ...ask, context: { of: "what" } };
    const answer = await bench.call(tools, "agent_partner", args);
    expect(answer).toEqual({
      answer: "forty-two",
      data: [{ n: 42 }],
      files: [{ id: "art_1", name: "n.bin", type: "application/x-n", size: 2 }],
      links: ["https://x.example/n"],
      task_id: expect.any(String),
      context_id: expect.any(String),
    });
    expect(bench.files[0]?.bytes).toEqual(new Uint8Array([1, 2]));
    const methods = peer.requests.map(({ method }) => method);
    expect(methods.slice(0, 2)).toEqual([
      undefined,
      streaming ? "SendStreamingMessage" : "SendMessage",
    ]);
    expect(peer.requests.every(({ headers }) => headers.get("authorization") === "Bearer t0ken"))
      .toBe(true);
    expect(peer.requests[1]?.params).toMatchObject({
      message: { messageId: "key-1", parts: [{ text: "How many?" }, { data: { of: "what" } }] },
    });
    await peer.stop();
  });
}

for (const streaming of [true, false]) {
  test(`an agent that speaks 0.3 only is understood (${streaming ? "stream" : "asking"})`, async (bench) => {
    const peer = startA2a(work, { streaming, legacy: true });
    const tools = bench.open({ agents: [agent({ url: peer.url, protocol: "a2a" })] });
    expect(await bench.call(tools, "agent_partner", ask)).toMatchObject({ answer: "forty-two" });
    expect(peer.requests[1]?.method).toBe(streaming ? "message/stream" : "message/send");
    await peer.stop();
  });
}

test("an agent may answer with a message and no task", async (bench) => {
  const peer = startA2a((_context, say) =>
    Promise.resolve(say.message(text("hello"), text("you")))
  );
  const tools = bench.open({ agents: [agent({ url: peer.url, protocol: "a2a" })] });
  expect(await bench.call(tools, "agent_partner", ask)).toEqual({ answer: "hello\nyou" });
  await peer.stop();
});

test("an agent that asks back is answered in the same task", async (bench) => {
  const peer = startA2a((context, say) => {
    say.task();
    if (context.task) {
      say.artifact("sum", [text("42 apples")]);
      say.status(TaskState.TASK_STATE_COMPLETED, text("Done."));
    } else {
      say.artifact("sum", [text("so far: apples or pears")]);
      say.status(TaskState.TASK_STATE_INPUT_REQUIRED, text("Of what?"));
    }
    return Promise.resolve();
  });
  const tools = bench.open({ agents: [agent({ url: peer.url, protocol: "a2a" })] });
  const first = await bench.call(tools, "agent_partner", ask) as Record<string, string>;
  expect(first).toMatchObject({ answer: "Of what?", status: "input_required" });
  const { task_id = "", context_id = "" } = first;
  expect(
    await bench.call(tools, "agent_partner", { prompt: "Apples.", task_id, context_id }, {
      idempotency_key: "key-2",
    }),
  ).toEqual({ answer: "42 apples", task_id, context_id });
  await peer.stop();
});

for (const state of [TaskState.TASK_STATE_FAILED, TaskState.TASK_STATE_REJECTED] as const) {
  test(`a task that ends as ${TaskState[state]} is a failure with the agent's reason`, async (bench) => {
    const peer = startA2a((_context, say) => {
      say.task();
      say.status(state, text("no apples today"));
      return Promise.resolve();
    });
    const tools = bench.open({ agents: [agent({ url: peer.url, protocol: "a2a" })] });
    await expect(bench.call(tools, "agent_partner", ask)).rejects.toMatchObject({
      code: "tool_failed",
      kind: "terminal",
      message: expect.stringContaining("no apples today"),
    });
    await peer.stop();
  });
}

for (const streaming of [true, false]) {
  test(`a call that is given up cancels the task (${streaming ? "stream" : "asking"})`, async (bench) => {
    const stop = new AbortController();
    const peer = startA2a(async (_context, say, signal) => {
      say.task();
      const over = new Promise<void>((done) => signal.addEventListener("abort", () => done()));
      setTimeout(() => stop.abort(new Error("enough")), 50);
      await over;
    }, { streaming });
    const tools = bench.open({ agents: [agent({ url: peer.url, protocol: "a2a" })] });
    await expect(bench.call(tools, "agent_partner", ask, { signal: stop.signal }))
      .rejects.toThrow("enough");
    expect(peer.cancelled).toHaveLength(1);
    await peer.stop();
  });
}

test("an agent that is down opens its breaker", async (bench) => {
  const peer = startA2a(work);
  peer.intercept = () => new Response("down", { status: 503 });
  const tools = bench.open({ agents: [agent({ url: peer.url, protocol: "a2a" })] });
  const codes: string[] = [];
  for (let call = 0; call < 6; call++) {
    codes.push(await bench.call(tools, "agent_partner", ask).then(() => "ok", ({ code }) => code));
  }
  expect(codes).toEqual([...Array(5).fill("tool_failed"), "circuit_open"]);
  await peer.stop();
});

test("a card that points elsewhere gets no token, and no private address", async (bench) => {
  const inside = startA2a(work);
  const peer = startA2a(work);
  peer.card.supportedInterfaces[0]!.url = inside.card.supportedInterfaces[0]!.url;
  const auth_token = new Secret("t0ken");
  const tools = bench.open({ agents: [agent({ url: peer.url, protocol: "a2a", auth_token })] });
  await expect(bench.call(tools, "agent_partner", ask)).rejects.toMatchObject({
    code: "egress_denied",
  });
  expect(inside.requests).toEqual([]);
  await inside.stop();
  await peer.stop();
});

test("a stream that says too much is ended", async (bench) => {
  const peer = startA2a((_context, say) => {
    say.task();
    say.artifact("words", [text("x".repeat(6 * 1024 * 1024))]);
    say.status(TaskState.TASK_STATE_COMPLETED);
    return Promise.resolve();
  });
  const tools = bench.open({ agents: [agent({ url: peer.url, protocol: "a2a" })] });
  await expect(bench.call(tools, "agent_partner", ask)).rejects.toMatchObject({
    code: "response_too_large",
  });
  await peer.stop();
});

test("an agent without a card, or with one that is no card, is told", async (bench) => {
  const peer = startA2a(work);
  const tools = bench.open({ agents: [agent({ url: peer.url, protocol: "a2a" })] });
  peer.intercept = () => new Response("?", { status: 404 });
  await expect(bench.call(tools, "agent_partner", ask)).rejects.toMatchObject({
    code: "tool_failed",
    kind: "terminal",
  });
  peer.intercept = () => Response.json({ name: "no card" });
  await expect(bench.call(tools, "agent_partner", ask)).rejects.toMatchObject({
    code: "tool_failed",
  });
  await peer.stop();
});
