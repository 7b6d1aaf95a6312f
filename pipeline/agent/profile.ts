/**
 * Reads agent profiles: Markdown files with front matter. The field names are the ones that other
 * agent tools use, so their files load here; fields without a meaning here are ignored.
 *
 * @module
 */
import * as z from "zod";
import { type Issue, OrchestratorError, sentence } from "../../errors.ts";
import type { JsonSchema } from "../../llm/mod.ts";
import { editDistance, parse, schemaProblems, unknownName } from "../../json/mod.ts";
import { readYaml } from "../language/mod.ts";

/** An agent: plain JSON, part of a run's definition. */
export interface AgentProfile {
  /** The file's name without `.md`. */
  name: string;
  description: string;
  /** `provider/model` or a model name; absent: the default model. */
  model?: string;
  capabilities: string[];
  tools: string[];
  /** Name of the prompt that makes the user message; absent: the input as text. */
  prompt?: string;
  /** Messages of the conversation before the current one that the model sees. */
  history: number;
  /** Model calls that may ask for tools, plus the one that answers. */
  max_turns: number;
  /** Longest time of one model or tool call. */
  timeout_seconds: number;
  temperature?: number;
  max_output_tokens?: number;
  /** JSON Schema of what it takes. A plan may use agents that say so, and those without a prompt. */
  input?: JsonSchema;
  /** JSON Schema of the answer. */
  output?: JsonSchema;
  /** Template of the system message: the file's body. */
  system: string;
  /** Line of the file on which `system` begins. */
  system_line: number;
}

const names = z.union([
  z.array(z.string()),
  z.string().transform((list) => list.split(",").map((name) => name.trim()).filter(Boolean)),
]);

const frontMatter = z.object({
  description: z.string().default(""),
  model: z.string().optional(),
  capabilities: names.default([]),
  tools: names.default([]),
  prompt: z.string().optional(),
  history: z.int().min(0).max(1_000).default(2),
  max_turns: z.int().min(1).max(100).default(10),
  timeout_seconds: z.number().positive().max(3_600).default(120),
  temperature: z.number().min(0).max(2).optional(),
  max_output_tokens: z.int().positive().optional(),
  input: z.record(z.string(), z.unknown()).optional(),
  output: z.record(z.string(), z.unknown()).optional(),
});

/**
 * Reads a profile.
 *
 * @param name the file's name without `.md`: the agent's name, whatever its front matter says
 * @param prompts names of the prompts there are; without them the reference is not checked
 * @throws `agent_invalid` with issues such as `line 3, history`
 */
export function parseProfile(text: string, name: string, prompts?: string[]): AgentProfile {
  const { matter, body, bodyLine } = splitFrontMatter(text, name);
  const yaml = readYaml(matter, 2);
  if (yaml.issues.length > 0) throw invalid(name, yaml.issues);
  const parsed = parse(frontMatter, yaml.value ?? {});
  const problems = parsed.problems ?? referenceProblems(parsed.data, prompts);
  const issues = problems.map(({ path, message }) => ({ location: yaml.locate(path), message }));
  if (parsed.problems || issues.length > 0) throw invalid(name, issues);
  const { model, ...rest } = parsed.data;
  return {
    name,
    ...rest,
    ...(model === undefined || model === "inherit" ? {} : { model }),
    system: body,
    system_line: bodyLine,
  };
}

/**
 * Fields of a profile that are well formed, but likely mistakes: names that are close to those of fields
 * that are read, and tools that there are not.
 *
 * @param unknownTool what is wrong with a tool's name, if anything
 * @throws as {@linkcode parseProfile}
 */
export function profileWarnings(
  text: string,
  name: string,
  unknownTool: (tool: string) => string | undefined,
): Issue[] {
  const { tools } = parseProfile(text, name);
  const yaml = readYaml(splitFrontMatter(text, name).matter, 2);
  const given = (yaml.value ?? {}) as Record<string, unknown>;
  const fields = Object.keys(given).flatMap((field) => {
    const meant = field in frontMatter.shape ? undefined : nearField(field);
    const message = `is not read: did you mean "${meant}"? Rename or remove it`;
    return meant ? [{ location: yaml.locate([field]), message }] : [];
  });
  const at = (index: number) =>
    yaml.locate(Array.isArray(given.tools) ? ["tools", index] : ["tools"]);
  const unknown = tools.flatMap((tool, index) => {
    const message = unknownTool(tool);
    return message ? [{ location: at(index), message }] : [];
  });
  return [...fields, ...unknown];
}

/**
 * What is wrong with a profile's model, if it names one.
 *
 * @throws as {@linkcode parseProfile}
 */
export function modelIssues(
  text: string,
  name: string,
  problemOf: (model: string) => string | undefined,
): Issue[] {
  const { model } = parseProfile(text, name);
  const message = model === undefined ? undefined : problemOf(model);
  if (message === undefined) return [];
  const location = readYaml(splitFrontMatter(text, name).matter, 2).locate(["model"]);
  return [{ location, message }];
}

/** Short names have neighbours that other agent tools read: `hooks` and `tools`. */
function nearField(field: string): string | undefined {
  return Object.keys(frontMatter.shape)
    .find((known) => editDistance(field.toLowerCase(), known) <= (known.length < 6 ? 1 : 2));
}

/** True for an agent that can be given work by others than the pipeline it was written for. */
export function takesTasks({ input, prompt }: AgentProfile): boolean {
  return input !== undefined || prompt === undefined;
}

function referenceProblems(
  { prompt, ...schemas }: z.infer<typeof frontMatter>,
  prompts?: string[],
) {
  const problems = (["input", "output"] as const).flatMap((field) =>
    schemas[field] === undefined ? [] : schemaProblems(schemas[field], [field])
  );
  if (prompt === undefined || !prompts || prompts.includes(prompt)) return problems;
  return [...problems, { path: ["prompt"], message: unknownName("prompt", prompt, prompts) }];
}

function splitFrontMatter(text: string, name: string) {
  const found = /^\uFEFF?---[ \t]*\r?\n([\s\S]*?)(?:^|\r?\n)---[ \t]*(?:\r?\n|$)/m.exec(text);
  if (!found || found.index !== 0) {
    const message = "the file must start with front matter: a line ---, the fields, a line ---";
    throw invalid(name, [{ location: "line 1", message }]);
  }
  const [head, matter] = found as unknown as [string, string];
  const rest = text.slice(head.length);
  const body = rest.trimStart();
  const skipped = head + rest.slice(0, rest.length - body.length);
  return { matter, body: body.trimEnd(), bodyLine: skipped.split("\n").length };
}

function invalid(name: string, issues: Issue[]): OrchestratorError {
  const [{ location, message }] = issues as [Issue];
  return new OrchestratorError(
    "agent_invalid",
    `Cannot use agent ${name}: ${location}: ${sentence(message)} Fix agents/${name}.md.`,
    { issues },
  );
}
