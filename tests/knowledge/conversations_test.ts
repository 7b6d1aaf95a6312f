import { expect } from "expect";
import type { Caller } from "../../guard/mod.ts";
import { createConversations, toMessages } from "../../knowledge/conversations.ts";
import { openStore } from "../../store/mod.ts";
import { callerOf, LOCAL } from "../_caller.ts";

async function memory() {
  const opened = await openStore(":memory:", {
    worker: "w1",
    now: Date.now,
    sleep: () => Promise.resolve(),
    lease_ms: 10_000,
  });
  const conversations = createConversations(opened.store);
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
      expect(await opened.store.commit({ checks: [], mutations })).not.toBeNull();
    },
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
