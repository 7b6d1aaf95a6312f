/** What is wrong or likely a mistake in the agents of a home folder. @module */
import type { Config } from "../config.ts";
import { type Issue, sentence, toOrchestratorError } from "../errors.ts";
import { nearest, unknownName } from "../json/mod.ts";
import { resolveModel } from "../llm/mod.ts";
import { modelIssues, profileWarnings } from "../pipeline/agent/mod.ts";
import type { CatalogEntry } from "../pipeline/catalog/mod.ts";
import { expectedTools } from "./tools.ts";

/** Misspelt fields and tools of agents that can be used. */
export async function agentWarnings(agents: CatalogEntry[], config: Config): Promise<Issue[]> {
  const unknownTool = toolCheck(expectedTools(config));
  return await inEach(agents, (text, name) => profileWarnings(text, name, unknownTool));
}

/** Agents whose model has a provider that is not configured. */
export async function agentModelProblems(
  agents: CatalogEntry[],
  { models }: Config,
): Promise<Issue[]> {
  const configured = ["offline", ...Object.keys(models.providers)];
  const problemOf = (model: string) => {
    try {
      resolveModel(model, models.provider, configured);
    } catch (error) {
      return toOrchestratorError(error).message;
    }
  };
  return await inEach(agents, (text, name) => modelIssues(text, name, problemOf));
}

async function inEach(
  agents: CatalogEntry[],
  issuesOf: (text: string, name: string) => Issue[],
): Promise<Issue[]> {
  const found = agents
    .filter(({ source, issues }) => source === "home" && issues === undefined)
    .map(async ({ name, file }) => {
      const issues = issuesOf(await Deno.readTextFile(file!), name);
      return issues.map(({ location, message }) => ({ location: `${file}, ${location}`, message }));
    });
  return (await Promise.all(found)).flat();
}

/** Tools may also be registered over the API, which nobody can know here. */
function toolCheck({ names, prefixes }: ReturnType<typeof expectedTools>) {
  return (name: string) => {
    if (names.includes(name) || name.endsWith("*")) return undefined;
    if (prefixes.some((prefix) => prefix !== "" && name.startsWith(prefix))) return undefined;
    // A document whose tools have no prefix may hold any name: only what is nearly another is told.
    if (prefixes.includes("") && nearest(name, names) === undefined) return undefined;
    return `${
      sentence(unknownName("tool", name, names))
    } Unless it is registered over the API, the ` +
      "agent goes without it";
  };
}
