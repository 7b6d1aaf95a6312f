import { expect } from "expect";
import { environmentIssues, misspellings, placeholders } from "../../cli/suspicions.ts";
import { environmentOf } from "./_environment.ts";
import { describeVariable, VARIABLE_NAMES } from "../../config/variables.ts";

const where = (issues: { location: string }[]) => issues.map(({ location }) => location);

Deno.test("misspellings() finds names that are nearly those of variables", () => {
  const env = { LLM_PROVDIER: "openai", OPEN_AI_API_KEY: "k", ORCHESTRATOR_HOMES: "/x" };
  expect(where(misspellings(env))).toEqual(Object.keys(env));
  expect(misspellings(env)[0]?.message).toContain("did you mean LLM_PROVIDER?");
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

/** The seeds' variables that nothing reads yet, with values as they would have. */
const UNSUPPORTED = {
  REDIS_URL: "redis://localhost:6379",
  REDIS_HOST: "localhost",
  POSTGRES_DSN: "postgres://localhost/x",
  USE_RABBITMQ: "true",
  RABBITMQ_HOST: "localhost",
  RABBITMQ_USER: "guest",
  RABBITMQ_PASSWORD: "canary",
  OTEL_EXPORTER_OTLP_ENDPOINT: "http://localhost:4318",
  LANGFUSE_PUBLIC_KEY: "pk",
};

Deno.test("environmentIssues() finds variables that are not supported yet, and shows no value", () => {
  const issues = environmentIssues(environmentOf(UNSUPPORTED));
  expect(where(issues)).toEqual(Object.keys(UNSUPPORTED));
  for (const { message } of issues) {
    expect(message).toMatch(/^is not supported yet and has no effect: /);
    expect(message).not.toContain("canary");
  }
  expect(environmentIssues(environmentOf({ USE_RABBITMQ: "false", REDIS_URL: " " }))).toEqual([]);
});

Deno.test("environmentIssues() finds unknown names in the home folder's file only", () => {
  const variables = {
    MY_TOKEN: "x",
    LLM_PROVDIER: "openai",
    GROQ_KEY: "y",
    PORT: "1",
    TOOL_SECRET_CRM: "z",
    no_proxy: "*",
    REDIS_URL: "redis://",
  };
  const file = (path: string) => ({ path, variables, malformed: [] });
  const named = () => new Set(["MY_TOKEN"]);
  const own = environmentOf(variables, [file("/home/me/.env")]);
  const issues = environmentIssues({ ...own, named });
  expect(where(issues)).toEqual(["LLM_PROVDIER", "REDIS_URL", "GROQ_KEY"]);
  expect(issues[2]?.message).toContain("in /home/me/.env is not a variable of this program");
  const other = { ...own, named, home_file: "/elsewhere/.env" };
  expect(where(environmentIssues(other))).toEqual(["LLM_PROVDIER", "REDIS_URL"]);
});

Deno.test("environmentIssues() finds lines of both files that set nothing", () => {
  const file = (path: string) => ({ path, variables: {}, malformed: [2, 5] });
  const issues = environmentIssues(environmentOf({}, [file("a/.env"), file("b/.env")]));
  expect(where(issues)).toEqual([
    "a/.env line 2",
    "a/.env line 5",
    "b/.env line 2",
    "b/.env line 5",
  ]);
});
