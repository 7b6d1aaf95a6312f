/** Runs within runs: how they are named and made. @module */
import { createHash } from "node:crypto";
import { type Commit, keys, setText } from "../../store/mod.ts";
import type { ChildRequest, RunResult } from "./context.ts";
import type { JournalEvent, Json } from "./events.ts";
import type { Usage } from "../../telemetry/mod.ts";
import type { RunRecord } from "./runs.ts";
import { offerRun } from "./transitions.ts";

/** Characters of a child's own part of its id. */
const ID_CHARS = 10;

/** The id of the run that step `key` of run `parent` starts. */
export function childId(parent: string, key: string): string {
  return `${parent}.${createHash("sha256").update(key).digest("hex").slice(0, ID_CHARS)}`;
}

/** The name of the signal that tells the run around it of a child's end. */
export function childSignal(child: string): string {
  return `child/${child}`;
}

/** True for the names that {@linkcode childSignal} makes. */
export function isChildSignal(name: string): boolean {
  return name.startsWith("child/");
}

/** How a run within a run tells of its end. */
export interface ChildEnd {
  result: RunResult;
  usage: Usage;
  /** Attempts at its steps; earlier versions did not count them. */
  calls?: number;
  /** It went by an answer to what it showed; earlier versions did not say so. */
  binding?: boolean;
}

/** The end of a child, from the outcome of the wait for it. */
export function endOf(outcome: Json): ChildEnd {
  return (outcome as unknown as { signal: ChildEnd }).signal;
}

/** The header of the run that step `key` of `parent` starts: the same on every replay. */
export function childRecord(
  parent: RunRecord,
  key: string,
  { pipeline, version, tainted }: ChildRequest,
  budget: RunRecord["budget"],
): Omit<RunRecord, "created_at"> {
  const record: Omit<RunRecord, "created_at"> = {
    id: childId(parent.id, key),
    tenant: parent.tenant,
    pipeline,
    version,
    status: "queued",
    parent: { run: parent.id, step: key },
    ancestors: [...parent.ancestors ?? [], parent.id],
  };
  if (parent.started_by) record.started_by = parent.started_by;
  if (parent.grants) record.grants = parent.grants;
  if (parent.priority) record.priority = parent.priority;
  if (parent.conversation_id) record.conversation_id = parent.conversation_id;
  if (budget) record.budget = budget;
  if (tainted) record.tainted = true;
  return record;
}

/** Makes a child: its header, free to be claimed, and the first event of its journal. */
export function makeChild(
  child: Omit<RunRecord, "created_at">,
  input: Json,
  created_at: string,
): Commit {
  const record: RunRecord = { ...child, created_at };
  const { id, tenant, pipeline, version } = record;
  const started: JournalEvent = {
    type: "run.started",
    pipeline,
    version,
    input,
    run_id: id,
    seq: 1,
    at: created_at,
  };
  const mutations = [offerRun(record)];
  mutations.push(setText(keys.events(tenant, id, 1), JSON.stringify([started])));
  return { checks: [], mutations };
}
