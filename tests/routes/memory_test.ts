import { expect } from "expect";
import { createConversations } from "../../knowledge/conversations.ts";
import { createMemory } from "../../knowledge/memory.ts";
import { createRecollection } from "../../knowledge/recollection.ts";
import { openStore } from "../../store/mod.ts";
import { expectProblem, setup } from "./_setup.ts";
import { LOCAL } from "../_caller.ts";

async function open() {
  const { store, close } = await openStore(":memory:", {
    worker: "w1",
    now: Date.now,
    sleep: () => Promise.resolve(),
    lease_ms: 10_000,
  });
  const conversations = createConversations(store);
  const memory = createMemory(store, Date.now);
  const recollection = createRecollection(store, conversations, memory);
  const fixture = setup({ deps: { conversations, memory, recollection } });
  return {
    ...fixture,
    conversations,
    async say(id: string, run: string, user: string) {
      const before = (await conversations.head(LOCAL, id))?.last_run;
      const exchange = { user, assistant: `re: ${user}`, at: "2026-01-02T03:04:05.678Z" };
      const mutations = conversations.exchangeMutation(LOCAL, id, run, exchange, before);
      await store.commit({ checks: [], mutations });
    },
    async get(path: string) {
      const response = await fixture.app.request(path);
      return { status: response.status, body: await response.json() };
    },
    delete: (path: string) => fixture.app.request(path, { method: "DELETE" }),
    [Symbol.asyncDispose]: close,
  };
}

Deno.test("facts are added, listed and removed", async () => {
  await using m = await open();
  const fact = { user_id: "ada", text: "Is called Ada.", about: "name" };
  const added = await m.post("/v1/memory", fact, { "x-user": "bob" });
  expect(added.status).toBe(201);
  const { id, source } = await added.json();
  expect(source).toEqual({ by: "bob" });
  const listed = await m.get("/v1/memory?user_id=ada");
  expect(listed.body.memories).toEqual([expect.objectContaining({ id, ...fact })]);
  expect((await m.delete(`/v1/memory/${id}`)).status).toBe(204);
  await expectProblem(await m.delete(`/v1/memory/${id}`), 404, "not_found");
  expect((await m.get("/v1/memory?user_id=ada")).body).toEqual({ memories: [] });
});

Deno.test("facts need a user and words", async () => {
  await using m = await open();
  await expectProblem(await m.app.request("/v1/memory"), 400, "invalid_request");
  const empty = await m.post("/v1/memory", { user_id: "ada", text: " " });
  await expectProblem(empty, 422, "validation_failed");
});

Deno.test("conversations are listed, read page by page and removed", async () => {
  await using m = await open();
  for (const n of [1, 2, 3]) {
    await m.say("c1", `run_${String(n).padStart(26, "0")}`, `question ${n}`);
  }
  await m.say("c2", "run_00000000000000000000000004", "other");
  await m.conversations.keepSummary(LOCAL, "c1", {
    text: "So far.",
    upto: "run_00000000000000000000000001",
  });
  const { body: list } = await m.get("/v1/conversations?limit=1");
  expect(list).toEqual({
    conversations: [{
      id: "c2",
      title: "other",
      updated_at: "2026-01-02T03:04:05.678Z",
      last_run: "run_00000000000000000000000004",
      links: { self: "/v1/conversations/c2" },
    }],
    next_cursor: "run_00000000000000000000000004",
  });
  const { body: next } = await m.get(`/v1/conversations?cursor=${list.next_cursor}`);
  expect(next.conversations.map(({ id }: { id: string }) => id)).toEqual(["c1"]);
  const { body: one } = await m.get("/v1/conversations/c1?limit=2");
  expect(one).toMatchObject({ title: "question 1", summary: { text: "So far." } });
  expect(one.exchanges.map((e: { run_id: string; user: string }) => [e.run_id, e.user])).toEqual([
    ["run_00000000000000000000000002", "question 2"],
    ["run_00000000000000000000000003", "question 3"],
  ]);
  const { body: older } = await m.get(`/v1/conversations/c1?cursor=${one.next_cursor}`);
  expect([older.exchanges.length, older.next_cursor]).toEqual([1, null]);
  for (const path of ["/v1/conversations", "/v1/conversations/c1"]) {
    const response = await m.app.request(`${path}?cursor=c1`);
    await expectProblem(response, 400, "invalid_request");
  }
  expect((await m.delete("/v1/conversations/c1")).status).toBe(204);
  await expectProblem(await m.app.request("/v1/conversations/c1"), 404, "not_found");
  await expectProblem(await m.delete("/v1/conversations/c1"), 404, "not_found");
});

Deno.test("memory is counted and cleared as asked, never by an empty request", async () => {
  await using m = await open();
  await m.say("c1", "run_00000000000000000000000001", "question");
  await m.post("/v1/memory", { user_id: "ada", text: "Likes tea." });
  expect((await m.get("/v1/memory/stats")).body).toEqual({
    conversations: 1,
    exchanges: 1,
    summaries: 0,
    memories: 1,
    cached: 0,
    capped: false,
  });
  for (const body of [{}, { all: false }, { everything: true }]) {
    await expectProblem(await m.post("/v1/memory/clear", body), 422, "validation_failed");
  }
  const one = await m.post("/v1/memory/clear", { user_id: "ada" });
  expect(await one.json()).toEqual({ cleared: { exchanges: 0, memories: 1, cached: 0 } });
  const all = await m.post("/v1/memory/clear", { all: true });
  expect(await all.json()).toEqual({ cleared: { exchanges: 1, memories: 0, cached: 0 } });
});

Deno.test("forgetting all goes with nothing else: who names a user means that user", async () => {
  await using m = await open();
  const body = { user_id: "bob", all: true };
  await expectProblem(await m.post("/v1/memory/clear", body), 422, "validation_failed");
});
