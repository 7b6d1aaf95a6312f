import { expect } from "expect";
import type { Scope } from "../../../pipeline/language/scope.ts";
import { validatePipeline } from "../../../pipeline/document/parse.ts";
import type { Fetch } from "../../../pipeline/calls/services.ts";
import { call } from "../../../pipeline/nodes/call.ts";
import { FakeContext, RUN } from "../_fake_context.ts";

const SCOPE: Scope = {
  input: { team: "red team", n: 3 },
  nodes: { first: { id: "a/b", list: [1, 2] } },
  run: { id: RUN.id, pipeline: RUN.pipeline, created_at: RUN.created_at },
};
const services = { billing: { url: "http://billing.test/api", timeout_ms: 9_000 } };

/** A service that answers `{ok: true}` and keeps what it was asked. */
function recorder(status = 200) {
  const asked: Request[] = [];
  const fetch: Fetch = (url, init) => {
    asked.push(new Request(url, init));
    return Promise.resolve(Response.json({ ok: true }, { status }));
  };
  return { asked, fetch };
}

Deno.test("call fills path, query, headers and body from the scope", async () => {
  const { asked, fetch } = recorder();
  const ctx = new FakeContext();
  const compiled = call.compile({
    call: {
      service: "billing",
      path: "/items/${ nodes.first.id }",
      query: { n: "${ input.n }" },
      headers: { "x-team": "${ input.team }" },
      body: { list: "${ nodes.first.list }" },
    },
    next: "b",
  }, { services, fetch });
  expect(await compiled.run(ctx, "pay#2", SCOPE)).toEqual({ ok: true });
  expect(compiled.next(null)).toBe("b");
  const [request] = asked;
  expect([request!.method, request!.url]).toEqual([
    "POST",
    "http://billing.test/api/items/a/b?n=3",
  ]);
  expect(request!.headers.get("x-team")).toBe("red team");
  expect(request!.headers.get("idempotency-key")).toBe("run_1/pay#2");
  expect(await request!.json()).toEqual({ list: [1, 2] });
});

Deno.test("call is one step with the service's time limit, unless the node says otherwise", async () => {
  const options = async (node: object) => {
    const { fetch } = recorder();
    const ctx = new FakeContext();
    const compiled = call.compile(
      { call: { service: "billing", path: "/x", method: "GET" }, ...node },
      { services, fetch },
    );
    await compiled.run(ctx, "a", SCOPE);
    return ctx.steps[0]!.options;
  };
  expect(await options({})).toEqual({ kind: "call", timeout_ms: 9_000 });
  expect(await options({ effect: "at_most_once", timeout_seconds: 1 }))
    .toEqual({ kind: "call", effect: "at_most_once", timeout_ms: 1_000 });
});

Deno.test("call sends no body when there is none, or when its expression gives nothing", async () => {
  for (const body of [undefined, "${ input.missing }"]) {
    const { asked, fetch } = recorder();
    const node = { call: { service: "billing", path: "/x", ...(body ? { body } : {}) } };
    await call.compile(node, { services, fetch }).run(new FakeContext(), "a", SCOPE);
    expect(await asked[0]!.text()).toBe("");
    expect(asked[0]!.headers.has("content-type")).toBe(false);
  }
});

Deno.test("call fails with the service's failure", async () => {
  const { fetch } = recorder(404);
  const node = { call: { service: "billing", path: "/x" } };
  await expect(call.compile(node, { services, fetch }).run(new FakeContext(), "a", SCOPE))
    .rejects.toMatchObject({ code: "call_failed", details: { status: 404 } });
});

Deno.test("call of a service that is not configured any more does not compile", () => {
  expect(() => call.compile({ call: { service: "biling", path: "/x" } }, { services }))
    .toThrow('unknown service "biling"; did you mean "billing"?');
  expect(() => call.compile({ call: { service: "constructor", path: "/x" } }, {}))
    .toThrow("none is available");
});

Deno.test("validation knows services and refuses addresses, secrets and foreign headers", async () => {
  const problems = async (node: object) =>
    (await validatePipeline({ name: "p", version: 1, start: "a", nodes: { a: { call: node } } }, {
      services: ["billing"],
    })).map(({ path, message }) => `${path.join("/")}: ${message}`);
  expect(await problems({ service: "billing", path: "/x" })).toEqual([]);
  expect(await problems({ service: "biling", path: "/x" })).toEqual([
    'nodes/a/call/service: unknown service "biling"; did you mean "billing"?',
  ]);
  expect(await problems({ service: "billing", path: "http://evil.test" })).toEqual([
    "nodes/a/call/path: a path starts with /",
  ]);
  for (const name of ["Authorization", "cookie", "Host", "Idempotency-Key"]) {
    const found = await problems({ service: "billing", path: "/x", headers: { [name]: "x" } });
    expect(found).toEqual([
      `nodes/a/call/headers/${name}: this header cannot be set here`,
    ]);
  }
  expect(await problems({ service: "billing", path: "/${ nodes.b }", body: { c: "${ wrong }" } }))
    .toHaveLength(2);
});
