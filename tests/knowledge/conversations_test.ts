import { expect } from "expect";
import { createConversations } from "../../knowledge/conversations.ts";
import { openStore } from "../../store/mod.ts";

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
    async exchange(tenant: string, id: string, run: string, user: string, assistant: string) {
      const mutations = conversations.exchangeMutation(tenant, id, run, user, assistant);
      expect(await opened.store.commit({ checks: [], mutations })).not.toBeNull();
    },
    [Symbol.asyncDispose]: () => opened.close(),
  };
}

Deno.test("window() is empty for a conversation nobody had", async () => {
  await using m = await memory();
  expect(await m.conversations.window("default", "c1", 10)).toEqual([]);
});

Deno.test("window() gives the exchanges in the order of their runs", async () => {
  await using m = await memory();
  await m.exchange("default", "c1", "run_2", "second?", "two");
  await m.exchange("default", "c1", "run_1", "first?", "one");
  expect(await m.conversations.window("default", "c1", 10)).toEqual([
    { role: "user", content: "first?" },
    { role: "assistant", content: "one" },
    { role: "user", content: "second?" },
    { role: "assistant", content: "two" },
  ]);
});

Deno.test("window() keeps the newest messages and begins with a user's", async () => {
  await using m = await memory();
  for (const n of [1, 2, 3]) await m.exchange("default", "c1", `run_${n}`, `q${n}`, `a${n}`);
  const contents = async (limit: number) =>
    (await m.conversations.window("default", "c1", limit)).map((message) => message.content);
  expect(await contents(4)).toEqual(["q2", "a2", "q3", "a3"]);
  expect(await contents(3)).toEqual(["q3", "a3"]);
  expect(await contents(1)).toEqual([]);
  expect(await contents(0)).toEqual([]);
});

Deno.test("window() sees neither other conversations nor other tenants", async () => {
  await using m = await memory();
  await m.exchange("default", "c2", "run_1", "q", "a");
  await m.exchange("default", "c11", "run_1", "q", "a");
  await m.exchange("other", "c1", "run_2", "q", "a");
  expect(await m.conversations.window("default", "c1", 10)).toEqual([]);
});

Deno.test("an exchange of the same run replaces it; texts of any kind and size come back", async () => {
  await using m = await memory();
  const text = 'ünïcode "quotes" 🏛 \n';
  await m.exchange("default", "c1", "run_1", "old", "old");
  await m.exchange("default", "c1", "run_1", text, "a".repeat(200_000));
  const [user, assistant, ...rest] = await m.conversations.window("default", "c1", 10);
  expect([user?.content, assistant?.content.length, rest]).toEqual([text, 200_000, []]);
});
