/** The installed pipelines as plans see them. @module */
import type { Issue } from "../../errors.ts";
import type { JsonSchema } from "../../json/mod.ts";
import type { PipelineOffer, PipelineOffers } from "./capabilities.ts";

/** What is needed of a catalog. */
interface PipelineCatalog {
  pipelines(tenant: string): Promise<{ name: string; description?: string; issues?: Issue[] }[]>;
  resolve(
    name: string,
    tenant: string,
  ): Promise<{ version: string; definition: { pipeline: { input?: JsonSchema } } }>;
}

/** Offers every pipeline of a catalog that can run. */
export function createPipelineOffers(catalog: PipelineCatalog): PipelineOffers {
  const offer = async (tenant: string, name: string, description = ""): Promise<PipelineOffer> => {
    const { version, definition: { pipeline: { input } } } = await catalog.resolve(name, tenant);
    return { name, description, ...(input ? { input } : {}), version };
  };
  return {
    async offers(tenant) {
      const entries = await catalog.pipelines(tenant);
      const sound = entries.filter(({ issues }) => issues === undefined);
      return await Promise.all(
        sound.map(({ name, description }) => offer(tenant, name, description)),
      );
    },
  };
}
