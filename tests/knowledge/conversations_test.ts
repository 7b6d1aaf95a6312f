import { expect } from "expect";
import { type ConversationStore, createConversations } from "../../knowledge/conversations.ts";
import type { Key } from "../../store/kv.ts";

function memoryStore() {
  const entries: { key: Key; value: Uint8Array }[] = [];
  const store: ConversationStore = {
    async *list({ prefix }, { limit = Infinity, reverse = false } = {}) {
      const inside = entries
        .filter(({ key }) => prefix.every((part, index) => key[index] === part))
        .sort((a, b) => String(a.key.at(-1)) < String(b.key.at(-1)) ? -1 : 1);
      yield* (reverse ? inside.reverse() : inside).slice(0, limit);
    },
    encode: (key, bytes) => [{ key, set: bytes }],
  };
  const conversations = createConversations(store);
  const exchange = (tenant: string, id: string, run: string, user: string, assistant: string) => {
    for (const mutation of conversations.exchangeMutation(tenant, id, run, user, assistant)) {
      if ("set" in mutation) entries.push({ key: mutation.key, value: mutation.set });
    }
  };
  return { conversations, exchange, entries };
}

Deno.test("window() is empty for a conversation nobody had", async () => {
  expect(await memoryStore().conversations.window("default", "c1", 10)).toEqual([]);
});

Deno.test("window() gives the exchanges in the order of their runs", async () => {
  const { conversations, exchange } = memoryStore();
  exchange("default", "c1", "run_2", "second?", "two");
  exchange("default", "c1", "run_1", "first?", "one");
  expect(await conversations.window("default", "c1", 10)).toEqual([
    { role: "user", content: "first?" },
    { role: "assistant", content: "one" },
    { role: "user", content: "second?" },
    { role: "assistant", content: "two" },
  ]);
});

Deno.test("window() keeps the newest messages and begins with a user's", async () => {
  const { conversations, exchange } = memoryStore();
  for (const n of [1, 2, 3]) exchange("default", "c1", `run_${n}`, `q${n}`, `a${n}`);
  const contents = async (limit: number) =>
    (await conversations.window("default", "c1", limit)).map((message) => message.content);
  expect(await contents(4)).toEqual(["q2", "a2", "q3", "a3"]);
  expect(await contents(3)).toEqual(["q3", "a3"]);
  expect(await contents(1)).toEqual([]);
  expect(await contents(0)).toEqual([]);
});

Deno.test("window() sees neither other conversations nor other tenants", async () => {
  const { conversations, exchange } = memoryStore();
  exchange("default", "c2", "run_1", "q", "a");
  exchange("other", "c1", "run_2", "q", "a");
  expect(await conversations.window("default", "c1", 10)).toEqual([]);
});

Deno.test("exchangeMutation() keys by tenant, conversation and run, and keeps any text", async () => {
  const { conversations, exchange, entries } = memoryStore();
  const text = 'ünïcode "quotes" 🏛 \n';
  exchange("default", "c1", "run_1", text, "a".repeat(100_000));
  expect(entries.map((entry) => entry.key)).toEqual([["conversation", "default", "c1", "run_1"]]);
  const [user, assistant] = await conversations.window("default", "c1", 2);
  expect([user?.content, assistant?.content.length]).toEqual([text, 100_000]);
});
