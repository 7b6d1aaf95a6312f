/** What a pipeline says of how its runs start. @module */
import { OrchestratorError } from "../../errors.ts";
import type { Concurrency, Json, StartRequest } from "../kernel/mod.ts";
import type { Definition } from "./document.ts";
import { compileTemplate } from "../language/mod.ts";

/** The longest concurrency key, in characters. */
const MAX_KEY_CHARS = 500;

/** The parts of a start request that a definition decides. */
export type StartOptions = Pick<StartRequest, "priority" | "concurrency" | "budget">;

/**
 * The parts of a start request that a definition decides; absent ones are left out.
 *
 * @throws `validation_failed` when the concurrency key cannot be used, `expression_failed`
 */
export async function startOptions(
  definition: Definition,
  input: Json,
): Promise<StartOptions> {
  const { priority, budget, concurrency: shared } = definition.pipeline;
  const options: StartOptions = {};
  if (priority !== undefined) options.priority = priority;
  if (budget) options.budget = budget;
  const concurrency = shared && await evaluateConcurrency(definition, input);
  if (concurrency) options.concurrency = concurrency;
  return options;
}

/**
 * What a run shares with others. A run whose key leads nowhere shares nothing.
 *
 * @throws `validation_failed` when the key is no short text, `expression_failed`
 */
export async function evaluateConcurrency(
  { pipeline }: Definition,
  input: Json,
): Promise<Concurrency | undefined> {
  const { concurrency, name } = pipeline;
  if (!concurrency) return undefined;
  // There is no run yet: the key depends on the input only, so any time will do.
  const run = { id: "", pipeline: name, created_at: new Date(0).toISOString() };
  const key = await compileTemplate(concurrency.key)({ input, nodes: {}, run });
  if (key === undefined || key === null || key === "") return undefined;
  const { limit, on_busy = "enqueue" } = concurrency;
  return { key: text(name, key), limit, on_busy };
}

function text(pipeline: string, key: Json): string {
  const given = typeof key === "object" ? "" : String(key);
  if (given !== "" && given.length <= MAX_KEY_CHARS) return given;
  throw new OrchestratorError(
    "validation_failed",
    `Cannot run pipeline ${pipeline}: its concurrency key must be a text of at most ${MAX_KEY_CHARS} characters. Fix the key's expression or the request.`,
  );
}
