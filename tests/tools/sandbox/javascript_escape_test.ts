/** What JavaScript that means harm comes to: nothing, and within its time. */
import { expect } from "expect";
import { runProgram, source, withHome } from "../../e2e/_process.ts";
import type { GreedyEnd } from "./_greedy.ts";
import { JAVASCRIPT_ENDLESS, JAVASCRIPT_GREEDY } from "./_hostile.ts";
import { attempt } from "./_run.ts";
import { within } from "../../_yardstick.ts";

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

for (const code of JAVASCRIPT_ENDLESS) {
  Deno.test(`JavaScript without end ends with code_timeout: ${code}`, async () => {
    const ended = await within(1_000, () => attempt({ code, timeout_ms: 400 }));
    expect(ended).toMatchObject({ code: "code_timeout" });
  });
}

Deno.test("JavaScript that wants too much ends, and leaves the process as small as it was", () =>
  withHome({}, async (home) => {
    const command = source("tests/tools/sandbox/_greedy.ts");
    const { stdout, stderr } = await runProgram([], { home, command });
    expect(stderr).toBe("");
    const ends: GreedyEnd[] = JSON.parse(stdout);
    const told = ends.map(([code], at) => [code, JAVASCRIPT_GREEDY[at]?.[1]]);
    expect(told).toEqual(JAVASCRIPT_GREEDY);
    for (const [, grown] of ends) expect(grown).toBeLessThan(400e6);
  }));
