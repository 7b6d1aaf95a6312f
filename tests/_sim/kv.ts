/** A key-value store in memory that all simulated processes share, with faults per process. */
import { joinBytes } from "../../bytes.ts";
import { scopeOf } from "../../store/blobs.ts";
import { exactCostOf, fits } from "../../store/cost.ts";
import { DENO_KV_LIMITS } from "../../store/deno_kv.ts";
import {
  type Commit,
  type Entry,
  type Key,
  keys,
  type Kv,
  type ListOptions,
  type Selector,
} from "../../store/mod.ts";
import { contentOf, hasHeader, parseContent } from "../../store/values.ts";
import type { SimProcess, SimWorld } from "./world.ts";

/** The database itself. */
export class SimDatabase {
  /** How many commits were applied. */
  version = 0;
  private readonly entries = new Map<string, Entry>();
  /** The keys of `entries`, in their order. */
  private readonly order: string[] = [];
  /** What entries hold, once it was asked for. */
  private readonly parsed = new WeakMap<Entry, unknown>();
  /** Called after every commit that was applied. */
  onCommit?: (process: SimProcess | undefined, commit: Commit) => void;

  get(key: Key): Entry | null {
    return this.entries.get(encode(key)) ?? null;
  }

  /** Applies a commit at once. */
  apply(commit: Commit, process?: SimProcess): string | null {
    for (const { key, versionstamp } of commit.checks) {
      if ((this.get(key)?.versionstamp ?? null) !== versionstamp) return null;
    }
    const versionstamp = (++this.version).toString(16).padStart(20, "0");
    for (const mutation of commit.mutations) {
      const text = encode(mutation.key);
      if ("delete" in mutation) this.remove(text);
      else this.put(text, { key: mutation.key, value: mutation.set.slice(), versionstamp });
    }
    this.onCommit?.(process, commit);
    return versionstamp;
  }

  list({ prefix, start, end }: Selector, { limit = Infinity, reverse }: ListOptions = {}): Entry[] {
    const head = encode(prefix);
    const from = start ? encode(start) : head;
    const to = end && encode(end);
    const found: Entry[] = [];
    for (let i = this.place(from > head ? from : head); i < this.order.length; i++) {
      const text = this.order[i]!;
      if (!text.startsWith(head) || text[head.length] === ESCAPED || (to && text >= to)) break;
      if (text !== head) found.push(this.entries.get(text)!);
    }
    if (reverse) found.reverse();
    return found.slice(0, limit);
  }

  /** The JSON value of an entry, wherever its content is. It is shared: not to be changed. */
  json<T>(entry: Entry): T {
    const known = this.parsed.get(entry) ?? this.parse(entry);
    this.parsed.set(entry, known);
    return known as T;
  }

  private parse({ key, value }: Entry): unknown {
    const content = hasHeader(value) ? contentOf({ key, value }) : value;
    if (content instanceof Uint8Array) return parseContent(key, content);
    const pieces = this.list({ prefix: keys.blobs(scopeOf(key), content.blob) });
    return parseContent(key, joinBytes(pieces.map((piece) => piece.value)));
  }

  private put(text: string, entry: Entry): void {
    if (!this.entries.has(text)) this.order.splice(this.place(text), 0, text);
    this.entries.set(text, entry);
  }

  private remove(text: string): void {
    if (this.entries.delete(text)) this.order.splice(this.place(text), 1);
  }

  /** The index of the first key that is not before `text`. */
  private place(text: string): number {
    let [low, high] = [0, this.order.length];
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (this.order[middle]! < text) low = middle + 1;
      else high = middle;
    }
    return low;
  }
}

/** How often what goes wrong, as probabilities. */
export interface Faults {
  /** The commit fails before it is applied. */
  before: number;
  /** The commit is applied, the answer is lost: it throws. */
  after: number;
  /** The commit is applied, the answer says that it was refused. */
  lied: number;
  /** A read fails. */
  read: number;
  /** Longest delay of an answer, in virtual milliseconds. */
  latency_ms: number;
}

/** No fault at all. */
export const NO_FAULTS: Faults = { before: 0, after: 0, lied: 0, read: 0, latency_ms: 0 };

/** What one process sees of the database. */
export class SimKv implements Kv {
  readonly limits = DENO_KV_LIMITS;
  /** Called before and after each commit; for tests that stop a process right there. */
  onCommit?: (moment: "before" | "after", n: number) => void;
  private commits = 0;

  constructor(
    private readonly db: SimDatabase,
    private readonly process: SimProcess,
    private readonly world: SimWorld,
    private readonly faults: () => Faults,
  ) {}

  get(key: Key): Promise<Entry | null> {
    return this.answer(() => this.read(() => this.db.get(key)));
  }

  getMany(keys: Key[]): Promise<(Entry | null)[]> {
    return this.answer(() => this.read(() => keys.map((key) => this.db.get(key))));
  }

  async *list(selector: Selector, options?: ListOptions): AsyncIterable<Entry> {
    yield* await this.answer(() => this.read(() => this.db.list(selector, options)));
  }

  commit(commit: Commit): Promise<string | null> {
    const n = ++this.commits;
    this.onCommit?.("before", n);
    return this.answer(() => {
      mustFit(commit);
      const faults = this.faults();
      if (this.world.chance(faults.before)) throw new Error("simulated: not committed");
      const stamp = this.db.apply(commit, this.process);
      this.onCommit?.("after", n);
      if (this.world.chance(faults.after)) throw new Error("simulated: answer lost");
      return this.world.chance(faults.lied) ? null : stamp;
    });
  }

  close(): Promise<void> {
    return Promise.resolve();
  }

  private read<T>(fn: () => T): T {
    if (this.world.chance(this.faults().read)) throw new Error("simulated: read failed");
    return fn();
  }

  /** The request takes a while, is served even if its sender dies, and the answer takes a while. */
  private answer<T>(fn: () => T): Promise<T> {
    const { world, process } = this;
    const delay = () => world.random() * this.faults().latency_ms;
    return new Promise((resolve, reject) => {
      if (process.dead) return;
      world.at(delay(), undefined, () => {
        let settle: () => void;
        try {
          const value = fn();
          settle = () => resolve(value);
        } catch (error) {
          settle = () => reject(error);
        }
        world.at(delay(), process, settle);
      });
    });
  }
}

/** Refuses what Deno KV refuses. */
function mustFit(commit: Commit): void {
  const { value_bytes } = DENO_KV_LIMITS;
  const isTooLarge = commit.mutations.some((one) => "set" in one && one.set.length > value_bytes);
  if (isTooLarge || !fits(exactCostOf(commit), DENO_KV_LIMITS)) throw new TypeError("too large");
}

/** After a NUL: that is a part of its string, not the end of it. */
const ESCAPED = "\u00ff";

/** Orders as the port says: part by part, strings before numbers, strings by their UTF-8 bytes. */
function encode(key: Key): string {
  return key.map((part) =>
    typeof part === "number"
      ? `\u0002${part.toString().padStart(16, "0")}`
      : `\u0001${inUtf8Order(part)}\u0000`
  ).join("");
}

/**
 * JavaScript compares units of UTF-16, where a character of two units comes before some of one. A
 * NUL must not be taken for the end of its part.
 */
function inUtf8Order(text: string): string {
  // deno-lint-ignore no-control-regex
  if (/^[\u0001-\u007f]*$/.test(text)) return text;
  return String.fromCharCode(...new TextEncoder().encode(text)).replaceAll("\0", `\0${ESCAPED}`);
}
