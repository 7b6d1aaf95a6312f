/** From what a client asks to what the engine is asked to start. @module */
import { OrchestratorError, toOrchestratorError } from "../errors.ts";
import type { Caller } from "../guard/mod.ts";
import { type ModelClient, mustBePriced } from "../llm/mod.ts";
import type { AgentProfile } from "../pipeline/agent/mod.ts";
import type { Catalog } from "../pipeline/catalog/mod.ts";
import type { Definition } from "../pipeline/document/mod.ts";
import type { BuiltInProgram } from "../pipeline/ingest/mod.ts";
import type { Budget, Concurrency, Json, RunBudget, StartRequest } from "../pipeline/kernel/mod.ts";
import { compileTemplate } from "../pipeline/language/mod.ts";
import { validateInput } from "../pipeline/walk/mod.ts";
import type { CatalogPort, ServiceDeps } from "./ports.ts";

/** The longest concurrency key, in characters. */
const MAX_KEY_CHARS = 500;

/** A run that a client asks for. */
export interface AskedRun {
  pipeline: string;
  input: Json;
  /** As the client gave it; runs of one conversation take turns. */
  conversation_id?: string;
  priority?: number;
  budget?: RunBudget;
  /** What to do while another run of the conversation is in progress; default `enqueue`. */
  on_busy?: Concurrency["on_busy"];
  idempotency?: StartRequest["idempotency"];
}

/**
 * What the engine is asked to start. The request's priority wins over the pipeline's, of two budgets
 * the smaller limits hold, and a pipeline's own concurrency replaces that of the conversation.
 *
 * @throws as `CatalogPort.prepare`; `model_unpriced`; `forbidden` for a conversation of
 *   another user
 */
export async function startRequest(
  { catalog, conversations }: Pick<ServiceDeps, "catalog" | "conversations">,
  caller: Caller,
  asked: AskedRun,
): Promise<StartRequest> {
  const { pipeline, input, conversation_id, on_busy = "enqueue" } = asked;
  // Its run would find out, but only after it has waited for, or interrupted, those of its owner.
  if (conversation_id !== undefined && !caller.may("users:*")) {
    await conversations.head(caller, conversation_id);
  }
  const idempotency = ownIdempotency(caller, asked.idempotency);
  const { version, unpriced: unpricedModels, ...own } = await catalog.prepare(
    caller,
    pipeline,
    input,
  );
  const priority = asked.priority ?? own.priority;
  const budget = tighter(own.budget, asked.budget);
  if (budget?.cost_usd !== undefined) mustBePriced(await unpricedModels?.() ?? []);
  const request: StartRequest = { pipeline, version, input };
  if (conversation_id !== undefined) {
    request.conversation_id = conversation_id;
    request.concurrency = { key: `conversation/${conversation_id}`, limit: 1, on_busy };
  }
  if (own.concurrency) request.concurrency = own.concurrency;
  if (idempotency) request.idempotency = idempotency;
  if (priority !== undefined) request.priority = priority;
  if (budget) request.budget = budget;
  return request;
}

const LIMITS: (keyof Budget)[] = ["tokens", "cost_usd", "steps", "seconds"];

/** The smaller limits of two budgets; the pipeline says what happens when one is exceeded. */
function tighter(own?: RunBudget, asked?: RunBudget): RunBudget | undefined {
  if (!own || !asked) return own ?? asked;
  const budget: RunBudget = { ...asked, ...own };
  for (const name of LIMITS) {
    const [a, b] = [own[name], asked[name]];
    if (a !== undefined && b !== undefined) budget[name] = Math.min(a, b);
  }
  return budget;
}

/** A repeated request gets the answer of the same user only, never that of another user. */
export function ownIdempotency(
  caller: Caller,
  idempotency: StartRequest["idempotency"],
): StartRequest["idempotency"] {
  if (!idempotency || caller.may("users:*")) return idempotency;
  return { ...idempotency, key: `${caller.actor}/${idempotency.key}` };
}

/** A repeated start has its answer, however far the run has come. Throws what is no repetition. */
export function underWay(thrown: unknown): { id: string; replayed: true } {
  const { code, details } = toOrchestratorError(thrown);
  if (code !== "idempotency_in_flight" || typeof details?.run_id !== "string") throw thrown;
  return { id: details.run_id, replayed: true };
}

/** What preparing runs takes. */
export interface PreparationDeps {
  catalog: Pick<Catalog, "resolve">;
  builtIn: readonly Pick<BuiltInProgram, "name" | "version" | "check">[];
  models: Pick<ModelClient, "unpriced">;
}

/** Makes {@linkcode CatalogPort.prepare}. It also throws `model_unpriced` for a pipeline's budget. */
export function createPreparation(
  { catalog, builtIn, models }: PreparationDeps,
): CatalogPort["prepare"] {
  return async (caller, name, input) => {
    const program = builtIn.find((one) => one.name === name);
    if (program) {
      program.check(input);
      return { version: program.version };
    }
    const { version, definition } = await catalog.resolve(caller, name);
    validateInput(definition, input);
    const { cache, budget } = definition.pipeline;
    const unpriced = async () => {
      const agents = await agentsOf(definition, (inner) => catalog.resolve(caller, inner));
      return [...new Set(agents.flatMap(({ model }) => models.unpriced?.(model) ?? []))];
    };
    if (budget?.cost_usd !== undefined) mustBePriced(await unpriced());
    const options = await startOptions(definition, input);
    return { version, ...options, unpriced, ...(cache && { cache_seconds: cache.ttl_seconds }) };
  };
}

/** Agents of a definition, and of the pipelines within it: none contains itself. */
async function agentsOf(
  { agents, pipelines = {} }: Definition,
  resolve: (name: string) => Promise<{ definition: Definition }>,
): Promise<AgentProfile[]> {
  const within = Object.keys(pipelines).map(async (name) =>
    agentsOf((await resolve(name)).definition, resolve)
  );
  return [...Object.values(agents), ...(await Promise.all(within)).flat()];
}

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
