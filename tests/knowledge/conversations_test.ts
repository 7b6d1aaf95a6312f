import { expect } from "expect";
import type { Caller } from "../../guard/mod.ts";
import { createConversations, toMessages } from "../../knowledge/conversations.ts";
import { type Mutation, openStore } from "../../store/mod.ts";
import { callerOf, LOCAL } from "../_caller.ts";

async function memory() {
  const opened = await openStore(":memory:", {
    worker: "w1",
    now: Date.now,
    sleep: () => Promise.resolve(),
    lease_ms: 10_000,
  });
  const conversations = createConversations(opened.store);
  const commit = async (mutations: Mutation[]) => {
    expect(await opened.store.commit({ checks: [], mutations })).not.toBeNull();
  };
  return {
    conversations,
    async exchange(
      caller: Caller,
      id: string,
      run: string,
      user: string,
      assistant: string,
      before?: string | null,
    ) {
      const at = "2026-01-02T03:04:05.678Z";
      const mutations = conversations.exchangeMutation(
        caller,
        id,
        run,
        { user, assistant, at },
        before === undefined ? (await conversations.head(caller, id))?.last_run : undefined,
      );
      await commit(mutations);
    },
    commit,
    async window(caller: Caller, id: string, limit: number) {
      return toMessages(await conversations.exchanges(caller, id, { limit }));
    },
    [Symbol.asyncDispose]: () => opened.close(),
  };
}

Deno.test("exchanges() are none in a conversation nobody had", async () => {
  await using m = await memory();
  expect(await m.window(LOCAL, "c1", 10)).toEqual([]);
  expect(await m.conversations.head(LOCAL, "c1")).toBeNull();
  expect(await m.conversations.remove(LOCAL, "c1")).toBeNull();
});

Deno.test("exchanges() come in the order of their runs", async () => {
  await using m = await memory();
  await m.exchange(LOCAL, "c1", "run_2", "second?", "two");
  await m.exchange(LOCAL, "c1", "run_1", "first?", "one");
  expect(await m.window(LOCAL, "c1", 10)).toEqual([
    { role: "user", content: "first?" },
    { role: "assistant", content: "one" },
    { role: "user", content: "second?" },
    { role: "assistant", content: "two" },
  ]);
});

Deno.test("exchanges() are the newest of their span, oldest() the oldest", async () => {
  await using m = await memory();
  for (const n of [1, 2, 3, 4]) await m.exchange(LOCAL, "c1", `run_${n}`, `q${n}`, `a${n}`);
  const { conversations } = m;
  const runs = async (found: ReturnType<typeof conversations.exchanges>) =>
    (await found).map(({ run }) => run);
  expect(await runs(conversations.exchanges(LOCAL, "c1", { limit: 2 }))).toEqual([
    "run_3",
    "run_4",
  ]);
  expect(await runs(conversations.exchanges(LOCAL, "c1", { limit: 0 }))).toEqual([]);
  const inner = { after: "run_1", before: "run_4" };
  expect(await runs(conversations.exchanges(LOCAL, "c1", { ...inner, limit: 9 }))).toEqual([
    "run_2",
    "run_3",
  ]);
  expect(await runs(conversations.oldest(LOCAL, "c1", { ...inner, limit: 1 }))).toEqual(["run_2"]);
});

Deno.test("exchanges() sees neither other conversations nor other tenants", async () => {
  await using m = await memory();
  await m.exchange(LOCAL, "c2", "run_1", "q", "a");
  await m.exchange(LOCAL, "c11", "run_1", "q", "a");
  await m.exchange(callerOf("other"), "c1", "run_2", "q", "a");
  expect(await m.window(LOCAL, "c1", 10)).toEqual([]);
});

Deno.test("an exchange of the same run replaces it; texts of any kind and size come back", async () => {
  await using m = await memory();
  const text = 'ünïcode "quotes" 🏛 \n';
  await m.exchange(LOCAL, "c1", "run_1", "old", "old");
  await m.exchange(LOCAL, "c1", "run_1", text, "a".repeat(200_000));
  const [user, assistant, ...rest] = await m.window(LOCAL, "c1", 10);
  expect([user?.content, assistant?.content.length, rest]).toEqual([text, 200_000, []]);
});

Deno.test("list() gives the conversation that went on last first, page by page", async () => {
  await using m = await memory();
  await m.exchange(LOCAL, "c1", "run_1", `${"long ".repeat(40)}\nsecond line`, "a");
  await m.exchange(LOCAL, "c2", "run_2", "two", "a");
  await m.exchange(LOCAL, "c3", "run_3", "three", "a");
  await m.exchange(LOCAL, "c1", "run_4", "again", "a");
  await m.exchange(callerOf("other"), "c4", "run_5", "x", "a");
  const first = await m.conversations.list(LOCAL, { limit: 2 });
  expect(first.conversations.map(({ id, last_run }) => [id, last_run])).toEqual([
    ["c1", "run_4"],
    ["c3", "run_3"],
  ]);
  expect(first.conversations[0]!.title).toMatch(/^long (long )+lo?n?g?…$/);
  const second = await m.conversations.list(LOCAL, { limit: 2, cursor: first.next_cursor });
  expect(second.conversations.map(({ id }) => id)).toEqual(["c2"]);
  expect(second.next_cursor).toBeUndefined();
});

Deno.test("list() shows a conversation once, also after two turns at the same time", async () => {
  await using m = await memory();
  await m.exchange(LOCAL, "c1", "run_1", "one", "a", null);
  await m.exchange(LOCAL, "c1", "run_2", "two", "a", null);
  const { conversations } = await m.conversations.list(LOCAL, { limit: 9 });
  expect(conversations.map(({ last_run }) => last_run)).toEqual(["run_2"]);
});

Deno.test("keepSummary() keeps the one of more, as long as the conversation is there", async () => {
  await using m = await memory();
  const { conversations } = m;
  expect(await conversations.keepSummary(LOCAL, "c1", { text: "x", upto: "run_1" })).toBe(false);
  await m.exchange(LOCAL, "c1", "run_1", "q", "a");
  expect(await conversations.keepSummary(LOCAL, "c1", { text: "two", upto: "run_2" })).toBe(true);
  expect(await conversations.keepSummary(LOCAL, "c1", { text: "one", upto: "run_1" })).toBe(false);
  expect(await conversations.summary(LOCAL, "c1")).toEqual({ text: "two", upto: "run_2" });
});

Deno.test("remove() leaves nothing of a conversation, however large, and nothing else goes", async () => {
  await using m = await memory();
  for (let n = 100; n < 150; n++) {
    await m.exchange(LOCAL, "c1", `run_${n}`, "q", "a".repeat(n === 149 ? 100_000 : 1));
  }
  await m.exchange(LOCAL, "c2", "run_1", "q", "a");
  await m.conversations.keepSummary(LOCAL, "c1", { text: "s", upto: "run_2" });
  expect(await m.conversations.remove(LOCAL, "c1")).toBe(50);
  expect(await m.window(LOCAL, "c1", 9)).toEqual([]);
  expect(await m.conversations.summary(LOCAL, "c1")).toBeNull();
  const { conversations } = await m.conversations.list(LOCAL, { limit: 9 });
  expect(conversations.map(({ id }) => id)).toEqual(["c2"]);
});

/** A conversation of Ann's with one exchange and a summary. */
async function ofAnn() {
  const m = await memory();
  const ann = callerOf("acme", "ann");
  const exchange = { user: "q", assistant: "a", owner: "ann" };
  const mutations = m.conversations.exchangeMutation(ann, "c1", "run_1", exchange);
  await m.commit(mutations);
  await m.conversations.keepSummary(ann, "c1", { text: "So far.", upto: "run_1" });
  return { ...m, ann };
}

Deno.test("a conversation is its owner's alone, in reading and in writing", async () => {
  await using m = await ofAnn();
  const { conversations, ann } = m;
  const bob = callerOf("acme", "bob");
  const refused = { code: "forbidden", message: expect.stringContaining("another user") };
  for (
    const use of [
      () => conversations.head(bob, "c1"),
      () => conversations.exchanges(bob, "c1", { limit: 9 }),
      () => conversations.oldest(bob, "c1", { limit: 9 }),
      () => conversations.summary(bob, "c1"),
      () => conversations.keepSummary(bob, "c1", { text: "Mine.", upto: "run_9" }),
      () => conversations.remove(bob, "c1"),
    ]
  ) await expect(use()).rejects.toMatchObject(refused);
  expect((await conversations.list(bob, { limit: 9 })).conversations).toEqual([]);
  expect(await conversations.head(ann, "c1")).toMatchObject({ id: "c1", owner: "ann" });
  expect(await conversations.summary(ann, "c1"))
    .toEqual({ text: "So far.", upto: "run_1", owner: "ann" });
});

Deno.test("of two users who begin one conversation at once neither sees the other's turns", async () => {
  await using m = await ofAnn();
  const bob = callerOf("acme", "bob");
  const exchange = { user: "bob's", assistant: "a", owner: "bob" };
  await m.commit(m.conversations.exchangeMutation(bob, "c1", "run_2", exchange));
  expect(await m.window(m.ann, "c1", 9)).toMatchObject([{ content: "q" }, { content: "a" }]);
  expect(await m.window(bob, "c1", 9)).toMatchObject([{ content: "bob's" }, { content: "a" }]);
  await expect(m.conversations.head(bob, "c1")).rejects.toMatchObject({ code: "forbidden" });
});

Deno.test("a caller that may act for other users uses their conversations", async () => {
  await using m = await ofAnn();
  const service = callerOf("acme", "service", "users:*");
  expect(await m.conversations.head(service, "c1")).toMatchObject({ owner: "ann" });
  expect((await m.conversations.list(service, { limit: 9 })).conversations).toHaveLength(1);
  expect(await m.conversations.remove(service, "c1")).toBe(1);
});

Deno.test("a conversation of an earlier version has no owner: only such a caller uses it", async () => {
  await using m = await memory();
  await m.exchange(callerOf("acme", "ann"), "old", "run_1", "q", "a", null);
  await expect(m.conversations.head(callerOf("acme", "ann"), "old"))
    .rejects.toMatchObject({ code: "forbidden" });
  expect(await m.conversations.head(callerOf("acme", "ann", "users:*"), "old"))
    .toMatchObject({ id: "old" });
});

Deno.test("list() pages over the conversations of the caller only", async () => {
  await using m = await memory();
  for (let n = 1; n <= 6; n++) {
    const owner = n % 2 ? "ann" : "bob";
    const exchange = { user: `q${n}`, assistant: "a", owner };
    const caller = callerOf("acme", owner);
    await m.commit(m.conversations.exchangeMutation(caller, `c${n}`, `run_${n}`, exchange));
  }
  const ann = callerOf("acme", "ann");
  const first = await m.conversations.list(ann, { limit: 2 });
  expect(first.conversations.map(({ id }) => id)).toEqual(["c5", "c3"]);
  const second = await m.conversations.list(ann, { limit: 2, cursor: first.next_cursor });
  expect(second.conversations.map(({ id }) => id)).toEqual(["c1"]);
  expect(second.next_cursor).toBeUndefined();
});
