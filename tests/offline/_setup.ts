/** Shared by the offline model's tests: sample documents and the compose chain without an engine. */
import { createOfflineModel } from "../../offline/mod.ts";
import type { Plan, Research, Source } from "../../offline/material.ts";
import type { Review } from "../../offline/review.ts";
import type { JsonSchema, ModelMessage, ModelRequest } from "../../llm/model.ts";
import { parse } from "yaml";

const root = new URL("../../", import.meta.url);
const sample = (name: string) =>
  Deno.readTextFileSync(new URL(`examples/sustainable-architecture/${name}.md`, root));

/** The two documents of the demo. */
export const DOCUMENTS: Source[] = [
  { id: "materials", text: sample("materials_and_reuse"), url: "https://example.org/materials" },
  { id: "energy", text: sample("energy_and_climate") },
];

export const ASK = "Draft a blog post about sustainable architecture trends.";

/** A sentence without citations and case, to look for it in a document. */
export function bare(text: string): string {
  return text.replace(/\s?\[[^\]]*\]/g, "").replace(/\s+/g, " ").trim().toLowerCase();
}

/** The output schema of a profile in agents/. */
export function outputSchema(agent: string): JsonSchema {
  const text = Deno.readTextFileSync(new URL(`agents/${agent}.md`, root));
  return parse(text.split("---\n")[1] ?? "").output;
}

/** Asks the offline model as an agent with one capability would. */
export async function ask(
  capability: string,
  input: Record<string, unknown>,
  extra: Partial<ModelRequest> = {},
): Promise<string> {
  const answer = await createOfflineModel().generate({
    messages: [{ role: "user", content: String(input.ask ?? "") }],
    agent: { name: "tester", capabilities: [capability] },
    input,
    ...extra,
  }, { signal: new AbortController().signal });
  return answer.text;
}

/** Runs research, plan, build and review the way the pipeline `compose` does. */
export async function compose(
  request: string,
  context: Record<string, unknown>,
  documents: Source[] = DOCUMENTS,
  history: ModelMessage[] = [],
) {
  const base = { ask: request, context };
  const messages = [...history, { role: "user" as const, content: "rendered prompt" }];
  const made = async (capability: string, agent: string, input: Record<string, unknown>) =>
    JSON.parse(
      await ask(capability, input, {
        messages,
        output: { name: agent, schema: outputSchema(agent) },
      }),
    );
  const research: Research = await made("research", "researcher", { ...base, documents });
  const plan: Plan = await made("planning", "planner", { ...base, research });
  const draft = await ask("writing", { ...base, research, plan }, { messages });
  const review: Review = await made("review", "reviewer", { ...base, research, plan, draft });
  return { research, plan, draft, review };
}
