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

Deno.test("docs/concepts.md tells of every event", () => {
  const source = read("pipeline/kernel/events.ts");
  const events = [...source.matchAll(/type: "(\w+\.\w+)"/g)].map(([, type]) => type!);
  expect(events.length).toBeGreaterThan(20);
  const page = read("docs/concepts.md");
  expect(events.filter((type) => !page.includes(`\`${type}\``))).toEqual([]);
});

Deno.test("AGENTS.md has the layers of dev/layers.ts", () => {
  const [, table = ""] = /^const LAYERS[^=]*= \[\n([\s\S]*?)^\];/m.exec(read("dev/layers.ts")) ??
    [];
  const layers = [...table.matchAll(/"([\w.]+)"/g)].map(([, name]) => name!)
    .filter((name) => existsSync(resolve(ROOT, name)));
  const rows = [...read("AGENTS.md").matchAll(/^\| (`[\w./]+`(?:, `[\w./]+`)*) +\| [^|]+\|$/gm)];
  const shown = rows.flatMap(([, names]) => names!.split(", ")).map((name) =>
    name.replaceAll("`", "").replace(/\/$/, "")
  );
  expect(layers.length).toBeGreaterThan(10);
  expect([...shown].sort()).toEqual([...layers].sort());
});
