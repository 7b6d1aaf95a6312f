/** Questions to a data set as data: nothing in them is evaluated, names are looked up only. @module */
import { OrchestratorError, sentence } from "../../errors.ts";
import { unknownName } from "../../json/mod.ts";
import { quantile } from "./profile.ts";
import type { Cell, Table } from "./table.ts";

/** How a value is compared. */
export const COMPARISONS = [
  "eq",
  "ne",
  "lt",
  "le",
  "gt",
  "ge",
  "in",
  "contains",
  "is_missing",
  "not_missing",
] as const;
/** What is computed of a group. */
export const AGGREGATES = [
  "count",
  "count_distinct",
  "sum",
  "mean",
  "median",
  "min",
  "max",
] as const;

/** A question. Without `group_by` and `aggregate`: rows. */
export interface Query {
  select?: string[];
  where?: { field: string; op: typeof COMPARISONS[number]; value?: Cell | Cell[] }[];
  group_by?: string[];
  aggregate?: { op: typeof AGGREGATES[number]; field?: string; as?: string }[];
  /** Fields of the answer. */
  order_by?: { field: string; direction?: "asc" | "desc" }[];
  /** Default 50. */
  limit?: number;
}

/** What came out. */
export interface Answer {
  /** Rows that the conditions left. */
  matched: number;
  columns: string[];
  /** Values in the order of `columns`. */
  rows: Cell[][];
  /** True when `limit` cut rows off. */
  truncated: boolean;
}

/** Answers a question. @throws `tool_bad_arguments` for a field that is not there */
export function query(table: Table, question: Query): Answer {
  const tests = (question.where ?? []).map((one) => condition(table, one));
  const rows = table.rows.filter((row) => tests.every((test) => test(row)));
  const grouped = question.group_by !== undefined || question.aggregate !== undefined;
  const { columns, rows: all } = grouped
    ? group(table, rows, question)
    : pick(table, rows, question);
  const limit = question.limit ?? 50;
  const ordered = order(columns, all, question.order_by ?? []);
  return {
    matched: rows.length,
    columns,
    rows: ordered.slice(0, limit),
    truncated: ordered.length > limit,
  };
}

type Row = Cell[];
type Rows = { columns: string[]; rows: Row[] };

function condition(table: Table, { field, op, value = null }: NonNullable<Query["where"]>[number]) {
  const at = indexOf(field, table.columns.map(({ name }) => name));
  const list = Array.isArray(value) ? value : [value];
  const one = list[0] ?? null;
  const text = String(one).toLowerCase();
  return (row: Row): boolean => {
    const cell = row[at]!;
    if (op === "is_missing" || op === "not_missing") {
      return (cell === null) === (op === "is_missing");
    }
    if (op === "in") return list.includes(cell);
    if (op === "eq" || op === "ne") return (cell === one) === (op === "eq");
    if (cell === null || one === null) return false;
    if (op === "contains") return String(cell).toLowerCase().includes(text);
    if (typeof cell !== typeof one) return false;
    const sign = compare(cell, one);
    return op === "lt" ? sign < 0 : op === "le" ? sign <= 0 : op === "gt" ? sign > 0 : sign >= 0;
  };
}

function pick({ columns }: Table, rows: Row[], { select, order_by = [] }: Query): Rows {
  const names = columns.map(({ name }) => name);
  const wanted = select ?? names;
  // What is ordered by has to be there until it is ordered; all rows are shown with it.
  const shown = [
    ...wanted,
    ...order_by.map(({ field }) => field).filter((f) => !wanted.includes(f)),
  ];
  const at = shown.map((name) => indexOf(name, names));
  return { columns: shown, rows: rows.map((row) => at.map((i) => row[i]!)) };
}

function group({ columns }: Table, rows: Row[], { group_by = [], aggregate }: Query): Rows {
  const names = columns.map(({ name }) => name);
  const keys = group_by.map((name) => indexOf(name, names));
  const wanted = (aggregate ?? [{ op: "count" as const }]).map(({ op, field, as }) => ({
    name: as ?? (field === undefined ? op : `${op}_${field}`),
    at: field === undefined && op === "count" ? -1 : indexOf(field ?? "", names),
    op,
  }));
  const groups = new Map<string, Row[]>();
  for (const row of rows) {
    const key = JSON.stringify(keys.map((at) => row[at]));
    const members = groups.get(key);
    if (members) members.push(row);
    else groups.set(key, [row]);
  }
  if (keys.length === 0 && groups.size === 0) groups.set("[]", []);
  return {
    columns: [...group_by, ...wanted.map(({ name }) => name)],
    rows: [...groups].map(([key, members]) => [
      ...JSON.parse(key) as Row,
      ...wanted.map(({ op, at }) =>
        compute(op, at < 0 ? members.map(() => 1) : members.map((row) => row[at]!))
      ),
    ]),
  };
}

function compute(op: typeof AGGREGATES[number], cells: Cell[]): Cell {
  const values = cells.filter((cell) => cell !== null);
  if (op === "count") return values.length;
  if (op === "count_distinct") return new Set(values).size;
  if (op === "min" || op === "max") {
    const sorted = values.sort(compare);
    return sorted.at(op === "min" ? 0 : -1) ?? null;
  }
  const numbers = values.filter((value) => typeof value === "number");
  if (numbers.length === 0) return null;
  if (op === "median") return quantile(Float64Array.from(numbers).sort(), 0.5);
  const sum = numbers.reduce((total, value) => total + value, 0);
  return op === "sum" ? sum : sum / numbers.length;
}

function order(columns: string[], rows: Row[], by: NonNullable<Query["order_by"]>): Row[] {
  const keys = by.map(({ field, direction }) => ({
    at: indexOf(field, columns),
    sign: direction === "desc" ? -1 : 1,
  }));
  if (keys.length === 0) return rows;
  return rows.sort((a, b) => {
    for (const { at, sign } of keys) {
      const [x, y] = [a[at]!, b[at]!];
      if (x === null || y === null) {
        if (x !== y) return x === null ? 1 : -1; // missing values come last either way
        continue;
      }
      const way = compare(x, y) * sign;
      if (way !== 0) return way;
    }
    return 0;
  });
}

function compare(a: NonNullable<Cell>, b: NonNullable<Cell>): number {
  if (typeof a === typeof b) return a < b ? -1 : a > b ? 1 : 0;
  return typeof a < typeof b ? -1 : 1;
}

function indexOf(name: string, names: string[]): number {
  const at = names.indexOf(name);
  if (at >= 0) return at;
  throw new OrchestratorError(
    "tool_bad_arguments",
    `Cannot query the data set: ${
      sentence(unknownName("field", name, names))
    } Use the names in its profile.`,
  );
}
