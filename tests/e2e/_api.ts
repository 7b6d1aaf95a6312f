/** The service's API as its clients use it. */
import { expect } from "expect";
import type { JournalEvent } from "../../pipeline/kernel/events.ts";

// deno-lint-ignore no-explicit-any -- JSON as it came
export type Body = any;

/** `POST` of JSON. */
export function post(
  url: string,
  body: unknown,
  headers: Record<string, string> = {},
): Promise<Response> {
  return fetch(url, {
    method: "POST",
    headers: { "content-type": "application/json", ...headers },
    body: JSON.stringify(body),
  });
}

/** A turn with one message; expects `status`. */
export async function chat(
  url: string,
  content: string,
  more: Record<string, unknown> = {},
  status = 200,
): Promise<Body> {
  const request = { messages: [{ role: "user", content }], ...more };
  const response = await post(`${url}/v1/chat`, request);
  const text = await response.text();
  expect(`${response.status} ${text}`).toMatch(new RegExp(`^${status} `));
  return JSON.parse(text);
}

/** A run's journal. */
export async function journal(url: string, run_id: string): Promise<JournalEvent[]> {
  return await (await fetch(`${url}/v1/runs/${run_id}/journal`)).json();
}

/** Waits for the end of a run and returns its events after `after`, as its stream tells them. */
export async function follow(url: string, run_id: string, after = 0): Promise<JournalEvent[]> {
  const headers = { "last-event-id": String(after) };
  const response = await fetch(`${url}/v1/runs/${run_id}/events`, { headers });
  return journaled(parseSse(await response.text()));
}

/** The data of a text of server-sent events. */
export function parseSse(text: string): Body[] {
  return [...text.matchAll(/^data: (.*)$/gm)].map(([, data]) => JSON.parse(data!));
}

/** Those of a stream's events that are in the journal, too. */
export function journaled(events: Body[]): JournalEvent[] {
  return events.filter((event) => event.seq !== undefined);
}

/** Expects `seq` to count up by one after `after`, and a last event that ends the run well. */
export function expectGapless(events: JournalEvent[], after = 0): void {
  expect(events.map(({ seq }) => seq)).toEqual(events.map((_, at) => after + at + 1));
  expect(events.at(-1)?.type).toBe("run.completed");
}

/** Sends a message over a new socket and reads until one fits `last`; then closes the socket. */
export async function talk(
  url: string,
  message: unknown,
  last: (message: Body) => boolean,
): Promise<Body[]> {
  const socket = new WebSocket(`${url.replace("http", "ws")}/v1/chat/stream`);
  const received: Body[] = [];
  const closed = new Promise((resolve) => socket.onclose = resolve);
  await new Promise<void>((resolve, reject) => {
    socket.onerror = reject;
    socket.onopen = () => socket.send(JSON.stringify(message));
    socket.onmessage = ({ data }) => {
      received.push(JSON.parse(data));
      if (last(received.at(-1))) resolve();
    };
  });
  socket.onmessage = null;
  socket.close();
  await closed;
  return received;
}

/**
 * Follows a stream of events until one of this type comes, and leaves; its sequence number.
 *
 * @param url of the stream, such as `…/v1/runs/ID/events`
 */
export async function untilEvent(
  url: string,
  type: string,
  { after = 0, timeout_ms = 20_000 } = {},
): Promise<number> {
  const headers = { "last-event-id": String(after) };
  const stream = await fetch(url, { headers, signal: AbortSignal.timeout(timeout_ms) });
  let text = "";
  for await (const piece of stream.body!.pipeThrough(new TextDecoderStream())) {
    text += piece;
    for (const [, data] of text.matchAll(/^data: (.*)\n\n/gm)) {
      const event = JSON.parse(data!);
      if (event.type === type) return event.seq;
    }
  }
  throw new Error(`the stream ended without ${type}:\n${text.slice(-3_000)}`);
}
