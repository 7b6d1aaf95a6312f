/** Which step of a plan needs which, from what it says and from what its input names. @module */
import type { Json, Path } from "../../json/mod.ts";
import { expressionsOf, inspectExpression } from "../language/mod.ts";
import type { PlanStep } from "./plan.ts";

/** What expressions of a plan may begin with. */
export const ROOTS = ["goal", "context", "steps", "run"];

/** What a template refers to. */
export interface References {
  /** Ids of steps. */
  steps: string[];
  problems: { path: Path; message: string }[];
}

/** Reads a template without evaluating it. */
export async function referencesOf(template: Json, path: Path): Promise<References> {
  const found: References = { steps: [], problems: [] };
  try {
    for (const { path: at, source } of expressionsOf(template, path)) {
      const { nodes, problems } = await inspectExpression(source, ROOTS, "steps");
      found.steps.push(...nodes);
      found.problems.push(
        ...problems.map(({ message }) => ({ path: at, message: `in \${ ${source} }: ${message}` })),
      );
    }
  } catch (error) {
    found.problems.push({ path, message: (error as Error).message });
  }
  return found;
}

/** The ids of the steps that each step needs, by its id. The plan must be sound. */
export async function dependenciesOf(steps: PlanStep[]): Promise<Map<string, Set<string>>> {
  const entries = steps.map(async ({ id, depends_on, input }) => {
    const { steps: named } = await referencesOf(input, []);
    return [id, new Set([...depends_on, ...named])] as const;
  });
  return new Map(await Promise.all(entries));
}

/** A cycle of steps, with the first one again at its end, if there is one. */
export function findCycle(needs: ReadonlyMap<string, Iterable<string>>): string[] | undefined {
  const done = new Set<string>();
  const path: string[] = [];
  const visit = (id: string): string[] | undefined => {
    if (path.includes(id)) return [...path.slice(path.indexOf(id)), id];
    if (done.has(id)) return;
    path.push(id);
    for (const needed of needs.get(id) ?? []) {
      const cycle = visit(needed);
      if (cycle) return cycle;
    }
    path.pop();
    done.add(id);
  };
  for (const id of needs.keys()) {
    const cycle = visit(id);
    if (cycle) return cycle;
  }
}

/** Ids of the steps that no other one needs, in order. */
export function lastSteps(needs: ReadonlyMap<string, Iterable<string>>): string[] {
  const needed = new Set([...needs.values()].flatMap((ids) => [...ids]));
  return [...needs.keys()].filter((id) => !needed.has(id));
}
