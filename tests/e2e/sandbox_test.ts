/** The sandbox in an executable that is compiled as the real one is, with the same permissions. */
import { expect } from "expect";
import { join } from "node:path";
import {
  ALL_FAIL,
  JAVASCRIPT_ENDLESS,
  JAVASCRIPT_GREEDY,
  PYTHON_BREAKS,
  PYTHON_ENDLESS,
  PYTHON_ESCAPES,
  PYTHON_GREEDY,
} from "../tools/sandbox/_hostile.ts";
import { build, NO_DENORT } from "./_executable.ts";

/** What is run, and the result or the error code that it must come to. */
const cases: { request: Record<string, unknown>; ending: unknown }[] = [
  ...JAVASCRIPT_ENDLESS.map((code) => javascript(code, "code_timeout", 400)),
  ...JAVASCRIPT_GREEDY.map(([ending, code]) => javascript(code, ending, 60_000)),
  javascript("typeof Deno + typeof process + typeof fetch", "undefinedundefinedundefined"),
  python(ALL_FAIL, [], 60_000, PYTHON_ESCAPES),
  python("import os; os.environ.get('SECRET')", null),
  ...PYTHON_BREAKS.map((code) => python(code, "code_failed")),
  ...PYTHON_GREEDY.map(([ending, code]) => python(code, ending)),
  ...PYTHON_ENDLESS.map((code) => python(code, "code_timeout", 2_000)),
  javascript("input", { still: "here" }, 10_000, { still: "here" }),
  python("input", { still: "here" }, 60_000, { still: "here" }),
];

function javascript(code: string, ending: unknown, timeout_ms = 10_000, input: unknown = null) {
  return { request: { language: "javascript", code, timeout_ms, input }, ending };
}

function python(code: string, ending: unknown, timeout_ms = 60_000, input: unknown = null) {
  return { request: { language: "python", code, timeout_ms, input }, ending };
}

Deno.test({
  name: "code that means harm ends in the executable as it does from source",
  ignore: NO_DENORT,
  async fn() {
    const folder = await Deno.makeTempDir({ prefix: "orchestrator-" });
    try {
      const output = await build(join(folder, "sandbox"), "tests/e2e/_sandbox.ts");
      expect(await endings(output)).toEqual(cases.map(({ request, ending }) => [request, ending]));
    } finally {
      await Deno.remove(folder, { recursive: true });
    }
  },
});

/** Runs all cases in one process. */
async function endings(program: string): Promise<unknown[]> {
  const child = new Deno.Command(program, {
    clearEnv: true,
    env: { SECRET: "canary" },
    stdin: "piped",
    stdout: "piped",
  }).spawn();
  const requests = cases.map(({ request }) => request);
  await new Response(JSON.stringify(requests)).body!.pipeTo(child.stdin);
  const { code, stdout } = await child.output();
  expect(code).toBe(0);
  const told: unknown[] = JSON.parse(new TextDecoder().decode(stdout));
  return told.map((ending, at) => [requests[at], ending]);
}
