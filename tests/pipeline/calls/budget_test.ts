import { expect } from "expect";
import { type Approval, createApprovals } from "../../../pipeline/calls/approvals/mod.ts";
import { createBudgetGate } from "../../../pipeline/calls/budget.ts";
import type { Exceeded } from "../../../pipeline/kernel/spending.ts";
import type { Engine } from "../../../pipeline/kernel/runs.ts";
import type { Store } from "../../../store/mod.ts";
import { FakeContext } from "../_fake_context.ts";
import { withStore } from "../_memory_store.ts";
import { localCaller } from "../../../guard/mod.ts";

const EXCEEDED: Exceeded = {
  key: "write/budget",
  budget: "tokens",
  limit: 100,
  spent: 130,
  on_exceeded: "approval",
};

/** Asks for more and decides like this. */
async function ask(
  store: Store,
  decision: "approve" | "reject",
  payload?: Approval["payload"],
) {
  const deps = { store, now: () => 0, newId: () => "1" };
  const ctx = new FakeContext();
  let signal: Parameters<Engine["signal"]>[3] = null;
  const send: Engine["signal"] = async (_caller, _run, _name, payload, commit) => {
    signal = payload;
    await store.commit(commit!);
  };
  const approvals = createApprovals({ ...deps, engine: { signal: send } });
  const wait = ctx.wait.bind(ctx);
  ctx.wait = async (key, options) => {
    await store.commit(options.enter!());
    await approvals.decide(localCaller("ann"), "apr_1", { decision, payload });
    return await wait(key, { ...options, enter: undefined });
  };
  ctx.onWait = () => ({ signal });
  return await createBudgetGate(deps)(ctx, EXCEEDED);
}

Deno.test("a budget gate proposes twice as much and gives what was approved", () =>
  withStore(async (store) => {
    expect(await ask(store, "approve")).toEqual({ tokens: 260 });
  }));

Deno.test("a budget gate gives another limit that the approver wrote", () =>
  withStore(async (store) => {
    expect(await ask(store, "approve", { raise: { tokens: 131 } })).toEqual({ tokens: 131 });
  }));

for (const raise of [{ tokens: 130 }, { tokens: "200" }, { cost_usd: 5 }, {}]) {
  Deno.test(`a budget gate refuses to be raised by ${JSON.stringify(raise)}`, () =>
    withStore(async (store) => {
      await expect(ask(store, "approve", { raise }))
        .rejects.toMatchObject({ code: "validation_failed" });
    }));
}

Deno.test("a budget gate fails the run when more is refused", () =>
  withStore(async (store) => {
    await expect(ask(store, "reject")).rejects.toMatchObject({
      code: "budget_exceeded",
      kind: "terminal",
      details: { budget: "tokens", limit: 100, spent: 130, decision: "rejected", by: ["ann"] },
    });
  }));

Deno.test("a budget gate asks nobody where the run is to fail", () =>
  withStore(async (store) => {
    const gate = createBudgetGate({ store, now: () => 0, newId: () => "1" });
    const ctx = new FakeContext();
    await expect(gate(ctx, { ...EXCEEDED, on_exceeded: "fail" }))
      .rejects.toMatchObject({ code: "budget_exceeded" });
    expect(ctx.steps).toEqual([]);
  }));
