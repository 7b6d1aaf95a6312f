import assert from "node:assert/strict";
import { type Key, keys } from "../../store/mod.ts";

/** Everything that makes a key, with the names of its parameters. */
const makers = Object.entries(keys).map(([name, make]) => {
  const [, list = ""] = /^\(([^)]*)\)/.exec(make.toString()) ?? [];
  const parameters = list.split(",").map((one) => one.trim()).filter((one) => one !== "");
  const args = parameters.map((parameter) => `<${parameter}>`);
  return { name, parameters, args, key: (make as (...args: string[]) => Key)(...args) };
});

Deno.test("what belongs to a tenant has it as the second part of its key, except timers, which are in order of time", () => {
  for (const { name, parameters, key } of makers) {
    if (!parameters.includes("tenant")) continue;
    assert.equal(key[name === "timer" ? 2 : 1], "<tenant>", name);
  }
});

Deno.test("a key holds all that it is made of, in that order, so no two things share one", () => {
  for (const { name, args, key } of makers) {
    const parts = key.filter((part) => `${part}`.startsWith("<"));
    assert.deepEqual(parts, args, name);
    assert.match(`${key[0]}`, /^[a-z_]+$/, name);
  }
  const whole = makers.map(({ key }) => key.join("/"));
  assert.equal(new Set(whole).size, whole.length, "two makers make the same key");
});

Deno.test("every kind of key is in the table of the key map, and every row of it is made", async () => {
  const source = await Deno.readTextFile(new URL("../../store/keys.ts", import.meta.url));
  const rows = [...source.matchAll(/^ \* \| `([a-z_]+),/gm)].map(([, kind]) => kind);
  const kinds = new Set(makers.map(({ key }) => key[0]));
  assert.deepEqual([...new Set(rows)].sort(), [...kinds].sort());
});
