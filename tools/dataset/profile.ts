/** What a data set looks like: size, types, missing values, distributions. @module */
import type { Cell, Column, ColumnType, Table } from "./table.ts";

/** A value and how often it is there. */
export interface Frequency {
  value: Cell;
  count: number;
}

/** One column. Numbers are rounded to six significant digits. */
export interface ColumnProfile {
  name: string;
  type: ColumnType;
  missing: number;
  distinct: number;
  /** Of numbers. */
  min?: number | string;
  max?: number | string;
  mean?: number;
  std?: number;
  quantiles?: { p25: number; median: number; p75: number };
  /** Of everything else: the most frequent values, at most ten. */
  top?: Frequency[];
}

/** A data set. */
export interface Profile {
  rows: number;
  columns: ColumnProfile[];
  /** Columns that are not listed, as there are too many. */
  columns_left_out?: number;
  duplicate_rows: number;
  /** The first rows, by column. */
  sample: Record<string, Cell>[];
}

const MAX_SHOWN = 200;
const TOP = 10;
const SAMPLE = 3;
const MAX_TEXT = 100;

/** Describes a table. */
export function profile({ columns, rows }: Table): Profile {
  const shown = columns.slice(0, MAX_SHOWN);
  return {
    rows: rows.length,
    columns: shown.map((column, at) => describe(column, rows.map((row) => row[at]!))),
    ...(columns.length > MAX_SHOWN ? { columns_left_out: columns.length - MAX_SHOWN } : {}),
    duplicate_rows: rows.length - new Set(rows.map((row) => JSON.stringify(row))).size,
    sample: rows.slice(0, SAMPLE).map((row) =>
      Object.fromEntries(shown.map(({ name }, at) => [name, clipped(row[at]!)]))
    ),
  };
}

function describe({ name, type }: Column, cells: Cell[]): ColumnProfile {
  const values = cells.filter((cell) => cell !== null);
  const counts = new Map<Cell, number>();
  for (const value of values) counts.set(value, (counts.get(value) ?? 0) + 1);
  const common = { name, type, missing: cells.length - values.length, distinct: counts.size };
  if (type === "number") return { ...common, ...distribution(values as number[]) };
  const top = [...counts].sort((a, b) => b[1] - a[1]).slice(0, TOP)
    .map(([value, count]) => ({ value: clipped(value), count }));
  return { ...common, ...(type === "date" ? range(values as string[]) : {}), top };
}

function distribution(values: number[]) {
  const sorted = Float64Array.from(values).sort();
  const mean = values.reduce((sum, value) => sum + value, 0) / values.length;
  const squares = values.reduce((sum, value) => sum + (value - mean) ** 2, 0);
  return {
    min: sorted[0]!,
    max: sorted.at(-1)!,
    mean: rounded(mean),
    std: rounded(Math.sqrt(squares / Math.max(1, values.length - 1))),
    quantiles: {
      p25: rounded(quantile(sorted, 0.25)),
      median: rounded(quantile(sorted, 0.5)),
      p75: rounded(quantile(sorted, 0.75)),
    },
  };
}

function range(values: string[]) {
  const sorted = values.toSorted();
  return { min: sorted[0]!, max: sorted.at(-1)! };
}

/** Between the two nearest values, as most programs do (R's type 7). */
export function quantile(sorted: ArrayLike<number>, share: number): number {
  const at = (sorted.length - 1) * share;
  const low = sorted[Math.floor(at)]!;
  return low + (sorted[Math.ceil(at)]! - low) * (at - Math.floor(at));
}

function rounded(value: number): number {
  return Number(value.toPrecision(6));
}

function clipped(cell: Cell): Cell {
  if (typeof cell !== "string") return cell;
  const line = cell.replace(/[\p{C}\s]+/gu, " ");
  return line.length > MAX_TEXT ? `${line.slice(0, MAX_TEXT)}…` : line;
}
