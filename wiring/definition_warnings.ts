/** What is wrong or likely a mistake in agents and pipelines, as far as a configuration can tell. @module */
import type { Config } from "../config.ts";
import { type Issue, sentence, toOrchestratorError } from "../errors.ts";
import { nearest, unknownName } from "../json/mod.ts";
import { misspelt, resolveModel } from "../llm/mod.ts";
import { modelIssues, profileWarnings } from "../pipeline/agent/mod.ts";
import type { CatalogEntry } from "../pipeline/catalog/mod.ts";
import { namedTools } from "../pipeline/document/mod.ts";
import { expectedTools } from "./tools.ts";

/** Misspelt fields and tools of agents that can be used. */
export async function agentWarnings(agents: CatalogEntry[], config: Config): Promise<Issue[]> {
  const unknownTool = toolCheck(config, "the agent runs without it");
  return await inEach(agents, (text, name) => [
    ...profileWarnings(text, name, unknownTool),
    ...modelIssues(text, name, misspelt),
  ]);
}

/** Tools of pipelines that can be used and that name one which there is not. */
export async function pipelineWarnings(
  pipelines: CatalogEntry[],
  config: Config,
): Promise<Issue[]> {
  const unknownTool = toolCheck(config, "runs fail at this node");
  return await inEach(pipelines, (text) => toolIssues(text, unknownTool));
}

function toolIssues(text: string, unknownTool: (name: string) => string | undefined): Issue[] {
  return namedTools(text).flatMap(({ name, location }) => {
    const message = unknownTool(name);
    return message ? [{ location, message }] : [];
  });
}

/** Agents whose model has a provider that is not configured. */
export async function agentModelProblems(
  agents: CatalogEntry[],
  config: Config,
): Promise<Issue[]> {
  return await inEach(agents, (text, name) => modelIssues(text, name, modelCheck(config)));
}

/** Says why a model cannot be used, if so. */
export function modelCheck({ models }: Config): (model: string) => string | undefined {
  const configured = ["offline", ...Object.keys(models.providers)];
  return (model) => {
    try {
      resolveModel(model, models.provider, configured);
    } catch (error) {
      return toOrchestratorError(error).message;
    }
  };
}

async function inEach(
  entries: CatalogEntry[],
  issuesOf: (text: string, name: string) => Issue[],
): Promise<Issue[]> {
  const found = entries
    .filter(({ source, issues }) => source === "home" && issues === undefined)
    .map(async ({ name, file }) => {
      const issues = issuesOf(await Deno.readTextFile(file!), name);
      return issues.map(({ location, message }) => ({ location: `${file}, ${location}`, message }));
    });
  return (await Promise.all(found)).flat();
}

/** Tools may also be registered over the API, which is not known here. */
function toolCheck(config: Config, otherwise: string) {
  const { names, prefixes } = expectedTools(config);
  return (name: string) => {
    if (isExpected(name, { names, prefixes })) return undefined;
    // A document whose tools have no prefix may have any name: only near misses are reported.
    if (prefixes.includes("") && nearest(name, names) === undefined) return undefined;
    const why = sentence(unknownName("tool", name, names));
    return `${why} Unless it is registered over the API, ${otherwise}`;
  };
}

/** True for names that a configuration's tools have, or may have: servers are not asked. */
export function isExpected(
  name: string,
  { names, prefixes }: ReturnType<typeof expectedTools>,
): boolean {
  return names.includes(name) || name.endsWith("*") ||
    prefixes.some((prefix) => prefix !== "" && name.startsWith(prefix));
}
