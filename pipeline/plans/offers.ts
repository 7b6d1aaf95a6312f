/** The installed pipelines as plans see them. @module */
import type { Issue } from "../../errors.ts";
import type { Caller } from "../../guard/mod.ts";
import type { JsonSchema } from "../../json/mod.ts";
import type { PipelineOffer, PipelineOffers } from "./capabilities.ts";

/** What is needed of a catalog. */
interface PipelineCatalog {
  pipelines(caller: Caller): Promise<{ name: string; description?: string; issues?: Issue[] }[]>;
  resolve(
    caller: Caller,
    name: string,
  ): Promise<{ version: string; definition: { pipeline: { input?: JsonSchema } } }>;
}

/** Offers every pipeline of a catalog that can run. */
export function createPipelineOffers(catalog: PipelineCatalog): PipelineOffers {
  const offer = async (caller: Caller, name: string, description = ""): Promise<PipelineOffer> => {
    const { version, definition: { pipeline: { input } } } = await catalog.resolve(caller, name);
    return { name, description, ...(input ? { input } : {}), version };
  };
  return {
    async offers(caller) {
      const entries = await catalog.pipelines(caller);
      const sound = entries.filter(({ issues }) => issues === undefined);
      return await Promise.all(
        sound.map(({ name, description }) => offer(caller, name, description)),
      );
    },
  };
}
