import { expect } from "expect";
import type { EventBody } from "../../pipeline/kernel/mod.ts";
import { createResponseCache, type ResponseCacheDeps } from "../../service/response_cache.ts";
import { service } from "../pipeline/definitions/_service.ts";
import { within } from "../_yardstick.ts";
import { callerOf } from "../_caller.ts";

/** Asks until the answer before it is kept: that happens after it was given. */
async function twice(s: Awaited<ReturnType<typeof service>>, prompt: string, more = {}) {
  const first = await s.ask(prompt, more);
  for (let tries = 0; tries < 100; tries++) {
    const { body } = await s.request("GET", "/v1/memory/stats");
    if (body.cached > 0) break;
  }
  return [first, await s.ask(prompt, more)];
}

const CACHED = { RESPONSE_CACHE_TTL: "10m" };

Deno.test("the same request is answered again from the cache, as a turn of its own", async () => {
  await using s = await service(CACHED);
  const [first, second] = await twice(s, "Hello");
  expect(first.metadata.cache).toBeUndefined();
  expect(second.metadata).toMatchObject({ cache: "hit", pipeline: "assistant" });
  expect([second.run_id, second.message]).toEqual([first.run_id, first.message]);
  expect(second.usage).toEqual({ input_tokens: 0, output_tokens: 0, cost_usd: 0 });
  expect(second.conversation_id).not.toBe(first.conversation_id);
  const { body: talk } = await s.request("GET", `/v1/conversations/${second.conversation_id}`);
  expect(talk.exchanges).toEqual([
    expect.objectContaining({
      user: "Hello",
      assistant: first.message.content,
      answered_by: first.run_id,
    }),
  ]);
});

Deno.test("another user, memory, document or conversation is another request", async () => {
  await using s = await service(CACHED);
  const isHit = async (more = {}) => (await s.ask("Hello", more)).metadata.cache === "hit";
  await twice(s, "Hello");
  expect(await isHit()).toBe(true);
  expect(await isHit({ user_id: "ada" })).toBe(false);
  expect(await isHit({ context: { tone: "formal" } })).toBe(false);
  const conversation_id = "c";
  expect(await isHit({ conversation_id })).toBe(true);
  expect(await isHit({ conversation_id })).toBe(false);
  await s.request("POST", "/v1/documents", { title: "New", text: "News of today." });
  expect(await isHit()).toBe(false);
});

Deno.test("somebody else's request is another one, also when nothing in it differs", async () => {
  await using s = await service(CACHED);
  await twice(s, "Hello");
  const ask = async (headers: Record<string, string>) => {
    const response = await s.app.request("/v1/chat", {
      method: "POST",
      headers: { "content-type": "application/json", ...headers },
      body: JSON.stringify({ prompt: "Hello" }),
    });
    return (await response.json()).metadata.cache;
  };
  expect(await ask({})).toBe("hit");
  expect(await ask({ "x-user": "bob" })).toBeUndefined();
});

Deno.test("what is known of a user is part of the request", async () => {
  await using s = await service(CACHED);
  const [, second] = await twice(s, "Hello", { user_id: "ada" });
  expect(second.metadata.cache).toBe("hit");
  await s.request("POST", "/v1/memory", { user_id: "ada", text: "The user's name is Ada." });
  const third = await s.ask("Hello", { user_id: "ada" });
  expect([third.metadata.cache, third.message.content]).toEqual([
    undefined,
    "Hello Ada! What can I do for you?",
  ]);
});

Deno.test("off by default; no-cache, keys and cleared caches get a run", async () => {
  await using off = await service();
  await off.ask("Hello");
  expect((await off.ask("Hello")).metadata.cache).toBeUndefined();
  await using s = await service(CACHED);
  await twice(s, "Hello");
  const special: Record<string, string>[] = [
    { "cache-control": "no-cache" },
    { "idempotency-key": "k" },
  ];
  for (const headers of special) {
    const response = await s.app.request("/v1/chat", {
      method: "POST",
      headers: { "content-type": "application/json", ...headers },
      body: JSON.stringify({ prompt: "Hello" }),
    });
    expect((await response.json()).metadata.cache).toBeUndefined();
  }
  await s.request("POST", "/v1/memory/clear", { cache: true });
  expect((await s.ask("Hello")).metadata.cache).toBeUndefined();
});

Deno.test("a pipeline says itself how long; what acts outside is never kept", async () => {
  await using s = await service();
  const put = (name: string, node: string) =>
    s.app.request(`/v1/pipelines/${name}`, {
      method: "PUT",
      headers: { "content-type": "application/yaml" },
      body:
        `name: ${name}\nversion: 1\ncache: { ttl_seconds: 60 }\nstart: a\nnodes:\n  a: ${node}\n`,
    });
  await put("pure", "{ transform: { content: '${ run.id }' } }");
  await put("around", "{ pipeline: pure }");
  await put("waits", "{ wait: { seconds: 0.001 } }");
  for (const [pipeline, hit] of [["pure", "hit"], ["around", "hit"], ["waits", undefined]]) {
    await s.request("POST", "/v1/memory/clear", { cache: true });
    const [, second] = await twice(s, "Hello", { pipeline });
    expect([pipeline, second.metadata.cache]).toEqual([pipeline, hit]);
  }
});

/** Whether a response is kept whose run's journal has these events. */
async function isKept(...events: EventBody[]): Promise<boolean> {
  const cache = createResponseCache({
    store: { commit: () => Promise.resolve("stamp") },
    cache: { now: () => 0, put: () => ({ checks: [], mutations: [] }) },
    engine: { journal: () => Promise.resolve(events) },
    tools: { describe: () => Promise.resolve([{ capability: "read" }]) },
  } as unknown as ResponseCacheDeps);
  return await cache.keep(callerOf("t"), "run_1", "hash", "answer", 1);
}

Deno.test("what a step may have done outside is not kept, whatever its kind is called", async () => {
  const began = { type: "step.started", step: "a", attempt: 1 } as const;
  expect(await isKept({ ...began, kind: "model", reusable: true })).toBe(true);
  expect(await isKept({ ...began, kind: "group", passive: true, reusable: true })).toBe(true);
  for (const kind of ["model", "tool", "vote"]) {
    expect([kind, await isKept({ ...began, kind })]).toEqual([kind, false]);
    expect([kind, await isKept({ ...began, kind, passive: true })]).toEqual([kind, false]);
  }
});

Deno.test("what a signal from outside led to is not kept", async () => {
  const signal = { type: "signal.received", payload: null } as const;
  expect(await isKept({ ...signal, name: "child/run_2" })).toBe(true);
  expect(await isKept({ ...signal, name: "vote" })).toBe(false);
});

Deno.test("a hit is quick", async () => {
  await using s = await service(CACHED);
  await twice(s, "Hello");
  // The bound is wide: see docs/memory.md for what was measured.
  await within(50 * 50, async () => {
    for (let n = 0; n < 50; n++) await s.ask("Hello");
  });
});
