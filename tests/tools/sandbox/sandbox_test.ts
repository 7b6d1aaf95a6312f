import { expect } from "expect";
import { createSandbox } from "../../../tools/sandbox/mod.ts";
import { sandbox } from "./_run.ts";

Deno.test("run() leaves the event loop free", async () => {
  const free = new AbortController();
  let turns = 0;
  const ticking = setInterval(() => {
    if (++turns === 10) free.abort(new Error("free"));
  }, 10);
  const request = { language: "javascript", code: "for (;;);", timeout_ms: 8_000 } as const;
  await expect(sandbox.run({ ...request, signal: free.signal })).rejects.toThrow("free");
  clearInterval(ticking);
});

Deno.test("run() lets no more than the limit run at a time", async () => {
  const sandbox = createSandbox({ concurrency: 1 });
  const { signal } = new AbortController();
  const order: string[] = [];
  const run = async (name: string, code: string) => {
    await sandbox.run({ language: "javascript", code, signal });
    order.push(name);
  };
  const slow = "const end = Date.now() + 200; while (Date.now() < end);";
  await Promise.all([run("slow", slow), run("quick", "1"), run("last", "1")]);
  expect(order).toEqual(["slow", "quick", "last"]);
  await sandbox.close();
});

Deno.test("run() ends with what aborted it, while it runs and while it waits", async () => {
  const sandbox = createSandbox({ concurrency: 1 });
  const first = new AbortController();
  const second = new AbortController();
  const run = (signal: AbortSignal, code: string) =>
    sandbox.run({ language: "javascript", code, signal, timeout_ms: 8_000 });
  const running = run(first.signal, "for (;;);");
  const waiting = run(second.signal, "1");
  second.abort(new Error("second"));
  await expect(waiting).rejects.toThrow("second");
  first.abort(new Error("first"));
  await expect(running).rejects.toThrow("first");
  expect(await run(new AbortController().signal, "2")).toMatchObject({ result: 2 });
  await expect(run(AbortSignal.abort(new Error("before")), "1")).rejects.toThrow("before");
  await sandbox.close();
});

Deno.test("close() ends what runs", async () => {
  const sandbox = createSandbox();
  const { signal } = new AbortController();
  const running = sandbox.run({
    language: "javascript",
    code: "for (;;);",
    signal,
    timeout_ms: 900,
  });
  const refused = expect(running).rejects.toMatchObject({ code: "shutting_down" });
  await sandbox.close();
  await refused;
});
