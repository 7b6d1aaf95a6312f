/** The words of a benchmark: a piece of work is measured in cases, a case in repetitions. @module */
import type { Processes } from "./processes.ts";

/** Measured values by name; the name ends with the unit. null: could not be measured here. */
export type Figures = Record<string, number | null>;

/** One repetition. */
export interface Rep {
  figures: Figures;
  /** What went wrong, a line each: figures beside a problem are not worth much. */
  problems: string[];
}

/** The same work under one condition, for instance at concurrency 32. */
export interface Case {
  label: string;
  reps: Rep[];
}

/** One of the six pieces of work. */
export interface Piece {
  /** As given on the command line: `w1`. */
  id: string;
  title: string;
  /** How to read its figures, a line each; asked when it has been measured. */
  notes(): string[];
  measure(bench: Bench): Promise<Case[]>;
}

/** What a piece of work is measured with. */
export interface Bench {
  processes: Processes;
  /** The mock's address, without a slash at its end. */
  mock: string;
  /** A folder that goes away with the benchmark. */
  folder: string;
  /** How often each case is repeated. */
  reps: number;
  /** What a repetition's number of calls is multiplied by; 1 for figures that count. */
  scale: number;
}

/** A repetition's number of calls: never fewer than there are callers. */
export function scaled({ scale }: Bench, count: number, callers = 1): number {
  return Math.max(callers, Math.round(count * scale));
}

/** Measures a case as often as the benchmark asks. */
export async function repeat(bench: Bench, label: string, once: () => Promise<Rep>): Promise<Case> {
  const reps: Rep[] = [];
  for (let i = 0; i < bench.reps; i++) reps.push(await once());
  return { label, reps };
}
