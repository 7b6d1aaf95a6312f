import { expect } from "expect";
import type { OrchestratorError } from "../../../errors.ts";
import type { StepScope } from "../../../pipeline/kernel/context.ts";
import {
  callService,
  type Fetch,
  MAX_RESPONSE_BYTES,
  type ServiceRequest,
} from "../../../pipeline/calls/services.ts";
import { RUN } from "../_fake_context.ts";

const POST: ServiceRequest = { method: "POST", path: "/execute", body: { code: "1" } };

function scope(signal = new AbortController().signal): StepScope {
  return {
    key: "browser_agent",
    attempt: 1,
    idempotency_key: "run_1/browser_agent",
    signal,
    delta() {},
    reset() {},
  };
}

/** Calls a service that answers with `response`; also gives what it was asked. */
async function call(
  response: () => Response | Promise<Response>,
  request = POST,
  url = "http://service.test/base",
) {
  const asked: { url: string; init: RequestInit }[] = [];
  const fetch: Fetch = async (url, init) => {
    asked.push({ url: url.href, init });
    return await response();
  };
  const output = await callService("svc", { url, timeout_ms: 1 }, request, scope(), RUN, fetch)
    .catch((error: OrchestratorError) => error);
  // deno-lint-ignore no-explicit-any -- a value or an error, which tests look into freely
  return { output: output as any, asked };
}

const json = (value: unknown, init?: ResponseInit) => () => Response.json(value, init);
const text = (value: string, init?: ResponseInit) => () => new Response(value, init);

Deno.test("callService() sends JSON with the step's idempotency key and reads JSON", async () => {
  const { output, asked } = await call(json({ ok: true }));
  expect(output).toEqual({ ok: true });
  expect(asked[0]!.url).toBe("http://service.test/base/execute");
  expect(asked[0]!.init).toMatchObject({
    method: "POST",
    redirect: "manual",
    body: '{"code":"1"}',
    headers: { "content-type": "application/json", "idempotency-key": "run_1/browser_agent" },
  });
});

Deno.test("callService() sends query and headers, and no body unless there is one", async () => {
  const { asked } = await call(text("x"), {
    method: "GET",
    path: "/a b/ü",
    query: { q: "1&2" },
    headers: { "X-Team": "data" },
  });
  expect(asked[0]!.url).toBe("http://service.test/base/a%20b/%C3%BC?q=1%262");
  expect(asked[0]!.init.headers).toMatchObject({ "X-Team": "data" });
  expect(asked[0]!.init.headers).not.toHaveProperty("content-type");
  expect(asked[0]!.init).not.toHaveProperty("body");
});

Deno.test("callService() gives text as text and nothing as null", async () => {
  expect((await call(text("hello"))).output).toBe("hello");
  expect((await call(() => new Response(null, { status: 204 }))).output).toBe(null);
  const problem = { "content-type": "application/problem+json" };
  expect((await call(text('{"a":1}', { headers: problem }))).output).toEqual({ a: 1 });
});

Deno.test("callService() tells failures that may pass from those that stay", async () => {
  for (const status of [408, 425, 429, 500, 503]) {
    const { output } = await call(text("busy", { status }));
    expect(output).toMatchObject({
      code: "call_failed",
      kind: "retryable",
      details: { service: "svc", status, body: "busy" },
    });
  }
  for (const status of [302, 400, 401, 404, 422]) {
    const { output } = await call(text("", { status }));
    expect(output).toMatchObject({ code: "call_failed", kind: "terminal", details: { status } });
  }
  const { output } = await call(() => Promise.reject(new TypeError("http://secret@x")));
  expect(output).toMatchObject({ code: "call_failed", kind: "retryable" });
  expect(output.message).not.toContain("secret");
});

Deno.test("callService() hears Retry-After in seconds and as a date", async () => {
  const after = async (value: string) =>
    (await call(text("", { status: 503, headers: { "retry-after": value } }))).output
      .retry_after_ms;
  expect(await after("7")).toBe(7_000);
  expect(await after("Thu, 01 Jan 2026 00:00:00 GMT")).toBe(0);
  expect(await after("soon")).toBeUndefined();
  const later = await after(new Date(Date.now() + 60_000).toUTCString());
  expect(later).toBeGreaterThan(50_000);
});

Deno.test("callService() reads 5 MB at most and no broken JSON", async () => {
  let pulled = 0;
  const endless = () =>
    new Response(
      new ReadableStream({
        pull(controller) {
          pulled++;
          controller.enqueue(new Uint8Array(1_000_000));
        },
      }),
    );
  const { output } = await call(endless);
  expect(output).toMatchObject({ code: "call_failed", kind: "terminal" });
  expect(output.message).toContain(String(MAX_RESPONSE_BYTES));
  expect(pulled).toBeLessThan(10);
  const headers = { "content-type": "application/json" };
  expect((await call(text("{", { headers }))).output.message).toContain("is not");
});

Deno.test("callService() never leaves the service's address", async () => {
  const out = ["/../x", "/%2e%2e/x", "x", "//", "/a?b", "/a#b", "@evil.test/", "/..\\..\\x"];
  for (const path of out) {
    const { output, asked } = await call(json(1), { ...POST, path });
    if (path === "//") expect(asked[0]!.url).toBe("http://service.test/base//");
    else expect([path, output.kind, asked]).toEqual([path, "terminal", []]);
  }
});

Deno.test("callService() ends with the reason of its signal", async () => {
  const controller = new AbortController();
  const why = new Error("cancelled");
  const fetch: Fetch = (_url, { signal }) =>
    new Promise((_resolve, reject) => {
      signal!.addEventListener("abort", () => reject(new DOMException("aborted", "AbortError")));
      controller.abort(why);
    });
  const service = { url: "http://service.test", timeout_ms: 1 };
  await expect(callService("svc", service, POST, scope(controller.signal), RUN, fetch)).rejects
    .toBe(
      why,
    );
});
