/** Medians as a table for people and as JSON for comparisons. @module */
import type { Case, Figures, Piece } from "./piece.ts";

/** What the figures do not say. */
const NOT_MEASURED = [
  "a quiet machine: others may use it; compare ratios and direct figures, not absolute ones",
  "the service alone: driver, mock and service share the cores, so rates are too low and lags too long",
  "a network: everything is on loopback, without TLS",
  "a real model: the mock thinks for no time, never fails, never limits the rate and costs nothing,\n" +
  "    so neither the price of a run nor retries are in the figures",
  "other disks: a commit costs what this one's sync costs",
  "long use: data is empty at the start of each piece and nothing runs for more than seconds",
];

/** Figures of which the worst repetition counts, not the middle one. */
const WORST: Record<string, (...values: number[]) => number> = {
  finished_runs: Math.min,
  steps_started_twice: Math.max,
  steps_completed_twice: Math.max,
  peak_rss_mb: Math.max,
};

/** A measured piece of work. */
export interface PieceResult {
  id: string;
  title: string;
  notes: string[];
  cases: { label: string; figures: Figures; problems: string[]; reps: Figures[] }[];
}

/** Where and how a report's figures came about. */
export interface Conditions {
  at: string;
  version: string;
  deno: string;
  system: string;
  cpus: number;
  /** Of the last minute, before the first piece. */
  load: number | null;
  reps: number;
  scale: number;
}

/** Takes the median over the repetitions, for counts of what went wrong the worst. */
export function summarise({ id, title, notes }: Piece, cases: Case[]): PieceResult {
  return {
    id,
    title,
    notes: notes(),
    cases: cases.map(({ label, reps }) => ({
      label,
      figures: combine(reps.map(({ figures }) => figures)),
      problems: reps.flatMap(({ problems }) => problems),
      reps: reps.map(({ figures }) => figures),
    })),
  };
}

function combine(reps: Figures[]): Figures {
  return Object.fromEntries(
    Object.keys(reps[0] ?? {}).map((name) => {
      const values = reps.flatMap(({ [name]: value }) => typeof value === "number" ? [value] : []);
      return [name, values.length === 0 ? null : WORST[name]?.(...values) ?? median(values)];
    }),
  );
}

function median(values: number[]): number {
  const sorted = values.toSorted((a, b) => a - b);
  const upper = sorted[Math.floor(sorted.length / 2)] ?? NaN;
  const lower = sorted[Math.ceil(sorted.length / 2) - 1] ?? NaN;
  return (lower + upper) / 2;
}

/** The head of a report. */
export function formatConditions(conditions: Conditions): string {
  const { version, deno, system, cpus, load, reps, scale } = conditions;
  const lines = [
    `Orchestrator ${version} on Deno ${deno}, ${system}, ${cpus} CPUs, load ${format(load)}`,
    `Medians of ${reps} repetitions${
      scale === 1 ? "" : ` at ${scale} of the work: not comparable`
    }`,
  ];
  return `${lines.join("\n")}\n`;
}

/** A table with a line for each figure and a column for each case. */
export function formatPiece({ id, title, notes, cases }: PieceResult): string {
  const names = Object.keys(cases[0]?.figures ?? {});
  const rows = [
    ["", ...cases.map(({ label }) => label)],
    ...names.map((name) => [name, ...cases.map(({ figures }) => format(figures[name] ?? null))]),
  ];
  return [
    `\n${id.toUpperCase()}  ${title}`,
    ...alignRows(rows),
    ...notes.map((note) => `    ${note}`),
    ...cases.flatMap(({ label, problems }) => problems.map((line) => `  ! ${label}: ${line}`)),
    "",
  ].join("\n");
}

function alignRows(rows: string[][]): string[] {
  const width = Math.max(...rows.map(([name = ""]) => name.length));
  const cell = Math.max(...rows.flatMap((row) => row.slice(1)).map((text) => text.length));
  return rows.map(([name = "", ...values]) =>
    `  ${name.padEnd(width)}${values.map((value) => `  ${value.padStart(cell)}`).join("")}`
  );
}

/** Three digits are more than a noisy machine gives. */
function format(value: number | null): string {
  if (value === null) return "–";
  if (Number.isInteger(value)) return String(value);
  return Math.abs(value) >= 100 ? value.toFixed(0) : value.toPrecision(3);
}

/** The end of a report. */
export function formatNotMeasured(): string {
  return `\nNot measured\n${NOT_MEASURED.map((line) => `  - ${line}\n`).join("")}`;
}
