import { expect } from "expect";
import { Secret } from "../../../config/secret.ts";
import type { NewArtifact } from "../../../tools/tool.ts";
import {
  compileDefinition,
  configuredSecrets,
  httpTool,
  parseToolDefinition,
} from "../../../tools/http/mod.ts";
import type { EgressGuard } from "../../../guard/egress.ts";
import { expectError, test } from "../../guard/_setup.ts";
import { run, scopeOf, select, withApi } from "./_setup.ts";

const secrets = configuredSecrets({ github: new Secret('ghp_canary"1') });

/** A tool of the operator. */
function toolOf(egress: EgressGuard, value: object) {
  const { definition, issues } = parseToolDefinition(
    { name: "tool", description: "A tool.", ...value },
    { operator: true },
  );
  if (!definition) throw new Error(JSON.stringify(issues));
  return httpTool(definition, { egress, source: "file", select, secrets });
}

const properties = { id: {}, q: {}, tags: {}, note: {} };

test("httpTool() fills address, query, headers and body", () =>
  withApi(() => Response.json({ ok: true }), async ({ url, seen, egress }) => {
    const tool = toolOf(egress, {
      input: { type: "object", properties, required: ["id"] },
      http: {
        method: "POST",
        url: `${url}/users/{id}/notes?v=1`,
        query: { q: "{q}", tag: "{tags*}" },
        headers: { "X-Mark": "m-{q}", "X-Gone": "{note}" },
        body: { id: "{id}", text: "{note}", fixed: 1 },
      },
    });
    expect(await run(tool, { id: "a/b ü", q: "x&y", tags: [1, 2] })).toEqual({ ok: true });
    const [request] = seen;
    expect(request?.method).toBe("POST");
    expect(request!.url.pathname + request!.url.search)
      .toBe("/users/a%2Fb%20%C3%BC/notes?v=1&q=x%26y&tag=1&tag=2");
    expect(request?.headers.get("x-mark")).toBe("m-x&y");
    expect(request?.headers.has("x-gone")).toBe(false);
    expect(request?.headers.get("idempotency-key")).toBe("key-1");
    expect(request?.headers.get("content-type")).toBe("application/json");
    expect(JSON.parse(request!.body)).toEqual({ id: "a/b ü", fixed: 1 });
  }));

test("httpTool() keeps an argument from leading to another path", () =>
  withApi(() => Response.json({}), async ({ url, seen, egress }) => {
    const tool = toolOf(egress, {
      input: { type: "object", properties, required: ["id"] },
      http: { method: "DELETE", url: `${url}/users/{id}/notes` },
    });
    for (const id of ["..", ".", ""]) {
      await expectError(run(tool, { id }), "tool_bad_arguments");
    }
    await expectError(run(tool, {}), "tool_bad_arguments");
    expect(seen).toEqual([]);
    for (const id of ["../..", "%2e%2e", "a?b#c", "\\..\\", "//evil.test"]) await run(tool, { id });
    for (const { url: asked } of seen) {
      expect(asked.pathname).toMatch(/^\/users\/[^/]+\/notes$/);
      expect(asked.search).toBe("");
    }
  }));

test("httpTool() sends forms and text where the content type says so", () =>
  withApi(() => new Response("done"), async ({ url, seen, egress }) => {
    const send = (type: string, body: unknown) =>
      run(
        toolOf(egress, {
          input: { type: "object", properties },
          http: { method: "PUT", url, headers: { "content-type": type }, body },
        }),
        { q: "a b", tags: [1, 2] },
      );
    expect(await send("application/x-www-form-urlencoded", { q: "{q}", tag: "{tags}" })).toBe(
      "done",
    );
    expect(await send("text/plain", "say {q}")).toBe("done");
    expect(seen.map(({ body }) => body)).toEqual(["q=a+b&tag=1&tag=2", "say a b"]);
  }));

test("httpTool() takes a part of the answer by pointer or expression", () =>
  withApi(
    () => new Response('{"items":[{"n":1},{"n":2}],"a/b":{"~":0}}'),
    async ({ url, egress }) => {
      const ask = (response: string) => run(toolOf(egress, { http: { url, response } }), {});
      expect(await ask("/items/1/n")).toBe(2);
      expect(await ask("/a~1b/~0")).toBe(0);
      expect(await ask("")).toMatchObject({ items: [{ n: 1 }, { n: 2 }] });
      expect(await ask("$sum(body.items.n) + status")).toBe(203);
      await expectError(ask("/items/9"), "tool_failed");
      await expectError(ask("/constructor"), "tool_failed");
    },
  ));

test("httpTool() returns text, nothing, or an artifact", () =>
  withApi(({ url }) => {
    if (url.pathname === "/none") return new Response(null, { status: 204 });
    if (url.pathname === "/latin") {
      return new Response(new Uint8Array([0xfc]), {
        headers: { "content-type": "text/plain; charset=latin1" },
      });
    }
    return new Response(new Uint8Array([1, 2, 3]), { headers: { "content-type": "image/png" } });
  }, async ({ url, egress }) => {
    const kept: NewArtifact[] = [];
    const ask = (path: string) =>
      run(toolOf(egress, { http: { url: url + path } }), {}, scopeOf(kept));
    expect(await ask("/none")).toBe(null);
    expect(await ask("/latin")).toBe("ü");
    expect(await ask("/images/logo.png")).toEqual({
      artifact: { id: "art_1", name: "logo.png", type: "image/png", size: 3 },
    });
    expect(kept[0]?.bytes).toEqual(new Uint8Array([1, 2, 3]));
  }));

test("httpTool() tells statuses that may pass from those that stay", () =>
  withApi(({ url }) =>
    new Response("sorry", {
      status: Number(url.pathname.slice(1)),
      headers: { "retry-after": "2", location: "/200" },
    }), async ({ url, seen, egress }) => {
    const ask = (status: number, method = "GET") =>
      run(toolOf(egress, { http: { method, url: `${url}/${status}` } }), {});
    const busy = await expectError(ask(503), "tool_failed", "retryable");
    expect(busy.retry_after_ms).toBe(2000);
    expect(busy.details).toEqual({ tool: "tool", status: 503, body: "sorry" });
    await expectError(ask(429), "tool_failed", "retryable");
    const missing = await expectError(ask(404), "tool_failed");
    expect(missing.message).toContain("answered 404");
    expect(await ask(302)).toBe("sorry");
    // What changes something is not sent on.
    const before = seen.length;
    await expectError(ask(307, "POST"), "tool_failed");
    expect(seen.length).toBe(before + 1);
  }));

test("httpTool() sends secrets to their server, and shows them nowhere", () =>
  withApi(({ url, headers }) => {
    const token = headers.get("authorization")!;
    if (url.pathname === "/fail") return new Response(`bad token ${token}`, { status: 401 });
    if (url.pathname === "/text") return new Response(encodeURIComponent(token));
    return Response.json({ you_sent: token });
  }, async ({ url, seen, egress }) => {
    const tool = (path: string, name = "github") =>
      toolOf(egress, {
        http: { url: url + path },
        secret_headers: { Authorization: `Bearer \${ secrets.${name} }` },
      });
    expect(await run(tool("/json"), {})).toEqual({ you_sent: "Bearer [secret]" });
    expect(await run(tool("/text"), {})).toBe("Bearer%20[secret]");
    const failed = await expectError(run(tool("/fail"), {}), "tool_failed");
    expect(JSON.stringify([failed.message, failed.details])).not.toContain("canary");
    expect(seen[0]?.headers.get("authorization")).toBe('Bearer ghp_canary"1');
    const missing = await expectError(run(tool("/json", "gitlab"), {}), "tool_unconfigured");
    expect(missing.message).toContain("TOOL_SECRET_GITLAB");
    // Other variables of the environment are no secrets of tools.
    await expectError(run(tool("/json", "openai_api_key"), {}), "tool_unconfigured");
    expect(JSON.stringify(tool("/json"))).not.toContain("canary");
  }));

test("httpTool() derives capability and effect from the method", () =>
  withApi(() => new Response(), ({ url, egress }) => {
    const of = (method: string, more = {}) => {
      const { capability, effect } = toolOf(egress, { http: { method, url }, ...more });
      return [capability, effect];
    };
    expect(of("GET")).toEqual(["egress", "none"]);
    expect(of("PUT")).toEqual(["write", "at_least_once"]);
    expect(of("POST")).toEqual(["write", "at_most_once"]);
    expect(of("POST", { capability: "read", effect: "none" })).toEqual(["read", "none"]);
    return Promise.resolve();
  }));

test("compileDefinition() makes tools that reach no private host and know no secret", () =>
  withApi(() => new Response("inside"), async ({ url, seen, egress }) => {
    const value = { name: "inside", description: "Reads.", http: { url } };
    const tool = compileDefinition(value, { egress, select });
    expect(tool.source).toBe("api");
    await expectError(run(tool, {}), "egress_denied");
    expect(seen).toEqual([]);
    const broken = { ...value, input: { type: "object", properties: { a: { type: "no" } } } };
    const error = await expectError(
      Promise.resolve().then(() => compileDefinition(broken, { egress, select })),
      "validation_failed",
    );
    expect(error.issues?.[0]?.location).toBe("/input/properties/a/type");
  }));
