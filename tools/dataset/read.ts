/** From a file's bytes to a table, and from a table to CSV. @module */
import type { RowGroup, SchemaTree } from "hyparquet";
import { type Cell, MAX_COLUMNS, MAX_ROWS, type Table, typed, unreadable } from "./table.ts";

/** The formats that are understood. */
export type Format = "csv" | "json" | "ndjson" | "parquet";

/** A file whose format is not known yet. */
export interface DataFile {
  /** Its name or address: the ending is a hint. */
  name: string;
  /** Its media type, as far as it is known. */
  type: string;
  bytes: Uint8Array;
}

/** Reads a file of any format. @param max_bytes after decompression @throws `dataset_invalid` */
export async function readTable(file: DataFile, max_bytes: number): Promise<Table> {
  const bytes = isGzip(file.bytes) ? await gunzip(file.bytes, max_bytes) : file.bytes;
  const format = formatOf({ ...file, bytes });
  if (format === "parquet") return await readParquet(bytes);
  const text = decode(bytes);
  if (text.trim() === "") throw unreadable("it is empty");
  if (/^\s*<(?:!doctype|html|\?xml)/i.test(text)) throw unreadable("it is a web page");
  return format === "csv" ? await readCsv(text) : readRecords(recordsOf(text, format));
}

/** UTF-8, commas, a header: what code is given, whatever the file was. */
export async function toCsv({ columns, rows }: Table): Promise<Uint8Array> {
  const { default: papa } = await import("papaparse");
  const data = { fields: columns.map(({ name }) => name), data: rows };
  return new TextEncoder().encode(papa.unparse(data, { newline: "\n" }) + "\n");
}

function formatOf({ name, type, bytes }: DataFile): Format {
  if (String.fromCharCode(...bytes.subarray(0, 4)) === "PAR1") return "parquet";
  const path = name.replace(/[?#].*$/s, "").replace(/\.gz$/i, "");
  if (/\.(?:ndjson|jsonl)$/i.test(path) || /ndjson|jsonl|json-seq/i.test(type)) return "ndjson";
  if (/\.(?:csv|tsv|txt)$/i.test(path)) return "csv";
  const first = /[^\s\ufeff]/.exec(decode(bytes.subarray(0, 200), false))?.[0];
  return first === "[" || first === "{" ? "json" : "csv";
}

function isGzip(bytes: Uint8Array): boolean {
  return bytes[0] === 0x1f && bytes[1] === 0x8b;
}

async function gunzip(bytes: Uint8Array, max_bytes: number): Promise<Uint8Array> {
  const body = new Blob([bytes as Uint8Array<ArrayBuffer>]).stream();
  const chunks: Uint8Array<ArrayBuffer>[] = [];
  let total = 0;
  try {
    for await (const chunk of body.pipeThrough(new DecompressionStream("gzip"))) {
      total += chunk.length;
      if (total > max_bytes) break;
      chunks.push(chunk);
    }
  } catch (cause) {
    throw unreadable("its compression is damaged", cause);
  }
  if (total > max_bytes) throw unreadable(`it is larger than ${max_bytes} bytes`);
  return new Uint8Array(await new Blob(chunks).arrayBuffer());
}

/** Files that are not UTF-8 are mostly Windows-1252. */
function decode(bytes: Uint8Array, whole = true): string {
  if (bytes[0] === 0xff && bytes[1] === 0xfe) return new TextDecoder("utf-16le").decode(bytes);
  try {
    return new TextDecoder("utf-8", { fatal: whole }).decode(bytes);
  } catch {
    return new TextDecoder("windows-1252").decode(bytes);
  }
}

/** What papaparse gives for lists of texts. */
interface Parsed {
  data: string[][];
  errors: { type: string; row?: number }[];
}

async function readCsv(text: string): Promise<Table> {
  const { default: papa } = await import("papaparse");
  const { data, errors }: Parsed = papa.parse(text.replace(/^\ufeff/, ""), {
    skipEmptyLines: "greedy",
    preview: MAX_ROWS + 2,
    delimitersToGuess: [",", ";", "\t", "|"],
  });
  const quotes = errors.find(({ type }) => type === "Quotes");
  if (quotes) throw unreadable(`the quotes of line ${(quotes.row ?? 0) + 1} do not match`);
  const [names = [], ...rows] = data;
  return typed(names, rows.map((row) => names.map((_, at) => row[at] ?? null)));
}

function recordsOf(text: string, format: Format): unknown[] {
  try {
    if (format === "ndjson") {
      return text.split("\n").filter(hasText).map((line) => JSON.parse(line));
    }
    const value = JSON.parse(text);
    if (Array.isArray(value)) return value;
    const inner = Object.values(value ?? {}).find((item) => Array.isArray(item));
    return inner as unknown[] ?? [value];
  } catch (cause) {
    const lines = text.trim().split("\n");
    if (format === "json" && lines.length > 1) return recordsOf(text, "ndjson");
    throw unreadable("it is not valid JSON", cause);
  }
}

const hasText = (line: string) => line.trim() !== "";

/** Lists of objects; of lists, too, when the first one has the names. */
function readRecords(records: unknown[]): Table {
  if (records.length > MAX_ROWS) throw unreadable(`it has more than ${MAX_ROWS} rows`);
  if (Array.isArray(records[0])) {
    const [names = [], ...rows] = records as unknown[][];
    return typed(names.map(String), rows.map((row) => names.map((_, at) => cellOf(row[at]))));
  }
  const names = new Set<string>();
  for (const record of records) {
    if (typeof record !== "object" || record === null) {
      throw unreadable("its items are not objects");
    }
    for (const name of Object.keys(record)) names.add(name);
    if (names.size > MAX_COLUMNS) break;
  }
  const list = [...names];
  return typed(
    list,
    (records as Record<string, unknown>[]).map((record) =>
      list.map((name) => Object.hasOwn(record, name) ? cellOf(record[name]) : null)
    ),
  );
}

function cellOf(value: unknown): Cell {
  if (value === null || value === undefined) return null;
  if (typeof value === "string" || typeof value === "number" || typeof value === "boolean") {
    return value;
  }
  if (typeof value === "bigint") return Number(value);
  if (value instanceof Date) return value.toISOString();
  return JSON.stringify(value, (_key, item) => typeof item === "bigint" ? Number(item) : item);
}

async function readParquet(bytes: Uint8Array): Promise<Table> {
  const [{ parquetMetadataAsync, parquetReadObjects, parquetSchema }, { compressors }] =
    await Promise.all([import("hyparquet"), import("hyparquet-compressors")]);
  const file = bytes.slice().buffer as ArrayBuffer;
  try {
    const metadata = await parquetMetadataAsync(file);
    if (metadata.num_rows > MAX_ROWS) throw unreadable(`it has more than ${MAX_ROWS} rows`);
    checkColumns(metadata.row_groups, leavesOf(parquetSchema(metadata)));
    return readRecords(await parquetReadObjects({ file, metadata, compressors }));
  } catch (cause) {
    throw cause instanceof Error && cause.name === "OrchestratorError"
      ? cause
      : unreadable("it is not valid Parquet", cause);
  }
}

/**
 * Each column of the schema once in each row group. The library begins to read the columns before it
 * finds one that is missing, and reads one that is there twice without awaiting it: where that fails,
 * no one would catch it.
 */
function checkColumns(groups: RowGroup[], leaves: string[]): void {
  for (const { columns } of groups) {
    const expected = new Set(leaves);
    for (const { meta_data } of columns) {
      const path = meta_data?.path_in_schema.join(".") ?? "";
      if (expected.delete(path)) continue;
      throw unreadable(`its column "${path}" is not in its schema, or appears twice`);
    }
  }
}

/** The paths of a schema's columns. */
function leavesOf({ children, path }: SchemaTree): string[] {
  return children.length === 0 ? [path.join(".")] : children.flatMap(leavesOf);
}
