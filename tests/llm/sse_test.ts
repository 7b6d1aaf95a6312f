import { expect } from "expect";
import fc from "fast-check";
import { MAX_ANSWER_BYTES } from "../../llm/mod.ts";
import { readEvents } from "../../llm/sse.ts";
import { test } from "./_setup.ts";

function inPieces(text: string, cuts: number[]): Response {
  const bytes = new TextEncoder().encode(text);
  const at = [...new Set(cuts.map((cut) => cut % bytes.length))].sort((a, b) => a - b);
  const edges = [0, ...at, bytes.length];
  const pieces = edges.slice(1).map((end, i) => bytes.slice(edges[i], end));
  return new Response(ReadableStream.from(pieces.filter((piece) => piece.length > 0)));
}

async function read(response: Response): Promise<unknown[]> {
  const events: unknown[] = [];
  await readEvents(response, (event) => void events.push(event));
  return events;
}

test("readEvents() reads the same events wherever the bytes are cut", async () => {
  const text =
    ': hello\r\n\r\ndata: {"a":"größe 👋"}\r\n\r\nevent: x\nid: 7\ndata: [1,\ndata: 2]\n\n' +
    "data:3\n\nnonsense\n\ndata: [DONE]\n\ndata: 4\n\n";
  await fc.assert(
    fc.asyncProperty(fc.array(fc.nat()), async (cuts) => {
      expect(await read(inPieces(text, cuts))).toEqual([{ a: "größe 👋" }, [1, 2], 3]);
    }),
    { numRuns: 200 },
  );
});

test("readEvents() reads a last event without the blank line after it", async () => {
  expect(await read(new Response("data: 1\n\ndata: 2"))).toEqual([1, 2]);
  expect(await read(new Response("data: 1\n\ndata: 2\n"))).toEqual([1, 2]);
});

test("readEvents() stops when it is told to", async () => {
  const events: unknown[] = [];
  await readEvents(new Response("data: 1\n\ndata: 2\n\ndata: 3\n\n"), (event) => {
    events.push(event);
    return event === 2;
  });
  expect(events).toEqual([1, 2]);
});

test("readEvents() throws for half an event, an error event and a failing reader", async () => {
  await expect(read(new Response('data: {"a":'))).rejects.toThrow("not JSON");
  await expect(read(new Response("event: error\ndata: {}\n\n"))).rejects.toThrow("error event");
  await expect(read(new Response('data: {"error":{}}\n\n'))).rejects.toThrow("error event");
  await expect(readEvents(new Response("data: 1\n\n"), () => {
    throw new Error("mine");
  })).rejects.toThrow("mine");
});

test("readEvents() gives up on an event above the limit and cancels the body", async () => {
  let cancelled: unknown;
  const piece = new TextEncoder().encode("data: " + "x".repeat(MAX_ANSWER_BYTES / 4));
  const body = new ReadableStream({
    pull: (controller) => controller.enqueue(piece),
    cancel: (reason) => void (cancelled = reason),
  });
  const error = await read(new Response(body)).catch((error) => error);
  expect(error.code).toBe("model_bad_output");
  expect(cancelled).toBe(error);
});
