/** A program that runs each code of its input in one sandbox and writes what came of it. @module */
import { toErrorJson } from "../../errors.ts";
import { type CodeRequest, createSandbox } from "../../tools/sandbox/mod.ts";
import { PYTHON_COMMAND, runPythonChild } from "../../tools/sandbox/python_process.ts";

if (Deno.args[0] === PYTHON_COMMAND) await runPythonChild();
else await runAll();

async function runAll(): Promise<void> {
  const requests: CodeRequest[] = await new Response(Deno.stdin.readable).json();
  const sandbox = createSandbox();
  const { signal } = new AbortController();
  for (const request of requests) {
    const began = performance.now();
    const ending = await sandbox.run({ ...request, signal }).catch(toErrorJson);
    const line = JSON.stringify({ ...ending, took_ms: Math.round(performance.now() - began) });
    await Deno.stdout.write(new TextEncoder().encode(`${line}\n`));
  }
  await sandbox.close();
}
