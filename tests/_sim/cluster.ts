/** Simulated processes that each run an engine on one shared database. */
import {
  createEngine,
  type Engine,
  type JournalEvent,
  type RunContext,
  type RunFunction,
  type StepScope,
} from "../../pipeline/kernel/mod.ts";
import type { BudgetGate } from "../../pipeline/kernel/spending.ts";
import { Store } from "../../store/mod.ts";
import { type Faults, NO_FAULTS, SimDatabase, SimKv } from "./kv.ts";
import { SimProcess, type SimWorld } from "./world.ts";

/** One call of a step's function, as the outside world saw it. */
export interface Call {
  run: string;
  step: string;
  attempt: number;
  idempotency_key: string;
  process: string;
  /** The step's result was on disk already when the call began. */
  late: boolean;
  /** The start of this attempt was not on disk when the call began. */
  early: boolean;
}

/** A process with its engine. */
export interface Node {
  process: SimProcess;
  engine: Engine;
  store: Store;
  kv: SimKv;
  open: boolean;
}

/** What differs between clusters. */
export interface ClusterOptions {
  /** Its processes follow each other: each one knows that those before it are dead. */
  alone?: boolean;
  /** Runs that a process drives at once. */
  concurrency?: number;
  gate?: BudgetGate;
}

export const LEASE_MS = 1000;
const SWEEP_MS = 300;

/** Starts, kills and freezes nodes. */
export class Cluster {
  readonly db = new SimDatabase();
  readonly calls: Call[] = [];
  /** What engines warned of. */
  readonly warnings: Record<string, unknown>[] = [];
  faults: Faults = NO_FAULTS;
  readonly nodes: Node[] = [];
  /** Which run had control of each process last. */
  private readonly noted = new Map<string, string | undefined>();
  private started = 0;

  constructor(
    readonly world: SimWorld,
    private readonly program: (process: SimProcess) => RunFunction,
    private readonly options: ClusterOptions = {},
  ) {}

  /** Starts a process; its engine opens in virtual time. */
  boot(): Node {
    const process = new SimProcess(`w${++this.started}`);
    const world = this.world.of(process);
    const kv = new SimKv(this.db, process, this.world, () => this.faults);
    const { now, sleep } = world.clock;
    const { alone = false, concurrency = 3, gate } = this.options;
    const store = new Store({ kv, worker: process.name, now, sleep, lease_ms: LEASE_MS, alone });
    const engine = createEngine({
      store,
      world,
      log: {
        info() {},
        error() {},
        warn: (message, fields) => void this.warnings.push({ message, ...fields }),
      },
      concurrency,
      flight: {
        note: (run) => void (process.dead || this.noted.set(process.name, run)),
        lastOf: (worker) => this.noted.get(worker),
      },
      queue_limit: 100,
      idempotency_ttl_ms: 3_600_000,
      lease_ms: LEASE_MS,
      sweep_ms: SWEEP_MS,
      onFenced: () => this.replace(node),
      gate,
    });
    const node: Node = { process, engine, store, kv, open: false };
    this.nodes.push(node);
    store.open().then(() => engine.open(() => this.instrumented(process))).then(
      () => node.open = true,
      () => this.replace(node), // a process that cannot start is started again
    );
    return node;
  }

  /** Kills a process and starts another one after `pause_ms`. */
  crash(node: Node, pause_ms: number): void {
    node.process.dead = true;
    this.nodes.splice(this.nodes.indexOf(node), 1);
    this.world.at(pause_ms, undefined, () => void this.boot());
  }

  /** Stops a process without its noticing. */
  freeze(node: Node, ms: number): void {
    node.process.frozenUntil = this.world.now + ms;
  }

  /** Lets the workers that live delete what dead ones left of large values. */
  async sweep(): Promise<void> {
    const { world } = this;
    // The leases of those that died last run out first.
    await world.run(3 * LEASE_MS, () => false);
    await world.run(10_000, () => this.nodes.length > 0 && this.nodes.every(({ open }) => open));
    let swept = false;
    Promise.all(this.nodes.map(({ store }) => Array.fromAsync(store.sweep())))
      .then(() => swept = true);
    await world.run(10_000, () => swept);
  }

  private replace(node: Node): void {
    if (!node.process.dead) this.crash(node, 50);
  }

  /** The program with its calls recorded. */
  private instrumented(process: SimProcess): RunFunction {
    const program = this.program(process);
    return (ctx, input) => program(this.watched(ctx, process), input);
  }

  /** A branch, and those inside it, with their calls recorded. */
  private watched(ctx: RunContext, process: SimProcess): RunContext {
    const inside = <T>(fn: (ctx: RunContext) => Promise<T>) => (inner: RunContext) =>
      fn(this.watched(inner, process));
    return {
      run: ctx.run,
      signal: ctx.signal,
      emit: (event, options) => ctx.emit(event, options),
      change: (commit) => ctx.change(commit),
      wait: (key, options) => ctx.wait(key, options),
      group: (key, fn, options) => ctx.group(key, inside(fn), options),
      all: (branches, options) => ctx.all(branches.map(inside), options),
      child: (key, request) => ctx.child(key, request),
      cleanup: (fn) => ctx.cleanup(inside(fn)),
      step: (key, fn, options) =>
        ctx.step(key, (scope) => {
          if (options?.effect !== "none") this.record(ctx.run.id, scope, process);
          return fn(scope);
        }, options),
    };
  }

  private record(run: string, scope: StepScope, process: SimProcess): void {
    const { key: step, attempt, idempotency_key } = scope;
    const events = this.db.list({ prefix: ["journal", "t", run] })
      .flatMap((entry) => this.db.json<JournalEvent[]>(entry));
    const late = events.some((event) => event.type === "step.completed" && event.step === step);
    const early = !events.some((event) =>
      event.type === "step.started" && event.step === step && event.attempt === attempt
    );
    this.calls.push({ run, step, attempt, idempotency_key, process: process.name, late, early });
  }
}
