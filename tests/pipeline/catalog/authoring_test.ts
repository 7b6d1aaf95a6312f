import { expect } from "expect";
import { tagOf } from "../../../pipeline/catalog/authoring.ts";
import { desk, document, type Process } from "../_desk.ts";
import { localCaller } from "../../../guard/mod.ts";
import { callerOf, LOCAL } from "../../_caller.ts";

const WORKFLOW = "  b: { agent: host }\n";
const BY = localCaller("ann");

const describe = async ({ catalog }: Process, name: string) =>
  (await catalog.resolve(LOCAL, name)).definition.pipeline.description;

Deno.test("a stored pipeline comes before the file of that name, until it is deleted", async () => {
  await desk(async (world) => {
    const { authoring, catalog } = world;
    const before = await catalog.resolve(LOCAL, "echo");
    expect(await authoring.put(BY, "echo", document("echo", "Stored.")))
      .toEqual({ outcome: "created", number: 1 });
    const after = await catalog.resolve(LOCAL, "echo");
    expect(after.definition.pipeline.description).toBe("Stored.");
    expect(await catalog.pipelines(LOCAL)).toMatchObject([
      { name: "echo", source: "stored", number: 1, version: after.version },
      { name: "mine", source: "home" },
    ]);
    await authoring.remove(LOCAL, "echo");
    expect((await catalog.resolve(LOCAL, "echo")).version).toBe(before.version);
    expect((await catalog.load(after.version)).pipeline.description).toBe("Stored.");
    expect((await authoring.list(LOCAL))[0]).toMatchObject({ name: "echo", source: "builtin" });
  });
});

Deno.test("numbers rise for ever, the history stays, the same text makes no version", async () => {
  await desk(async ({ authoring }) => {
    const put = (text: string) => authoring.put(BY, "new", document("new", text));
    expect(await put("One.")).toEqual({ outcome: "created", number: 1 });
    expect(await put("Two.")).toEqual({ outcome: "changed", number: 2 });
    expect(await put("Two.")).toEqual({ outcome: "same", number: 2 });
    await authoring.remove(LOCAL, "new");
    await expect(authoring.read(LOCAL, "new")).rejects.toMatchObject({ code: "not_found" });
    expect(await put("Two.")).toEqual({ outcome: "created", number: 3 });
    const versions = await authoring.versions(LOCAL, "new");
    expect(versions.map(({ number, by }) => [number, by]))
      .toEqual([[3, "ann"], [2, "ann"], [1, "ann"]]);
    expect(versions[0]!.version).toBe(versions[1]!.version);
    const first = await authoring.read(LOCAL, "new", 1);
    expect(first).toMatchObject({
      description: "One.",
      number: 1,
      created_at: "2026-11-21T12:00:00.000Z",
      by: "ann",
      valid: true,
    });
    await expect(authoring.read(LOCAL, "new", 4)).rejects.toMatchObject({ code: "not_found" });
    expect(await authoring.versions(LOCAL, "mine")).toEqual([]);
    await expect(authoring.versions(LOCAL, "none")).rejects.toMatchObject({
      code: "not_found",
    });
  });
});

Deno.test("read() gives the document as text and as JSON, with what it uses", async () => {
  await desk(async ({ authoring }) => {
    const schema = "input: { type: object }\nschedule: [{ cron: '@daily' }]\n";
    const text = document("new", "New.", WORKFLOW).replace("task: echo", "task: echo, next: b") +
      schema;
    await authoring.put(BY, "new", text);
    const detail = await authoring.read(LOCAL, "new");
    expect(detail).toMatchObject({
      name: "new",
      source: "stored",
      text,
      document: { name: "new", nodes: { b: { agent: "host" } } },
      agents: ["host"],
      input: { type: "object" },
      schedule: [{ cron: "@daily" }],
      valid: true,
      issues: [],
      tag: tagOf(text),
    });
    expect(await authoring.read(LOCAL, "mine")).toMatchObject({ source: "home", agents: [] });
  });
});

Deno.test("what cannot run is not stored, and read() says what is wrong with a file", async () => {
  await desk(async ({ authoring, root, catalog }) => {
    const wrong = document("new", "New.").replace("start: a", "start: b");
    const issues = [{ location: "line 4, start", message: expect.stringContaining("b") }];
    await expect(authoring.put(BY, "new", wrong))
      .rejects.toMatchObject({ code: "pipeline_invalid", issues });
    expect(await authoring.check(LOCAL, wrong)).toMatchObject(issues);
    expect(await authoring.check(LOCAL, document("new", "New."))).toEqual([]);
    expect(await authoring.check(LOCAL, "{")).toHaveLength(1);
    await expect(authoring.put(BY, "other", document("new", "New."))).rejects.toMatchObject({
      code: "pipeline_invalid",
      issues: [{ location: "name", message: 'must match the name in the path: write "other"' }],
    });
    await Deno.writeTextFile(`${root}/home/bad.yaml`, wrong.replace("new", "bad"));
    catalog.reload();
    expect(await authoring.read(LOCAL, "bad")).toMatchObject({
      source: "home",
      valid: false,
      document: { start: "b" },
      issues,
    });
    await expect(authoring.remove(LOCAL, "mine")).rejects.toMatchObject({ code: "not_found" });
  });
});

Deno.test("conditions are about the current text, whether a file's or a stored one", async () => {
  await desk(async ({ authoring }) => {
    const failed = { code: "precondition_failed" };
    const put = (text: string, condition: object) =>
      authoring.put(BY, "mine", document("mine", text), condition);
    const { tag } = await authoring.read(LOCAL, "mine");
    await expect(put("A", { none_match: ["*"] })).rejects.toMatchObject(failed);
    await expect(put("A", { match: ["another"] })).rejects.toMatchObject(failed);
    expect((await put("A", { match: ["another", tag] })).number).toBe(1);
    await expect(put("B", { match: [tag] })).rejects.toMatchObject(failed);
    expect((await put("B", { match: ["*"] })).number).toBe(2);
    await expect(authoring.remove(LOCAL, "mine", { match: [tag] }))
      .rejects.toMatchObject(failed);
    const create = () => authoring.put(BY, "new", document("new", "A"), { none_match: ["*"] });
    await expect(authoring.put(BY, "new", document("new", "A"), { match: ["*"] }))
      .rejects.toMatchObject(failed);
    expect((await create()).outcome).toBe("created");
    await expect(create()).rejects.toMatchObject(failed);
  });
});

Deno.test("of puts at the same time one wins", async () => {
  await desk(async ({ authoring, other }) => {
    const results = await Promise.allSettled(
      [authoring, other.authoring, authoring, other.authoring].map((desk, n) =>
        desk.put(BY, "new", document("new", `Number ${n}.`))
      ),
    );
    const lost = results.filter(({ status }) => status === "rejected");
    expect(lost).toHaveLength(3);
    for (const { reason } of lost as PromiseRejectedResult[]) expect(reason.code).toBe("conflict");
    expect(await authoring.versions(LOCAL, "new")).toHaveLength(1);
  });
});

Deno.test("another process sees a change within a second, and asks the store no more often", async () => {
  await desk(async (world) => {
    const { authoring, other, time } = world;
    expect(await describe(other, "echo")).toBe("Built in.");
    await authoring.put(BY, "echo", document("echo", "Stored."));
    expect(await describe(world, "echo")).toBe("Stored.");
    expect(await describe(other, "echo")).toBe("Built in.");
    time.now += 1000;
    const looks = other.looks();
    await Promise.all([describe(other, "echo"), describe(other, "echo")]);
    expect(await describe(other, "echo")).toBe("Stored.");
    expect(other.looks()).toBe(looks + 1);
  });
});

Deno.test("a put during a look is seen by the next call", async () => {
  await desk(async (world) => {
    const looking = world.catalog.resolve(LOCAL, "echo");
    await world.authoring.put(BY, "echo", document("echo", "Stored."));
    await looking;
    expect(await describe(world, "echo")).toBe("Stored.");
  });
});

Deno.test("tenants do not see each other's pipelines", async () => {
  await desk(async ({ authoring, catalog }) => {
    const acme = callerOf("acme");
    await authoring.put(acme, "new", document("new", "Acme's."));
    await expect(catalog.resolve(LOCAL, "new")).rejects.toMatchObject({ code: "not_found" });
    expect((await catalog.resolve(acme, "new")).definition.pipeline.name).toBe("new");
  });
});

const UNASKED = `name: auto
version: 1
start: fan
nodes:
  fan:
    map:
      items: [1]
      body: { start: a, nodes: { a: { tool: send, ask: never } } }
`;

Deno.test("a pipeline that calls a tool without asking takes a grant to store", async () => {
  await desk(async ({ authoring, catalog }) => {
    const ann = callerOf("acme", "ann");
    const issue = {
      location: "line 8, nodes.fan.map.body.nodes.a.ask",
      message: expect.stringContaining("without an approval"),
    };
    expect(await authoring.check(ann, UNASKED)).toEqual([issue]);
    await expect(authoring.put(ann, "auto", UNASKED))
      .rejects.toMatchObject({ code: "forbidden", issues: [issue] });
    await expect(catalog.resolve(ann, "auto")).rejects.toMatchObject({ code: "not_found" });
    const asking = UNASKED.replace("never", "always");
    expect(await authoring.put(ann, "auto", asking)).toMatchObject({ outcome: "created" });

    const operator = callerOf("acme", "operator", "tools:unasked");
    expect(await authoring.check(operator, UNASKED)).toEqual([]);
    expect(await authoring.put(operator, "auto", UNASKED)).toMatchObject({ outcome: "changed" });
    await expect(authoring.put(ann, "auto", `${UNASKED}# mine\n`))
      .rejects.toMatchObject({ code: "forbidden" });
  });
});

Deno.test("a stored pipeline keeps what its author might do, and shows it to nobody", async () => {
  await desk(async ({ authoring, catalog }) => {
    const ann = callerOf("acme", "ann", "users:*");
    await authoring.put(ann, "new", document("new", "New."));
    expect((await catalog.document(ann, "new"))!.stored).toMatchObject({ grants: ["users:*"] });
    const shown = [await authoring.read(ann, "new"), ...await authoring.versions(ann, "new")];
    for (const one of shown) expect(one).not.toHaveProperty("grants");
  });
});
