import { expect } from "expect";
import { AddressRouter } from "../../routes/router.ts";
import { setup } from "./_setup.ts";

function routed(...routes: [method: string, path: string, handler: string][]) {
  const router = new AddressRouter<string>();
  for (const route of routes) router.add(...route);
  return (method: string, path: string) => {
    const [handlers, stash] = router.match(method, path) as [[string, object][], string[]?];
    return handlers.map(([handler, params]) => {
      const named = Object.entries(params).map(([name, at]) => [name, stash?.[at] ?? at]);
      return named.length === 0 ? handler : [handler, Object.fromEntries(named)];
    });
  };
}

Deno.test("an address without parameters goes before a pattern that fits too", () => {
  const match = routed(
    ["GET", "/tools/:name", "show"],
    ["GET", "/tools/list", "list"],
    ["POST", "/tools/:name/execute", "execute"],
  );
  expect(match("GET", "/tools/list")).toEqual(["list"]);
  expect(match("GET", "/tools/search")).toEqual([["show", { name: "search" }]]);
  expect(match("POST", "/tools/list/execute")).toEqual([["execute", { name: "list" }]]);
  expect(match("POST", "/tools/list")).toEqual([]);
});

Deno.test("middleware comes first, in its order, also where there is no endpoint", () => {
  const match = routed(
    ["ALL", "/*", "first"],
    ["ALL", "/*", "second"],
    ["GET", "/runs", "list"],
    ["GET", "/runs/:id", "show"],
  );
  expect(match("GET", "/runs")).toEqual(["first", "second", "list"]);
  expect(match("GET", "/runs/1")).toEqual(["first", "second", ["show", { id: "1" }]]);
  expect(match("GET", "/nowhere")).toEqual(["first", "second"]);
  expect(match("PROPFIND", "/runs")).toEqual(["first", "second"]);
});

Deno.test("every endpoint of the service is found by the fast router", () => {
  const { app } = setup();
  expect(app.router).toBeInstanceOf(AddressRouter);
  for (const { method, path, handler } of app.routes) {
    const [found] = app.router.match(method, path.replaceAll(/:\w+/g, "x"));
    expect(found.map(([[found]]) => found)).toContain(handler);
  }
});
