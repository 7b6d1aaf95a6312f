import { type Issue, OrchestratorError, sentence } from "../../errors.ts";
import type { Pipeline } from "./document.ts";
import type { KnownNames } from "./validate_graph.ts";
import { validatePipeline } from "./validate.ts";
import { readYaml } from "../language/mod.ts";

/** Problems that are reported of one document, at most. */
const MAX_PROBLEMS = 50;

/**
 * Reads a pipeline document (YAML, so JSON too).
 *
 * @param source what errors call it: a file's name
 * @param known names of the agents and tasks there are; without them references are not checked
 * @throws `pipeline_invalid` with issues such as `line 12, nodes.plan.next`
 */
export async function parsePipeline(
  text: string,
  source: string,
  known?: KnownNames,
): Promise<Pipeline> {
  const { value, issues, locate } = readYaml(text);
  if (issues.length > 0) throw invalidPipeline(source, issues);
  const problems = await validatePipeline(value, known);
  if (problems.length > 0) {
    throw invalidPipeline(
      source,
      problems.map(({ path, message }) => ({
        location: locate(path),
        message,
      })),
    );
  }
  return value as Pipeline;
}

/** The error for a document that cannot be used, with the first of its issues. */
export function invalidPipeline(source: string, issues: Issue[]): OrchestratorError {
  const [{ location, message }] = issues as [Issue];
  const more = issues.length === 1 ? "" : ` (and ${issues.length - 1} more)`;
  return new OrchestratorError(
    "pipeline_invalid",
    `Cannot use pipeline ${source}: ${location}: ${sentence(message + more)} Fix the document.`,
    { issues: issues.slice(0, MAX_PROBLEMS) },
  );
}
