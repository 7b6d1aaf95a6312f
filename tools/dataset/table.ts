/** A data set in memory: columns with a type each, rows of plain values. @module */
import { OrchestratorError, sentence } from "../../errors.ts";

/** One value; `null` is a missing one. Dates are texts as they were written. */
export type Cell = string | number | boolean | null;

/** What a column holds, apart from missing values. `empty`: nothing else. */
export type ColumnType = "number" | "boolean" | "date" | "text" | "empty";

/** A column's name and type. */
export interface Column {
  name: string;
  type: ColumnType;
}

/** A data set. Every row has a value for each column. */
export interface Table {
  columns: Column[];
  rows: Cell[][];
}

/** Rows of one data set, at most. */
export const MAX_ROWS = 500_000;
/** Columns of one data set, at most. */
export const MAX_COLUMNS = 2_000;

const MISSING = new Set(["", "na", "n/a", "nan", "null", "none", "?", "-"]);
const NUMBER = /^[+-]?(?:\d+\.?\d*|\.\d+)(?:e[+-]?\d+)?$/i;
const DATE =
  /^\d{4}[-/]\d{1,2}[-/]\d{1,2}(?:[T ]\d{1,2}:\d{2}.*)?$|^\d{1,2}[-/.]\d{1,2}[-/.]\d{4}$/;
const BOOLEAN = new Set(["true", "false", "yes", "no"]);

/**
 * Makes a table of rows whose values may still be texts: a column whose texts are all numbers holds
 * numbers, and so on.
 *
 * @throws `dataset_invalid` for too many rows or columns
 */
export function typed(names: string[], rows: Cell[][]): Table {
  if (rows.length > MAX_ROWS) throw unreadable(`it has more than ${MAX_ROWS} rows`);
  if (names.length > MAX_COLUMNS) throw unreadable(`it has more than ${MAX_COLUMNS} columns`);
  if (names.length === 0) throw unreadable("it has no columns");
  const unique = uniqueNames(names);
  const columns = unique.map((name, at): Column => ({ name, type: convert(rows, at) }));
  return { columns, rows };
}

/** Finds a column's type and turns its texts into values of it. */
function convert(rows: Cell[][], at: number): ColumnType {
  const possible = new Set<ColumnType>(["number", "boolean", "date", "text"]);
  let any = false;
  for (const row of rows) {
    const cell = row[at] = normal(row[at] ?? null);
    if (cell === null) continue;
    any = true;
    for (const type of possible) if (!isOf(type, cell)) possible.delete(type);
  }
  const [type = "text"] = possible;
  for (const row of rows) row[at] = cast(type, row[at]!);
  return any ? type : "empty";
}

function normal(cell: Cell): Cell {
  if (typeof cell === "number") return Number.isFinite(cell) ? cell : null;
  if (typeof cell !== "string") return cell;
  const text = cell.trim();
  return MISSING.has(text.toLowerCase()) ? null : text;
}

function isOf(type: ColumnType, cell: Cell): boolean {
  if (type === "text") return true;
  const kind: string = typeof cell;
  if (typeof cell !== "string") return kind === type;
  if (type === "number") return NUMBER.test(cell);
  return type === "date" ? DATE.test(cell) : BOOLEAN.has(cell.toLowerCase());
}

function cast(type: ColumnType, cell: Cell): Cell {
  if (cell === null) return null;
  if (type === "number") return Number(cell);
  if (type === "boolean") {
    return typeof cell === "boolean" ? cell : /^(?:true|yes)$/i.test(`${cell}`);
  }
  return String(cell);
}

/** A name for each column, no two alike. */
function uniqueNames(names: string[]): string[] {
  const seen = new Set<string>();
  return names.map((raw, at) => {
    const base = raw.replace(/[\p{C}\s]+/gu, " ").trim().slice(0, 200) || `column_${at + 1}`;
    let name = base;
    for (let n = 2; seen.has(name); n++) name = `${base}_${n}`;
    seen.add(name);
    return name;
  });
}

/** The error for data that cannot be used. */
export function unreadable(why: string, cause?: unknown): OrchestratorError {
  return new OrchestratorError(
    "dataset_invalid",
    `Cannot read the data set: ${
      sentence(why)
    } Provide CSV, TSV, JSON, NDJSON or Parquet with a header or field names.`,
    { cause },
  );
}
