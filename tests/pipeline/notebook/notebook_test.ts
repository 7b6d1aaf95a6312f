import { expect } from "expect";
import { type ErrorCode, OrchestratorError } from "../../../errors.ts";
import type { StepScope } from "../../../pipeline/kernel/context.ts";
import type { Json } from "../../../pipeline/kernel/events.ts";
import { createNotebook } from "../../../pipeline/notebook/notebook.ts";
import type { CodeRequest, CodeResult } from "../../../tools/sandbox/mod.ts";
import { RUN } from "../_fake_context.ts";

const CSV = new TextEncoder().encode("a;b\n1;x\n2;\n");
const DATASET = "artifact://art_1";

interface Options {
  run?: (request: CodeRequest) => Partial<CodeResult> | OrchestratorError;
  /** What asking for an address throws. */
  unreachable?: OrchestratorError;
  attempt?: number;
  max_bytes?: number;
}

/** Calls a service of a notebook; also gives what ran and which files were kept. */
async function call(name: string, path: string, body: Json, options: Options = {}) {
  const ran: CodeRequest[] = [];
  const kept: { place: unknown; name: string; type: string }[] = [];
  const services = createNotebook({
    max_bytes: options.max_bytes ?? 1_000,
    sandbox: {
      run(request) {
        ran.push(request);
        const outcome = options.run?.(request) ?? {};
        if (outcome instanceof OrchestratorError) return Promise.reject(outcome);
        const empty = { result: null, stdout: "", stderr: "", files: {}, duration_ms: 1.5 };
        return Promise.resolve({ ...empty, ...outcome });
      },
    },
    egress: { request: () => Promise.reject(options.unreachable) },
    artifacts: {
      get: () => Promise.resolve({ name: "x.csv", type: "" }),
      read: () => Promise.resolve(CSV),
      put(_tenant, place, { name, type, bytes }) {
        kept.push({ place, name, type });
        const known = { sha256: "", created_at: "", size: bytes.length };
        return Promise.resolve({ id: `art_${kept.length}`, name, type, ...known });
      },
    },
  });
  const service = services[name]!;
  if (!("embedded" in service)) throw new Error(`${name} is elsewhere`);
  const output = await service.embedded(path, body, scope(options.attempt), RUN);
  return { output, ran, kept };
}

function scope(attempt = 1): StepScope {
  const { signal } = new AbortController();
  const idempotency_key = "run_1/browser_agent#2";
  return { key: "browser_agent#2", attempt, idempotency_key, signal, delta() {}, reset() {} };
}

const failure = (code: ErrorCode, kind?: "retryable", details?: Record<string, unknown>) =>
  new OrchestratorError(code, `Cannot: ${code}.`, { ...(kind ? { kind } : {}), details });

Deno.test("code runs on its data as CSV, and what it writes is kept", async () => {
  const svg = new TextEncoder().encode("<svg/>");
  const { output, ran, kept } = await call("browser_agent", "/execute", {
    code: "print(1)",
    dataset: DATASET,
  }, {
    run: () => ({ stdout: "1\n", result: { rows: 2 }, files: { "b.svg": svg, "a.bin": svg } }),
  });
  expect(ran[0]).toMatchObject({ language: "python", code: "print(1)" });
  expect(new TextDecoder().decode(ran[0]!.files!["dataset.csv"])).toBe("a,b\n1,x\n2,\n");
  expect(new TextDecoder().decode(ran[0]!.files!["charts.py"])).toContain("def histogram");
  expect(kept).toEqual([
    { name: "a.bin", type: "application/octet-stream" },
    { name: "b.svg", type: "image/svg+xml" },
  ].map((file) => ({
    ...file,
    place: { run: "run_1", step: "browser_agent#2", key: "browser_agent#2" },
  })));
  expect(output).toEqual({
    embedded: true,
    executed: true,
    exit_code: 0,
    duration_ms: 2,
    stdout: "1\n",
    result: { rows: 2 },
    artifacts: [
      expect.objectContaining({ id: "art_1", name: "a.bin", url: "/v1/artifacts/art_1/content" }),
      expect.objectContaining({ id: "art_2", name: "b.svg", size: 6 }),
    ],
  });
});

Deno.test("too many and too large files are left out, long output loses its middle", async () => {
  const files = Object.fromEntries(
    Array.from({ length: 40 }, (_, n) => [`${n + 10}.txt`, new Uint8Array(n === 0 ? 2_000 : 1)]),
  );
  const stdout = `first ${"x".repeat(50_000)} last`;
  const { output, kept } = await call("ml_worker", "/train", { code: "x", dataset: DATASET }, {
    run: () => ({ files, stdout, stderr: "warning" }),
  });
  expect(kept).toHaveLength(30);
  expect(kept[0]!.name).toBe("11.txt");
  const fields = output as Record<string, unknown>;
  expect(fields.files_left_out).toBe(10);
  expect(fields.stderr).toBe("warning");
  expect(fields.stdout).toMatch(/^first x+\n… 30011 characters left out …\nx+ last$/);
});

Deno.test("code that fails is a result, for its author to mend", async () => {
  for (const code of ["code_failed", "code_timeout", "code_memory"] as ErrorCode[]) {
    const { output } = await call("ml_worker", "/train", { code: "x", dataset: DATASET }, {
      run: () => failure(code, undefined, { stdout: "so far", stderr: "Traceback" }),
    });
    expect(output).toEqual({
      embedded: true,
      executed: true,
      exit_code: 1,
      error: { code, message: `Cannot: ${code}.` },
      stdout: "so far",
      stderr: "Traceback",
      artifacts: [],
    });
  }
});

Deno.test("without its data or an interpreter the code does not run, and says why", async () => {
  const body = { code: "x", dataset: "https://example.com/x.csv" };
  const down = failure("egress_failed", "retryable");
  await expect(call("ml_worker", "/train", body, { unreachable: down })).rejects.toBe(down);
  const message = "Cannot: egress_failed.";
  const late = await call("ml_worker", "/train", body, { unreachable: down, attempt: 2 });
  expect(late.output).toEqual({ embedded: true, executed: false, message });
  const never = await call("ml_worker", "/train", body, { unreachable: failure("egress_failed") });
  expect(never.output).toEqual({ embedded: true, executed: false, message });
  const { output } = await call("ml_worker", "/train", { code: "x", dataset: DATASET }, {
    run: () => failure("sandbox_unavailable"),
  });
  expect(output).toMatchObject({ executed: false, message: "Cannot: sandbox_unavailable." });
});

Deno.test("what the code cannot help is thrown", async () => {
  const stopping = failure("shutting_down", "retryable");
  const body = { code: "x", dataset: DATASET };
  await expect(call("ml_worker", "/train", body, { run: () => stopping })).rejects.toBe(stopping);
  const broken = new TypeError("broken");
  await expect(
    call("ml_worker", "/train", { ...body, dataset: "https://x.test/" }, {
      unreachable: broken as never,
    }),
  ).rejects.toBe(broken);
});

Deno.test("other paths and bodies without code or data are refused", async () => {
  for (
    const [path, body] of [
      ["/train", { code: "x", dataset: DATASET }],
      ["/execute", { code: "x" }],
      ["/execute", { dataset: DATASET }],
      ["/execute", ["x"]],
      ["/execute", null],
    ] as [string, Json][]
  ) {
    await expect(call("browser_agent", path, body)).rejects.toMatchObject({
      code: "call_failed",
      kind: "terminal",
    });
  }
});
