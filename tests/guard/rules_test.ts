import { expect } from "expect";
import { createRules, parseRule } from "../../guard/rules.ts";

const allows = (entry: string, url: string) => createRules([entry])(new URL(url));

Deno.test("createRules() takes a host with any port, or with one", () => {
  expect(allows("api.test", "http://api.test/")).toBe(true);
  expect(allows("api.test", "https://API.test.:8443/x")).toBe(true);
  expect(allows("api.test:8443", "https://api.test:8443")).toBe(true);
  expect(allows("api.test:443", "https://api.test")).toBe(true);
  expect(allows("api.test:443", "http://api.test")).toBe(false);
  expect(allows("api.test", "http://x.api.test")).toBe(false);
  expect(allows("api.test", "http://api.test.evil.test")).toBe(false);
});

Deno.test("createRules() takes all names below a domain", () => {
  expect(allows("*.api.test", "http://a.b.api.test")).toBe(true);
  expect(allows("*.api.test:80", "http://a.api.test")).toBe(true);
  expect(allows("*.api.test", "http://api.test")).toBe(false);
  expect(allows("*.api.test", "http://evilapi.test")).toBe(false);
});

Deno.test("createRules() knows an address in each of its forms", () => {
  expect(allows("127.0.0.1:80", "http://0x7f.1/")).toBe(true);
  expect(allows("[::1]:8080", "http://[0:0:0:0:0:0:0:1]:8080/")).toBe(true);
  expect(allows("bücher.test", "http://xn--bcher-kva.test")).toBe(true);
});

Deno.test("parseRule() refuses what is no host", () => {
  for (
    const entry of [
      "",
      "*",
      "*.",
      "a.*.test",
      "http://a.test",
      "a.test/x",
      "a b",
      "u@a.test",
      "::1",
    ]
  ) {
    expect([entry, parseRule(entry)]).toEqual([entry, undefined]);
  }
  expect(createRules(["*", "http://a.test"])(new URL("http://a.test"))).toBe(false);
});
