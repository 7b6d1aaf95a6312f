/** Expressions of HTTP tools: the same bounded JSONata as in pipelines, over an answer. @module */
import type { Select } from "../../tools/http/mod.ts";
import { compileExpression } from "../language/mod.ts";

/** What expressions take for the run: a tool knows none, and `$now()` is the beginning of time. */
const NO_RUN = { id: "", pipeline: "", created_at: new Date(0).toISOString() };

/** Evaluates expressions over `body`, `status` and `input`. @throws as `compileExpression` says */
export const select: Select = (expression) => {
  const evaluate = compileExpression(expression);
  return async (answer) => await evaluate({ ...answer, nodes: {}, run: NO_RUN });
};
