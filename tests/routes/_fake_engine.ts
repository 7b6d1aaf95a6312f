/**
 * A scripted engine in memory: journals, live events with snapshots, idempotency and back-pressure as
 * the `Engine` interface promises them; no store.
 */
import { fromErrorJson, OrchestratorError, toErrorJson } from "../../errors.ts";
import {
  type EventBody,
  isTerminal,
  type JournalEvent,
  type Json,
  type LiveBody,
  type RunEvent,
} from "../../pipeline/kernel/events.ts";
import type {
  Engine,
  EngineStats,
  RunListener,
  RunRecord,
  RunResult,
  StartRequest,
} from "../../pipeline/kernel/runs.ts";
import { NO_USAGE } from "../../telemetry/usage.ts";

/** What a script sees of its run. */
export interface Script {
  emit(event: EventBody): void;
  delta(step: string, text: string): void;
  signal: AbortSignal;
  input: Json;
}

/** The code of a pipeline. */
export type ScriptFunction = (script: Script) => Json | Promise<Json>;

interface FakeRun {
  record: RunRecord;
  journal: JournalEvent[];
  listeners: Set<RunListener>;
  texts: Map<string, string>;
  abort: AbortController;
  result: Promise<RunResult>;
  ended?: RunResult;
}

/** The fake and what tests look at. */
export interface FakeEngine extends Engine {
  /** What was started, in order. */
  readonly started: StartRequest[];
  /** How many listeners follow a run now. */
  followers(id: string): number;
  /** Changes what `stats` says and what `start` answers. */
  state: EngineStats & { fail?: OrchestratorError };
}

/** An engine that runs `scripts` by pipeline name. */
export function createFakeEngine(scripts: Record<string, ScriptFunction>): FakeEngine {
  const runs = new Map<string, FakeRun>();
  const keys = new Map<string, { fingerprint: string; run: FakeRun }>();
  const started: StartRequest[] = [];
  const state: FakeEngine["state"] = {
    running: 0,
    queued: 0,
    waiting: 0,
    accepting: true,
    store_ok: true,
  };

  const find = (tenant: string, id: string): FakeRun => {
    const run = runs.get(id);
    if (run?.record.tenant === tenant) return run;
    throw new OrchestratorError("not_found", `Cannot find the run ${id}.`);
  };
  const publish = (run: FakeRun, event: RunEvent) => {
    const json = JSON.stringify(event);
    for (const listener of [...run.listeners]) listener(event, json);
  };
  const append = (run: FakeRun, body: EventBody) => {
    const envelope = { run_id: run.record.id, seq: run.journal.length + 1, at: at(run) };
    const event = { ...body, ...envelope } as JournalEvent;
    run.journal.push(event);
    if (body.type === "step.completed") run.texts.delete(body.step);
    publish(run, event);
  };
  const live = (run: FakeRun, body: LiveBody): RunEvent => ({
    ...body,
    run_id: run.record.id,
    at: at(run),
  });
  const at = (run: FakeRun) => new Date(1_700_000_000_000 + run.journal.length * 10).toISOString();

  const execute = async (run: FakeRun, script: ScriptFunction, input: Json): Promise<RunResult> => {
    const { signal } = run.abort;
    try {
      const output = await script({
        input,
        signal,
        emit: (event) => append(run, event),
        delta(step, text) {
          run.texts.set(step, (run.texts.get(step) ?? "") + text);
          publish(run, live(run, { type: "step.delta", step, text }));
        },
      });
      signal.throwIfAborted();
      return end(run, { type: "run.completed", output, usage: NO_USAGE }, {
        status: "completed",
        output,
        usage: NO_USAGE,
      });
    } catch (error) {
      if (signal.aborted) {
        return end(run, { type: "run.cancelled" }, { status: "cancelled" });
      }
      const json = toErrorJson(error);
      run.record.error = json;
      return end(run, { type: "run.failed", error: json }, { status: "failed", error: json });
    }
  };
  const end = (run: FakeRun, event: EventBody, result: RunResult): RunResult => {
    Object.assign(run.record, { status: result.status, last_seq: run.journal.length + 1 });
    run.record.ended_at = at(run);
    run.ended = result;
    append(run, event);
    run.listeners.clear();
    return result;
  };

  return {
    started,
    state,
    signal: () => Promise.reject(new Error("not here")),
    pause: () => Promise.reject(new Error("not here")),
    resume: () => Promise.reject(new Error("not here")),
    restart: () => Promise.reject(new Error("not here")),
    followers: (id) => runs.get(id)?.listeners.size ?? 0,

    async start(request, listener) {
      await Promise.resolve();
      const { tenant, pipeline, version, input, conversation_id, idempotency } = request;
      const known = idempotency && keys.get(`${tenant}/${idempotency.key}`);
      if (known) {
        if (known.fingerprint !== idempotency.fingerprint) {
          throw new OrchestratorError("idempotency_mismatch", "Cannot start: another body.");
        }
        if (!known.run.ended) {
          throw new OrchestratorError("idempotency_in_flight", "Cannot start: under way.");
        }
        return { run: { ...known.run.record }, replayed: true, result: known.run.result };
      }
      if (state.fail) throw fromErrorJson(toErrorJson(state.fail));
      started.push(request);
      const run: FakeRun = {
        record: {
          id: `run_${String(started.length).padStart(4, "0")}`,
          tenant,
          pipeline,
          version,
          status: "running",
          created_at: new Date(1_700_000_000_000).toISOString(),
          ...(conversation_id ? { conversation_id } : {}),
        },
        journal: [],
        listeners: new Set(listener ? [listener] : []),
        texts: new Map(),
        abort: new AbortController(),
        result: undefined as unknown as Promise<RunResult>,
      };
      runs.set(run.record.id, run);
      if (idempotency) {
        keys.set(`${tenant}/${idempotency.key}`, { fingerprint: idempotency.fingerprint, run });
      }
      append(run, {
        type: "run.started",
        pipeline,
        version,
        input,
        ...(conversation_id ? { conversation_id } : {}),
      });
      const record = { ...run.record };
      run.result = execute(run, scripts[pipeline]!, input);
      return { run: record, replayed: false, result: run.result };
    },

    get(tenant, id) {
      const run = runs.get(id);
      return Promise.resolve(run?.record.tenant === tenant ? { ...run.record } : null);
    },

    list(tenant, { status, limit = 50, cursor } = {}) {
      const all = [...runs.values()].map((run) => run.record).reverse()
        .filter((run) => run.tenant === tenant && (!status || run.status === status))
        .filter((run) => cursor === undefined || run.id < cursor);
      const page = all.slice(0, limit);
      return Promise.resolve({
        runs: page,
        ...(all.length > limit ? { next_cursor: page.at(-1)!.id } : {}),
      });
    },

    // deno-lint-ignore require-await -- so that a throw becomes a rejection
    async journal(tenant, id, after = 0) {
      return find(tenant, id).journal.slice(after);
    },

    result(tenant, id) {
      return Promise.resolve(find(tenant, id).ended ?? null);
    },

    async follow(tenant, id, { after = 0, signal }, listener) {
      const run = find(tenant, id);
      for (const event of run.journal.slice(after)) listener(event, JSON.stringify(event));
      if (run.ended || signal.aborted) return;
      for (const [step, text] of run.texts) {
        const event = live(run, { type: "step.snapshot", step, text });
        listener(event, JSON.stringify(event));
      }
      await new Promise<void>((resolve) => {
        const follower: RunListener = (event, json) => {
          listener(event, json);
          if (isTerminal(event)) done();
        };
        const done = () => {
          run.listeners.delete(follower);
          signal.removeEventListener("abort", done);
          resolve();
        };
        run.listeners.add(follower);
        signal.addEventListener("abort", done);
      });
    },

    // deno-lint-ignore require-await -- so that a throw becomes a rejection
    async cancel(tenant, id, reason) {
      const run = find(tenant, id);
      if (run.ended) throw new OrchestratorError("conflict", "Cannot cancel: it has ended.");
      run.abort.abort(new OrchestratorError("run_cancelled", reason ?? "cancelled"));
    },

    redrive: () => Promise.reject(new Error("not scripted")),
    stats: () => ({ ...state }),
    open: () => Promise.resolve(),
    drain: () => Promise.resolve(),
  };
}
