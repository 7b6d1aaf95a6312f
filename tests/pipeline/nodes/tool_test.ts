import { expect } from "expect";
import type { Json } from "../../../json/value.ts";
import { FakeTools } from "../_fake_tools.ts";
import { define, deps, twice } from "../walk/_define.ts";

/** Runs a node, straight and on its own record. */
async function visit(node: string, input: Json) {
  const tools = new FakeTools((args) => Promise.resolve({ got: args }));
  const definition = await define(`  a: ${node}`);
  const { ended } = await twice({ definition, deps: deps({}, { tools }), input });
  return { ended, called: tools.calls.map(([name]) => name) };
}

Deno.test("tool calls the tool that it names with its input as arguments", async () => {
  const { ended, called } = await visit("{ tool: look, with: { q: '${ input.q }' } }", { q: "x" });
  expect(ended).toEqual({ output: { got: { q: "x" } } });
  expect(called).toEqual(["look"]);
});

Deno.test("tool takes its name from an expression, but only a name", async () => {
  const node = "{ tool: '${ input.tool }', with: {} }";
  expect((await visit(node, { tool: "look" })).called).toEqual(["look"]);
  for (const tool of ["*", "gone", "Look", 5, null]) {
    const { ended, called } = await visit(node, { tool });
    expect(ended).toMatchObject({ error: { code: "tool_unknown" } });
    expect(called).toEqual([]);
  }
});

Deno.test("tool refuses an input that is no object", async () => {
  const { ended } = await visit("{ tool: look, with: '${ input }' }", [1]);
  expect(ended).toMatchObject({ error: { code: "tool_bad_arguments" } });
});
