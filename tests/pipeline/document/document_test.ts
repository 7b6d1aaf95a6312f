import { expect } from "expect";
import { parse } from "yaml";
import { pipelineJsonSchema, pipelineSchema } from "../../../pipeline/document/document.ts";
import { schemaIssues } from "../../../json/schema.ts";

const COMPOSE = new URL("../../../pipeline/definitions/compose.yaml", import.meta.url);

Deno.test("the published schema accepts a pipeline and refuses unknown fields", async () => {
  const compose = parse(await Deno.readTextFile(COMPOSE));
  expect(schemaIssues(pipelineJsonSchema(), compose)).toEqual([]);
  expect(pipelineSchema.safeParse(compose).success).toBe(true);
  expect(schemaIssues(pipelineJsonSchema(), { ...compose, unknown: 1 })).not.toEqual([]);
});
