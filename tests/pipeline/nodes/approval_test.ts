import { expect } from "expect";
import { parsePipeline } from "../../../pipeline/document/parse.ts";
import type { Scope } from "../../../pipeline/language/scope.ts";
import { approval } from "../../../pipeline/nodes/approval.ts";
import type { WaitOutcome } from "../../../pipeline/kernel/context.ts";
import type { Approval, ApprovalDeps } from "../../../pipeline/calls/approvals/mod.ts";
import { keys, setJson, type Store } from "../../../store/mod.ts";
import { FakeContext, RUN } from "../_fake_context.ts";
import { withStore } from "../_memory_store.ts";

type Node = Parameters<typeof approval.compile>[0];

const SCOPE: Scope = {
  input: { topic: "wood", editors: ["ann", "bob"] },
  nodes: { write: { text: "Timber" } },
  run: { id: RUN.id, pipeline: RUN.pipeline, created_at: RUN.created_at },
};

function depsOf(store: Store): ApprovalDeps {
  return { store, now: () => 0, newId: () => "1" };
}

/** Visits a node whose approval is decided like this at once. */
async function visit(store: Store, node: Node, decision: "approved" | "rejected" | "expired") {
  const ctx = new FakeContext();
  const compiled = approval.compile(node, { approvals: depsOf(store) });
  let record!: Approval;
  // The record is decided between the commit that begins the wait and the wait's end.
  const wait = ctx.wait.bind(ctx);
  ctx.wait = async (key, options) => {
    await store.commit(options.enter!());
    record = (await store.get<Approval>(keys.approval(RUN.caller.tenant, "apr_1")))!.value;
    if (decision !== "expired") {
      const mutations = [setJson(keys.approval(RUN.caller.tenant, "apr_1"), {
        ...record,
        status: decision,
      })];
      await store.commit({ checks: [], mutations });
    }
    return await wait(key, { ...options, enter: undefined });
  };
  ctx.onWait = (): WaitOutcome =>
    decision === "expired"
      ? { timed_out: true }
      : { signal: { decision, payload: record.payload, by: ["ann"], comment: "because" } };
  return { compiled, record: () => record, output: await compiled.run(ctx, "check", SCOPE), ctx };
}

const NODE: Node = {
  approval: {
    title: "Publish ${ input.topic }?",
    preview: "${ nodes.write.text }, please",
    payload: { text: "${ nodes.write.text }" },
    allowed: "${ input.editors }",
    approvers: 2,
    editable: true,
    self_approval: false,
    expires_seconds: 60,
    schema: { type: "object" },
  },
  next: "publish",
  on_reject: "write",
  on_expiry: "shelve",
};

Deno.test("approval asks with its templates evaluated", () =>
  withStore(async (store) => {
    const { record, ctx } = await visit(store, NODE, "approved");
    expect(record()).toMatchObject({
      step: "check",
      title: "Publish wood?",
      preview: "Timber, please",
      payload: { text: "Timber" },
      allowed: ["ann", "bob"],
      approvers: 2,
      editable: true,
      self_approval: false,
      expires_at: "1970-01-01T00:01:00.000Z",
      schema: { type: "object" },
    });
    expect(ctx.steps.map(({ key }) => key)).toEqual(["check/asked", "check"]);
  }));

for (
  const [decision, next] of [
    ["approved", "publish"],
    ["rejected", "write"],
    ["expired", "shelve"],
  ] as const
) {
  Deno.test(`approval that is ${decision} leads to ${next}`, () =>
    withStore(async (store) => {
      const { compiled, output } = await visit(store, NODE, decision);
      expect(output).toMatchObject({ decision, payload: { text: "Timber" } });
      expect(compiled.next(output)).toBe(next);
    }));
}

const BARE: Node = { approval: { title: "Go on?" } };

Deno.test("approval without payload or edges asks about nothing and ends the run", () =>
  withStore(async (store) => {
    const { compiled, output, record } = await visit(store, BARE, "approved");
    expect([record().payload, compiled.next(output)]).toEqual([null, undefined]);
  }));

Deno.test("approval without on_reject fails the run with who and why", () =>
  withStore(async (store) => {
    await expect(visit(store, BARE, "rejected")).rejects.toMatchObject({
      code: "approval_rejected",
      kind: "terminal",
      details: { by: ["ann"], comment: "because" },
    });
  }));

Deno.test("approval without on_expiry fails the run", () =>
  withStore(async (store) => {
    const node = { approval: { title: "Go on?", expires_seconds: 1 } };
    await expect(visit(store, node, "expired"))
      .rejects.toMatchObject({ code: "approval_expired", kind: "terminal" });
  }));

Deno.test("approval whose `allowed` names nobody is not asked for", () =>
  withStore(async (store) => {
    const ask = (allowed: string) =>
      visit(store, { approval: { title: "Go on?", allowed } }, "approved");
    for (const allowed of ["${ input.gone }", "${ [1] }", "${ [] }", '${ "" }']) {
      await expect(ask(allowed)).rejects.toMatchObject({ code: "expression_failed" });
    }
    expect((await ask('${ "ann" }')).record().allowed).toEqual(["ann"]);
  }));

Deno.test("approval names its templates and where it leads", () => {
  expect(approval.templates(NODE).map(({ path }) => path.join("."))).toEqual([
    "approval.title",
    "approval.preview",
    "approval.payload",
    "approval.allowed",
  ]);
  expect(approval.targets(NODE)).toEqual([
    { path: ["on_reject"], value: "write" },
    { path: ["on_expiry"], value: "shelve" },
    { path: ["next"], value: "publish" },
  ]);
  expect(approval.targets(BARE)).toEqual([]);
});

Deno.test("approval's schema checks the schema of edited payloads", () => {
  expect(approval.schema.safeParse(NODE).success).toBe(true);
  const wrong = { approval: { title: "Go on?", schema: { type: "objekt" } } };
  expect(approval.schema.safeParse(wrong).error!.issues[0]!.path)
    .toEqual(["approval", "schema", "type"]);
});

Deno.test("approval needs a place where approvals are kept", () => {
  expect(() => approval.compile(BARE, {})).toThrow("Cannot request approvals");
});

Deno.test("approval takes no cached decision", () => {
  const cached = { ...BARE, cache: { ttl_seconds: 60 } };
  expect(approval.schema.safeParse(cached).success).toBe(false);
});

Deno.test("the pipeline of docs/approvals.md is one", async () => {
  const docs = await Deno.readTextFile(new URL("../../../docs/approvals.md", import.meta.url));
  const [, document] = /```yaml\n([\s\S]*?)```/.exec(docs)!;
  const { nodes } = await parsePipeline(document!, "publish.yaml", { agents: ["writer"] });
  expect(nodes.check).toMatchObject({ on_reject: "write", on_expiry: "shelve", next: "done" });
});
