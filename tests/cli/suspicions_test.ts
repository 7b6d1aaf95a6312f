import { expect } from "expect";
import { misspellings, placeholders } from "../../cli/suspicions.ts";
import { describeVariable, VARIABLE_NAMES } from "../../config/variables.ts";

const where = (issues: { location: string }[]) => issues.map(({ location }) => location);

Deno.test("misspellings() finds names that are nearly those of variables", () => {
  const env = { LLM_PROVDIER: "openai", OPEN_AI_API_KEY: "k", ORCHESTRATOR_HOMES: "/x" };
  expect(where(misspellings(env))).toEqual(Object.keys(env));
  expect(misspellings(env)[0]?.message).toContain("is LLM_PROVIDER meant?");
});

Deno.test("misspellings() leaves the names of others alone", () => {
  const others = ["PATH", "HOME", "POST", "HOSTS", "GROQ_API_KEY", "MISTRAL_API_KEY", "LOGNAME"];
  const known = VARIABLE_NAMES as string[];
  expect(misspellings(Object.fromEntries([...others, ...known].map((name) => [name, "x"]))))
    .toEqual([]);
});

Deno.test("placeholders() finds every example of a key or project id", () => {
  const examples = Object.fromEntries(
    VARIABLE_NAMES.map((name) => [name, describeVariable(name).example]),
  );
  expect(where(placeholders(examples)).sort()).toEqual(
    VARIABLE_NAMES.filter((name) => /_API_KEY$|_AUTH_TOKEN$|_PROJECT_ID$/.test(name)).sort(),
  );
});

Deno.test("placeholders() takes real values as such", () => {
  expect(placeholders({
    OPENAI_API_KEY: "sk-proj-Zm9vYmFy",
    CUSTOMGPT_API_KEY: "1234|abcdef",
    RESEARCH_AGENT_PROJECT_ID: "38411",
    ORCHESTRATOR_BASE_URL: "https://your.example.com",
  })).toEqual([]);
});
