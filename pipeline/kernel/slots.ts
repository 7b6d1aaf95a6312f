/**
 * Slots of runs with the same concurrency key, and the queue for them.
 *
 * Boundary: says what a commit has to check and change; commits nothing but what heals.
 *
 * Invariants
 * 1. A slot is free only while no run waits for it: the commit that ends its holder hands it over.
 * 2. A run that queues rewrites every slot, so that a holder that did not see it cannot end without
 *    noticing: its commit checks the version of its slot.
 * 3. Turns are in the order of run ids.
 * 4. A run that holds the only slot sees what the run before it left: until its first commit has
 *    taken the slot, it starts only where no other run can hold it (see {@linkcode Slots.reserve}).
 *
 * @module
 */
import {
  type At,
  type Commit,
  type Key,
  keys,
  type Mutation,
  type ReadOptions,
  refuseDamaged,
  setJson,
  type Store,
  type Versioned,
} from "../../store/mod.ts";
import type { ActiveRun } from "./active_run.ts";
import type { RunRecord, Slot } from "./runs.ts";

/** Who holds a slot. `promoted`: it was handed over and its run may not know yet. */
interface SlotHolder {
  run: string;
  promoted?: true;
}

/** The slots of a key as they are now. */
export interface SlotState {
  held: Versioned<SlotHolder>[];
  /** Runs that wait, in order. */
  turns: string[];
  /** The first free slot. */
  free?: number;
}

/** Who holds a slot, as this process knows. */
interface Holder {
  run: string;
  /** Decides whether a run that has started gets the slot; absent once that is on disk. */
  settle?: () => Promise<unknown>;
}

/** What the end of a run changes. */
export interface Leaving {
  commit: Commit;
  next?: string;
  /** It held a slot. */
  had?: true;
}

/** Hands out slots. */
export class Slots {
  /** Keys that runs have queued for since this process started. */
  private readonly wanted = new Set<string>();
  /**
   * Who holds the only slot of a key or is about to take it, as far as this process knows. One too
   * many costs a look at the store, one too few would break invariant 4.
   */
  private readonly taken = new Map<string, Holder>();

  constructor(private readonly store: Store) {}

  /** Learns which slots are taken. Before it nothing may be reserved. */
  async open(): Promise<void> {
    for await (const { key, value } of this.store.list<SlotHolder>({ prefix: keys.slots() })) {
      this.taken.set(`${key[1]}/${key[2]}`, value);
    }
  }

  /** True when this process knows of a run that holds the only slot of a key. */
  isTaken(tenant: string, { key, limit }: Slot): boolean {
    return limit === 1 && this.taken.has(`${tenant}/${key}`);
  }

  /**
   * A new run is about to take a slot.
   *
   * @returns whether it may begin before it has: no other run can end in it until then
   */
  reserve({ record: { id, tenant, slot }, journal }: ActiveRun): boolean {
    if (!slot || slot.limit > 1) return true;
    const isFree = this.store.isAlone && !this.isTaken(tenant, slot);
    const holder: Holder = isFree ? { run: id, settle: () => journal.flush() } : { run: id };
    this.taken.set(`${tenant}/${slot.key}`, holder);
    const settled = () => holder.settle = undefined;
    if (isFree) journal.begun.then(settled, settled);
    return isFree;
  }

  /** True while a run has started that does not hold the slot yet: no other one may take it. */
  isEntering(tenant: string, { key }: Slot): boolean {
    return this.taken.get(`${tenant}/${key}`)?.settle !== undefined;
  }

  /** The run has released its slot to `next`, or to the next run to come. */
  release({ id, tenant, slot }: RunRecord, next?: string): void {
    const name = `${tenant}/${slot!.key}`;
    if (this.taken.get(name)?.run !== id) return;
    if (next) this.taken.set(name, { run: next });
    else this.taken.delete(name);
  }

  /** Reads the slots of a key, once it is decided whether a run that is entering holds one. */
  async read(tenant: string, { key, limit }: Slot, most_turns: number): Promise<SlotState> {
    await this.taken.get(`${tenant}/${key}`)?.settle?.().catch(() => {});
    const held: Versioned<SlotHolder>[] = [];
    // A slot whose record is damaged is not free.
    const places = { prefix: keys.slotsOf(tenant, key) };
    for await (const place of this.store.list<SlotHolder>(places, { onDamaged: refuseDamaged })) {
      held.push(place);
    }
    const turns: string[] = [];
    const line = this.store.keys({ prefix: keys.turnsOf(tenant, key) }, { limit: most_turns });
    for await (const turn of line) turns.push(turn.key.at(-1) as string);
    const taken = new Set(held.map((place) => place.key.at(-1)));
    const free = Array.from({ length: limit }, (_, n) => n).find((n) => !taken.has(n));
    return { held, turns, ...(free === undefined || turns.length > 0 ? {} : { free }) };
  }

  /** Takes slot `index` for a new run. */
  take({ tenant, id }: RunRecord, { key }: Slot, index: number): Commit {
    const place = keys.slot(tenant, key, index);
    return {
      checks: [{ key: place, versionstamp: null }],
      mutations: [setJson(place, { run: id })],
    };
  }

  /** Queues behind the runs that hold the slots (invariant 2). */
  queue({ tenant, id }: RunRecord, { key }: Slot, { held }: SlotState): Commit {
    this.wanted.add(`${tenant}/${key}`);
    return {
      checks: held.map(({ key, versionstamp }) => ({ key, versionstamp })),
      mutations: [
        ...held.map(({ key, value }) => setJson(key, value)),
        setJson(keys.turn(tenant, key, id), {}),
      ],
    };
  }

  /** The slot that a waiting run was given. */
  async given({ tenant, id, slot }: RunRecord): Promise<number | undefined> {
    for await (
      const { key, value } of this.store.list<SlotHolder>({
        prefix: keys.slotsOf(tenant, slot!.key),
      })
    ) if (value.run === id) return key.at(-1) as number;
  }

  /** A run knows that it has been given its slot. */
  accept({ tenant, id }: RunRecord, { key, index }: Slot): Mutation {
    return setJson(keys.slot(tenant, key, index!), { run: id });
  }

  /**
   * What the end of a run changes: its slot is handed to the next run in the queue, or is free.
   *
   * @param settled its first commit is on disk, or will be part of the one that ends it
   * @returns the commit, and the run whose turn it is now
   */
  async leave(run: ActiveRun, settled = false): Promise<Leaving> {
    const { tenant, id, slot } = run.record;
    const { key } = slot!;
    let { index } = slot!;
    if (index === undefined) {
      const turn = await this.store.kv.get(keys.turn(tenant, key, id));
      if (turn) {
        const checks = [{ key: turn.key, versionstamp: turn.versionstamp }];
        return { commit: { checks, mutations: [{ key: turn.key, delete: true }] } };
      }
      index = await this.given(run.record); // it was given a slot while it was being cancelled
      if (index === undefined) return { commit: { checks: [], mutations: [] } };
    }
    const place = keys.slot(tenant, key, index);
    const name = `${tenant}/${key}`;
    if (run.placed && this.store.isAlone && !this.wanted.has(name)) {
      const checks = [{ key: place, versionstamp: run.placed }];
      return { commit: { checks, mutations: [{ key: place, delete: true }] }, had: true };
    }
    let damaged: At | undefined; // the run knows that it holds this slot
    const onDamaged: ReadOptions["onDamaged"] = (_error, at) => damaged = at;
    const [found] = await this.store.getMany<SlotHolder>([place], { onDamaged });
    const checks = [{ key: place, versionstamp: (found ?? damaged)?.versionstamp ?? null }];
    const [turn] = await this.turns(tenant, key, 1);
    const isEarly = found
      ? found.value.run !== id
      : !damaged && (run.placed || run.journal.isFlushing);
    if (isEarly && !settled) {
      // Read before its first commit took the slot, or before the run ahead had released it.
      await run.journal.flush();
      return await this.leave(run, true);
    }
    if (!turn) {
      this.wanted.delete(name);
      return { commit: { checks, mutations: [{ key: place, delete: true }] }, had: true };
    }
    const next = turn.key.at(-1) as string;
    checks.push({ key: turn.key, versionstamp: turn.versionstamp });
    const mutations = [promote(place, next), { key: turn.key, delete: true as const }];
    return { commit: { checks, mutations }, next, had: true };
  }

  /** Runs that were given a slot and were not woken: their process died in that moment. */
  async forgotten(): Promise<{ tenant: string; run: string }[]> {
    const found = [];
    for await (const { key, value } of this.store.list<SlotHolder>({ prefix: keys.slots() })) {
      if (value.promoted) found.push({ tenant: key[1] as string, run: value.run });
    }
    return found;
  }

  private async turns(tenant: string, key: string, limit: number) {
    return await Array.fromAsync(this.store.keys({ prefix: keys.turnsOf(tenant, key) }, { limit }));
  }
}

function promote(place: Key, run: string): Mutation {
  const value: SlotHolder = { run, promoted: true };
  return setJson(place, value);
}
