/** Programs in Python of the standard library, for where there are no packages. @module */
import type { Goal } from "../goal.ts";
import { comment } from "../python.ts";
import { IMPORTS as TRAINING_IMPORTS } from "./models.ts";
import { PLAIN_RECIPES } from "./recipes.ts";
import { IMPORTS, PLAIN_SECTIONS } from "./sections.ts";
import { preamble } from "./table.ts";

/** An exploration. @param head comments that stand above it @param titles its sections */
export function plainExploration(goal: Goal, head: string[], titles: string[]): string {
  const sections = titles.flatMap((title) =>
    PLAIN_SECTIONS[title] ? [`${comment(title)}\n${PLAIN_SECTIONS[title]}`] : []
  );
  return [[...head, IMPORTS].join("\n"), preamble(goal), ...sections].join("\n");
}

/** A training with what it does in a sentence. */
export function plainTraining(goal: Goal): { code: string; explanation: string } {
  const { body, explanation } = PLAIN_RECIPES[goal.task_type];
  const head = comment(`Model training (${goal.task_type}): ${goal.text}`);
  const parts = [`${head}\n${TRAINING_IMPORTS}`, preamble(goal), "", ...body];
  return { code: `${parts.join("\n")}\nprint(json.dumps(result))\n`, explanation };
}
