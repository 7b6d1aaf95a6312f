import { expect } from "expect";
import { type ErrorCode, OrchestratorError } from "../../errors.ts";
import { problemOf, problemResponse, statusOf } from "../../routes/problem.ts";

const DOCS = new URL("../../docs/errors.md", import.meta.url);

Deno.test("statusOf() says what docs/errors.md says", async () => {
  const rows = (await Deno.readTextFile(DOCS)).matchAll(/^\| `(\w+)` +\| (\d{3}) /gm);
  const documented = [...rows].map(([, code, status]) => [code, Number(status)] as const);
  expect(documented.length).toBeGreaterThan(20);
  const actual = documented.map(([code]) => [code, statusOf(code as ErrorCode)]);
  expect(actual).toEqual(documented);
});

Deno.test("problemOf() carries issues, details, ids and when to try again", async () => {
  const error = new OrchestratorError("overloaded", "Cannot start: full.", {
    issues: [{ location: "/a", message: "b" }],
    details: { limit: 3 },
    retry_after_ms: 1,
  });
  const problem = problemOf(error, "req_1", { run_id: "run_1" });
  expect(problem).toEqual({
    type: "urn:orchestrator:error:overloaded",
    title: "Overloaded",
    status: 429,
    detail: "Cannot start: full.",
    code: "overloaded",
    request_id: "req_1",
    errors: [{ location: "/a", message: "b" }],
    details: { limit: 3 },
    retry_after: 1,
    run_id: "run_1",
  });
  const response = problemResponse(problem);
  expect([response.status, response.headers.get("retry-after")]).toEqual([429, "1"]);
  expect(await response.json()).toEqual(problem);
});

Deno.test("Retry-After is there for 429 and 503 that pass, elsewhere when it is known", () => {
  const retry = (code: ErrorCode, retry_after_ms?: number) =>
    problemOf(new OrchestratorError(code, "Cannot.", { retry_after_ms }), "r").retry_after;
  expect(retry("overloaded")).toBe(1);
  expect(retry("store_unavailable")).toBe(1);
  expect(retry("model_rate_limited", 1500)).toBe(2);
  expect(retry("not_found")).toBeUndefined();
  expect(retry("tool_unconfigured")).toBeUndefined();
  expect(retry("model_not_configured")).toBeUndefined();
});
