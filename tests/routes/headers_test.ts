import { expect } from "expect";
import {
  preferenceApplied,
  readCursor,
  readIdempotencyKey,
  readPrefer,
  within,
} from "../../routes/headers.ts";

Deno.test("readPrefer() reads what RFC 7240 allows and ignores the rest", () => {
  expect(readPrefer(null)).toEqual({ respond_async: false });
  expect(readPrefer("respond-async")).toEqual({ respond_async: true });
  expect(readPrefer("Respond-Async; foo=1 , WAIT = 10")).toEqual({ respond_async: true, wait: 10 });
  expect(readPrefer('wait="20"')).toEqual({ respond_async: false, wait: 20 });
  expect(readPrefer("wait=100000")).toEqual({ respond_async: false, wait: 300 });
  for (const odd of ["wait", "wait=-1", "wait=x", "wait=1.5", "return=minimal", ",,"]) {
    expect(readPrefer(odd)).toEqual({ respond_async: false });
  }
});

Deno.test("preferenceApplied() names what was heeded", () => {
  expect(preferenceApplied({ respond_async: true })).toBe("respond-async");
  expect(preferenceApplied({ respond_async: true, wait: 5 })).toBe("wait=5");
  expect(preferenceApplied({ respond_async: false })).toBeUndefined();
});

Deno.test({
  name: "within() passes a rejection on and leaves no timer",
  sanitizeOps: true,
  sanitizeResources: true,
  async fn() {
    const failing = () => Promise.reject(new Error("no"));
    await expect(within(failing, { respond_async: false, wait: 300 })).rejects.toThrow("no");
    await expect(within(failing, { respond_async: false })).rejects.toThrow("no");
    expect(await within(failing, { respond_async: true })).toBeUndefined();
    expect(await within(() => Promise.resolve(1), { respond_async: true, wait: 300 })).toBe(1);
  },
});

Deno.test("readIdempotencyKey() fingerprints method, path and body, not member order", () => {
  const print = (method: string, path: string, body: unknown) =>
    readIdempotencyKey("k", { method, path, body })?.fingerprint;
  const one = print("POST", "/a", { x: 1, y: { a: [1, null], b: "é" } });
  expect(one).toMatch(/^[0-9a-f]{64}$/);
  expect(print("POST", "/a", { y: { b: "é", a: [1, null] }, x: 1 })).toBe(one);
  expect(print("POST", "/a", { x: 1, y: { a: [1, null], b: "é" }, z: undefined })).toBe(one);
  const others = [
    print("PUT", "/a", { x: 1, y: { a: [1, null], b: "é" } }),
    print("POST", "/b", { x: 1, y: { a: [1, null], b: "é" } }),
    print("POST", "/a", { x: "1", y: { a: [1, null], b: "é" } }),
    print("POST", "/a", { x: 1, y: { a: [null, 1], b: "é" } }),
  ];
  expect(new Set([one, ...others]).size).toBe(5);
});

Deno.test("readCursor() takes only what the same list gave", () => {
  const id = "01jd0000000000000000000000";
  const taken = [
    [`run_${id}`, "run"],
    [`run_${id}.0123456789.abcdef0123`, "run"],
    [`apr_${id}`, "approval"],
    [`doc_${id}`, "document"],
    [undefined, "run"],
  ] as const;
  for (const [text, of] of taken) expect(readCursor(text, of)).toBe(text);
  for (
    const text of ["", "zzz", id, `run_${id.slice(1)}`, `run_${id}0`, `RUN_${id}`, `apr_${id}`]
  ) {
    expect(() => readCursor(text, "run")).toThrow(expect.objectContaining({
      code: "invalid_request",
      message: expect.stringMatching(/\?cursor.*next_cursor.*first page/),
    }));
  }
});
