import { expect } from "expect";
import { parse } from "yaml";
import { pipelineJsonSchema, pipelineSchema } from "../../../pipeline/document/document.ts";
import { schemaIssues } from "../../../json/schema.ts";

const FILE = new URL("../../../schemas/pipeline.schema.json", import.meta.url);
const COMPOSE = new URL("../../../pipeline/definitions/compose.yaml", import.meta.url);

Deno.test("schemas/pipeline.schema.json is up to date (UPDATE_SCHEMAS=1 writes it)", async () => {
  const text = JSON.stringify(pipelineJsonSchema(), null, 2) + "\n";
  if (Deno.env.get("UPDATE_SCHEMAS")) await Deno.writeTextFile(FILE, text);
  expect(await Deno.readTextFile(FILE)).toBe(text);
});

Deno.test("the published schema accepts a pipeline and refuses unknown fields", async () => {
  const compose = parse(await Deno.readTextFile(COMPOSE));
  expect(schemaIssues(pipelineJsonSchema(), compose)).toEqual([]);
  expect(pipelineSchema.safeParse(compose).success).toBe(true);
  expect(schemaIssues(pipelineJsonSchema(), { ...compose, unknown: 1 })).not.toEqual([]);
});
