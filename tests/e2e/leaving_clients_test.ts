/** Clients that leave in the middle of an answer or of their own request, again and again. */
import { expect } from "expect";
import { chat } from "./_api.ts";
import { type ServerProcess, withServer } from "./_process.ts";

const ROUNDS = 200;

/** Sends `request` over a socket of its own, reads so many bytes of the answer and hangs up. */
async function hangUp(url: string, request: string, bytes: number): Promise<void> {
  const { hostname, port } = new URL(url);
  using socket = await Deno.connect({ hostname, port: Number(port) });
  await socket.write(new TextEncoder().encode(request));
  const buffer = new Uint8Array(1024);
  for (let left = bytes; left > 0;) {
    const read = await socket.read(buffer.subarray(0, Math.min(left, buffer.length)));
    if (read === null) return;
    left -= read;
  }
}

function request(line: string, headers: Record<string, string | number> = {}, body = ""): string {
  const all = { Host: "localhost", Connection: "close", ...headers };
  const lines = Object.entries(all).map(([name, value]) => `${name}: ${value}\r\n`);
  return `${line} HTTP/1.1\r\n${lines.join("")}\r\n${body}`;
}

/** A chat turn as text; the body is cut off after `bytes`, when given. */
function turn(options: Record<string, unknown>, bytes?: number): string {
  const messages = [{ role: "user", content: "Explain durable execution." }];
  const body = JSON.stringify({ messages, ...options });
  const headers = { "Content-Type": "application/json", "Content-Length": body.length };
  return request("POST /v1/chat", headers, body.slice(0, bytes));
}

/** A WebSocket handshake and, without waiting for its answer, one masked text frame. */
function socketTurn(): string {
  const text = JSON.stringify({
    type: "chat",
    messages: [{ role: "user", content: "Explain durable execution." }],
  });
  // A mask of zeros leaves the text as it is.
  const frame = `\x81\x7e${
    String.fromCharCode(text.length >> 8, text.length & 255)
  }\0\0\0\0${text}`;
  return request("GET /v1/chat/stream", {
    Connection: "Upgrade",
    Upgrade: "websocket",
    "Sec-WebSocket-Version": 13,
    "Sec-WebSocket-Key": "AAAAAAAAAAAAAAAAAAAAAA==",
  }, frame);
}

/** Leaves at another point of the answer each time, and expects the server to answer the next one. */
async function leaveOften(server: ServerProcess, make: (round: number) => string, longest: number) {
  for (let round = 0; round < ROUNDS; round++) {
    await hangUp(server.url, make(round), Math.round(longest * round / ROUNDS));
  }
  expect((await chat(server.url, "Are you there?")).status).toBe("completed");
}

Deno.test("clients that leave streams, sockets, downloads and uploads do not end the server", () =>
  withServer({}, async (server) => {
    const { url } = server;
    const { run_id } = await chat(url, "Explain durable execution.");
    const bytes = "x".repeat(300_000);
    const file =
      await (await fetch(`${url}/v1/artifacts?name=a.txt`, { method: "POST", body: bytes }))
        .json();
    await leaveOften(server, () => turn({ stream: true }), 4_000);
    await leaveOften(server, () => request(`GET /v1/runs/${run_id}/events`), 4_000);
    await leaveOften(server, socketTurn, 4_000);
    await leaveOften(server, () => request(`GET /v1/artifacts/${file.id}/content`), 200_000);
    await leaveOften(server, () => turn({}), 500);
    await leaveOften(server, (round) => turn({}, 10 + round % 50), 0);
    expect(server.logs()).not.toContain('"level":"ERROR"');
  }));
