import assert from "node:assert/strict";
import { createConversations } from "../../knowledge/conversations.ts";
import type { Json, RunContext } from "../../pipeline/kernel/mod.ts";
import { remembering } from "../../pipeline/remember.ts";
import { type Commit, type Mutation, openStore } from "../../store/mod.ts";

const user = (content: string) => ({ role: "user", content });
const assistant = (content: string) => ({ role: "assistant", content });

/** Answers turns like a run would: what it writes is committed when it has ended. */
async function conversation(limit: number) {
  const { store, close } = await openStore(":memory:", {
    worker: "w1",
    now: Date.now,
    sleep: () => Promise.resolve(),
    lease_ms: 10_000,
  });
  const inputs: Json[] = [];
  const program = remembering(
    (_ctx, input) => {
      inputs.push((input as { messages: Json }).messages);
      return Promise.resolve({ content: `answer ${inputs.length}` });
    },
    createConversations(store),
    limit,
  );
  let runs = 0;
  const turn = async (messages: Json[], conversation_id?: string) => {
    const written: Mutation[] = [];
    const run = { tenant: "t", id: `run_${++runs}`, conversation_id } as RunContext["run"];
    const change = ({ mutations }: Commit) => void written.push(...mutations);
    const ctx = { run, change } as unknown as RunContext;
    await program(ctx, { messages });
    await store.commit({ checks: [], mutations: written });
    return inputs.at(-1);
  };
  return { turn, [Symbol.asyncDispose]: close };
}

Deno.test("a lone message is put behind what was said before", async () => {
  await using c = await conversation(20);
  assert.deepEqual(await c.turn([user("one")], "c"), [user("one")]);
  assert.deepEqual(await c.turn([user("two")], "c"), [
    user("one"),
    assistant("answer 1"),
    user("two"),
  ]);
});

Deno.test("a client that sends several messages knows better", async () => {
  await using c = await conversation(20);
  await c.turn([user("one")], "c");
  const own = [user("x"), assistant("y"), user("z")];
  assert.deepEqual(await c.turn(own, "c"), own);
  assert.deepEqual(
    (await c.turn([user("next")], "c") as Json[]).at(-3),
    user("z"),
    "and is remembered",
  );
});

Deno.test("only the window is remembered, and only in its own conversation", async () => {
  await using c = await conversation(2);
  for (const text of ["one", "two"]) await c.turn([user(text)], "c");
  assert.deepEqual(await c.turn([user("three")], "c"), [
    user("two"),
    assistant("answer 2"),
    user("three"),
  ]);
  assert.deepEqual(await c.turn([user("one")], "other"), [user("one")]);
});

Deno.test("a run without a conversation remembers nothing", async () => {
  await using c = await conversation(20);
  await c.turn([user("one")]);
  assert.deepEqual(await c.turn([user("two")], "c"), [user("two")]);
});
