/** Whether what a pipeline names is there: its tools, and the providers of its agents' models. @module */
import type { Config } from "../config.ts";
import { type Issue, toOrchestratorError } from "../errors.ts";
import type { Caller } from "../guard/mod.ts";
import type { InstalledCheck } from "../pipeline/catalog/mod.ts";
import { allNodes, namedTools, namesOf } from "../pipeline/document/mod.ts";
import type { Registry } from "../tools/mod.ts";
import { isExpected, modelCheck } from "./definition_warnings.ts";
import { expectedTools } from "./tools.ts";

/** Makes the check of pipelines that are put over the API. */
export function createInstalledCheck(
  config: Config,
  tools: Pick<Registry, "get">,
): InstalledCheck {
  const problemOf = modelCheck(config);
  const missing = async (caller: Caller, name: string): Promise<string | undefined> => {
    try {
      await tools.get(caller, name);
    } catch (thrown) {
      const error = toOrchestratorError(thrown);
      if (error.code !== "tool_unknown") throw error;
      return error.message;
    }
  };
  return async (caller, text, { agents, pipeline }) => {
    const expected = expectedTools(config);
    // A server that does not answer now may know its tools when the run does.
    const doubtful = namedTools(text).filter(({ name }) => !isExpected(name, expected));
    const unknown = await Promise.all(doubtful.map(async ({ name, location }) => {
      const message = await missing(caller, name);
      return message ? [{ location, message }] : [];
    }));
    // Not all of `agents`: a plan may use any of them, and need not.
    const unconfigured = namesOf("agent", allNodes(pipeline.nodes)).flatMap((name): Issue[] => {
      const model = agents[name]?.model;
      const message = model === undefined ? undefined : problemOf(model);
      return message ? [{ location: `agent ${name}, model`, message }] : [];
    });
    return [...unknown.flat(), ...unconfigured];
  };
}
