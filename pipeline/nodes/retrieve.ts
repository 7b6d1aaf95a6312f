import * as z from "zod";
import { OrchestratorError, sentence } from "../../errors.ts";
import type { Caller } from "../../guard/mod.ts";
import { parse, type Problem } from "../../json/mod.ts";
import {
  MAX_RESULTS,
  type SearchAnswer,
  type SearchRequest,
  searchRequest,
  type SearchResult,
} from "../../knowledge/mod.ts";
import { compileTemplate } from "../language/mod.ts";
import type { Json } from "../kernel/mod.ts";
import { taint } from "../calls/mod.ts";
import { common, type Limits, next, nextTarget, type NodeKind } from "./kind.ts";
import { oneStep } from "./policy.ts";

interface RetrieveNode extends Limits {
  retrieve: { query: unknown; collection?: unknown; limit?: unknown; filter?: unknown };
  next?: string;
}

/** Finds passages of documents. */
export type Search = (
  caller: Caller,
  request: SearchRequest,
  signal: AbortSignal,
) => Promise<SearchAnswer>;

/** What retrieve nodes need. */
export interface RetrieveEnv {
  /** Without it there are no documents. */
  search?: Search;
}

const DEFAULT_LIMIT = 6;

/** `retrieve:` finds passages of documents as one step; they fit an agent's `documents`. */
export const retrieve: NodeKind<RetrieveNode, RetrieveEnv> = {
  kind: "retrieve",
  personal: false,
  recorded: "step",
  loosens: false,
  schema: z.strictObject({
    retrieve: z.strictObject({
      query: z.string().min(1).describe("What to search for; may contain ${ expressions }."),
      collection: z.string().optional()
        .describe("The collection to search. Default: `default`."),
      limit: z.union([z.int().min(1).max(MAX_RESULTS), z.string()]).optional()
        .describe(`Maximum number of passages, 1 to ${MAX_RESULTS}. Default ${DEFAULT_LIMIT}.`),
      filter: z.unknown().optional().describe(
        "Conditions on documents' metadata: { field: value } or { field: { gte, lte, in } }.",
      ),
    }),
    ...common,
    ...next,
  }),
  templates: ({ retrieve }) =>
    Object.entries(retrieve).map(([name, value]) => ({ path: ["retrieve", name], value })),
  targets: nextTarget,
  compile(node, { search }) {
    const evaluate = compileTemplate(node.retrieve as Json);
    const found = oneStep(
      { kind: "retrieve", effect: "none", node, next: () => node.next },
      async (scope, { signal }, { caller }) => {
        if (!search) throw failed("documents are not available here");
        const request = toRequest(await evaluate(scope));
        return toOutput(await search(caller, request, signal));
      },
    );
    return {
      ...found,
      async run(ctx, key, scope) {
        const output = await found.run(ctx, key, scope);
        // Documents may hold instructions of whoever wrote them. Not in the step: a replay skips it.
        taint(ctx);
        return output;
      },
    };
  },
};

/** What was found, each passage in the form of a document with where it is. */
function toOutput({ results, ...rest }: SearchAnswer): Json {
  return { passages: results.map(toPassage), ...rest } as unknown as Json;
}

function toPassage({ document, ...passage }: SearchResult) {
  return { ...passage, title: document.title, url: document.url, document: document.id };
}

/** Checked here because its values are computed. @throws `expression_failed` */
function toRequest(value: Json | undefined): SearchRequest {
  const { data, problems } = parse(searchRequest, value);
  if (!problems) return { limit: DEFAULT_LIMIT, ...data };
  const [{ path, message }] = problems as [Problem];
  throw failed(`its ${path.join(".") || "value"} ${message}`);
}

function failed(why: string): OrchestratorError {
  return new OrchestratorError(
    "expression_failed",
    `Cannot retrieve passages: ${sentence(why)} Fix the node.`,
  );
}
