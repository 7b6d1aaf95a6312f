import { expect } from "expect";
import type { Issue, OrchestratorError } from "../../../errors.ts";
import { parsePipeline } from "../../../pipeline/document/parse.ts";

/** Names that documents may use. */
export const KNOWN = {
  agents: ["researcher", "planner"],
  tasks: ["merge_review"],
  pipelines: ["inner"],
  name: "demo",
};

/** A sound document whose nodes begin on line 4. */
export function document(nodes: string, rest = ""): string {
  return `name: demo\nversion: 1\nstart: a\nnodes:\n${nodes}\n${rest}`;
}

/** What is wrong with a document. */
export async function issues(text: string): Promise<Issue[]> {
  try {
    await parsePipeline(text, "demo.yaml", KNOWN);
    return [];
  } catch (error) {
    expect((error as OrchestratorError).code).toBe("pipeline_invalid");
    return (error as OrchestratorError).issues!;
  }
}

/** What a document is like, where the problem is and what it is. */
export type Case = [name: string, text: string, location: string, message: string | RegExp];

/** One test for each case. */
export function reports(cases: Case[]): void {
  for (const [name, text, location, message] of cases) {
    Deno.test(`parsePipeline() reports ${name} with its line`, async () => {
      const found = await issues(text);
      expect(found).toContainEqual({
        location,
        message: typeof message === "string" ? message : expect.stringMatching(message),
      });
    });
  }
}
