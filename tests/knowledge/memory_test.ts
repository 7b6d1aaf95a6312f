import { expect } from "expect";
import type { Caller } from "../../guard/mod.ts";
import { createConversations } from "../../knowledge/conversations.ts";
import { createMemory, MAX_FACTS } from "../../knowledge/memory.ts";
import { createRecollection, type Recollection } from "../../knowledge/recollection.ts";
import { keys, openStore, setJson } from "../../store/mod.ts";
import { callerOf } from "../_caller.ts";

const T = callerOf("t", "local", "*");
const OTHER = callerOf("other", "local", "*");

async function open() {
  let now = Date.UTC(2026, 0, 1);
  const { store, close } = await openStore(":memory:", {
    worker: "w1",
    now: () => now,
    sleep: () => Promise.resolve(),
    lease_ms: 10_000,
  });
  const memory = createMemory(store, () => now++);
  const conversations = createConversations(store);
  return {
    store,
    memory,
    conversations,
    recollection: createRecollection(store, conversations, memory),
    [Symbol.asyncDispose]: close,
  };
}

const from = (text: string) => ({ source: { run_id: "run_1", text } });

Deno.test("remember() keeps a fact with where it comes from, the latest first", async () => {
  await using m = await open();
  await m.memory.remember(T, "ada", { text: " Likes tea. ", ...from("I like tea") });
  await m.memory.remember(T, "ada", {
    text: "Is called Ada.",
    about: "name",
    ...from("I'm Ada"),
  });
  await m.memory.remember(T, "bob", { text: "Likes rum.", source: { by: "local" } });
  expect(await m.memory.list(T, "ada")).toEqual([
    {
      id: expect.stringMatching(/^mem_[0-9a-f]{20}$/),
      user_id: "ada",
      text: "Is called Ada.",
      about: "name",
      source: { run_id: "run_1", text: "I'm Ada" },
      created_at: "2026-01-01T00:00:00.001Z",
      updated_at: "2026-01-01T00:00:00.001Z",
    },
    expect.objectContaining({
      text: "Likes tea.",
      source: { run_id: "run_1", text: "I like tea" },
    }),
  ]);
  expect(await m.memory.list(T, "ada", 1)).toHaveLength(1);
  expect(await m.memory.list(OTHER, "ada")).toEqual([]);
});

Deno.test("remember() confirms what is known and replaces what it is about", async () => {
  await using m = await open();
  await m.memory.remember(T, "ada", { text: "Likes tea.", ...from("first") });
  await m.memory.remember(T, "ada", { text: "likes  TEA", ...from("second") });
  await m.memory.remember(T, "ada", { text: "Is called Ada.", about: "name", ...from("a") });
  await m.memory.remember(T, "ada", { text: "Is called Bea.", about: "name", ...from("b") });
  const facts = await m.memory.list(T, "ada");
  expect(facts.map(({ text, source }) => [text, source.text])).toEqual([
    ["Is called Bea.", "b"],
    ["likes  TEA", "first"],
  ]);
});

Deno.test("remember() holds when two do it at the same time", async () => {
  await using m = await open();
  await Promise.all(
    [1, 2, 3, 4].map((n) =>
      m.memory.remember(T, "ada", { text: `Is ${n}.`, about: "number", ...from("") })
    ),
  );
  expect(await m.memory.list(T, "ada")).toHaveLength(1);
});

Deno.test("remember() forgets what was confirmed longest ago when there is too much", async () => {
  await using m = await open();
  for (let n = 0; n <= MAX_FACTS; n++) {
    await m.memory.remember(T, "ada", { text: `Fact ${n}. ${"x".repeat(600)}`, ...from("") });
  }
  const facts = await m.memory.list(T, "ada");
  expect([facts.length, facts.some(({ text }) => text.startsWith("Fact 0."))])
    .toEqual([MAX_FACTS, false]);
  expect(facts[0]!.text).toHaveLength(500);
});

Deno.test("remove() and clear() forget, and only what they name", async () => {
  await using m = await open();
  const { id } = await m.memory.remember(T, "ada", { text: "A.", ...from("") });
  await m.memory.remember(T, "ada", { text: "B.", ...from("") });
  await m.memory.remember(T, "bob", { text: "C.", ...from("") });
  expect(await m.memory.remove(OTHER, id)).toBe(false);
  expect(await m.memory.remove(T, id)).toBe(true);
  expect(await m.memory.remove(T, id)).toBe(false);
  expect(await m.memory.clear(T, "ada")).toBe(1);
  expect(await m.memory.list(T, "ada")).toEqual([]);
  expect(await m.memory.list(T, "bob")).toHaveLength(1);
});

Deno.test("stats() counts and forget() clears what it is told to", async () => {
  await using m = await open();
  const fill = async () => {
    await m.memory.remember(T, "ada", { text: "A.", ...from("") });
    const exchange = { user: "q", assistant: "a" };
    for (const [id, run, before] of [["c1", "run_1"], ["c1", "run_2", "run_1"], ["c2", "run_3"]]) {
      const mutations = m.conversations.exchangeMutation(T, id!, run!, exchange, before);
      await m.store.commit({ checks: [], mutations });
    }
    await m.conversations.keepSummary(T, "c1", { text: "s", upto: "run_1" });
    await m.store.commit({ checks: [], mutations: [setJson(keys.cache("t", "h"), 1)] });
  };
  await fill();
  const full = {
    conversations: 2,
    exchanges: 3,
    summaries: 1,
    memories: 1,
    cached: 1,
    capped: false,
  };
  expect(await m.recollection.stats(T)).toEqual(full);
  const { recollection } = m;
  expect(await recollection.forget(OTHER, { all: true })).toEqual({
    exchanges: 0,
    memories: 0,
    cached: 0,
  });
  expect(await recollection.forget(T, { conversation_id: "c1" })).toMatchObject({ exchanges: 2 });
  expect(await recollection.forget(T, { user_id: "ada" })).toMatchObject({
    memories: 1,
    exchanges: 0,
  });
  expect(await recollection.forget(T, { cache: true })).toMatchObject({ cached: 1 });
  expect(await m.recollection.stats(T)).toMatchObject({ conversations: 1, exchanges: 1 });
  await fill();
  expect(await recollection.forget(T, { all: true })).toEqual({
    exchanges: 3,
    memories: 1,
    cached: 1,
  });
  expect(Object.values(await m.recollection.stats(T))).toEqual([0, 0, 0, 0, 0, false]);
});

Deno.test("what is known of a user is that user's, and of those who may act for others", async () => {
  await using m = await open();
  const ada = callerOf("t", "ada");
  const bob = callerOf("t", "bob");
  const { id } = await m.memory.remember(ada, "ada", { text: "A.", ...from("") });
  const refused = { code: "forbidden", message: expect.stringContaining('the user "ada"') };
  const fact = { text: "Is a thief.", source: {} };
  await expect(m.memory.list(bob, "ada")).rejects.toMatchObject(refused);
  await expect(m.memory.remember(bob, "ada", fact)).rejects.toMatchObject(refused);
  await expect(m.memory.clear(bob, "ada")).rejects.toMatchObject(refused);
  expect(await m.memory.remove(bob, id)).toBe(false);
  expect((await m.memory.list(T, "ada")).map(({ text }) => text)).toEqual(["A."]);
  expect(await m.memory.remove(ada, id)).toBe(true);
});

Deno.test("stats() and forget() of a caller without that grant are about its own user", async () => {
  await using m = await open();
  for (const [n, owner] of ["ada", "bob", "bob"].entries()) {
    const caller = callerOf("t", owner);
    const exchange = { user: "q", assistant: "a", owner };
    const mutations = m.conversations.exchangeMutation(caller, `c${n}`, `run_${n}`, exchange);
    await m.store.commit({ checks: [], mutations });
    await m.conversations.keepSummary(caller, `c${n}`, { text: "s", upto: `run_${n}` });
    await m.memory.remember(caller, owner, { text: `Fact ${n}.`, ...from("") });
  }
  const stats = (caller: Caller) => m.recollection.stats(caller);
  const forget: Recollection["forget"] = (...what) => m.recollection.forget(...what);
  const ada = callerOf("t", "ada");
  const own = { conversations: 1, exchanges: 1, summaries: 1, memories: 1, cached: 0 };
  expect(await stats(ada)).toEqual({ ...own, capped: false });
  await expect(forget(ada, { user_id: "bob" })).rejects.toMatchObject({ code: "forbidden" });
  await expect(forget(ada, { conversation_id: "c1" })).rejects.toMatchObject({ code: "forbidden" });
  expect(await forget(ada, { all: true })).toEqual({ exchanges: 1, memories: 1, cached: 0 });
  expect(await stats(T))
    .toMatchObject({ conversations: 2, exchanges: 2, summaries: 2, memories: 2 });
});
