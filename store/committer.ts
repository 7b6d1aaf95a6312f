/**
 * Writes: every change of state of this process goes through one committer.
 *
 * Boundary: callers hand in small commits; the committer decides which of them share one commit of
 * the store. It knows keys only to compare them.
 *
 * Invariants
 * 1. One batch is under way at a time, and batches are written in the order of submission.
 * 2. **Fence.** Each batch checks this worker's lease at the version that the batch before left and
 *    rewrites it. Whoever deletes the lease cuts the chain: nothing of this worker commits after
 *    that, however late it wakes up.
 * 3. **Unknown outcomes are resolved.** A commit that threw is tried again: if it was applied after
 *    all, the lease has moved and refuses the second one. The lease names the batch that wrote it, so
 *    after a refusal reading it back tells an applied batch from a refused one.
 * 4. A member with a check on a key that an earlier member of the batch writes goes into a later
 *    batch: its check must see that write.
 * 5. A refused batch is tried member by member, so a member is refused only by its own checks.
 * 6. An answer that comes after the lease it wrote has run out is believed only once another batch
 *    shows that the lease still stands: the worker may have been replaced in between.
 *
 * @module
 */
import { OrchestratorError } from "../errors.ts";
import { add, commitTooLarge, type Cost, costOf, exactCostOf, fits, noCost } from "./cost.ts";
import type { Check, Commit, Entry, Key, Kv, KvLimits, Mutation } from "./kv.ts";
import { keys } from "./keys.ts";
import { jsonOf, setJson } from "./values.ts";

/** What a lease says. */
export interface Lease {
  worker: string;
  /** The batch that wrote it. */
  batch: number;
  /** When, in milliseconds since the epoch. */
  at: number;
  /** The latest time that this store has seen, while the clock is behind it. */
  latest?: number;
}

/** What the committer needs. */
export interface CommitterOptions {
  kv: Kv;
  /** Id of this worker, never used before. */
  worker: string;
  /** Milliseconds since the epoch. */
  now: () => number;
  /** Pause before trying a batch again whose outcome was "not there". */
  sleep: (ms: number) => Promise<void>;
  /** How long others take this worker for alive after its last batch. */
  lease_ms: number;
}

interface Member {
  commit: Commit;
  cost: Cost;
  resolve: (versionstamp: string | null) => void;
  reject: (error: unknown) => void;
}

/** Splitting fewer members than this costs more than it gains. */
const SMALL_BATCH = 16;
const RETRY_DELAYS_MS = [5, 20, 80, 320, 1000];
/** What the lease adds to each commit. */
const LEASE_BYTES = 1_000;

/** The latest time that the writer of a lease knew of. */
export function latestOf({ at, latest }: Lease): number {
  return latest ?? at;
}

/** Reads a lease. @throws `value_damaged` */
export function parseLease(entry: Entry): Lease {
  return jsonOf<Lease>(entry);
}

/** Groups, fences and resolves commits. See the module's invariants. */
export class Committer {
  readonly worker: string;
  private readonly kv: Kv;
  private readonly now: () => number;
  private readonly sleep: (ms: number) => Promise<void>;
  private readonly lease_ms: number;
  /** What the members of a batch may need together. */
  readonly room: KvLimits;
  private readonly leaseKey: Key;
  private queue: Member[] = [];
  private busy = false;
  private batch = 0;
  /** Version of our lease after the last batch; `null` before {@linkcode acquire}. */
  private stamp: string | null = null;
  /** The version of this worker's first commit: no other worker of this database ever had it. */
  session = "";
  private fenced = false;
  private latestTime = 0;

  constructor(options: CommitterOptions) {
    this.kv = options.kv;
    this.worker = options.worker;
    this.now = options.now;
    this.sleep = options.sleep;
    this.lease_ms = options.lease_ms;
    this.room = roomIn(options.kv.limits);
    this.leaseKey = keys.lease(this.worker);
  }

  /** The store has seen this time: leases carry it on while the clock is behind it. */
  hasSeen(time: number): void {
    this.latestTime = Math.max(this.latestTime, time);
  }

  /** Registers this worker. */
  async acquire(): Promise<void> {
    const stamp = await this.write([]);
    if (stamp === null) throw this.fence();
    this.session = stamp;
  }

  /** Gives the lease back: nothing can be committed afterwards. */
  async release(): Promise<void> {
    if (this.fenced || this.stamp === null) return;
    this.fenced = true;
    const checks = [{ key: this.leaseKey, versionstamp: this.stamp }];
    const mutations: Mutation[] = [
      { key: this.leaseKey, delete: true },
      setJson(keys.time(), { latest: this.latestTime }),
    ];
    await this.kv.commit({ checks, mutations });
  }

  /** True once another worker has taken over. */
  get isFenced(): boolean {
    return this.fenced;
  }

  /**
   * Commits all of `commit` or nothing of it.
   *
   * @returns the versionstamp, or `null` when one of its checks refused it
   * @throws `worker_fenced`; `store_unavailable` (the outcome may then be unknown for good);
   *   `payload_too_large` when it can never be written
   */
  submit(commit: Commit): Promise<string | null> {
    if (this.fenced) return Promise.reject(this.fence());
    return new Promise((resolve, reject) => {
      this.queue.push({ commit, cost: costOf(commit), resolve, reject });
      if (this.busy) return;
      this.busy = true;
      queueMicrotask(() => this.drain());
    });
  }

  /** Rewrites the lease when nothing else did for a while. */
  async heartbeat(idle_ms: number): Promise<void> {
    if (this.now() - this.lastWrite < idle_ms) return;
    await this.submit({ checks: [], mutations: [] });
  }

  private lastWrite = 0;
  /** How many members the last batch took. */
  private lastShare = 0;

  private async drain(): Promise<void> {
    while (this.queue.length > 0) {
      const members = this.take();
      try {
        await this.writeMembers(members);
      } catch (error) {
        for (const member of members) member.reject(error);
      }
    }
    this.busy = false;
  }

  /** The longest run of members, in order, that fits one commit (invariant 4). */
  private take(): Member[] {
    const total = noCost();
    let count = 0;
    let written: Set<string> | undefined;
    const most = this.share();
    for (const { commit, cost } of this.queue) {
      if (count === most) break;
      add(total, cost);
      if (count > 0 && !fits(total, this.room)) break;
      if (count > 0 && commit.checks.length > 0) {
        written ??= writtenKeys(this.queue.slice(0, count));
        if (commit.checks.some((check) => written!.has(keyText(check.key)))) break;
      }
      if (written) { for (const m of commit.mutations) written.add(keyText(m.key)); }
      count++;
    }
    return this.queue.splice(0, count);
  }

  /**
   * How many members the next batch takes: half of those that are about, so that their owners continue
   * while the store writes the other half. All in one batch would make both wait for each other.
   */
  private share(): number {
    const about = this.queue.length + this.lastShare;
    this.lastShare = Math.min(this.queue.length, Math.max(SMALL_BATCH, Math.ceil(about / 2)));
    return this.lastShare;
  }

  private async writeMembers(members: Member[]): Promise<void> {
    if (members.length === 1) return await this.writeAlone(members[0]!);
    const stamp = await this.write(members);
    if (stamp !== null) { for (const member of members) member.resolve(stamp); }
    else for (const member of members) await this.writeAlone(member);
  }

  private async writeAlone(member: Member): Promise<void> {
    try {
      if (!this.takes(member)) throw commitTooLarge(member.commit);
      member.resolve(await this.write([member]));
    } catch (error) {
      member.reject(error);
    }
  }

  private takes({ commit, cost }: Member): boolean {
    return fits(cost, this.room) || fits(exactCostOf(commit), this.room);
  }

  /** One commit of the store, its outcome resolved (invariants 2 and 3). */
  private async write(members: Member[]): Promise<string | null> {
    const batch = ++this.batch;
    for (const delay of [0, ...RETRY_DELAYS_MS]) {
      if (delay > 0) await this.sleep(delay);
      const began = this.now();
      const outcome = await this.attempt(batch, members);
      if (outcome === "again") continue;
      if (this.now() - began > this.lease_ms) await this.write([]); // invariant 6
      return outcome;
    }
    throw new OrchestratorError(
      "store_unavailable",
      "Cannot write to the store: it failed several times. Check the disk of ORCHESTRATOR_HOME/data.",
      { kind: "retryable", retry_after_ms: 1000 },
    );
  }

  /** @returns the versionstamp; `null` when a check refused it; `again` when trying again is safe. */
  private async attempt(batch: number, members: Member[]): Promise<string | null | "again"> {
    try {
      const stamp = await this.kv.commit(this.merge(batch, members));
      return stamp === null ? await this.readBack(batch) : this.wrote(stamp);
    } catch (error) {
      if (error instanceof OrchestratorError) throw error;
      return "again"; // if it is there nevertheless, the lease refuses the next try and says so
    }
  }

  private wrote(stamp: string): string {
    this.lastWrite = this.now();
    return this.stamp = stamp;
  }

  /** Why the store refused `batch` (invariant 3). Throws what the store throws, or `worker_fenced`. */
  private async readBack(batch: number): Promise<string | null | "again"> {
    const entry = await this.kv.get(this.leaseKey);
    if ((entry?.versionstamp ?? null) === this.stamp) return null;
    if (!entry) throw this.fence();
    const stamp = this.wrote(entry.versionstamp); // only this worker writes its lease
    return parseLease(entry).batch === batch ? stamp : "again";
  }

  private merge(batch: number, members: Member[]): Commit {
    const at = this.now();
    const lease: Lease = { worker: this.worker, batch, at };
    if (at < this.latestTime) lease.latest = this.latestTime;
    else this.latestTime = at;
    const checks: Check[] = [{ key: this.leaseKey, versionstamp: this.stamp }];
    const mutations: Mutation[] = [setJson(this.leaseKey, lease)];
    for (const { commit } of members) {
      for (const check of commit.checks) checks.push(check);
      for (const mutation of commit.mutations) mutations.push(mutation);
    }
    return { checks, mutations };
  }

  private fence(): OrchestratorError {
    this.fenced = true;
    const error = new OrchestratorError(
      "worker_fenced",
      `Cannot commit: the lease of worker ${this.worker} expired and it was replaced. Its runs continue elsewhere.`,
      { kind: "cancelled" },
    );
    const waiting = this.queue;
    this.queue = [];
    for (const member of waiting) member.reject(error);
    return error;
  }
}

/** What is left of a commit beside the lease. */
function roomIn(limits: KvLimits): KvLimits {
  return {
    ...limits,
    checks: limits.checks - 1,
    mutations: limits.mutations - 1,
    commit_key_bytes: limits.commit_key_bytes - LEASE_BYTES,
    commit_bytes: limits.commit_bytes - LEASE_BYTES,
  };
}

function writtenKeys(members: Member[]): Set<string> {
  const out = new Set<string>();
  for (const { commit } of members) {
    for (const mutation of commit.mutations) out.add(keyText(mutation.key));
  }
  return out;
}

function keyText(key: Key): string {
  return key.join("\u0000");
}
