import { expect } from "expect";
import { localCaller } from "../../guard/mod.ts";
import { createChatSession } from "../../routes/ws_session.ts";
import { createOutbox, type Sender } from "../../routes/ws_outbox.ts";
import { setup, user } from "./_setup.ts";
import { LOCAL } from "../_caller.ts";

const ASK = { conversation_id: "c1", messages: [user("hi")] };

/** A socket that keeps what was sent; `closed` resolves with the code. */
function fakeSocket() {
  // deno-lint-ignore no-explicit-any -- tests look into it freely
  const sent: any[] = [];
  const waiting: (() => void)[] = [];
  const socket = {
    readyState: 1,
    bufferedAmount: 0,
    closed: undefined as [code: number, reason: string] | undefined,
    send(text: string) {
      sent.push(JSON.parse(text));
      for (const wake of waiting.splice(0)) wake();
    },
    close(code: number, reason: string) {
      socket.readyState = 2;
      socket.closed = [code, reason];
    },
  } satisfies Sender & { closed: unknown };
  /** The first message of this type, waited for. */
  const message = async (type: string) => {
    for (;;) {
      const found = sent.find((message) => message.type === type);
      if (found) return found;
      await new Promise<void>((resolve) => waiting.push(resolve));
    }
  };
  return { socket, sent, message };
}

function connect(options: Parameters<typeof setup>[0] = {}) {
  let now = 0;
  const fixture = setup({ ...options, deps: { now: () => now, ...options.deps } });
  const { socket, sent, message } = fakeSocket();
  const session = createChatSession(fixture.deps, socket, {
    caller: localCaller("ann"),
    request_id: "req_ws",
  });
  const say = (message: unknown) => session.receive(JSON.stringify(message));
  const later = (ms: number) => now += ms;
  return { ...fixture, session, socket, sent, message, say, later };
}

for (const type of [undefined, "chat"]) {
  Deno.test(`a message of type ${type} is a chat turn and ends with complete`, async () => {
    const { say, message, sent } = connect();
    say({ ...(type ? { type } : {}), ...ASK });
    const complete = await message("complete");
    expect(complete).toMatchObject({
      run_id: "run_00000000000000000000000001",
      conversation_id: "c1",
      status: "completed",
      message: { role: "assistant", content: "the answer" },
    });
    expect(sent.map((event) => event.type)).toEqual([
      "run.started",
      "agent.started",
      "step.delta",
      "step.delta",
      "agent.completed",
      "agent.completed",
      "run.completed",
      "complete",
    ]);
  });
}

Deno.test("a failed run completes as failed", async () => {
  const { say, message } = connect();
  say({ ...ASK, pipeline: "failing" });
  expect(await message("complete")).toMatchObject({
    status: "failed",
    error: { code: "model_unavailable" },
  });
});

Deno.test("resume replays after a seq, follows and completes with the whole response", async () => {
  const { say, message, sent, post, open } = connect();
  await post("/v1/runs", { pipeline: "gated" });
  say({ type: "resume", run_id: "run_00000000000000000000000001", after: 1 });
  await message("step.snapshot");
  open();
  expect(await message("complete")).toMatchObject({
    run_id: "run_00000000000000000000000001",
    message: { content: "done" },
  });
  expect(sent.map(({ type, seq }) => [type, seq])).toEqual([
    ["step.started", 2],
    ["step.snapshot", undefined],
    ["run.completed", 3],
    ["complete", undefined],
  ]);
});

Deno.test("cancel is accepted and ends the turn as cancelled", async () => {
  const { say, message } = connect();
  say({ ...ASK, pipeline: "gated" });
  await message("step.delta");
  say({ type: "cancel", run_id: "run_00000000000000000000000001", reason: "enough" });
  expect(await message("cancel.accepted")).toEqual({
    type: "cancel.accepted",
    run_id: "run_00000000000000000000000001",
  });
  expect(await message("complete")).toMatchObject({ status: "cancelled", message: null });
});

Deno.test("ping is answered with pong", async () => {
  const { say, message } = connect();
  say({ type: "ping" });
  expect(await message("pong")).toEqual({ type: "pong" });
});

const BAD: [what: string, data: string, code: string][] = [
  ["no JSON", "{", "invalid_request"],
  ["an array", "[]", "validation_failed"],
  ["an unknown type", '{"type":"shout"}', "validation_failed"],
  ["a type that is no text", '{"type":1}', "validation_failed"],
  ["a tenant", JSON.stringify({ ...ASK, tenant: "x" }), "validation_failed"],
  ["resume of nothing", '{"type":"resume","run_id":"run_9"}', "not_found"],
  ["resume from nowhere", '{"type":"resume","run_id":"run_9","after":-1}', "validation_failed"],
  ["cancel of nothing", '{"type":"cancel","run_id":"run_9"}', "not_found"],
  ["an unknown pipeline", JSON.stringify({ ...ASK, pipeline: "nope" }), "not_found"],
];

for (const [what, data, code] of BAD) {
  Deno.test(`${what} is answered with an error; the socket stays open`, async () => {
    const { session, say, message, engine, socket } = connect();
    session.receive(data);
    const { error } = await message("error");
    expect(error).toMatchObject({
      code,
      request_id: "req_ws",
      type: `urn:orchestrator:error:${code}`,
    });
    expect(engine.started).toEqual([]);
    expect(socket.closed).toBeUndefined();
    say({ type: "ping" });
    await message("pong");
  });
}

Deno.test("whatever belongs to a message with an id has that id", async () => {
  const { say, message, sent } = connect();
  say({ id: "a", ...ASK });
  say({ id: "b", ...ASK, pipeline: "nope" });
  say({ id: "c", type: "ping" });
  await message("complete");
  const ids = (type: string) => sent.filter((one) => one.type === type).map(({ id }) => id);
  expect([ids("error"), ids("pong"), ids("complete")]).toEqual([["b"], ["c"], ["a"]]);
  expect(sent.filter(({ run_id }) => run_id !== undefined).map(({ id }) => id))
    .toEqual(Array(8).fill("a"));
});

Deno.test("what is refused names its message and its run", async () => {
  for (const type of ["resume", "cancel"]) {
    const { say, message } = connect();
    say({ id: "x", type, run_id: "run_9" });
    expect(await message("error")).toMatchObject({ id: "x", error: { run_id: "run_9" } });
  }
  const { say, message } = connect();
  say({ id: "y", type: "shout" });
  const { id, error } = await message("error");
  expect([id, error.errors]).toEqual(["y", [
    { location: "/type", message: "must be chat, resume, cancel or ping" },
  ]]);
});

Deno.test("an id that is none is refused and not sent back", async () => {
  const { say, message, engine } = connect();
  say({ id: { a: 1 }, ...ASK });
  const { id, error } = await message("error");
  expect([id, error.errors[0].location, engine.started]).toEqual([undefined, "/id", []]);
});

Deno.test("the 21st request under way is answered with overloaded", async () => {
  const { say, message, engine, open } = connect();
  for (let n = 0; n < 21; n++) say({ ...ASK, pipeline: "gated" });
  expect((await message("error")).error.code).toBe("overloaded");
  while (engine.started.length < 20) await Promise.resolve();
  open();
  await message("complete");
  expect(engine.started.length).toBe(20);
});

Deno.test("more than 100 messages in a second close the socket with 1008", () => {
  const { say, socket, later } = connect();
  for (let n = 0; n < 100; n++) say({ type: "ping" });
  later(1000);
  for (let n = 0; n < 100; n++) say({ type: "ping" });
  expect(socket.closed).toBeUndefined();
  say({ type: "ping" });
  expect(socket.closed?.[0]).toBe(1008);
});

Deno.test("binary closes with 1003, a message over the limit with 1009", () => {
  const binary = connect();
  binary.session.receive(new ArrayBuffer(1));
  expect(binary.socket.closed?.[0]).toBe(1003);
  for (const text of ["x".repeat(11), "ääääää"]) {
    const long = connect({ settings: { max_message_bytes: 10 } });
    long.session.receive(text);
    expect(long.socket.closed?.[0]).toBe(1009);
  }
  const fits = connect({ settings: { max_message_bytes: 10 } });
  fits.session.receive("äääää");
  expect(fits.socket.closed).toBeUndefined();
});

Deno.test("shutdown closes with 1001, and closing does not cancel the run", async () => {
  const { session, say, message, socket, engine, open } = connect();
  say({ ...ASK, pipeline: "gated" });
  await message("step.delta");
  session.shutDown();
  expect(socket.closed?.[0]).toBe(1001);
  session.closed();
  open();
  const result = await new Promise((resolve) => {
    const { signal } = new AbortController();
    engine.follow(LOCAL, "run_00000000000000000000000001", { signal }, (event) => {
      if (event.type === "run.completed") resolve(event.type);
    });
  });
  expect(result).toBe("run.completed");
});

Deno.test("closing the socket stops a resume", async () => {
  const { session, say, message, post, engine, open, sent } = connect();
  await post("/v1/runs", { pipeline: "gated" });
  say({ type: "resume", run_id: "run_00000000000000000000000001" });
  await message("step.snapshot");
  session.closed();
  expect(engine.followers("run_00000000000000000000000001")).toBe(0);
  open();
  await engine.follow(LOCAL, "run_00000000000000000000000001", {
    signal: new AbortController().signal,
  }, () => {});
  expect(sent.map(({ type }) => type)).not.toContain("complete");
});

const delta = (step: string, text: string) => {
  const event = { type: "step.delta" as const, step, text, run_id: "r", at: "t" };
  return [event, JSON.stringify(event)] as const;
};

Deno.test("the outbox joins deltas of one step while the socket is behind, in order", () => {
  const { socket, sent } = fakeSocket();
  const outbox = createOutbox(socket);
  outbox.event(...delta("a", "1"));
  socket.bufferedAmount = 1;
  for (const text of ["2", "3"]) outbox.event(...delta("a", text));
  outbox.event(...delta("b", "4"));
  outbox.message({ type: "other" });
  expect(sent.map(({ type, step, text }) => [type, step, text])).toEqual([
    ["step.delta", "a", "1"],
    ["step.delta", "a", "23"],
    ["step.delta", "b", "4"],
    ["other", undefined, undefined],
  ]);
});

Deno.test("the outbox lets held deltas go on its own", async () => {
  const { socket, sent, message } = fakeSocket();
  const outbox = createOutbox(socket);
  socket.bufferedAmount = 1;
  outbox.event(...delta("a", "1"));
  outbox.event(...delta("a", "2"));
  expect(sent).toEqual([]);
  expect((await message("step.delta")).text).toBe("12");
});

Deno.test("the outbox has room when the socket has caught up, or never will", async () => {
  const { socket } = fakeSocket();
  const outbox = createOutbox(socket);
  await outbox.room();
  for (const catchUp of [() => socket.bufferedAmount = 0, () => socket.close(1000, "")]) {
    socket.bufferedAmount = 600_000;
    let roomy = false;
    const room = outbox.room().then(() => roomy = true);
    await Promise.resolve();
    expect(roomy).toBe(false);
    catchUp();
    await room;
  }
});

Deno.test("the outbox closes a socket that is a megabyte behind, and sends no more", () => {
  const { socket, sent } = fakeSocket();
  const outbox = createOutbox(socket);
  socket.bufferedAmount = 1_000_001;
  outbox.message({ type: "x" });
  expect(socket.closed).toEqual([1013, expect.stringContaining("resume")]);
  socket.bufferedAmount = 0;
  outbox.message({ type: "x" });
  outbox.close(1001, "again");
  expect(sent).toEqual([]);
  expect(socket.closed?.[0]).toBe(1013);
});

Deno.test("the outbox keeps deltas apart that two messages of the client asked for", () => {
  const { socket, sent } = fakeSocket();
  const outbox = createOutbox(socket);
  socket.bufferedAmount = 1;
  for (const id of ["a", "a", "b"]) {
    const delta = { type: "step.delta", step: "s", text: "x", run_id: "r", at: "", id } as const;
    outbox.event(delta, JSON.stringify(delta));
  }
  outbox.message({ type: "end" });
  expect(sent.map(({ id, text }) => [id, text])).toEqual([["a", "xx"], ["b", "x"], [
    undefined,
    undefined,
  ]]);
});
