import { expect } from "expect";
import { existsSync } from "node:fs";
import { join } from "node:path";
import { root, script } from "../resources.ts";

Deno.test("root holds the built-in folders", () => {
  for (const folder of ["agents", "prompts", "pipeline/definitions"]) {
    expect(existsSync(join(root, folder))).toBe(true);
  }
});

Deno.test("script() names a module as it is started from source", () => {
  expect(existsSync(script("tools/sandbox/javascript_worker.ts"))).toBe(true);
});
