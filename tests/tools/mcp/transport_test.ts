import { expect } from "expect";
import { watched } from "../../../tools/mcp/transport.ts";

/** An event stream with one event, which then stays open; and what its reader was told of breaks. */
function open() {
  let source!: ReadableStreamDefaultController<Uint8Array>;
  const events = new ReadableStream<Uint8Array>({ start: (given) => void (source = given) });
  const headers = { "content-type": "text/event-stream" };
  const breaks: unknown[] = [];
  const response = watched(new Response(events, { headers }), (error) => breaks.push(error));
  source.enqueue(new TextEncoder().encode("data: 1\n\n"));
  return { source, breaks, reader: response.body!.getReader() };
}

const turn = () => new Promise((resolve) => setTimeout(resolve));

Deno.test("watched() reports a stream that breaks", async () => {
  const { source, breaks, reader } = open();
  await reader.read();
  const error = new Error("reset");
  source.error(error);
  await expect(reader.read()).rejects.toBe(error);
  expect(breaks).toEqual([error]);
});

Deno.test("watched() reports no break when the reader leaves, whatever it waits for", async () => {
  const { breaks, reader } = open();
  await reader.read();
  const next = reader.read();
  await turn();
  await reader.cancel();
  expect((await next).done).toBe(true);
  await turn();
  expect(breaks).toEqual([]);
});
