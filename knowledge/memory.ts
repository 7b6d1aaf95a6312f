/**
 * What is known of users beyond one conversation: facts, each with where it comes from. What a fact
 * is about has room for one: a new name takes the place of the old one.
 *
 * A user is an actor, or whoever else a caller that may act for all users names.
 *
 * @module
 */
import { createHash } from "node:crypto";
import type { Caller } from "../guard/mod.ts";
import { keys, setJson, type Store } from "../store/mod.ts";
import { removeBelow, removeEach } from "./remove.ts";

/** Something known of a user. */
export interface Fact {
  /** `mem_…` */
  id: string;
  user_id: string;
  text: string;
  /** What it is about, such as `name`; of each only the latest is kept. */
  about?: string;
  /** Where it was said. */
  source: FactSource;
  /** RFC 3339 UTC. */
  created_at: string;
  updated_at: string;
}

/** Where a fact comes from: a run and the user's words, or the caller who stored it. */
export interface FactSource {
  run_id?: string;
  text?: string;
  by?: string;
}

/** A fact to keep. */
export interface NewFact {
  text: string;
  about?: string;
  source: FactSource;
}

/** The memory of users. @throws `forbidden` for a user that the caller may not act for */
export interface Memory {
  /** What is known of a user, the latest first. */
  list(caller: Caller, user_id: string, limit?: number): Promise<Fact[]>;
  /** Keeps a fact. What is known already is not kept twice; it is only confirmed. */
  remember(caller: Caller, user_id: string, fact: NewFact): Promise<Fact>;
  /** False when the caller knows no such fact. */
  remove(caller: Caller, id: string): Promise<boolean>;
  /** Forgets a user. @returns how many facts there were */
  clear(caller: Caller, user_id: string): Promise<number>;
}

/** Facts of one user; beyond that the one that was confirmed longest ago is forgotten. */
export const MAX_FACTS = 200;
/** Characters of a fact, and of the words that it comes from. */
export const MAX_FACT_CHARS = 500;

/** Facts kept in `store`. */
export function createMemory(store: MemoryStore, now: () => number): Memory {
  return new StoredMemory(store, now);
}

/** The part of the store that the memory uses. */
type MemoryStore = Pick<Store, "getToReplace" | "list" | "keys" | "commit">;

class StoredMemory implements Memory {
  constructor(private readonly store: MemoryStore, private readonly now: () => number) {}

  async list(caller: Caller, user_id: string, limit = MAX_FACTS): Promise<Fact[]> {
    caller.mustActFor(user_id);
    return (await this.all(caller.tenant, user_id)).slice(0, limit);
  }

  async remember(caller: Caller, user_id: string, said: NewFact): Promise<Fact> {
    caller.mustActFor(user_id);
    const { tenant } = caller;
    const text = clip(said.text);
    const id = idOf(user_id, said.about ?? normal(text));
    const key = keys.memory(tenant, user_id, id);
    const at = new Date(this.now()).toISOString();
    while (true) {
      const known = await this.store.getToReplace<Fact>(key);
      const fact = factOf({ id, user_id, at, known: known?.value }, { ...said, text });
      const stamp = await this.store.commit({
        checks: [{ key, versionstamp: known?.versionstamp ?? null }],
        mutations: [setJson(key, fact), setJson(keys.memoryOf(tenant, id), user_id)],
      });
      if (stamp === null) continue;
      if (!known) await this.makeRoom(tenant, user_id);
      return fact;
    }
  }

  async remove(caller: Caller, id: string): Promise<boolean> {
    const { tenant } = caller;
    const owner = await this.ownerOf(tenant, id);
    if (owner === undefined || !caller.mayActFor(owner)) return false;
    await this.forget(tenant, owner, id);
    return true;
  }

  async clear(caller: Caller, user_id: string): Promise<number> {
    caller.mustActFor(user_id);
    const { tenant } = caller;
    const prefix = keys.memoriesOf(tenant, user_id);
    for await (const fact of this.store.keys({ prefix })) {
      await removeEach(this.store, [keys.memoryOf(tenant, fact.key.at(-1) as string)]);
    }
    return await removeBelow(this.store, prefix);
  }

  /** Of which user a fact is, also when the index is damaged. */
  private async ownerOf(tenant: string, id: string): Promise<string | undefined> {
    const owner = await this.store.getToReplace<string>(keys.memoryOf(tenant, id));
    if (!owner || owner.value !== undefined) return owner?.value;
    for await (const { key } of this.store.keys({ prefix: keys.memories(tenant) })) {
      if (key[3] === id) return String(key[2]);
    }
  }

  private async all(tenant: string, user_id: string): Promise<Fact[]> {
    const found: Fact[] = [];
    const prefix = keys.memoriesOf(tenant, user_id);
    for await (const { value } of this.store.list<Fact>({ prefix })) found.push(value);
    return found.sort((a, b) => a.updated_at < b.updated_at ? 1 : -1);
  }

  private async makeRoom(tenant: string, user_id: string): Promise<void> {
    const surplus = (await this.all(tenant, user_id)).slice(MAX_FACTS);
    for (const { id } of surplus) await this.forget(tenant, user_id, id);
  }

  private forget(tenant: string, user_id: string, id: string): Promise<void> {
    return removeEach(this.store, [keys.memory(tenant, user_id, id), keys.memoryOf(tenant, id)]);
  }
}

/** A fact to keep; what is known already keeps where it comes from. */
function factOf(
  { id, user_id, at, known }: { id: string; user_id: string; at: string; known?: Fact },
  { text, about, source }: NewFact,
): Fact {
  const same = known && normal(known.text) === normal(text);
  return {
    id,
    user_id,
    text,
    ...(about === undefined ? {} : { about }),
    source: same ? known.source : clipSource(source),
    created_at: known?.created_at ?? at,
    updated_at: at,
  };
}

function idOf(user_id: string, about: string): string {
  return `mem_${createHash("sha256").update(`${user_id}\0${about}`).digest("hex").slice(0, 20)}`;
}

/** Texts that say the same, as far as that can be seen. */
function normal(text: string): string {
  return text.toLowerCase().normalize("NFKC").replace(/[^\p{L}\p{N}]+/gu, " ").trim();
}

function clip(text: string): string {
  return text.trim().slice(0, MAX_FACT_CHARS);
}

function clipSource({ text, ...rest }: FactSource): FactSource {
  return { ...rest, ...(text === undefined ? {} : { text: clip(text) }) };
}
