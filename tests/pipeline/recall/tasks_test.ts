import { expect } from "expect";
import type { Caller } from "../../../guard/mod.ts";
import { OrchestratorError } from "../../../errors.ts";
import type { Json } from "../../../json/value.ts";
import { createConversations } from "../../../knowledge/conversations.ts";
import { createMemory } from "../../../knowledge/memory.ts";
import type { StartRequest } from "../../../pipeline/kernel/runs.ts";
import {
  keepSummaryTask,
  readConversationTask,
  rememberTask,
} from "../../../pipeline/recall/tasks.ts";
import { capabilitiesTask } from "../../../pipeline/plans/task.ts";
import { createSummaries } from "../../../pipeline/recall/summary.ts";
import type { Task } from "../../../pipeline/nodes/task.ts";
import { openStore } from "../../../store/mod.ts";
import { RUN } from "../_fake_context.ts";
import { toolInfo } from "../_fake_tools.ts";
import { callerOf } from "../../_caller.ts";

async function open() {
  const { store, close } = await openStore(":memory:", {
    worker: "w1",
    now: Date.now,
    sleep: () => Promise.resolve(),
    lease_ms: 10_000,
  });
  return { store, [Symbol.asyncDispose]: close };
}

const run = (task: Task, input: Json) => task.run(input, undefined as never, RUN);

Deno.test("remember keeps ten facts at most, of a user only, and nothing that is no fact", async () => {
  await using s = await open();
  const memory = createMemory(s.store, Date.now);
  const task = rememberTask(memory);
  const facts = [
    { text: " " },
    "no fact",
    { about: "x" },
    { text: "Lives in Graz.", about: "Home Town!" },
    ...Array.from({ length: 20 }, (_, n) => ({ text: `Fact ${n}.`, about: null })),
  ] as Json[];
  expect(await run(task, { facts })).toEqual({ facts: [] });
  expect(await run(task, { user_id: "", facts })).toEqual({ facts: [] });
  await run(task, { user_id: "ada", text: "I live in Graz", facts });
  const known = await memory.list(RUN.caller, "ada");
  expect(known).toHaveLength(7); // the first ten, less three that are none
  expect(known.find(({ about }) => about === "home_town")).toMatchObject({
    text: "Lives in Graz.",
    source: { run_id: RUN.id, text: "I live in Graz" },
  });
});

Deno.test("remember and read_conversation act for who started the run, and for no other user", async () => {
  await using s = await open();
  const memory = createMemory(s.store, Date.now);
  const conversations = createConversations(s.store);
  const [ada, bob] = [callerOf("acme", "ada"), callerOf("acme", "bob")];
  const exchange = { user: "q", assistant: "a", owner: "ada" };
  const mutations = conversations.exchangeMutation(ada, "c", "run_1", exchange);
  await s.store.commit({ checks: [], mutations });
  const as = (caller: Caller, task: Task, input: Json) =>
    task.run(input, undefined as never, { ...RUN, caller });
  const facts = { user_id: "ada", facts: [{ text: "Is a thief." }] };
  await expect(as(bob, rememberTask(memory), facts)).rejects.toMatchObject({ code: "forbidden" });
  const wanted = { conversation_id: "c", upto: "run_1" };
  await expect(as(bob, readConversationTask(conversations), wanted))
    .rejects.toMatchObject({ code: "forbidden" });
  expect(await memory.list(ada, "ada")).toEqual([]);
  expect(await as(ada, readConversationTask(conversations), wanted))
    .toMatchObject({ exchanges: [{ user: "q" }] });
});

Deno.test("read_conversation gives what the summary lacks, keep_summary keeps it", async () => {
  await using s = await open();
  const conversations = createConversations(s.store);
  for (const n of [1, 2, 3]) {
    const exchange = { user: `q${n}`, assistant: "a".repeat(10_000) };
    const mutations = conversations.exchangeMutation(RUN.caller, "c", `run_${n}`, exchange);
    await s.store.commit({ checks: [], mutations });
  }
  const read = readConversationTask(conversations);
  const keep = keepSummaryTask(conversations);
  const first = await run(read, { conversation_id: "c", upto: "run_2" }) as {
    exchanges: { user: string; assistant: string }[];
  };
  expect(first).toMatchObject({ summary: "", upto: "run_2" });
  expect(first.exchanges.map(({ user, assistant }) => [user, assistant.length]))
    .toEqual([["q1", 4_000], ["q2", 4_000]]);
  const summary = { conversation_id: "c", summary: "So far.", upto: "run_2" };
  expect(await run(keep, summary)).toEqual({ kept: true });
  expect(await run(keep, { ...summary, upto: null })).toEqual({ kept: false });
  expect(await run(keep, { ...summary, summary: " " })).toEqual({ kept: false });
  expect(await run(read, { conversation_id: "c", upto: "run_2" }))
    .toEqual({ summary: "So far.", exchanges: [], upto: null });
  expect(await run(read, { conversation_id: "c", upto: "run_3" }))
    .toMatchObject({ summary: "So far.", exchanges: [{ user: "q3" }], upto: "run_3" });
});

Deno.test("capabilities lists pipelines and tools, not the run's own and none that is left out", async () => {
  const offer = (name: string) => ({ name, description: "d".repeat(600), version: "v" });
  const task = capabilitiesTask({
    offers: () => Promise.resolve([offer(RUN.pipeline), offer("a"), offer("b")]),
    tools: { describe: (_caller, names) => Promise.resolve([toolInfo(names.join(" "))]) },
  });
  expect(await run(task, { except: ["b"] })).toEqual({
    pipelines: [{ name: "a", description: "d".repeat(500) }],
    tools: [{
      name: "*",
      description: "Tool *",
      input: expect.any(Object),
      source: "built_in",
    }],
  });
  expect(await run(task, { tools: ["shop_*", "dataset"] }))
    .toMatchObject({ tools: [{ name: "shop_* dataset" }] });
});

Deno.test("a summary is started once, and a turn does not fail with it", async () => {
  const started: [Caller, StartRequest][] = [];
  const warned: unknown[] = [];
  let fail: OrchestratorError | undefined;
  const prepared: Caller[] = [];
  const summarize = createSummaries({
    prepare: (caller) => {
      prepared.push(caller);
      return Promise.resolve({ version: "v", priority: -10 });
    },
    engine: {
      start(caller, request) {
        if (fail) return Promise.reject(fail);
        started.push([caller, request]);
        return Promise.resolve(undefined as never);
      },
    },
    log: { warn: (message, fields) => warned.push([message, fields?.code]) },
  });
  const ADA = callerOf("acme", "ada");
  const request = { conversation_id: "c", upto: "run_9" };
  await summarize({ ...RUN, caller: ADA }, request);
  expect(started).toEqual([[ADA, {
    pipeline: "summarize",
    version: "v",
    priority: -10,
    input: request,
    idempotency: { key: "summarize/c/run_9", fingerprint: "run_9" },
  }]]);
  expect(prepared).toEqual([ADA]);
  fail = new OrchestratorError("idempotency_in_flight", "Cannot answer yet.");
  await summarize(RUN, request);
  expect(warned).toEqual([]);
  fail = new OrchestratorError("overloaded", "Cannot start.");
  await summarize(RUN, request);
  expect(warned).toEqual([["a conversation was not summarized", "overloaded"]]);
});
