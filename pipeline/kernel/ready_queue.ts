/** Runs that wait for a slot: by priority, then tenants in turn, then in order of arrival. @module */
import type { ActiveRun } from "./active_run.ts";

/** The runs of one priority: a line for each tenant, served in turn. */
type Lines = Map<string, ActiveRun[]>;

/** Runs that are ready to be driven. */
export class ReadyQueue {
  /** Highest priority first. */
  private levels: { priority: number; lines: Lines }[] = [];
  private count = 0;
  private readonly counts = new Map<string, number>();

  get size(): number {
    return this.count;
  }

  /** Runs of one tenant. */
  sizeOf(tenant: string): number {
    return this.counts.get(tenant) ?? 0;
  }

  push(run: ActiveRun): void {
    const { tenant, priority = 0 } = run.record;
    const { lines } = this.level(priority);
    const line = lines.get(tenant);
    if (line) line.push(run);
    else lines.set(tenant, [run]);
    this.add(tenant, 1);
  }

  shift(): ActiveRun | undefined {
    const lines = this.levels[0]?.lines;
    const next = lines?.entries().next().value;
    if (!lines || !next) return undefined;
    const [tenant, line] = next;
    const run = line.shift();
    lines.delete(tenant); // and back to the end of the round
    if (line.length > 0) lines.set(tenant, line);
    this.add(tenant, -1);
    this.tidy();
    return run;
  }

  /** True when the run was there. */
  remove(run: ActiveRun): boolean {
    const { tenant, priority = 0 } = run.record;
    const lines = this.levels.find((level) => level.priority === priority)?.lines;
    const line = lines?.get(tenant) ?? [];
    const at = line.indexOf(run);
    if (at < 0) return false;
    line.splice(at, 1);
    if (line.length === 0) lines!.delete(tenant);
    this.add(tenant, -1);
    this.tidy();
    return true;
  }

  clear(): void {
    this.levels = [];
    this.count = 0;
    this.counts.clear();
  }

  private add(tenant: string, change: 1 | -1): void {
    this.count += change;
    const size = this.sizeOf(tenant) + change;
    if (size > 0) this.counts.set(tenant, size);
    else this.counts.delete(tenant);
  }

  private level(priority: number) {
    const at = this.levels.findIndex((level) => level.priority <= priority);
    const found = this.levels[at];
    if (found?.priority === priority) return found;
    const level = { priority, lines: new Map() };
    this.levels.splice(at < 0 ? this.levels.length : at, 0, level);
    return level;
  }

  private tidy(): void {
    this.levels = this.levels.filter(({ lines }) => lines.size > 0);
  }
}
