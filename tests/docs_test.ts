import { expect } from "expect";
import { resolve } from "node:path";
import type { ErrorCode } from "../errors.ts";
import { statusOf } from "../routes/problem.ts";

const read = (path: string) => Deno.readTextFileSync(resolve(import.meta.dirname!, "..", path));

Deno.test("docs/errors.md lists every code once, with its status", () => {
  const [, union = ""] = /type ErrorCode =([^;]*);/.exec(read("errors.ts")) ?? [];
  const codes = [...union.matchAll(/\| "(\w+)"/g)].map(([, code]) => code as ErrorCode);
  const rows = [...read("docs/errors.md").matchAll(/^\| `(\w+)` +\| (\d{3}) /gm)]
    .map(([, code, status]) => [code, Number(status)]);
  expect(codes.length).toBeGreaterThan(30);
  expect(rows.sort()).toEqual(codes.map((code) => [code, statusOf(code)]).sort());
});
