import * as z from "zod";
import { OrchestratorError } from "../../errors.ts";
import type { Json } from "../kernel/mod.ts";
import { compileTemplate, type Evaluate, type Scope } from "../language/mod.ts";
import { common, type Limits, type NodeKind, type Placed } from "./kind.ts";
import { oneStep } from "./policy.ts";

interface ChooseNode extends Limits {
  choose: { when: string; next: string }[];
  default?: string;
}

/** What a choice records. */
type Chosen = { next: string };

/** `choose:` leads to the first branch whose `when` is true, or to `default`. */
export const choose: NodeKind<ChooseNode, unknown> = {
  kind: "choose",
  personal: false,
  recorded: "step",
  loosens: false,
  schema: z.strictObject({
    choose: z.array(z.strictObject({
      when: z.string().regex(/\$\{/, "must be an expression, such as ${ nodes.review.ok }")
        .describe("${ expression }: true, or any value that is not empty."),
      next: z.string().describe("The next node if it is true."),
    })).min(1).describe("Branches, tried in order."),
    default: z.string().optional()
      .describe("The next node if no branch matches. Without it, the run fails."),
    ...common,
  }),
  templates: (node) =>
    node.choose.map(({ when }, index) => ({ path: ["choose", index, "when"], value: when })),
  targets,
  compile(node) {
    const branches = node.choose.map(({ when, next }) => ({ when: compileTemplate(when), next }));
    // The recorded choice counts, so that a resumed run goes the same way.
    const next = (output: Json) => (output as Chosen).next;
    return oneStep(
      { kind: "choose", effect: "none", node, next },
      (scope, { key }) => pick(key, branches, node.default, scope),
    );
  },
};

function targets(node: ChooseNode): Placed<string>[] {
  const branches = node.choose.map(({ next }, index) => ({
    path: ["choose", index, "next"],
    value: next,
  }));
  if (node.default === undefined) return branches;
  return [...branches, { path: ["default"], value: node.default }];
}

async function pick(
  key: string,
  branches: { when: Evaluate; next: string }[],
  otherwise: string | undefined,
  scope: Scope,
): Promise<Chosen> {
  for (const { when, next } of branches) {
    if (isTrue(await when(scope))) return { next };
  }
  if (otherwise !== undefined) return { next: otherwise };
  throw new OrchestratorError(
    "no_choice_matched",
    `Cannot continue after ${key}: no branch matched. Add a default to the node.`,
  );
}

/** JSONata's idea of truth: no for missing, null, "", 0, empty arrays and objects. */
function isTrue(value: Json | undefined): boolean {
  if (Array.isArray(value)) return value.some(isTrue);
  if (typeof value === "object" && value !== null) return Object.keys(value).length > 0;
  return Boolean(value);
}
