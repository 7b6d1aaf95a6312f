/** Checks after every fault test what `docs/reliability.md` promises. */
import assert from "node:assert/strict";
import type { JournalEvent, RunRecord } from "../../pipeline/kernel/mod.ts";
import { contentOf, hasHeader } from "../../store/values.ts";
import { addUsage, NO_USAGE, type Usage } from "../../telemetry/mod.ts";
import type { Call } from "./cluster.ts";
import type { SimDatabase } from "./kv.ts";

const TERMINAL = ["run.completed", "run.failed", "run.cancelled"];

/** The journal of a run. */
export function journalOf(db: SimDatabase, run: string): JournalEvent[] {
  return db.list({ prefix: ["journal", "t", run] })
    .flatMap((entry) => db.json<JournalEvent[]>(entry));
}

/** The headers of all runs. */
export function runsOf(db: SimDatabase): RunRecord[] {
  const ended = db.list({ prefix: ["run", "t"] }).map((entry) => db.json<RunRecord>(entry));
  const live = db.list({ prefix: ["live", "t"] })
    .map((entry) => db.json<{ run: RunRecord }>(entry).run);
  const waiting = db.list({ prefix: ["waiting", "t"] })
    .map((entry) => db.json<{ run: RunRecord }>(entry).run);
  return [...ended, ...live, ...waiting].sort((a, b) => a.id < b.id ? -1 : 1);
}

/** Whether every run has ended; says so at the first that has not. */
export function allEnded(db: SimDatabase): boolean {
  const every = <T>(prefix: string, runOf: (value: T) => RunRecord) =>
    db.list({ prefix: [prefix, "t"] })
      .every((entry) => runOf(db.json<T>(entry)).last_seq !== undefined);
  return every<{ run: RunRecord }>("live", ({ run }) => run) &&
    every<{ run: RunRecord }>("waiting", ({ run }) => run) &&
    every<RunRecord>("run", (run) => run);
}

/** Throws when an invariant does not hold. `acknowledged`: runs whose `start` has resolved. */
export function checkInvariants(db: SimDatabase, acknowledged: string[], calls: Call[]): void {
  const runs = new Map(runsOf(db).map((run) => [run.id, run]));
  for (const id of acknowledged) assert(runs.has(id), `I1: acknowledged run ${id} is lost`);
  for (const run of runs.values()) {
    const events = journalOf(db, run.id);
    checkJournal(run, events);
    checkAttempts(run, events);
    checkIndexes(db, run);
  }
  for (const call of calls) {
    assert(!call.late, `I3: ${call.run}/${call.step} ran again after its result was recorded`);
    assert(!call.early, `I3: ${call.run}/${call.step} ran before its start was on disk`);
    assert.equal(call.idempotency_key, `${call.run}/${call.step}`, "I5: idempotency key");
  }
  const once = calls.filter((call) => call.step.startsWith("once"));
  const names = once.map((call) => call.idempotency_key);
  assert.equal(new Set(names).size, names.length, "I5: an at-most-once step ran twice");
}

function checkJournal(run: RunRecord, events: JournalEvent[]): void {
  const seqs = events.map((event) => event.seq);
  assert.deepEqual(seqs, seqs.map((_, i) => i + 1), `I2: ${run.id} has a gap or a double`);
  assert.equal(events[0]?.type, "run.started", "I2: first event");
  const last = events.findIndex(({ type }, n) => TERMINAL.includes(type) && !isRedriven(events, n));
  assert.notEqual(last, -1, `I6: ${run.id} has no terminal event (${run.status})`);
  assert.equal(last, events.length - 1, `I2: something follows the end of ${run.id}`);
  assert.equal(run.last_seq, events.length, "I2: last_seq");
  const end = events.at(-1)! as { usage?: Usage };
  const used = events.flatMap((e) =>
    e.type.startsWith("step.") && "usage" in e && e.usage ? [e.usage] : []
  );
  assert.deepEqual(end.usage ?? NO_USAGE, used.reduce(addUsage, NO_USAGE), `usage of ${run.id}`);
  const done = events.flatMap((e) => e.type === "step.completed" ? [e.step] : []);
  assert.equal(new Set(done).size, done.length, `I3: ${run.id} has a step with two results`);
}

/** Attempts are counted across crashes, and none begins before the pause after the last is over. */
function checkAttempts(run: RunRecord, events: JournalEvent[]): void {
  const before = new Map<string, JournalEvent & { type: "step.started" | "step.failed" }>();
  for (const event of events) {
    if (event.type === "run.resumed" && event.reason === "redriven") before.clear();
    if (event.type !== "step.started" && event.type !== "step.failed") continue;
    const last = before.get(event.step);
    before.set(event.step, event);
    const name = `${run.id}/${event.step}`;
    const isNew = event.type === "step.started" || last?.type !== "step.started";
    assert.equal(event.attempt, (last?.attempt ?? 0) + (isNew ? 1 : 0), `I5: attempts of ${name}`);
    if (!isNew || last?.type !== "step.failed") continue;
    assert(last.retry_at !== undefined, `I3: ${name} is tried again after its last attempt`);
    assert(event.at >= last.retry_at, `${name} is tried again at ${event.at}, too early`);
  }
}

/** A run that failed may be redriven: its journal resumes after that end. */
function isRedriven(events: JournalEvent[], end: number): boolean {
  const next = events[end + 1];
  const resumes = next?.type === "run.resumed" && next.reason === "redriven";
  return events[end]!.type === "run.failed" && resumes;
}

function checkIndexes(db: SimDatabase, run: RunRecord): void {
  assert.equal(db.get(["live", "t", run.id]), null, `I7: ${run.id} has ended and is live`);
  assert.equal(db.get(["waiting", "t", run.id]), null, `I7: ${run.id} has ended and waits`);
  assert.equal(db.list({ prefix: ["inbox", "t", run.id] }).length, 0, `I7: ${run.id} has an inbox`);
  for (const status of ["failed", "cancelled"]) {
    const there = db.get(["ended", "t", status, run.id]) !== null;
    assert.equal(there, status === run.status, `I7: index ${status} of ${run.id}`);
  }
}

/** Once everything was swept there are the pieces that values point to, and no other. */
export function checkBlobs(db: SimDatabase): void {
  const named = new Map<string, number>();
  for (const entry of db.list({ prefix: [] })) {
    const content = hasHeader(entry.value) ? contentOf(entry) : entry.value;
    if (!(content instanceof Uint8Array)) named.set(content.blob, content.pieces);
  }
  const found = new Map<string, number>();
  for (const { key } of db.list({ prefix: ["blob"] })) {
    found.set(String(key[2]), (found.get(String(key[2])) ?? 0) + 1);
  }
  const records = db.list({ prefix: ["blob_of"] }).map(({ key }) => String(key[2]));
  assert.deepEqual([...found].sort(), [...named].sort(), "pieces and the values that they are of");
  assert.deepEqual(records.sort(), [...named.keys()].sort(), "records of blobs");
}
