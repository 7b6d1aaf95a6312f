import * as z from "zod";
import { OrchestratorError } from "../../errors.ts";
import type { Json } from "../kernel/mod.ts";
import { compileTemplate, SCOPE_FIELDS } from "../language/mod.ts";
import { runBranches } from "./branches.ts";
import {
  common,
  type Graph,
  graph,
  type GraphEnv,
  next,
  nextTarget,
  type NodeKind,
  nodeName,
  tolerated,
} from "./kind.ts";

interface MapNode {
  map: {
    items: Json;
    as?: string;
    concurrency?: number;
    tolerated_failures?: number | "all";
    body: Graph;
  };
  next?: string;
}

/** Items of one map, at most. */
const MAX_ITEMS = 10_000;
/** Items worked on at the same time unless the node says otherwise. */
const DEFAULT_CONCURRENCY = 10;
const DEFAULT_NAME = "item";

/** `map: { items, body }` walks a graph once for each item of a list. */
export const map: NodeKind<MapNode, GraphEnv> = {
  kind: "map",
  // The nodes inside say for themselves whether they are.
  personal: false,
  recorded: "group",
  loosens: false,
  schema: z.strictObject({
    map: z.strictObject({
      items: z.unknown().refine((value) => value !== undefined)
        .describe("The list: an expression, or values with ${ expressions }."),
      as: nodeName.refine((name) => !SCOPE_FIELDS.includes(name), {
        error: "means something else in expressions: choose another name",
      }).optional().describe(`The name of the item in the body. Default ${DEFAULT_NAME}.`),
      concurrency: z.int().min(1).max(MAX_ITEMS).optional().describe(
        `How many items run at the same time. Default ${DEFAULT_CONCURRENCY}.`,
      ),
      tolerated_failures: tolerated,
      body: graph.describe("The graph that runs for each item. It also sees the item's index."),
    }),
    ...common,
    ...next,
  }),
  templates: ({ map }) => [{ path: ["map", "items"], value: map.items }],
  targets: nextTarget,
  graphs: ({ map }) => [{
    path: ["map", "body"],
    value: map.body,
    variables: [map.as ?? DEFAULT_NAME, "index"],
  }],
  compile({ map, next }, { graphs = [] }) {
    const [body] = graphs;
    const evaluate = compileTemplate(map.items);
    const { as = DEFAULT_NAME, concurrency = DEFAULT_CONCURRENCY, tolerated_failures } = map;
    return {
      async run(ctx, key, scope, walk) {
        const items = list(key, await evaluate(scope));
        const branches = items.map((item, index) => (inner: typeof ctx) =>
          body!(inner, `${key}[${index}]`, { ...scope, [as]: item, index }, walk)
        );
        return await runBranches(ctx, branches, tolerated_failures, { concurrency });
      },
      next: () => next,
    };
  },
};

function list(key: string, value: Json | undefined): Json[] {
  if (Array.isArray(value) && value.length <= MAX_ITEMS) return value;
  const why = Array.isArray(value)
    ? `there are ${value.length} items, more than ${MAX_ITEMS}`
    : `items is ${JSON.stringify(value ?? null).slice(0, 60)}, not a list`;
  throw new OrchestratorError(
    "validation_failed",
    `Cannot map in ${key}: ${why}. Fix the node's expression or its input.`,
    { details: { step: key } },
  );
}
