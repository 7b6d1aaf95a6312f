import { expect } from "expect";
import { attempt, file } from "./_run.ts";

const results: [string, unknown][] = [
  ["1 + 1", 2],
  ["const list = input.list; list.at(-1)", 3],
  ["const result = await Promise.resolve(5); 9", 5],
  ["let result = 'set'; 9", "set"],
  ["(async () => ({ a: [1, null, undefined] }))()", { a: [1, null, null] }],
  ["result = { a: NaN, d: new Date(0) }", { a: null, d: "1970-01-01T00:00:00.000Z" }],
  ["undefined", null],
  ["mean([1, 2, 3])", 2],
  ["readFile('in.txt') + '!'", "grüße!"],
  ["try { readFile('no.txt') } catch (e) { e.message }", "there is no file no.txt, but in.txt"],
];
for (const [code, result] of results) {
  Deno.test(`JavaScript's result is its variable result or its last value: ${code}`, async () => {
    const request = { code, input: { list: [1, 2, 3] }, files: { "in.txt": file("grüße") } };
    expect(await attempt(request)).toMatchObject({ result });
  });
}

Deno.test("JavaScript prints and writes files", async () => {
  const code = `console.log({ a: 1 }, [1], new Error("e"), 1n, undefined, null, Symbol("s"));
    const c = {}; c.c = c; console.warn("bad", c);
    writeFile("a.txt", "é"); writeFile("__proto__", 5);`;
  const ended = await attempt({ code });
  expect(ended).toMatchObject({
    result: null,
    stdout: '{"a":1} [1] Error: e 1 undefined null Symbol(s)\n',
    stderr: "bad [object Object]\n",
  });
  const { files } = ended as { files: Record<string, Uint8Array> };
  expect(Object.keys(files)).toEqual(["a.txt", "__proto__"]);
  expect(files["a.txt"]).toEqual(file("é"));
});

const failures: [string, string][] = [
  ["\n\nfoo.bar", "ReferenceError: 'foo' is not defined (line 3)."],
  ["throw new TypeError('no')", "TypeError: no (line 1)."],
  ["throw null", "it threw null."],
  ["throw { a: 1 }", 'Error: {"a":1}.'],
  ["let = = 3", "SyntaxError"],
  ["await import('node:fs')", "there are no modules to import (line 1)"],
  ["import fs from 'node:fs';\nfs", "cannot import or export"],
  ["await new Promise(() => {})", "it awaits a promise that never settles"],
  ["result = new Promise(() => {})", "its result is a promise that never settles"],
  ["() => 1", "the result is a function, not JSON"],
  ["Symbol()", "the result is a symbol, not JSON"],
  ["const c = {}; c.c = c; c", "circular reference"],
  ["10n", "BigInt"],
  ["let d = []; for (let i = 0; i < 100; i++) d = [d]; d", "nested deeper than 64 levels"],
  ["writeFile('../x', '')", "a file has a name without folders"],
  ["function f() { return f() + 1 } f()", "stack overflow"],
  ["let d = []; for (let i = 0; i < 1e5; i++) d = [d]; d", "it broke the interpreter"],
];
for (const [code, reason] of failures) {
  Deno.test(`JavaScript fails with code_failed: ${code}`, async () => {
    const ended = await attempt({ code });
    expect(ended).toMatchObject({ code: "code_failed", message: expect.stringContaining(reason) });
  });
}

Deno.test("a failure of JavaScript tells the end of what was printed", async () => {
  const code = "console.log('x'.repeat(5000) + 'last'); console.error('oh'); throw 1";
  const { details } = await attempt({ code }) as { details: Record<string, string> };
  expect(details.stdout).toHaveLength(4_000);
  expect(details.stdout).toMatch(/xlast\n$/);
  expect(details.stderr).toBe("oh\n");
});
