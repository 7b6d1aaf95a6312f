import { expect } from "expect";
import { existsSync } from "node:fs";
import { resolve } from "node:path";
import type { ErrorCode } from "../errors.ts";
import { statusOf } from "../routes/problem.ts";

const ROOT = resolve(import.meta.dirname!, "..");
const read = (path: string) => Deno.readTextFileSync(resolve(ROOT, path));

Deno.test("docs/errors.md lists every code once, with its status", () => {
  const [, union = ""] = /type ErrorCode =([^;]*);/.exec(read("errors.ts")) ?? [];
  const codes = [...union.matchAll(/\| "(\w+)"/g)].map(([, code]) => code as ErrorCode);
  const rows = [...read("docs/errors.md").matchAll(/^\| `(\w+)` +\| (\d{3}) /gm)]
    .map(([, code, status]) => [code, Number(status)]);
  expect(codes.length).toBeGreaterThan(30);
  expect(rows.sort()).toEqual(codes.map((code) => [code, statusOf(code)]).sort());
});

Deno.test("docs/concepts.md describes every event", () => {
  const source = read("pipeline/kernel/events.ts") + read("pipeline/calls/events.ts");
  const events = [...source.matchAll(/type: "(\w+\.\w+)"/g)].map(([, type]) => type!);
  expect(events.length).toBeGreaterThan(20);
  const page = read("docs/concepts.md");
  expect(events.filter((type) => !page.includes(`\`${type}\``))).toEqual([]);
});

Deno.test("AGENTS.md has the layers of dev/layers.ts", () => {
  const [, table = ""] = /^const LAYERS[^=]*= \[\n([\s\S]*?)^\];/m.exec(read("dev/layers.ts")) ??
    [];
  const layers = [...table.matchAll(/"([\w./]+)"/g)].map(([, name]) => name!)
    .filter((name) => existsSync(resolve(ROOT, name)));
  const rows = [...read("AGENTS.md").matchAll(/^\| (`[\w./]+`(?:, `[\w./]+`)*) +\| [^|]+\|$/gm)];
  const shown = rows.flatMap(([, names]) => names!.split(", ")).map((name) =>
    name.replaceAll("`", "").replace(/\/$/, "")
  );
  expect(layers.length).toBeGreaterThan(10);
  expect([...shown].sort()).toEqual([...layers].sort());
});

Deno.test("README.md gives its commands files that are there", () => {
  const files = [...read("README.md").matchAll(/--document (\S+)/g)].map(([, path]) => path!);
  expect(files.length).toBeGreaterThan(0);
  expect(files.filter((path) => !existsSync(resolve(ROOT, path)))).toEqual([]);
});

Deno.test("docs/data-science.md waits for the code before it approves it", () => {
  const blocks = read("docs/data-science.md").split("```bash\n").slice(1)
    .map((rest) => rest.split("```")[0]!).filter((block) => block.includes("/approve"));
  expect(blocks.length).toBe(2);
  for (const block of blocks) {
    expect(block).toMatch(/\/start"[\s\S]*\/status".*awaiting_approval[\s\S]*\/approve/);
  }
});
