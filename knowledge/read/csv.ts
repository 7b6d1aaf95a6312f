import type { Block, ReadDocument } from "./blocks.ts";

/** As far as it is used of papaparse, which has no types. */
interface Parser {
  parse(text: string, options: { skipEmptyLines: "greedy" }): { data: string[][] };
}

/** The rows of a table, each with the names that the first row gives to its columns. */
export async function readCsv(text: string): Promise<ReadDocument> {
  const { default: papaparse } = await import("papaparse") as { default: Parser };
  const [header = [], ...rows] = papaparse.parse(text, { skipEmptyLines: "greedy" }).data;
  const names = header.map((name, index) => name.trim() || `column ${index + 1}`);
  return { blocks: rows.map((row, index) => toBlock(names, row, index + 1)) };
}

function toBlock(names: string[], row: string[], number: number): Block {
  const cells = row.flatMap((cell, column) => {
    const value = cell.trim();
    return value ? [`${names[column] ?? `column ${column + 1}`}: ${value}`] : [];
  });
  return { kind: "row", text: cells.join("; "), location: { row: number } };
}
