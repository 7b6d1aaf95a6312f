/** Python in its own process: what it gives, what it refuses, and that the server lives on. */
import { expect } from "expect";
import {
  ALL_FAIL,
  PYTHON_BREAKS,
  PYTHON_ENDLESS,
  PYTHON_ESCAPES,
  PYTHON_GREEDY,
} from "./_hostile.ts";
import { startChild } from "../../../tools/sandbox/python_process.ts";
import { attempt as run, type Ending, file } from "./_run.ts";

type Parts = [names: string[], left: boolean, files: string[]];

const attempt = (request: Parameters<typeof run>[0]) => run({ language: "python", ...request });

Deno.test("Python reads its input and files, prints, writes and answers", async () => {
  const code = `import json, sqlite3, statistics
print("grüße")
open("made.txt", "w").write("in the working folder")
open("/out/bytes.bin", "wb").write(b"\\x00\\x01")
result = {"mean": statistics.mean(input["list"]), "text": open("/data/in.txt").read()}
5`;
  const request = { code, input: { list: [1, 2, 3] }, files: { "in.txt": file("héllo") } };
  expect(await attempt(request)).toMatchObject({
    result: { mean: 2, text: "héllo" },
    stdout: "grüße\n",
    stderr: "",
    files: { "made.txt": file("in the working folder"), "bytes.bin": new Uint8Array([0, 1]) },
  });
});

Deno.test("Python's result is its last expression, which it may wait for", async () => {
  const code = "import asyncio\nasync def f():\n  await asyncio.sleep(0)\n  return [1]\nawait f()";
  expect(await attempt({ code })).toMatchObject({ result: [1] });
  expect(await attempt({ code: "x = 1" })).toMatchObject({ result: null });
});

Deno.test("a failure of Python names the line and what was printed", async () => {
  expect(await attempt({ code: "print('so far')\nx = 1 / 0" })).toMatchObject({
    code: "code_failed",
    message: expect.stringContaining("ZeroDivisionError: division by zero (line 2)."),
    details: { stdout: "so far\n", stderr: "" },
  });
  const { message } = await attempt({ code: "\ndef f(\n" }) as { message: string };
  expect(message).toMatch(/SyntaxError: .+ \(line 2\)\./);
});

Deno.test("Python sees nothing of the environment or of the run before", async () => {
  const first = "import os, random; open('/tmp/left', 'w').write('x'); random.random()";
  const [one, two] = [await attempt({ code: first }), await attempt({ code: first })];
  expect(one).not.toEqual({ ...two, duration_ms: expect.anything() });
  const code = "import os; [sorted(os.environ), os.path.exists('/tmp/left'), os.listdir('/out')]";
  const { result } = await attempt({ code }) as unknown as { result: Parts };
  expect(result.slice(1)).toEqual([false, []]);
  const own = ["HOME", "LANG", "LD_LIBRARY_PATH", "LOGNAME", "PATH", "PWD", "PYTHONINSPECT"];
  expect(result[0].filter((name) => ![...own, "USER", "_"].includes(name))).toEqual([]);
});

Deno.test("Python ends with what aborted it", async () => {
  const { sandbox } = await import("./_run.ts");
  const abort = new AbortController();
  const request = { language: "python", code: "while True: pass", signal: abort.signal } as const;
  const refused = expect(sandbox.run(request)).rejects.toThrow("enough");
  setTimeout(() => abort.abort(new Error("enough")), 200);
  await refused;
});

Deno.test("Python gets nowhere by any way", async () => {
  const ended = await attempt({ code: ALL_FAIL, input: PYTHON_ESCAPES });
  expect(ended).toMatchObject({ result: [] });
});

/** Runs them side by side; `check` gets how each ended, and after how long. */
async function each(codes: string[], timeout_ms: number, check: (ended: Ending) => void) {
  await Promise.all(codes.map(async (code) => check(await attempt({ code, timeout_ms }))));
}

Deno.test("Python that breaks its interpreter, or has no result, ends with code_failed", async () => {
  await each(
    PYTHON_BREAKS,
    60_000,
    (ended) => expect(ended).toMatchObject({ code: "code_failed" }),
  );
});

Deno.test("Python without end ends with code_timeout", async () => {
  await each(
    PYTHON_ENDLESS,
    2_000,
    (ended) => expect(ended).toMatchObject({ code: "code_timeout" }),
  );
});

Deno.test("Python that wants too much ends with code_memory or code_output_too_large", async () => {
  await Promise.all(PYTHON_GREEDY.map(async ([outcome, code]) => {
    expect(await attempt({ code })).toMatchObject({ code: outcome });
  }));
  expect(await attempt({ code: "'still here'" })).toMatchObject({ result: "still here" });
});

Deno.test({
  name: "Python is unavailable where no process may start, and JavaScript goes on",
  permissions: { run: false, read: true, env: true, net: false },
  async fn() {
    const ended = await attempt({ code: "1" });
    expect(ended).toMatchObject({ code: "sandbox_unavailable" });
    expect(await run({ code: "1 + 1" })).toMatchObject({ result: 2 });
  },
});

Deno.test({
  name: "Python's process has no environment of the service's",
  ignore: Deno.build.os !== "linux",
  async fn() {
    const child = startChild("/nowhere");
    try {
      const args = [`/proc/${child.pid}/environ`];
      const { stdout } = await new Deno.Command("cat", { args }).output();
      const names = new TextDecoder().decode(stdout).split("\0").filter(Boolean).map((entry) =>
        entry.split("=")[0]
      );
      expect(names.sort()).toEqual(["DENO_NO_UPDATE_CHECK", "NO_COLOR"]);
    } finally {
      child.kill("SIGKILL");
      const { status, stdin, stdout, stderr } = child;
      await Promise.all([status, stdin.abort().catch(() => {}), stdout.cancel(), stderr.cancel()]);
    }
  },
});
