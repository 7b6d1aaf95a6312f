import type { JournalEvent, Json } from "../pipeline/kernel/events.ts";
import type { RunRecord } from "../pipeline/kernel/runs.ts";
import type { Usage } from "../telemetry/usage.ts";
import { totalUsage } from "./response.ts";

/** A run as clients see it: its record without the tenant, and where its parts are. */
export type RunView = Omit<RunRecord, "tenant"> & {
  links: { self: string; events: string; journal: string; cancel: string };
};

/** A run with what went in and what came out. */
export type RunDetail = RunView & { input?: Json; output?: Json; usage: Usage };

/** Shapes a record for clients. */
export function viewRun({ tenant: _tenant, ...run }: RunRecord): RunView {
  const self = `/v1/runs/${run.id}`;
  const links = {
    self,
    events: `${self}/events`,
    journal: `${self}/journal`,
    cancel: `${self}/cancel`,
  };
  return { ...run, links };
}

/** Shapes a record together with its journal. */
export function viewRunDetail(run: RunRecord, journal: JournalEvent[]): RunDetail {
  const first = journal[0];
  const last = journal.at(-1);
  const usage = last?.type === "run.completed" ? last.usage : undefined;
  return {
    ...viewRun(run),
    ...(first?.type === "run.started" ? { input: first.input } : {}),
    ...(last?.type === "run.completed" ? { output: last.output } : {}),
    usage: usage ?? totalUsage(journal),
  };
}

/** The record of a run that has ended, from how it began and its events: no need to read it again. */
export function endedRun(run: RunRecord, events: JournalEvent[]): RunRecord {
  const { type, at: ended_at, seq: last_seq, ...end } = events.at(-1)!;
  const status = type === "run.completed" || type === "run.cancelled" ? type.slice(4) : "failed";
  return {
    ...run,
    status: status as RunRecord["status"],
    ended_at,
    last_seq,
    ...("error" in end ? { error: end.error } : {}),
  };
}
