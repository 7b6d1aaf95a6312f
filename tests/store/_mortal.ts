import type { Commit, Key, Kv, KvLimits } from "../../store/mod.ts";

/** A database whose process dies at one of its commits: from then on every commit throws. */
export class Mortal implements Kv {
  /** How many were tried. */
  commits = 0;
  readonly limits: KvLimits;

  /** @param applied the commit at which it dies is on disk */
  constructor(private readonly kv: Kv, private dies_at = Infinity, private applied = false) {
    this.limits = kv.limits;
  }

  /** Counts from here on. */
  dieAt(commit: number, applied: boolean): void {
    this.commits = 0;
    this.dies_at = commit;
    this.applied = applied;
  }

  /** Whether it has come to that. */
  get died(): boolean {
    return this.commits >= this.dies_at;
  }

  get = (key: Key) => this.kv.get(key);
  getMany = (wanted: Key[]) => this.kv.getMany(wanted);
  list: Kv["list"] = (selector, options) => this.kv.list(selector, options);
  close = () => this.kv.close();

  async commit(commit: Commit): Promise<string | null> {
    if (++this.commits < this.dies_at) return await this.kv.commit(commit);
    if (this.applied && this.commits === this.dies_at) await this.kv.commit(commit);
    throw new Error("killed");
  }
}
