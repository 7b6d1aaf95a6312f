/**
 * Finds everything that is wrong with a pipeline before anything runs.
 *
 * @module
 */
import { cronProblem } from "../language/mod.ts";
import { type Pipeline, pipelineSchema } from "./document.ts";
import { parse, type Problem, schemaIssues, schemaProblems } from "../../json/mod.ts";
import { GraphCheck, type KnownNames, templateProblems } from "./validate_graph.ts";

export type { Problem } from "../../json/mod.ts";
export type { KnownNames } from "./validate_graph.ts";

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
