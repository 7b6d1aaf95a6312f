import { expect } from "expect";
import fc from "fast-check";
import { LineBuffer } from "../../../tools/mcp/lines.ts";
import { within } from "../../_yardstick.ts";

const encoder = new TextEncoder();
const buffer = (max = 1_000_000) =>
  new LineBuffer(max, (line) => JSON.parse(line) as unknown, () => new Error("too large"));

function drain(lines: LineBuffer<unknown>): unknown[] {
  const found: unknown[] = [];
  for (let next = lines.readMessage(); next !== null; next = lines.readMessage()) found.push(next);
  return found;
}

Deno.test("messages come out as they went in, however the bytes are cut", () => {
  const messages = fc.array(fc.record({ text: fc.string({ unit: "grapheme" }) }), { maxLength: 5 });
  fc.assert(fc.property(messages, fc.integer({ min: 1, max: 9 }), (messages, size) => {
    const bytes = encoder.encode(
      messages.map((message) => `${JSON.stringify(message)}\n`).join(""),
    );
    const lines = buffer();
    for (let at = 0; at < bytes.length; at += size) lines.append(bytes.subarray(at, at + size));
    expect(drain(lines)).toEqual(messages);
  }));
});

Deno.test("a line that is too large is refused before its end, what came before is forgotten", () => {
  const lines = buffer(10);
  lines.append(encoder.encode('"a"\n"12345'));
  expect(() => lines.append(encoder.encode("67890"))).toThrow("too large");
  expect(drain(lines)).toEqual([]);
  lines.append(encoder.encode('"b"\n'));
  expect(drain(lines)).toEqual(["b"]);
});

Deno.test("a line of 50 MB in 800 pieces is not copied again with each", async () => {
  const lines = buffer(100 * 1024 * 1024);
  const piece = new Uint8Array(64 * 1024).fill(120);
  const all = await within(5_000, () => {
    lines.append(encoder.encode('"'));
    for (let n = 0; n < 800; n++) lines.append(piece);
    lines.append(encoder.encode('"\n'));
    return drain(lines);
  });
  expect(all).toHaveLength(1);
});
