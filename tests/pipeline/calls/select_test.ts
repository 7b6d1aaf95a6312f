import { expect } from "expect";
import type { OrchestratorError } from "../../../errors.ts";
import { select } from "../../../pipeline/calls/select.ts";

const answer = { body: { items: [{ n: 1 }, { n: 2 }] }, status: 200, input: { by: 10 } };

Deno.test("select() evaluates expressions over body, status and input", async () => {
  expect(await select("body.items.n")(answer)).toEqual([1, 2]);
  expect(await select("$sum(body.items.n) * input.by + status")(answer)).toBe(230);
  expect(await select("status")(answer)).toBe(200);
  expect(await select("body.nothing")(answer)).toBeUndefined();
});

Deno.test("select() has the bounds of pipelines' expressions", async () => {
  const codeOf = (expression: string) =>
    select(expression)(answer).then(() => "none", (error: OrchestratorError) => error.code);
  expect(await codeOf("($f := function($n) { $f($n + 1) }; $f(0))")).toBe("expression_limit");
  expect(await codeOf("body.(")).toBe("expression_failed");
  expect(await codeOf("$random()")).toBe("expression_failed");
});
