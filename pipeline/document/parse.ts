/** Reads a pipeline document, and finds everything that is wrong with it before anything runs. @module */
import { type Issue, OrchestratorError, sentence } from "../../errors.ts";
import { parse, type Problem, schemaIssues, schemaProblems } from "../../json/mod.ts";
import { cronProblem, readYaml } from "../language/mod.ts";
import { type Pipeline, pipelineSchema } from "./document.ts";
import { GraphCheck, type KnownNames, templateProblems } from "./validate_graph.ts";

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

/** Reads a value as a pipeline. `problems` is empty exactly when the pipeline can run. */
export async function validatePipeline(value: unknown, known: KnownNames = {}): Promise<Problem[]> {
  if (typeof value !== "object" || value === null || Array.isArray(value)) {
    return [{ path: [], message: "a pipeline is a mapping with name, version, start and nodes" }];
  }
  const problems = [...parse(pipelineSchema, value).problems ?? []];
  const { name, nodes, input } = value as Partial<Pipeline>;
  if (known.name !== undefined && typeof name === "string" && name !== known.name) {
    const message = `must be the file's name: write "${known.name}" or rename the file`;
    problems.push({ path: ["name"], message });
  }
  if (input !== undefined) problems.push(...schemaProblems(input, ["input"]));
  const isSound = problems.length === 0;
  if (typeof nodes !== "object" || nodes === null || Array.isArray(nodes)) return problems;
  problems.push(...await new GraphCheck(known).problems(value as Pipeline, []));
  return isSound ? [...problems, ...await startProblems(value as Pipeline)] : problems;
}

/** What is wrong with when and how runs start. The document fits its schema. */
async function startProblems({ concurrency, schedule, input }: Pipeline): Promise<Problem[]> {
  const problems = await Promise.all((schedule ?? []).map(async (entry, index) => {
    const path = ["schedule", index];
    const wrong = await cronProblem(entry.cron, entry.timezone);
    const cron = wrong ? [{ path: [...path, wrong.field], message: wrong.message }] : [];
    const unfit = input ? schemaIssues(input, entry.input ?? {}) : [];
    return [
      ...cron,
      ...unfit.slice(0, 1).map(({ location, message }) => ({
        path: entry.input === undefined ? path : [...path, "input"],
        message: `the input does not match the schema: ${location}: ${message}`,
      })),
    ];
  }));
  const key = concurrency ? [{ path: ["concurrency", "key"], value: concurrency.key }] : [];
  return [...problems.flat(), ...await templateProblems(key, { nodes: [], roots: ["input"] })];
}
