import assert from "node:assert/strict";
import { createConversations } from "../../../knowledge/conversations.ts";
import { createMemory } from "../../../knowledge/memory.ts";
import type { Json } from "../../../pipeline/kernel/mod.ts";
import { remembering, type SummaryRequest } from "../../../pipeline/recall/remember.ts";
import { openStore } from "../../../store/mod.ts";
import { FakeContext } from "../_fake_context.ts";
import { type Grant, localCaller } from "../../../guard/mod.ts";
import { callerOf, LOCAL } from "../../_caller.ts";

const user = (content: string) => ({ role: "user", content });
const assistant = (content: string) => ({ role: "assistant", content });

/** Answers turns like a run would: what it writes is committed when it has ended. */
async function conversation(limit: number, wantsMemory = false) {
  const { store, close } = await openStore(":memory:", {
    worker: "w1",
    now: Date.now,
    sleep: () => Promise.resolve(),
    lease_ms: 10_000,
  });
  const inputs: Record<string, Json>[] = [];
  const asked: SummaryRequest[] = [];
  const conversations = createConversations(store);
  const memory = createMemory(store, Date.now);
  const program = remembering(
    (_ctx, input) => {
      inputs.push(input as Record<string, Json>);
      return Promise.resolve({ content: `answer ${inputs.length}` });
    },
    {
      conversations,
      memory,
      limit,
      summarize: (_run, request) => Promise.resolve(void asked.push(request)),
    },
    wantsMemory,
  );
  let runs = 100;
  const turn = async (messages: Json[], conversation_id?: string, more: object = {}) => {
    const run = { id: `run_${++runs}`, conversation_id, ...more };
    const ctx = new FakeContext([], run);
    const input = { messages, ...("user_id" in more ? { user_id: more.user_id as Json } : {}) };
    await program(ctx, input);
    // A replay sees what the run saw.
    const replay = new FakeContext(ctx.steps, run);
    await program(replay, input);
    assert.deepEqual(inputs.pop(), inputs.at(-1));
    assert.deepEqual(replay.ran, []);
    for (const change of ctx.changes) await store.commit(change);
    return inputs.at(-1)!.messages;
  };
  return { turn, inputs, asked, conversations, memory, [Symbol.asyncDispose]: close };
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

Deno.test("a run within another one is no turn", async () => {
  await using c = await conversation(20);
  await c.turn([user("one")], "c");
  const parent = { run: "run_1", step: "a" };
  assert.deepEqual(await c.turn([user("inner")], "c", { parent }), [user("inner")]);
  assert.deepEqual((await c.turn([user("two")], "c") as Json[]).length, 3);
});

Deno.test("what is about to leave the window is put into a summary, which stands for it", async () => {
  await using c = await conversation(8, true);
  for (let n = 1; n <= 4; n++) await c.turn([user(`q${n}`)], "c");
  assert.deepEqual(c.asked, []);
  await c.turn([user("q5")], "c");
  assert.deepEqual(c.asked, [{ conversation_id: "c", upto: "run_102" }]);
  await c.conversations.keepSummary(LOCAL, "c", { text: "So far.", upto: "run_102" });
  const messages = await c.turn([user("q6")], "c") as { content: string }[];
  assert.deepEqual(messages.map(({ content }) => content), [
    "q3",
    "answer 3",
    "q4",
    "answer 4",
    "q5",
    "answer 5",
    "q6",
  ]);
  assert.deepEqual(c.inputs.at(-1)!.memory, { summary: "So far.", facts: [] });
  assert.equal(c.asked.length, 1, "three exchanges are not too many yet");
  await c.turn([user("q7")], "c");
  assert.deepEqual(c.asked.at(-1), { conversation_id: "c", upto: "run_104" });
});

Deno.test("a pipeline that wants it knows what is known of the user, also without a conversation", async () => {
  await using c = await conversation(8, true);
  await c.memory.remember(LOCAL, "ada", { text: "Likes tea.", source: {} });
  await c.turn([user("one")], undefined, { user_id: "ada" });
  assert.deepEqual(c.inputs.at(-1)!.memory, { facts: ["Likes tea."] });
  await c.turn([user("two")], "c", { user_id: "bob" });
  assert.deepEqual(c.inputs.at(-1)!.memory, { facts: [] });
});

Deno.test("a conversation is of the user whom its first turn is for, or else of the caller", async () => {
  await using c = await conversation(8, true);
  await c.turn([user("one")], "ours", { user_id: "ada" });
  await c.turn([user("two")], "ours");
  await c.turn([user("one")], "mine", { caller: localCaller("bob") });
  const ownerOf = async (id: string) => (await c.conversations.head(LOCAL, id))?.owner;
  assert.deepEqual(await Promise.all(["ours", "mine"].map(ownerOf)), ["ada", "bob"]);
});

Deno.test("a run neither reads nor continues the conversation of another user", async () => {
  await using c = await conversation(8);
  await c.turn([user("my secret")], "c", { caller: callerOf("acme", "ada") });
  await assert.rejects(c.turn([user("what?")], "c", { caller: callerOf("acme", "bob") }), {
    code: "forbidden",
  });
  assert.equal(c.inputs.length, 1);
  assert.deepEqual(await c.turn([user("what?")], "c", { caller: callerOf("other", "ada") }), [
    user("what?"),
  ]);
});

Deno.test("a run does not see what is known of another user", async () => {
  await using c = await conversation(8, true);
  const ada = callerOf("acme", "ada");
  await c.memory.remember(ada, "ada", { text: "Likes tea.", source: {} });
  const as = (actor: string, ...grants: Grant[]) => {
    const caller = callerOf("acme", actor, ...grants);
    return c.turn([user("one")], undefined, { user_id: "ada", caller });
  };
  await assert.rejects(as("bob"), { code: "forbidden" });
  await as("ada");
  assert.deepEqual(c.inputs.at(-1)!.memory, { facts: ["Likes tea."] });
  await as("service", "users:*");
  assert.deepEqual(c.inputs.at(-1)!.memory, { facts: ["Likes tea."] });
});
