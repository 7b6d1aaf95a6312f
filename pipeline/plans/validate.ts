/**
 * Finds everything that is wrong with a plan before any of it runs.
 *
 * @module
 */
import type { Issue } from "../../errors.ts";
import {
  canonicalJson,
  type Json,
  type JsonSchema,
  type Path,
  schemaIssues,
  unknownName,
} from "../../json/mod.ts";
import { isTemplate } from "../language/mod.ts";
import { type Capabilities, inputSchema } from "./capabilities.ts";
import { dependenciesOf, findCycle, referencesOf } from "./dependencies.ts";
import { type Doer, MAX_STEPS, type Plan, planSchema, type PlanStep } from "./plan.ts";

/** What a plan is checked against. */
export interface PlanRules {
  capabilities: Capabilities;
  /** Steps that are finished: others may refer to them. */
  kept: PlanStep[];
}

/**
 * What is wrong with a plan: JSON pointers and messages; empty exactly when it can run. A step that
 * repeats a finished one word for word is not wrong: see {@linkcode withoutKept}.
 */
export async function planIssues(value: unknown, rules: PlanRules): Promise<Issue[]> {
  const misshapen = schemaIssues(planSchema, value);
  if (misshapen.length > 0) return misshapen;
  const plan = withoutKept(value as Plan, rules.kept);
  const all = [...rules.kept, ...plan.steps];
  const issues = [...sizeIssues(all), ...idIssues(value as Plan, rules.kept)];
  for (const [index, step] of (value as Plan).steps.entries()) {
    if (!plan.steps.includes(step)) continue;
    const ids = all.map(({ id }) => id);
    issues.push(
      ...doerIssues(step, index, rules.capabilities),
      ...await referenceIssues(step, index, ids),
      ...inputIssues(step, index, rules.capabilities),
    );
  }
  issues.push(...await outputIssues(plan, all.map(({ id }) => id)));
  return issues.length > 0 ? issues : await cycleIssues(value as Plan, all);
}

/** The plan without the steps that are finished already. */
export function withoutKept(plan: Plan, kept: PlanStep[]): Plan {
  const steps = plan.steps.filter((step) => !kept.some((one) => isSame(one, step)));
  return steps.length === plan.steps.length ? plan : { ...plan, steps };
}

function isSame(a: PlanStep, b: PlanStep): boolean {
  const work = ({ id, kind, name, input }: PlanStep) => canonicalJson({ id, kind, name, input });
  return work(a) === work(b);
}

function sizeIssues(all: PlanStep[]): Issue[] {
  if (all.length === 0) {
    return [{ location: "/steps", message: "a plan has at least one step: add one" }];
  }
  if (all.length <= MAX_STEPS) return [];
  const message = `${all.length} steps, including completed ones, are more than ${MAX_STEPS}: ` +
    "combine some of them, or use a pipeline";
  return [{ location: "/steps", message }];
}

function idIssues({ steps }: Plan, kept: PlanStep[]): Issue[] {
  return steps.flatMap((step, index) => {
    const location = `/steps/${index}/id`;
    const first = steps.findIndex(({ id }) => id === step.id);
    if (first < index) {
      const message = `step ${first} already has the ID "${step.id}": choose another one`;
      return [{ location, message }];
    }
    const finished = kept.find(({ id }) => id === step.id);
    if (!finished || isSame(finished, step)) return [];
    const message = `the step "${step.id}" is completed and cannot be changed: ` +
      "remove it, or use another ID for other work";
    return [{ location, message }];
  });
}

function doerIssues({ kind, name }: PlanStep, index: number, capabilities: Capabilities): Issue[] {
  const names = namesByKind(capabilities);
  if (names[kind].includes(name)) return [];
  const other = (Object.keys(names) as Doer[]).find((doer) => names[doer].includes(name));
  if (other) {
    const message = `"${name}" is ${
      other === "agent" ? "an" : "a"
    } ${other}: set its kind to ${other}`;
    return [{ location: `/steps/${index}/kind`, message }];
  }
  return [{ location: `/steps/${index}/name`, message: unknownName(kind, name, names[kind]) }];
}

function namesByKind({ agents, tools, pipelines }: Capabilities): Record<Doer, string[]> {
  const names = (offers: { name: string }[]) => offers.map(({ name }) => name);
  return { agent: names(agents), tool: names(tools), pipeline: names(pipelines) };
}

async function referenceIssues(step: PlanStep, index: number, ids: string[]): Promise<Issue[]> {
  const { steps, problems } = await referencesOf(step.input, ["steps", index, "input"]);
  const unknown = (wanted: string[], location: (at: number) => string) =>
    wanted.flatMap((id, at) =>
      ids.includes(id) ? [] : [{ location: location(at), message: unknownName("step", id, ids) }]
    );
  return [
    ...problems.map(({ path, message }) => ({ location: pointer(path), message })),
    ...unknown(step.depends_on, (at) => `/steps/${index}/depends_on/${at}`),
    ...unknown([...new Set(steps)], () => `/steps/${index}/input`),
  ];
}

/** What is given as it is must fit; of what is known only later, that it is given at all. */
function inputIssues(step: PlanStep, index: number, capabilities: Capabilities): Issue[] {
  const schema = inputSchema(capabilities, step);
  if (!schema) return [];
  const location = `/steps/${index}/input`;
  const later = Object.keys(step.input).filter((name) => !isConstant(step.input[name]!));
  const issues = later.length === 0
    ? schemaIssues(schema, step.input)
    : partialIssues(schema, step.input, later);
  return issues.map((issue) => ({
    location: issue.location === "/" ? location : location + issue.location,
    message: issue.message,
  }));
}

function partialIssues(
  schema: JsonSchema,
  input: Record<string, Json>,
  later: string[],
): Issue[] {
  const { properties = {}, required = [], additionalProperties, $defs } = schema as {
    properties?: Record<string, JsonSchema>;
    required?: string[];
    additionalProperties?: Json;
    $defs?: JsonSchema;
  };
  const now = Object.fromEntries(Object.entries(input).filter(([name]) => !later.includes(name)));
  const shape = {
    properties,
    ...(additionalProperties === undefined ? {} : { additionalProperties }),
    ...($defs ? { $defs } : {}),
  };
  const missing = required.filter((name) => !(name in input));
  const unknown = additionalProperties === false
    ? later.filter((name) => !(name in properties))
    : [];
  return [
    ...missing.map((name) => ({
      location: "/",
      message: `the input "${name}" is required`,
    })),
    ...unknown.map((name) => ({
      location: `/${name}`,
      message: unknownName("input", name, Object.keys(properties)),
    })),
    ...schemaIssues(shape, now),
  ];
}

function isConstant(value: Json): boolean {
  if (typeof value === "string") return !isTemplate(value);
  if (typeof value !== "object" || value === null) return true;
  return Object.values(value).every((part) => part === undefined || isConstant(part));
}

async function outputIssues({ output }: Plan, ids: string[]): Promise<Issue[]> {
  if (output === undefined) return [];
  const { steps, problems } = await referencesOf(output, ["output"]);
  const unknown = [...new Set(steps)].filter((id) => !ids.includes(id));
  return [
    ...problems.map(({ path, message }) => ({ location: pointer(path), message })),
    ...unknown.map((id) => ({ location: "/output", message: unknownName("step", id, ids) })),
  ];
}

async function cycleIssues({ steps }: Plan, all: PlanStep[]): Promise<Issue[]> {
  const cycle = findCycle(await dependenciesOf(all));
  if (!cycle) return [];
  const index = steps.findIndex(({ id }) => id === cycle[0]);
  const message = `the steps depend on each other: ${cycle.join(" → ")}. Break the cycle`;
  return [{ location: `/steps/${index}/depends_on`, message }];
}

function pointer(path: Path): string {
  return `/${path.join("/")}`;
}
