import { expect } from "expect";
import { resolve } from "node:path";
import { findViolations, readSources } from "../../dev/layers.ts";

Deno.test("findViolations() lets imports go down, also across several layers", () => {
  expect(findViolations({
    "main.ts": `import { a } from "./routes/app.ts"; import("./cli/mod.ts"); import "./config.ts";`,
    "routes/app.ts": `import type { R } from "../pipeline/kernel/mod.ts";`,
    "routes/mod.ts": `export * from "./app.ts";`,
    "pipeline/kernel/mod.ts": `export type { R } from "./runs.ts";`,
    "pipeline/kernel/runs.ts": `import { E } from "../../errors.ts"; export * from "./x.ts";`,
    "pipeline/kernel/x.ts": `import { s } from "../../store/mod.ts"; import { z } from "zod";`,
    "pipeline/nodes/agent.ts": `import { m } from "../../llm/mod.ts"; import "../kernel/mod.ts";`,
    "store/kv.ts": `/** import { x } from "../main.ts" */\n// import "../routes/app.ts"`,
    "tests/_mock/m.ts": `import "../../llm/model.ts";`,
    "tests/main_test.ts": `import "../main.ts"; import "./_mock/m.ts";`,
    "bench/b.ts": `import "../tests/_mock/m.ts";`,
  })).toEqual([]);
});

Deno.test("findViolations() lets imports of other modules go through their entry points only", () => {
  const entryPoints = { "tools/mod.ts": "", "tools/http/mod.ts": "", "store/mod.ts": "" };
  const past = (file: string, text: string) => findViolations({ ...entryPoints, [file]: text });
  expect(past("routes/a.ts", `import "../tools/mod.ts"; import "../tools/http/mod.ts";`)).toEqual(
    [],
  );
  expect(past("routes/a.ts", `await import("../tools/tool.ts");`)).toEqual([]);
  expect(past("tools/http/a.ts", `import "../tool.ts"; import "./b.ts";`)).toEqual([]);
  expect(past("tools/a.ts", `import type { B } from "./http/b.ts";`)).toEqual([
    "tools/a.ts imports tools/http/b.ts: it bypasses the entry point tools/http/mod.ts",
  ]);
  expect(past("routes/a.ts", `export { b } from "../tools/b.ts";`)).toEqual([
    "routes/a.ts imports tools/b.ts: it bypasses the entry point tools/mod.ts",
  ]);
});

const refused: [why: string, file: string, text: string][] = [
  ["routes is above pipeline", "pipeline/walk/a.ts", `import "../../routes/app.ts";`],
  ["the service knows no HTTP", "service/a.ts", `import "../routes/a.ts";`],
  ["commands call the service", "service/a.ts", `import "../cli/a.ts";`],
  ["layers of the pipeline", "pipeline/nodes/a.ts", `import "../walk/a.ts";`],
  ["features beside each other", "pipeline/recall/a.ts", `import "../catalog/a.ts";`],
  ["no loose files in pipeline", "pipeline/a.ts", `import "../errors.ts";`],
  ["type-only imports count", "store/a.ts", `import type { A } from "../llm/model.ts";`],
  ["dynamic imports count", "store/a.ts", `await import("../llm/model.ts");`],
  ["exports count", "store/a.ts", `export { a } from "../llm/model.ts";`],
  ["inline types count", "store/a.ts", `type A = import("../llm/model.ts").A;`],
  ["siblings", "knowledge/a.ts", `import "../tools/a.ts";`],
  ["the kernel knows no model", "pipeline/kernel/a.ts", `import "../../llm/model.ts";`],
  ["the kernel knows no graph", "pipeline/kernel/a.ts", `import "../walk/a.ts";`],
  ["the kernel reads no config", "pipeline/kernel/a.ts", `import "../../config.ts";`],
  ["nothing imports main.ts", "cli/a.ts", `import "../main.ts";`],
  ["mocks are for tests", "llm/a.ts", `import "../tests/_mock/m.ts";`],
  ["every file has a place", "elsewhere/a.ts", `import "../errors.ts";`],
];

for (const [why, file, text] of refused) {
  Deno.test(`findViolations() refuses an import: ${why}`, () => {
    const violations = findViolations({ [file]: text });
    expect(violations).toHaveLength(1);
    expect(violations[0]).toContain(`${file} imports `);
  });
}

Deno.test("findViolations() shows the whole of a cycle, once", () => {
  expect(findViolations({
    "llm/a.ts": `import type { B } from "./b.ts";`,
    "llm/b.ts": `import { c } from "./c.ts";`,
    "llm/c.ts": `import("./a.ts");`,
  })).toEqual(["cycle: llm/a.ts → llm/b.ts → llm/c.ts → llm/a.ts"]);
});

Deno.test("readSources() finds this project's files", () => {
  const sources = readSources(resolve(import.meta.dirname!, "../.."));
  expect(Object.keys(sources)).toContain("pipeline/kernel/runs.ts");
  expect(sources["errors.ts"]).toContain("class OrchestratorError");
});
