/**
 * Whether a run has read untrusted text. Text from the web, from documents or from other services may
 * contain instructions; from then on, nothing that the run sends or changes outside happens without
 * an approval.
 *
 * The journal records this before what the run made of the text, because a replay does not read
 * everything again. Addresses are kept in memory only: without them, more calls need approval.
 *
 * @module
 */
import type { Json } from "../../json/mod.ts";
import type { RunContext, RunInfo } from "../kernel/mod.ts";

interface Taint {
  tainted: boolean;
  /** Addresses that were named before, or by a search: requesting them reveals nothing. */
  named?: Set<string>;
  /** Where further ones are. Most runs never need to know. */
  unread: Json[];
}

const states = new WeakMap<RunInfo, Taint>();

/** Addresses that one run keeps. */
const MAX_NAMED = 1_000;
const ADDRESS = /https?:\/\/[^\s"'<>\\^`{|}]+/g;

/** The run has read what others wrote. */
export function taint(ctx: RunContext): void {
  const state = stateOf(ctx.run);
  // A branch that was stopped has made nothing of it, and can journal nothing.
  if (state.tainted || ctx.signal.aborted) return;
  state.tainted = true;
  ctx.emit({ type: "run.tainted" });
}

/** True when the run, or one that gave it its input, has read what others wrote. */
export function isTainted(run: RunInfo): boolean {
  return stateOf(run).tainted;
}

/** Keeps the addresses in what the run was asked, or in what a search found. */
export function nameUrls(run: RunInfo, value: Json): void {
  stateOf(run).unread.push(value);
}

/** True when `address` was named, so that asking for it carries nothing that the run has read. */
export function isNamed(run: RunInfo, address: string): boolean {
  const state = stateOf(run);
  const named = state.named ??= new Set();
  for (const value of state.unread.splice(0)) {
    for (const [found] of JSON.stringify(value ?? null).matchAll(ADDRESS)) {
      if (named.size < MAX_NAMED) named.add(found.replace(/[.,;:!?)\]]+$/, ""));
    }
  }
  return named.has(address);
}

function stateOf(run: RunInfo): Taint {
  let state = states.get(run);
  if (!state) {
    state = { tainted: run.tainted ?? false, unread: [] };
    states.set(run, state);
  }
  return state;
}
