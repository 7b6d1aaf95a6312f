import assert from "node:assert/strict";
import type { RunEvent, RunListener } from "../../../pipeline/kernel/mod.ts";
import { Feed } from "../../../pipeline/kernel/feed.ts";

/** A feed whose turns of the event loop are ended by hand. */
function fixture() {
  const waiting: (() => void)[] = [];
  const feed = new Feed("run_1", {
    now: () => 0,
    sleep: () => Promise.reject(new Error("unused")),
    afterTurn: (fn) => void waiting.push(fn),
  });
  const endTurn = () => waiting.splice(0).map((fn) => fn()).length;
  return { feed, endTurn };
}

function recorder(more: { journal_only?: true } = {}) {
  const told: string[] = [];
  const listen = (event: RunEvent, json: string) => {
    assert.deepEqual(JSON.parse(json), event);
    told.push("text" in event ? `${event.type} ${event.text}` : event.type);
  };
  const listener: RunListener = Object.assign(listen, more);
  return { told, listener };
}

const DONE = { type: "run.cancelled", seq: 1, run_id: "run_1", at: "1970-01-01T00:00:00.000Z" };

Deno.test("deltas of one turn are one event, and nothing is made of them for the journal alone", () => {
  const { feed, endTurn } = fixture();
  const all = recorder();
  const journal = recorder({ journal_only: true });
  feed.join(journal.listener);
  feed.delta("a", "un");
  assert.equal(endTurn(), 0, "nobody wants to see it");
  feed.delta("a", "seen ");
  feed.join(all.listener);
  feed.delta("a", "se");
  feed.delta("a", "en");
  endTurn();
  feed.reset("a");
  feed.delta("a", "anew");
  feed.settle("a");
  feed.publish(DONE as RunEvent, JSON.stringify(DONE));
  assert.deepEqual(all.told, [
    "step.snapshot unseen ",
    "step.delta seen",
    "step.snapshot ",
    "step.delta anew",
    "run.cancelled",
  ]);
  assert.deepEqual(journal.told, ["run.cancelled"]);
});

Deno.test("a listener of the journal gets no snapshot, and text goes on without one that leaves", () => {
  const { feed, endTurn } = fixture();
  const [first, second] = [recorder(), recorder()];
  const journal = recorder({ journal_only: true });
  feed.join(first.listener);
  feed.delta("a", "one ");
  feed.join(journal.listener);
  feed.leave(first.listener);
  feed.delta("a", "two ");
  endTurn();
  feed.join(second.listener);
  feed.delta("a", "three");
  endTurn();
  assert.deepEqual(first.told, ["step.delta one "]);
  assert.deepEqual(second.told, ["step.snapshot one two ", "step.delta three"]);
  assert.deepEqual(journal.told, []);
});
