/** Runs each code of its input in one sandbox; writes their results, or their error codes. @module */
import { toErrorJson } from "../../errors.ts";
import { type CodeRequest, createSandbox } from "../../tools/sandbox/mod.ts";
import { PYTHON_COMMAND, runPythonChild } from "../../tools/sandbox/python_process.ts";

if (Deno.args[0] === PYTHON_COMMAND) await runPythonChild();
// Building it starts it once, with `--help`.
else if (Deno.args[0] !== "--help") await runAll();

async function runAll(): Promise<void> {
  const requests: CodeRequest[] = await new Response(Deno.stdin.readable).json();
  const sandbox = createSandbox();
  const { signal } = new AbortController();
  const endings = await Promise.all(requests.map(async (request) => {
    const ending = await sandbox.run({ ...request, signal }).catch(toErrorJson);
    return "code" in ending ? ending.code : ending.result;
  }));
  await sandbox.close();
  await new Response(JSON.stringify(endings)).body?.pipeTo(Deno.stdout.writable);
}
