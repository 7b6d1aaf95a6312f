import { expect } from "expect";
import { Secret } from "../../../config/secret.ts";
import { configuredSecrets, createHttpRequest, type HttpHost } from "../../../tools/http/mod.ts";
import type { EgressGuard } from "../../../guard/egress.ts";
import { expectError, test } from "../../guard/_setup.ts";
import { run, withApi } from "./_setup.ts";

const secrets = configuredSecrets({ api: new Secret("canary-1") });

const toolOf = (egress: EgressGuard, ...hosts: HttpHost[]) =>
  createHttpRequest({ egress, secrets, hosts: () => hosts });

test("http_request reaches the hosts that the operator named, with their secrets", () =>
  withApi(({ headers }) =>
    Response.json({ key: headers.get("x-api-key") }, {
      status: 201,
      headers: { location: "/1?key=canary-1", "set-cookie": "a=b" },
    }), async ({ url, seen, egress }) => {
    const secret_headers = { "x-api-key": "${ secrets.api }" };
    const tool = toolOf(egress, { origin: url, secret_headers });
    const result = await run(tool, {
      method: "POST",
      url: `${url}/items?a=1`,
      query: { b: "2" },
      headers: { "X-Api-Key": "mine", "X-Mark": "m" },
      body: { n: 1 },
    });
    expect(result).toEqual({
      status: 201,
      headers: { "content-type": "application/json", location: "/1?key=[secret]" },
      body: { key: "[secret]" },
    });
    expect(seen[0]?.url.search).toBe("?a=1&b=2");
    expect(seen[0]?.body).toBe('{"n":1}');
    const headers = Object.fromEntries(seen[0]!.headers);
    expect(headers).toMatchObject({
      "x-api-key": "canary-1",
      "x-mark": "m",
      "idempotency-key": "key-1",
      "content-type": "application/json",
    });
  }));

test("http_request sends text as it is, and shows any status", () =>
  withApi(() => new Response("gone", { status: 410 }), async ({ url, seen, egress }) => {
    const tool = toolOf(egress, { origin: url });
    const answer = await run(tool, { method: "PUT", url, body: "a,b\n" });
    expect(answer).toMatchObject({ status: 410, body: "gone" });
    expect([seen[0]?.body, seen[0]?.headers.get("content-type")])
      .toEqual(["a,b\n", "text/plain; charset=utf-8"]);
    await run(tool, {
      method: "PUT",
      url,
      body: '{"a":1}',
      headers: { "Content-Type": "application/json" },
    });
    expect(seen[1]?.body).toBe('{"a":1}');
    await run(tool, { url });
    expect([seen[2]?.method, seen[2]?.headers.has("idempotency-key")]).toEqual(["GET", false]);
  }));

test("http_request reaches nothing else, redirects included", () =>
  withApi(() => Response.redirect("http://127.0.0.1:1/", 307), async ({ url, seen, egress }) => {
    const tool = toolOf(egress, { origin: "https://api.example.com" }, {
      origin: url,
      methods: ["GET"],
    });
    const others = [
      "https://evil.test/",
      "http://api.example.com/",
      "file:///etc/passwd",
      "https://api.example.com.evil.test/",
      "https://api.example.com:8443/",
    ];
    for (const other of others) {
      const error = await expectError(run(tool, { url: other }), "egress_denied");
      expect(error.message).toContain("https://api.example.com");
    }
    const { issues } = await expectError(run(tool, { url: "x" }), "tool_bad_arguments");
    expect(issues).toMatchObject([{
      location: "/url",
      message: expect.stringMatching(/"x" is not a URL/),
    }]);
    await expectError(run(tool, { url, method: "DELETE" }), "egress_denied");
    expect(seen).toEqual([]);
    expect(await run(tool, { url })).toMatchObject({
      status: 307,
      headers: { location: "http://127.0.0.1:1/" },
    });
    expect(seen.length).toBe(1);
  }));

test("http_request says what to set when no host is named", () =>
  withApi(() => new Response(), async ({ url, egress }) => {
    const error = await expectError(run(toolOf(egress), { url }), "tool_unconfigured");
    expect(error.message).toContain("http_hosts");
  }));
