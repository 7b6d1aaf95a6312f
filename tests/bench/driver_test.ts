import { expect } from "expect";
import {
  closeConnections,
  expectPart,
  get,
  percentile,
  post,
  runPool,
} from "../../bench/driver.ts";

Deno.test("percentile() takes the value at the rank, null without values", () => {
  const values = Array.from({ length: 100 }, (_, i) => 100 - i);
  expect(percentile(values, 0.5)).toBe(51);
  expect(percentile(values, 0.99)).toBe(100);
  expect(percentile([], 0.5)).toBeNull();
});

Deno.test("runPool() makes every call once with no more callers than asked for", async () => {
  const calls: number[] = [];
  let busy = 0;
  let peak = 0;
  const result = await runPool(20, 3, async (index) => {
    peak = Math.max(peak, ++busy);
    calls.push(index);
    await Promise.resolve();
    busy--;
  });
  expect(calls.toSorted((a, b) => a - b)).toEqual(Array.from({ length: 20 }, (_, i) => i));
  expect(peak).toBe(3);
  expect(result).toMatchObject({ done: 20, problems: [] });
});

Deno.test("runPool() tells how many calls failed, and gives up after fifty", async () => {
  const fail = (index: number) => Promise.reject(new Error(`no ${index}`));
  const result = await runPool(1000, 1, fail);
  expect(result).toMatchObject({
    done: 0,
    p50_ms: null,
    problems: ["50 calls failed, first: Error: no 0"],
  });
});

Deno.test("post() sends JSON, hands over the pieces and fails when the status is not 2xx", async () => {
  const server = Deno.serve({ hostname: "127.0.0.1", port: 0, onListen: () => {} }, async (r) => {
    if (r.method === "GET") return new Response("no", { status: 503 });
    return new Response(`got ${(await r.json()).text} ${r.headers.get("x-extra")}`);
  });
  const url = `http://127.0.0.1:${server.addr.port}`;
  try {
    let heard = "";
    const onData = (piece: string) => void (heard += piece);
    const answer = await post(url, { text: "grün" }, { headers: { "x-extra": "1" }, onData });
    expect(answer).toBe("got grün 1");
    expect(heard).toBe(answer);
    await expect(get(url)).rejects.toThrow("answered 503: no");
  } finally {
    closeConnections();
    await server.shutdown();
  }
});

Deno.test("expectPart() refuses an answer without the part", () => {
  expectPart("all done", "done");
  expect(() => expectPart("half", "done")).toThrow("No done in the answer half");
});
