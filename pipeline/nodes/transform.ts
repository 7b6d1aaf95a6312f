import * as z from "zod";
import type { Json } from "../kernel/mod.ts";
import { compileTemplate } from "../language/mod.ts";
import { common, type Limits, next, nextTarget, type NodeKind } from "./kind.ts";
import { oneStep } from "./policy.ts";

interface TransformNode extends Limits {
  transform: unknown;
  next?: string;
}

/** `transform: template` computes a value. */
export const transform: NodeKind<TransformNode, unknown> = {
  kind: "transform",
  personal: false,
  recorded: "step",
  loosens: false,
  schema: z.strictObject({
    transform: z.unknown().refine((value) => value !== undefined)
      .describe("The node's output: any value with ${ expressions }."),
    ...common,
    ...next,
  }),
  templates: (node) => [{ path: ["transform"], value: node.transform }],
  targets: nextTarget,
  compile(node) {
    const evaluate = compileTemplate(node.transform as Json);
    return oneStep({ kind: "transform", effect: "none", node, next: () => node.next }, (scope) => {
      const value = evaluate(scope);
      return value instanceof Promise ? value.then((late) => late ?? null) : value ?? null;
    });
  },
};
