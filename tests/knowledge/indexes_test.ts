import { expect } from "expect";
import { Indexes } from "../../knowledge/indexes.ts";
import { createKnowledge } from "../../knowledge/mod.ts";
import { DocumentStore } from "../../knowledge/document_store.ts";
import { library, LIMITS, NEVER } from "./_setup.ts";
import { callerOf, LOCAL } from "../_caller.ts";

/** DocumentStore that count how often passages are read. */
function counting(documentStore: DocumentStore) {
  const state = { reads: 0 };
  const passagesFrom: DocumentStore["passagesFrom"] = (...args) => {
    state.reads++;
    return documentStore.passagesFrom(...args);
  };
  return {
    state,
    documentStore: Object.create(documentStore, { passagesFrom: { value: passagesFrom } }),
  };
}

const place = (collection: string, tenant = "default") => ({ tenant, collection });

Deno.test("the collections searched last stay in memory, the others are read again", async () => {
  await using docs = await library();
  for (const collection of ["a", "b", "c"]) {
    await docs.add(`# x\n\n${collection} one\n\n# y\n\n${collection} two`, { collection });
  }
  const { documentStore, state } = counting(
    new DocumentStore({ store: docs.store, limits: LIMITS }),
  );
  const indexes = new Indexes({ documentStore, max_passages: 4 });
  for (const name of ["a", "b", "a", "c", "a"]) {
    const index = await indexes.current(place(name));
    expect(index.byWords("one", 5)).toHaveLength(1);
  }
  expect(state.reads).toBe(3);
  await indexes.current(place("b"));
  expect(state.reads).toBe(4);
});

Deno.test("a tenant that searches a lot does not take the memory of another", async () => {
  await using docs = await library();
  const bytes = new TextEncoder().encode("# x\n\none\n\n# y\n\ntwo");
  const add = (tenant: string, collection: string) =>
    docs.knowledge.add(callerOf(tenant), { bytes, type: "text/markdown", collection }, NEVER);
  await add("small", "a");
  for (const collection of ["a", "b", "c"]) await add("big", collection);
  const { documentStore, state } = counting(
    new DocumentStore({ store: docs.store, limits: LIMITS }),
  );
  const indexes = new Indexes({ documentStore, max_passages: 6 });
  await indexes.current(place("a", "small"));
  for (const name of ["a", "b", "c", "a", "b", "c"]) await indexes.current(place(name, "big"));
  const { reads } = state;
  await indexes.current(place("a", "small"));
  expect(state.reads).toBe(reads);
});

Deno.test("a collection that alone is too large can be searched all the same", async () => {
  await using docs = await library();
  await docs.add("# x\n\none\n\n# y\n\ntwo");
  const { documentStore, state } = counting(
    new DocumentStore({ store: docs.store, limits: LIMITS }),
  );
  const indexes = new Indexes({ documentStore, max_passages: 1 });
  expect((await indexes.current(place("default"))).size).toBe(2);
  expect((await indexes.current(place("default"))).size).toBe(2);
  expect(state.reads).toBe(1);
});

Deno.test("what another process changed is seen at the next search", async () => {
  await using docs = await library();
  let ids = 0;
  const other = createKnowledge({
    store: docs.store,
    now: Date.now,
    newId: () => `a${++ids}`,
    limits: LIMITS,
  });
  const add = async (text: string) =>
    (await other.add(LOCAL, {
      bytes: new TextEncoder().encode(text),
      type: "text/plain",
    }, NEVER)).document.id;
  const mine = await docs.add("A whale.");
  expect((await docs.search("whale")).results).toHaveLength(1);
  const shark = await add("A shark.");
  await add("A whale shark.");
  expect((await docs.search("shark whale")).results).toHaveLength(3);
  await other.remove(LOCAL, shark);
  await other.remove(LOCAL, mine.document.id);
  await docs.add("A trout.");
  const { results } = await docs.search("shark whale trout");
  expect(results.map(({ text }) => text).sort()).toEqual(["A trout.", "A whale shark."]);
});

Deno.test("searches of a collection at the same time read it once", async () => {
  await using docs = await library();
  await docs.add("A whale.");
  const { documentStore, state } = counting(
    new DocumentStore({ store: docs.store, limits: LIMITS }),
  );
  const indexes = new Indexes({ documentStore, max_passages: 10 });
  await Promise.all(Array.from({ length: 5 }, () => indexes.current(place("default"))));
  expect(state.reads).toBe(1);
});

Deno.test("a reading that fails is tried again by the next search", async () => {
  await using docs = await library();
  await docs.add("A whale.");
  const { documentStore } = counting(new DocumentStore({ store: docs.store, limits: LIMITS }));
  let failing = true;
  const list: DocumentStore["list"] = (...args) => {
    if (failing) throw new Error("the store is down");
    return DocumentStore.prototype.list.apply(documentStore, args);
  };
  const flaky: DocumentStore = Object.create(documentStore, { list: { value: list } });
  const indexes = new Indexes({ documentStore: flaky, max_passages: 10 });
  await expect(indexes.current(place("default"))).rejects.toThrow("the store is down");
  failing = false;
  expect((await indexes.current(place("default"))).size).toBe(1);
});
