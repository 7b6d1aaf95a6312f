import * as z from "zod";
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

interface ParallelNode {
  parallel: Record<string, Graph>;
  tolerated_failures?: number | "all";
  next?: string;
}

/** `parallel: { name: graph, … }` walks graphs at the same time. */
export const parallel: NodeKind<ParallelNode, GraphEnv> = {
  kind: "parallel",
  // The nodes inside say for themselves whether they are.
  personal: false,
  recorded: "group",
  loosens: false,
  schema: z.strictObject({
    parallel: z.record(nodeName, graph).refine((value) => Object.keys(value).length > 0, {
      error: "has no branch: add one",
    }).describe("The branches by name. The output has the output of each one under its name."),
    tolerated_failures: tolerated,
    ...common,
    ...next,
  }),
  templates: () => [],
  targets: nextTarget,
  graphs: (node) =>
    Object.entries(node.parallel).map(([name, value]) => ({ path: ["parallel", name], value })),
  compile(node, { graphs = [] }) {
    const names = Object.keys(node.parallel);
    return {
      async run(ctx, key, scope, walk) {
        const branches = graphs.map((run, index) => (inner: typeof ctx) =>
          run(inner, `${key}.${names[index]}`, scope, walk)
        );
        const outputs = await runBranches(ctx, branches, node.tolerated_failures);
        return Object.fromEntries(outputs.map((output, index) => [names[index]!, output]));
      },
      next: () => node.next,
    };
  },
};
