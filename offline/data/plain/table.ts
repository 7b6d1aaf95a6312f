/** Python of the standard library that both programs begin with. @module */
import type { Goal } from "../goal.ts";
import { literal } from "../python.ts";

/** Names the data set and the target's words, reads the file and finds the target's column. */
export function preamble(goal: Goal): string {
  return `DATASET = ${literal(goal.dataset)}  # here as /data/dataset.csv
TARGET_WORDS = [${goal.target.map(literal).join(", ")}]
${READ_TABLE}`;
}

const READ_TABLE = `SEED = 42


def read_table(path):
    """Columns by name: numbers where every value is one, else texts; None is missing."""
    with open(path, encoding="utf-8", newline="") as file:
        header, *rows = csv.reader(file)
    table = {}
    for at, name in enumerate(header):
        texts = [row[at] if at < len(row) and row[at] != "" else None for row in rows]
        table[name] = as_numbers(texts) or texts
    return table


def as_numbers(texts):
    try:
        return [None if text is None else float(text) for text in texts]
    except ValueError:
        return None


def find_target(table):
    """The first column whose name holds one of the goal's words, or None."""
    for word in TARGET_WORDS:
        for name in table:
            if word.lower() in name.lower():
                return name
    return None


def is_number(values):
    return any(isinstance(value, float) for value in values)


def is_whole(values):
    """A number that counts or numbers something; one that is different in every row is an id."""
    return all(value is None or value == int(value) for value in values)


def present(values):
    return [value for value in values if value is not None]


table = read_table("/data/dataset.csv")
target = find_target(table)
count = len(next(iter(table.values())))
numbers = [name for name in table if is_number(table[name])]
texts = [name for name in table if name not in numbers]
`;
