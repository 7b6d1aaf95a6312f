/**
 * Reads what entries hold, wherever that is.
 *
 * Invariants
 * 1. A reader gets a value whole: one that is replaced while its pieces are read is read again.
 * 2. A damaged value is reported once, whoever reads it. It is an error for who reads that one value;
 *    lists leave it out.
 *
 * @module
 */
import { type OrchestratorError, toOrchestratorError } from "../errors.ts";
import { readBlob } from "./blobs.ts";
import type { Entry, Key, Kv, ListOptions, Selector } from "./kv.ts";
import { contentOf, damaged, hasHeader, parseContent, type Pointer } from "./values.ts";

/** A key whose value has a version. */
export interface At {
  key: Key;
  versionstamp: string;
}

/** A value with its version. */
export interface Versioned<T> extends At {
  value: T;
}

/** Options of a list of values. */
export interface ReadOptions extends ListOptions {
  /** Called instead of returning each damaged value. What it throws ends the list. */
  onDamaged?(error: OrchestratorError, at: At): void;
}

/** True for the error of a value that cannot be read. */
export function isDamaged(error: unknown): boolean {
  return toOrchestratorError(error).code === "value_damaged";
}

/** Ends a list at the first damaged value: for those that mean nothing with a gap. */
export function refuseDamaged(error: OrchestratorError): never {
  throw error;
}

/** What reading needs. */
export interface ContentsOptions {
  kv: Kv;
  /** Called with each large value that is seen. */
  onLarge(key: Key, pointer: Pointer): void;
  /** Called once for each damaged value. Must not throw. */
  onDamaged?(error: OrchestratorError): void;
}

/** What to make of content. */
export interface Form<T> {
  parse(key: Key, content: Uint8Array): T;
}

type Found<T> = Versioned<T> | Promise<Versioned<T> | null>;

/** Damaged values that are remembered as reported. */
const MAX_REPORTED = 10_000;

/** Content that is JSON. */
export function json<T>(): Form<T> {
  return JSON_FORM as Form<T>;
}

const JSON_FORM: Form<unknown> = { parse: parseContent };

/** Content that is bytes. */
export const BYTES: Form<Uint8Array> = { parse: (_key, content) => content };

/** Reads what entries hold. */
export class Contents {
  private readonly reported = new Set<string>();

  constructor(private readonly options: ContentsOptions) {}

  /**
   * The value of an entry, at once where it is small; nothing when it was deleted meanwhile.
   *
   * @throws `value_damaged`
   */
  read<T>(entry: Entry, form: Form<T>): Found<T> {
    try {
      const content = contentOf(entry);
      if (content instanceof Uint8Array) return versioned(entry, form.parse(entry.key, content));
      return this.readLarge(entry, content, form).catch((error) => this.report(entry, error));
    } catch (error) {
      return this.report(entry, error);
    }
  }

  /** The values below a prefix, in key order. */
  async *list<T>(
    selector: Selector,
    form: Form<T>,
    { onDamaged, ...options }: ReadOptions = {},
  ): AsyncIterable<Versioned<T>> {
    for (let missed = options.limit;; options.limit = missed) {
      let last: Key | undefined;
      missed = 0;
      for await (const entry of this.options.kv.list(selector, options)) {
        last = entry.key;
        const read = this.attempt(entry, form, onDamaged);
        const found = read instanceof Promise ? await read : read;
        if (found) yield found;
        else missed++;
      }
      if (options.limit === undefined || last === undefined || missed === 0) return;
      selector = options.reverse ? { ...selector, end: last } : { ...selector, start: after(last) };
    }
  }

  /** The keys below a prefix, in their order. */
  async *keys(selector: Selector, options?: ListOptions): AsyncIterable<At> {
    for await (const entry of this.options.kv.list(selector, options)) {
      this.noteLarge(entry);
      yield entry;
    }
  }

  private async readLarge<T>(
    entry: Entry,
    pointer: Pointer,
    form: Form<T>,
  ): Promise<Versioned<T> | null> {
    const { kv, onLarge } = this.options;
    const content = await readBlob(kv, entry.key, pointer);
    if (content) {
      onLarge(entry.key, pointer);
      return versioned(entry, form.parse(entry.key, content));
    }
    const now = await kv.get(entry.key);
    if (!now) return null;
    if (now.versionstamp !== entry.versionstamp) return await this.read(now, form);
    throw damaged(entry.key, "some of its bytes are missing or have changed");
  }

  /** @returns nothing for a value that is damaged, or was deleted meanwhile */
  attempt<T>(
    entry: Entry,
    form: Form<T>,
    onDamaged: ReadOptions["onDamaged"],
  ): Found<T> | null {
    const leaveOut = (thrown: unknown): null => {
      if (!isDamaged(thrown)) throw thrown;
      onDamaged?.(toOrchestratorError(thrown), entry);
      return null;
    };
    try {
      const found = this.read(entry, form);
      return found instanceof Promise ? found.catch(leaveOut) : found;
    } catch (thrown) {
      return leaveOut(thrown);
    }
  }

  private noteLarge(entry: Entry): void {
    try {
      if (!hasHeader(entry.value)) return;
      const content = contentOf(entry);
      if (!(content instanceof Uint8Array)) this.options.onLarge(entry.key, content);
    } catch {
      // Reading the value reports the damage.
    }
  }

  /** Invariant 2. */
  private report({ key }: Entry, thrown: unknown): never {
    const name = JSON.stringify(key);
    if (isDamaged(thrown) && !this.reported.has(name)) {
      if (this.reported.size >= MAX_REPORTED) this.reported.clear();
      this.reported.add(name);
      this.options.onDamaged?.(toOrchestratorError(thrown));
    }
    throw thrown;
  }
}

function versioned<T>({ key, versionstamp }: Entry, value: T): Versioned<T> {
  return { key, value, versionstamp };
}

/** The key that comes first after `key`. */
function after(key: Key): Key {
  return [...key, ""];
}
