/**
 * Prompts: LiquidJS templates without files, prototypes, clocks or chance, bounded in size, time and
 * memory. LiquidJS is imported on first use.
 *
 * @module
 */
import type { Liquid, Template } from "liquidjs";
import { type Issue, OrchestratorError, sentence } from "../../errors.ts";
import type { Json } from "../kernel/mod.ts";

const PARSE_CHARS = 256 * 1024;
const RENDER_MS = 500;
const RENDER_MEMORY = 20_000_000;

/** A template that is parsed on first use. */
export interface Prompt {
  /**
   * Renders it. Unknown variables are empty.
   *
   * @param variables must hold `run.created_at`, which is "now" for the `date` filter
   * @throws `prompt_invalid` with the line
   */
  render(variables: Record<string, Json | undefined>): Promise<string>;
}

/**
 * Prepares a prompt.
 *
 * @param source what errors call it: `prompts/plan.md`
 * @param firstLine line of the text's first line in that file
 */
export function createPrompt(text: string, source: string, firstLine = 1): Prompt {
  let parsed: Promise<{ liquid: Liquid; templates: Template[] }> | undefined;
  const fail = (error: unknown) => invalid(source, issueOf(error, firstLine));
  return {
    async render(variables) {
      try {
        const { liquid, templates } = await (parsed ??= parse(text));
        return liquid.renderSync(templates, variables);
      } catch (error) {
        throw fail(error);
      }
    },
  };
}

/** What is wrong with a prompt's syntax; empty when nothing is. */
export async function promptIssues(text: string, firstLine = 1): Promise<Issue[]> {
  try {
    await parse(text);
    return [];
  } catch (error) {
    return [issueOf(error, firstLine)];
  }
}

async function parse(text: string) {
  liquid ??= load();
  const engine = await liquid;
  return { liquid: engine, templates: engine.parse(text) };
}

// A cached import with its settings; it holds no state of a run.
let liquid: Promise<Liquid> | undefined;

async function load(): Promise<Liquid> {
  const { Liquid, filters } = await import("liquidjs");
  const engine = new Liquid({
    templates: {},
    ownPropertyOnly: true,
    strictFilters: true,
    strictVariables: false,
    timezoneOffset: 0,
    locale: "en-US",
    parseLimit: PARSE_CHARS,
    renderLimit: RENDER_MS,
    memoryLimit: RENDER_MEMORY,
  });
  // The same prompt must come out when a run is resumed: no clock but the run's own, no chance.
  const date = filters.date as (this: unknown, ...args: unknown[]) => unknown;
  engine.registerFilter("date", function (value: unknown, ...args: unknown[]) {
    const isNow = value === "now" || value === "today";
    const now = isNow ? this.context.getSync(["run", "created_at"]) : value;
    return date.call(this, now, ...args);
  });
  engine.registerFilter("sample", () => {
    throw new Error(
      "the filter sample is not available: a resumed run must render the same prompt",
    );
  });
  return engine;
}

/** LiquidJS's errors know their token. */
interface LiquidError {
  message?: string;
  originalError?: { message?: string };
  token?: { getPosition(): [line: number, column: number] };
}

function issueOf(error: unknown, firstLine: number): Issue {
  const { message, originalError, token } = error as LiquidError;
  const line = (token?.getPosition()[0] ?? 1) + firstLine - 1;
  const why = originalError?.message ?? message ?? String(error);
  return { location: `line ${line}`, message: why.replace(/, line:\d+, col:\d+.*$/s, "") };
}

function invalid(source: string, issue: Issue): OrchestratorError {
  return new OrchestratorError(
    "prompt_invalid",
    `Cannot render ${source}: ${issue.location}: ${sentence(issue.message)} Fix the template.`,
    { issues: [issue] },
  );
}
