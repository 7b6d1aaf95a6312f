/**
 * The task `capabilities`: what an assistant can hand a request to. It is looked up in a step, so a
 * resumed run chooses among the same.
 *
 * @module
 */
import type { Json } from "../../json/mod.ts";
import type { PipelineOffers } from "./capabilities.ts";
import type { Task } from "../nodes/mod.ts";
import type { Tools } from "../calls/mod.ts";

/** What looking it up needs. */
export interface CapabilitiesDeps {
  /** The installed pipelines that can run. */
  offers: PipelineOffers["offers"];
  tools: Pick<Tools, "describe">;
}

/** Pipelines and tools that a choice is made of, at most. */
const MAX_OFFERS = 100;
const MAX_DESCRIPTION = 500;

/**
 * From `{except?: names, tools?: names}` to `{pipelines: [{name, description, input?}], tools: [{name,
 * description, input, source}]}`: all pipelines but those in `except` and the run's own, and the
 * enabled tools of `tools`, where `*` at the end stands for anything. Without `tools`: all.
 */
export function capabilitiesTask({ offers, tools }: CapabilitiesDeps): Task {
  return {
    effect: "none",
    async run(input, _scope, { caller, pipeline }) {
      const { except = [], tools: names = ["*"] } = (input ?? {}) as {
        except?: string[];
        tools?: string[];
      };
      const [pipelines, found] = await Promise.all([
        offers(caller),
        tools.describe(caller, names),
      ]);
      const others = pipelines.filter(({ name }) => name !== pipeline && !except.includes(name));
      return {
        pipelines: others.slice(0, MAX_OFFERS).map(({ name, description, input }) => ({
          name,
          description: description.slice(0, MAX_DESCRIPTION),
          ...(input ? { input: input as Json } : {}),
        })),
        tools: found.slice(0, MAX_OFFERS).map(({ name, description, input, source }) => ({
          name,
          description: description.slice(0, MAX_DESCRIPTION),
          input: input as Json,
          source,
        })),
      };
    },
  };
}
