import { expect } from "expect";
import { parseToolDefinition } from "../../../tools/http/mod.ts";

const base = {
  name: "get_user",
  description: "A user.",
  input: { type: "object", properties: { id: { type: "string" } }, required: ["id"] },
  http: { url: "https://api.example.com/users/{id}" },
};

function issuesOf(value: unknown, operator = true): string[] {
  const { issues = [] } = parseToolDefinition(value, { operator });
  return issues.map(({ location, message }) => `${location}: ${message}`);
}

Deno.test("parseToolDefinition() fills in what is left out", () => {
  const { definition } = parseToolDefinition(base);
  expect(definition).toMatchObject({
    http: { method: "GET", query: {}, headers: {} },
    timeout_seconds: 30,
    untrusted: true,
  });
});

Deno.test("parseToolDefinition() says what is wrong, and where", () => {
  const http = (changes: object) => ({ ...base, http: { ...base.http, ...changes } });
  const input = (changes: object) => ({ ...base, input: { ...base.input, ...changes } });
  const cases: [unknown, string][] = [
    [null, "/: must be an object"],
    [{ ...base, name: "Get User" }, "/name: must be 1 to 64 lower-case"],
    [{ ...base, shell: "rm" }, '/shell: unknown field "shell"; available: name, description'],
    [http({ method: "TRACE" }), "/http/method: must be one of GET, HEAD"],
    [http({ url: "ftp://a.test/" }), "/http/url: must be an http(s) URL"],
    [http({ url: "/users" }), "/http/url: must be an http(s) URL"],
    [
      http({ url: "https://{id}.example.com/" }),
      "/http/url: must not have placeholders in its host",
    ],
    [http({ url: "https://{id}/" }), "/http/url: must"],
    [http({ url: "https://u:p@example.com/" }), "/http/url: must not contain a password"],
    [http({ url: "https://example.com/#{id}" }), "/http/url: must not have a fragment"],
    [http({ query: { q: "{who}" } }), "/http/query: {who} is not a property of the input"],
    [http({ body: { a: ["{who}"] } }), "/http/body: {who} is not a property"],
    [http({ body: 1 }), "/http/body: a GET request has no body"],
    [http({ headers: { "a b": "c" } }), "/http/headers/a b: "],
    [input({ required: [] }), "/input/required: must include id"],
    [input({ type: "array" }), '/input/type: must be "object"'],
    [input({ properties: { id: { type: "text" } } }), "/input/properties/id/type: unknown type"],
    [{ ...base, output: { type: "nothing" } }, "/output/type: unknown type"],
    [{ ...base, timeout_seconds: 0 }, "/timeout_seconds: must be at least 1"],
  ];
  for (const [value, wanted] of cases) {
    expect([wanted, issuesOf(value)]).toEqual([
      wanted,
      expect.arrayContaining([expect.stringContaining(wanted)]),
    ]);
  }
});

Deno.test("parseToolDefinition() lets only operators use secrets and weaken what tools are", () => {
  const secret_headers = { authorization: "Bearer ${ secrets.github }" };
  const value = { ...base, secret_headers, capability: "compute", untrusted: false };
  expect(issuesOf(value)).toEqual([]);
  expect(issuesOf(value, false)).toEqual([
    "/secret_headers: only tools in the operator's files may use secrets",
    "/capability: only tools in the operator's files may be compute, because this tool sends something outside",
    "/untrusted: only tools in the operator's files may be trusted",
  ]);
  expect(issuesOf({ ...base, capability: "write" }, false)).toEqual([]);
});
