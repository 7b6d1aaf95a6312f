import FakeTimers from "@sinonjs/fake-timers";
import { expect } from "expect";
import { createSessions } from "../../routes/sessions.ts";
import { openSse, type SseStream } from "../../routes/sse.ts";
import { insideEnqueue } from "../_reentry.ts";
import { setup } from "./_setup.ts";

const decoder = new TextDecoder();

function test(name: string, fn: () => Promise<void>) {
  Deno.test({ name, fn, sanitizeOps: true, sanitizeResources: true });
}

function open() {
  const sessions = createSessions(new AbortController().signal);
  const stream = openSse(sessions);
  const reader = stream.response.body!.getReader();
  const read = async () => {
    const { value, done } = await reader.read();
    return done ? null : decoder.decode(value);
  };
  return { stream, read, reader, sessions };
}

test("an event has an id only when it is journaled", async () => {
  const { stream, read } = open();
  stream.send("a", '{"x":1}', 7);
  expect(await read()).toBe('id: 7\nevent: a\ndata: {"x":1}\n\n');
  stream.send("b", "2");
  expect(await read()).toBe("event: b\ndata: 2\n\n");
  stream.end();
  expect(await read()).toBeNull();
});

test("events that wait go out as one chunk; a waiting reader gets those of one turn", async () => {
  const { stream, read } = open();
  stream.send("a", "1");
  stream.send("a", "2");
  expect((await read())?.match(/data/g)?.length).toBe(2);
  const next = read();
  for (let n = 0; n < 5; n++) stream.send("a", String(n));
  expect((await next)?.match(/data/g)?.length).toBe(5);
  stream.end();
});

test("a waiting reader is served before the event loop turns", async () => {
  const { stream, read } = open();
  let turned = false;
  const next = read();
  await Promise.resolve();
  const timer = setTimeout(() => turned = true);
  stream.send("a", "1");
  await next;
  expect(turned).toBe(false);
  clearTimeout(timer);
  stream.end();
});

test("what was sent before the end arrives, what is sent after does not", async () => {
  const { stream, read } = open();
  stream.send("a", "1");
  stream.end();
  stream.end();
  stream.send("a", "2");
  expect(await read()).toBe("event: a\ndata: 1\n\n");
  expect(await read()).toBeNull();
});

test("a reader that does not keep up is cut off between two events", async () => {
  const { stream, read, sessions } = open();
  const data = JSON.stringify("x".repeat(100_000));
  let sent = 0;
  while (!stream.signal.aborted && sent < 100) stream.send("a", data, ++sent);
  expect(sent).toBe(11);
  expect(sessions.size).toBe(0);
  let rest = "";
  for (let text = await read(); text !== null; text = await read()) {
    expect(text!.length).toBeLessThanOrEqual(65_536);
    rest += text;
  }
  expect(rest.match(/^id: /gm)?.length).toBe(10);
  expect(rest).toMatch(/\n\n: disconnected, too slow.*\n\n$/);
});

test("a long event goes out in pieces that divide no character", async () => {
  const { stream, read } = open();
  const json = JSON.stringify("x😀".repeat(60_000));
  stream.send("a", json, 1);
  stream.end();
  let got = "";
  for (let text = await read(); text !== null; text = await read()) got += text;
  expect(got).toBe(`id: 1\nevent: a\ndata: ${json}\n\n`);
});

test("room() waits until the reader has caught up, or is gone", async () => {
  for (const leave of [false, true]) {
    const { stream, read, reader } = open();
    await stream.room();
    stream.send("a", JSON.stringify("x".repeat(520_000)));
    let roomy = false;
    const room = stream.room().then(() => roomy = true);
    await Promise.resolve();
    expect(roomy).toBe(false);
    await (leave ? reader.cancel() : read());
    await room;
    stream.end();
    await stream.room();
  }
});

test("a stream that ends because the server stops says so", async () => {
  const shutdown = new AbortController();
  const sessions = createSessions(shutdown.signal);
  const streams = [openSse(sessions)];
  streams[0]!.send("a", "1", 7);
  shutdown.abort();
  streams.push(openSse(sessions));
  const [early, late] = await Promise.all(streams.map(({ response }) => response.text()));
  expect(early).toMatch(
    /^id: 7\nevent: a\ndata: 1\n\n: the server is stopping: .*Last-Event-ID\n\n$/,
  );
  expect(late).toMatch(/^: the server is stopping: .*\n\n$/);
  expect(sessions.size).toBe(0);
});

test("cancel by the reader ends everything", async () => {
  const { stream, reader, sessions } = open();
  expect(sessions.size).toBe(1);
  await reader.cancel();
  expect([stream.signal.aborted, sessions.size]).toEqual([true, 0]);
  stream.send("a", "1");
  stream.end();
});

test("a client that leaves while a chunk is handed over ends its own stream only", async () => {
  for (const last of [false, true]) {
    const { stream, read, reader, sessions } = open();
    stream.send("a", "0");
    await read();
    const next = reader.read();
    const left = insideEnqueue(() => void reader.cancel());
    stream.send("a", "1");
    if (last) stream.end();
    await left;
    expect((await next).done).toBe(false);
    expect([stream.signal.aborted, sessions.size]).toEqual([true, 0]);
    await stream.room();
    stream.send("a", "2");
    stream.end();
    expect((await reader.read()).done).toBe(true);
  }
});

test("a silent stream sends a comment every 15 seconds", async () => {
  const clock = FakeTimers.install({ toFake: ["setInterval", "clearInterval"] });
  try {
    const { stream, read } = open();
    const next = read();
    clock.tick(14_999);
    stream.send("a", "1");
    expect(await next).toBe("event: a\ndata: 1\n\n");
    const comment = read();
    clock.tick(1);
    expect(await comment).toBe(": keep-alive\n\n");
    stream.end();
    expect(clock.countTimers()).toBe(0);
  } finally {
    clock.uninstall();
  }
});

test("over a socket: a client that leaves is no longer followed", async () => {
  const { app, post, engine, open } = setup();
  await post("/v1/runs", { pipeline: "gated" });
  await using server = Deno.serve({ port: 0, hostname: "127.0.0.1", onListen() {} }, app.fetch);
  const leave = new AbortController();
  const url = `http://127.0.0.1:${server.addr.port}/v1/runs/run_00000000000000000000000001/events`;
  const response = await fetch(url, { signal: leave.signal });
  const reader = response.body!.getReader();
  expect(decoder.decode((await reader.read()).value)).toContain("step.snapshot");
  expect(engine.followers("run_00000000000000000000000001")).toBe(1);
  leave.abort();
  await reader.read().catch(() => {});
  while (engine.followers("run_00000000000000000000000001") > 0) {
    await new Promise((resolve) => setTimeout(resolve, 1));
  }
  open();
});

test("over a socket: a client that does not read is cut off and the others are not", async () => {
  const streams: SseStream[] = [];
  const sessions = createSessions(new AbortController().signal);
  await using server = Deno.serve({ port: 0, hostname: "127.0.0.1", onListen() {} }, () => {
    const stream = openSse(sessions);
    streams.push(stream);
    return stream.response;
  });
  const url = `http://127.0.0.1:${server.addr.port}/`;
  const lazy = await fetch(url);
  const eager = await fetch(url);
  const received = eager.text();
  const data = JSON.stringify("x".repeat(50_000));
  let sent = 0;
  while (!streams[0]!.signal.aborted) {
    sent++;
    for (const stream of streams) stream.send("a", data, sent);
    await new Promise((resolve) => setTimeout(resolve));
  }
  expect(streams[1]!.signal.aborted).toBe(false);
  streams[1]!.end();
  expect((await received).match(/^id: /gm)?.length).toBe(sent);
  expect(await lazy.text()).toMatch(/: disconnected, too slow: resume with Last-Event-ID\n\n$/);
});
