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
import type { RunResult } from "../../pipeline/kernel/context.ts";
import type {
  Engine,
  EngineStats,
  NewRun,
  RestartRequest,
  RunListener,
  RunRecord,
} from "../../pipeline/kernel/runs.ts";
import type { Caller } from "../../guard/mod.ts";
import type { Commit } from "../../store/kv.ts";
import { NO_USAGE } from "../../telemetry/usage.ts";

/** What a script sees of its run. */
export interface Script {
  emit(event: EventBody): void;
  delta(step: string, text: string): void;
  /** Suspends the run until a signal of this name comes; gives its payload. */
  wait(name: string): Promise<Json>;
  run_id: string;
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
  /** Signals that nobody has taken, and who waits for one. */
  signals: { name: string; payload: Json }[];
  waiter?: { name: string; resolve(payload: Json): void };
  result: Promise<RunResult>;
  ended?: RunResult;
}

/** The fake and what tests look at. */
export interface FakeEngine extends Engine {
  /** What was started, in order. */
  readonly started: NewRun[];
  /** What was restarted, in order. */
  readonly restarted: (RestartRequest & { id: string; started_by: string })[];
  /** How many listeners follow a run now. */
  followers(id: string): number;
  /** Changes what `stats` says and what `start` answers. */
  state: EngineStats & { fail?: OrchestratorError };
}

/** An engine that runs `scripts` by pipeline name; `commit` takes what comes with signals. */
export function createFakeEngine(
  scripts: Record<string, ScriptFunction>,
  commit: (commit: Commit) => Promise<string | null> = () => Promise.resolve("1"),
): FakeEngine {
  const runs = new Map<string, FakeRun>();
  const keys = new Map<string, { fingerprint: string; run: FakeRun }>();
  const started: NewRun[] = [];
  const restarted: FakeEngine["restarted"] = [];
  const state: FakeEngine["state"] = {
    running: 0,
    queued: 0,
    accepting: true,
    store_ok: true,
  };

  const find = ({ tenant }: Caller, id: string): FakeRun => {
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
        run_id: run.record.id,
        emit: (event) => append(run, event),
        wait: (name) => suspend(run, name),
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
  const suspend = (run: FakeRun, name: string): Promise<Json> => {
    const at = run.signals.findIndex((signal) => signal.name === name);
    if (at >= 0) return Promise.resolve(run.signals.splice(at, 1)[0]!.payload);
    run.record.status = "waiting";
    run.record.waiting_for = [{ step: "wait", signal: name }];
    append(run, { type: "run.waiting", for: run.record.waiting_for });
    return new Promise((resolve, reject) => {
      run.waiter = { name, resolve };
      run.abort.signal.addEventListener("abort", () => reject(run.abort.signal.reason));
    });
  };
  const wake = (run: FakeRun) => {
    const at = run.signals.findIndex(({ name }) => name === run.waiter?.name);
    if (at < 0) return;
    run.record.status = "running";
    delete run.record.waiting_for;
    append(run, { type: "run.resumed", reason: "signal", worker: "w1" });
    run.waiter!.resolve(run.signals.splice(at, 1)[0]!.payload);
    run.waiter = undefined;
  };
  const goingOn = (caller: Caller, id: string, what: string): FakeRun => {
    const run = find(caller, id);
    if (!run.ended) return run;
    throw new OrchestratorError("conflict", `Cannot ${what}: the run has ended.`);
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
    restarted,
    followers: (id) => runs.get(id)?.listeners.size ?? 0,

    async start(caller, asked, listener) {
      await Promise.resolve();
      const request = { ...asked, ...caller.toRecord() };
      const { tenant, started_by, grants } = request;
      const { pipeline, version, input, conversation_id, idempotency } = request;
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
          id: `run_${String(started.length).padStart(26, "0")}`,
          tenant,
          pipeline,
          version,
          status: "running",
          created_at: new Date(1_700_000_000_000).toISOString(),
          ...(conversation_id ? { conversation_id } : {}),
          started_by,
          grants,
        },
        journal: [],
        listeners: new Set(listener ? [listener] : []),
        texts: new Map(),
        abort: new AbortController(),
        signals: [],
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

    get({ tenant }, id) {
      const run = runs.get(id);
      return Promise.resolve(run?.record.tenant === tenant ? { ...run.record } : null);
    },

    list({ tenant }, { status, limit = 50, cursor } = {}) {
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
    async journal(caller, id, after = 0) {
      return find(caller, id).journal.slice(after);
    },

    // deno-lint-ignore require-await -- so that a throw becomes a rejection
    async firstEvent(caller, id) {
      return find(caller, id).journal[0]!;
    },

    async *latestEvents(caller, id) {
      yield* find(caller, id).journal.toReversed();
    },

    result(caller, id) {
      return Promise.resolve(find(caller, id).ended ?? null);
    },

    async follow(caller, id, { after = 0, signal }, listener) {
      const run = find(caller, id);
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

    async signal(caller, id, name, payload, change) {
      const run = goingOn(caller, id, "signal");
      if (change && await commit(change) === null) {
        throw new OrchestratorError("conflict", "Cannot signal: a check refused it.");
      }
      append(run, { type: "signal.received", name, payload });
      run.signals.push({ name, payload });
      wake(run);
    },

    // deno-lint-ignore require-await -- so that a throw becomes a rejection
    async pause(caller, id, reason) {
      const run = goingOn(caller, id, "pause");
      run.record.status = "paused";
      append(run, { type: "run.paused", ...(reason ? { reason } : {}) });
    },

    // deno-lint-ignore require-await -- so that a throw becomes a rejection
    async resume(caller, id) {
      const run = find(caller, id);
      if (run.record.status !== "paused") {
        throw new OrchestratorError("conflict", "Cannot resume: it is not paused.");
      }
      run.record.status = "running";
      append(run, { type: "run.resumed", reason: "unpaused", worker: "w1" });
    },

    // deno-lint-ignore require-await -- so that a throw becomes a rejection
    async restart(caller, id, request) {
      const { record, journal } = find(caller, id);
      restarted.push({ id, started_by: caller.actor, ...request });
      const first = journal[0] as Extract<JournalEvent, { type: "run.started" }>;
      const { pipeline, version } = record;
      const input = request.input ?? first.input;
      return this.start(caller, { pipeline, version, input });
    },

    // deno-lint-ignore require-await -- so that a throw becomes a rejection
    async cancel(caller, id, reason) {
      const run = goingOn(caller, id, "cancel");
      run.abort.abort(new OrchestratorError("run_cancelled", reason ?? "cancelled"));
    },

    // deno-lint-ignore require-await -- so that a throw becomes a rejection
    async redrive(caller, id) {
      const run = find(caller, id);
      if (run.record.status !== "failed") {
        throw new OrchestratorError("conflict", "Cannot redrive: it has not failed.");
      }
      const { error: _error, ended_at: _at, last_seq: _seq, ...record } = run.record;
      run.record = { ...record, status: "running" };
      run.ended = undefined;
      append(run, { type: "run.resumed", reason: "redriven", worker: "w1" });
      const first = run.journal[0] as Extract<JournalEvent, { type: "run.started" }>;
      run.result = execute(run, scripts[record.pipeline]!, first.input);
    },
    stats: () => ({ ...state }),
    open: () => Promise.resolve(),
    drain: () => Promise.resolve(),
  };
}
