/** What JavaScript that means harm comes to: nothing, and within its time. */
import { expect } from "expect";
import { attempt } from "./_run.ts";

const HOST = ["Deno", "process", "fetch", "Worker", "WebSocket", "BroadcastChannel", "caches"];
const FUNCTIONS = [
  "require",
  "setTimeout",
  "postMessage",
  "WebAssembly",
  "navigator",
  "localStorage",
];

Deno.test("JavaScript sees nothing of the host, by whatever way", async () => {
  const code = `const seen = (scope) => ${JSON.stringify([...HOST, ...FUNCTIONS])}
      .filter((name) => name in scope);
    [ globalThis, Function("return this")(), (0, eval)("this"),
      console.log.constructor.constructor("return this")(),
      (async () => {}).constructor("return globalThis") && globalThis,
      writeFile.constructor("return this")() ].flatMap(seen)`;
  expect(await attempt({ code })).toMatchObject({ result: [] });
});

Deno.test("JavaScript cannot pollute the host's prototypes", async () => {
  const code = `Object.prototype.x = 1; input.__proto__.y = 2; Array.prototype.push = () => 9;
    JSON.parse('{"__proto__":{"z":1},"constructor":{"prototype":{"z":1}}}')`;
  const ended = await attempt({ code, input: {} });
  expect(ended).toHaveProperty("result");
  const plain = {} as Record<string, unknown>;
  expect([plain.x, plain.y, plain.z]).toEqual([undefined, undefined, undefined]);
});

Deno.test("a run of JavaScript finds nothing of the one before", async () => {
  await attempt({ code: "globalThis.left = 1; Object.prototype.left = 1; 0" });
  expect(await attempt({ code: "[typeof left, ({}).left]" })).toMatchObject({
    result: ["undefined", null],
  });
});

const endless = [
  "for (;;);",
  "for (;;) await 0",
  "(async () => { for (;;) await 0 })()",
  "try { for (;;); } catch {} 5",
  "/(a+)+$/.test('a'.repeat(40) + 'b')",
  "Array.prototype.lastIndexOf.call({ length: 2 ** 53 - 1 }, 1)",
  "'a'.repeat(3e7).indexOf('a'.repeat(1e7) + 'b')",
  "throw { toJSON() { for (;;); } }",
  "({ toJSON() { for (;;); } })",
  "const e = new Error(''); Object.defineProperty(e, 'name', { get() { for (;;); } }); throw e",
];
for (const code of endless) {
  Deno.test(`JavaScript without end ends with code_timeout: ${code}`, async () => {
    const began = performance.now();
    expect(await attempt({ code, timeout_ms: 400 })).toMatchObject({ code: "code_timeout" });
    expect(performance.now() - began).toBeLessThan(1_000);
  });
}

const greedy: [string, string][] = [
  ["code_memory", "new ArrayBuffer(1e9)"],
  ["code_memory", "const a = []; for (;;) a.push('x'.repeat(1e6) + a.length)"],
  ["code_memory", "const a = []; for (;;) a.push(new Uint8Array(1e6))"],
  ["code_output_too_large", "for (;;) console.log('x'.repeat(1e5))"],
  ["code_output_too_large", "for (;;) try { console.error('x'.repeat(1e5)) } catch {}"],
  ["code_output_too_large", "for (let i = 0;; i++) writeFile('f' + i, 'x'.repeat(1e5))"],
  ["code_output_too_large", "'x'.repeat(2e7)"],
];
for (const [outcome, code] of greedy) {
  Deno.test(`JavaScript that wants too much ends with ${outcome}: ${code}`, async () => {
    const before = Deno.memoryUsage().rss;
    expect(await attempt({ code })).toMatchObject({ code: outcome });
    expect(Deno.memoryUsage().rss - before).toBeLessThan(400e6);
  });
}
