import { expect } from "expect";
import { readdirSync } from "node:fs";
import { resolve } from "node:path";
import { UNIDIOMATIC } from "./_language.ts";

const ROOT = resolve(import.meta.dirname!, "..");
/** What others wrote, or what models read. */
const SKIPPED = /^(?:\.|agents|coverage|dist|examples|prompts|tests|CHANGELOG|deno\.lock)/;
/** The longest cell of a table that still reads as one line. */
const MAX_CELL = 100;

const FILES = readdirSync(ROOT, { recursive: true, withFileTypes: true })
  .filter((entry) => entry.isFile())
  .map(({ parentPath, name }) => `${parentPath}/${name}`.slice(ROOT.length + 1))
  .filter((path) => !SKIPPED.test(path) && /\.(?:ts|md|ya?ml|json)$/.test(path));
const read = (path: string) => Deno.readTextFileSync(resolve(ROOT, path));

/** The lines of all these files that match, as `path:line: text`. */
function linesOf(files: string[], matches: (line: string) => boolean): string[] {
  return files.flatMap((path) =>
    read(path).split("\n").flatMap((line, index) =>
      matches(line) ? [`${path}:${index + 1}: ${line.trim()}`] : []
    )
  );
}

Deno.test("no text uses a word that a native technical writer would not", () => {
  expect(FILES.length).toBeGreaterThan(300);
  expect(linesOf(FILES, (line) => UNIDIOMATIC.test(line))).toEqual([]);
});

Deno.test("UNIDIOMATIC finds its words, and no others", () => {
  for (const text of ["Mend it.", "the run goes on", "is told by", "there is none", "Nobody may"]) {
    expect(text).toMatch(UNIDIOMATIC);
  }
  for (const text of ["amended", "the goal is on disk", "a message from the server", "no one"]) {
    expect(text).not.toMatch(UNIDIOMATIC);
  }
});

Deno.test("tables of the documentation have short cells", () => {
  const pages = FILES.filter((path) => path.startsWith("docs/") && path.endsWith(".md"));
  expect(pages.length).toBeGreaterThan(20);
  const isLong = (line: string) => line.split("|").some((cell) => cell.trim().length > MAX_CELL);
  expect(linesOf(pages, (line) => line.startsWith("| ") && isLong(line))).toEqual([]);
});

Deno.test("every page of the documentation begins with who needs it", () => {
  const pages = FILES.filter((path) =>
    /^docs\/[\w-]+\.md$/.test(path) && path !== "docs/README.md"
  );
  expect(pages.length).toBeGreaterThan(20);
  const silent = pages.filter((page) => !/^# .+\n\n(?:<!--.*-->\n\n)?For \w/.test(read(page)));
  expect(silent).toEqual([]);
});
