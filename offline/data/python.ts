/**
 * Pieces of Python. What a user wrote gets into code as a string literal or as a comment only.
 *
 * @module
 */
import type { Goal } from "./goal.ts";

/** A Python string literal: JSON's escapes are Python's, too. */
export function literal(text: string): string {
  return JSON.stringify(text);
}

/** A comment line; what could end it is folded. */
export function comment(text: string): string {
  return `# ${text.replace(/[\p{C}\p{Z}\s]+/gu, " ").trim()}`;
}

const READERS: Record<Goal["format"], string> = {
  csv: "pd.read_csv(DATASET)",
  tsv: 'pd.read_csv(DATASET, sep="\\t")',
  json: "pd.read_json(DATASET)",
  parquet: "pd.read_parquet(DATASET)",
  excel: "pd.read_excel(DATASET)",
};

/** Names the data set and the target's words, and defines how to find the target's column. */
export function preamble(goal: Goal): string[] {
  return [
    `DATASET = ${literal(goal.dataset)}`,
    `TARGET_WORDS = [${goal.target.map(literal).join(", ")}]`,
    "",
    "",
    "def find_target(frame):",
    '    """The first column whose name holds one of the goal\'s words, or None."""',
    "    for word in TARGET_WORDS:",
    "        for column in frame.columns:",
    "            if word in str(column).lower():",
    "                return column",
    "    return None",
    "",
    "",
    `frame = ${readerOf(goal)}`,
    "target = find_target(frame)",
  ];
}

function readerOf({ format, dataset }: Goal): string {
  const lines = /\.(?:ndjson|jsonl)\b/i.test(dataset);
  return lines ? "pd.read_json(DATASET, lines=True)" : READERS[format];
}
