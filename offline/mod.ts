/**
 * The offline model: deterministic, rule-based and without network. It works on the data of the
 * request, invents nothing, and lets every pipeline run end to end on a machine without an API key.
 *
 * @module
 */
import { setImmediate } from "node:timers";
import type {
  Citation,
  GenerateOptions,
  ModelAnswer,
  ModelClient,
  ModelRequest,
} from "../llm/mod.ts";
import { answer, evidenceOf } from "./answer.ts";
import { assist } from "./assistant/assist.ts";
import { routeIntent } from "./assistant/intent.ts";
import { type Brief, readBrief } from "./brief.ts";
import { criticize, explore, researchData, train } from "./data/mod.ts";
import { marksIn } from "./draft.ts";
import { documentsOrConversation, type Material, readMaterial } from "./material.ts";
import { plan } from "./plan.ts";
import { cite, research } from "./research.ts";
import { review } from "./review.ts";
import { summarize } from "./summary.ts";
import { fulfil } from "./schema.ts";
import { planTasks } from "./tasks/mod.ts";
import { write } from "./write.ts";

const PIECE = /[\s\S]{1,24}(?:\s|$)|[\s\S]{1,24}/gu;
const PIECES_PER_TURN = 16;
const CHARS_PER_TOKEN = 4;

/** A skill makes text, or a value for the agent's output schema. */
type Skill = (material: Material, brief: Brief) => unknown;

const SKILLS: Record<string, Skill> = {
  research,
  planning: plan,
  task_planning: planTasks,
  writing: write,
  review,
  data_research: researchData,
  data_engineering: explore,
  machine_learning: train,
  critique: criticize,
  summarizing: summarize,
  routing: routeIntent,
  assisting: assist,
};

/** Makes the offline model: provider and model are both named `offline`, and cost nothing. */
export function createOfflineModel(): ModelClient {
  return {
    provider: "offline",
    generate,
    models: (signal) => {
      signal.throwIfAborted();
      return Promise.resolve(["offline"]);
    },
  };
}

async function generate(request: ModelRequest, options: GenerateOptions): Promise<ModelAnswer> {
  options.signal.throwIfAborted();
  await nextTurn();
  const material = readMaterial(request);
  const { text, finish_reason } = limit(respond(request, material), request);
  await stream(text, options);
  return {
    text,
    tool_calls: [],
    finish_reason,
    usage: { input_tokens: inputTokens(request), output_tokens: tokens(text), cost_usd: 0 },
    model: "offline",
    citations: citations(text, material),
  };
}

function respond(request: ModelRequest, material: Material): string {
  const brief = readBrief(material);
  const skill = request.agent?.capabilities.map((name) => own(SKILLS, name)).find(Boolean);
  const made = skill?.(material, brief);
  if (request.output) {
    return JSON.stringify(fulfil(request.output.schema, () => evidenceOf(material, brief), made));
  }
  return typeof made === "string" ? made : made ? readable(made) : answer(material, brief);
}

function own<T>(record: Record<string, T>, name: string): T | undefined {
  return Object.hasOwn(record, name) ? record[name] : undefined;
}

/** A skill's value for an agent whose profile has no output schema: Markdown. */
function readable(value: unknown): string {
  const found = value as Partial<ReturnType<typeof research> & ReturnType<typeof plan>>;
  const list = (items: string[]) => items.map((item) => `- ${item}`).join("\n");
  const blocks = found.findings
    ? [
      found.summary ?? "",
      list(found.findings.map((f) => cite(f.claim, f.sources))),
      list(found.gaps ?? []),
    ]
    : found.sections
    ? [
      `# ${found.title}`,
      ...found.sections.map((section) =>
        `## ${section.heading} (${section.words} words)\n\n${list(section.points)}`
      ),
    ]
    : ["```json\n" + JSON.stringify(value, null, 2) + "\n```"];
  return blocks.filter((block) => block !== "").join("\n\n");
}

/** Cuts prose at `max_output_tokens`, as other models do; JSON stays whole. */
function limit(text: string, { output, max_output_tokens }: ModelRequest) {
  const most = (max_output_tokens ?? Infinity) * CHARS_PER_TOKEN;
  return output || text.length <= most
    ? { text, finish_reason: "stop" as const }
    : { text: text.slice(0, most), finish_reason: "length" as const };
}

/** Delivers the text piece by piece, letting other work run in between. */
async function stream(text: string, { signal, onDelta }: GenerateOptions): Promise<void> {
  signal.throwIfAborted();
  if (!onDelta) return;
  let pieces = 0;
  for (const [piece] of text.matchAll(PIECE)) {
    if (++pieces % PIECES_PER_TURN === 0) await nextTurn();
    signal.throwIfAborted();
    onDelta(piece);
  }
}

/** Not `globalThis.setTimeout`: a test's fake clock must not stop the model. */
function nextTurn(): Promise<void> {
  return new Promise((resolve) => void setImmediate(resolve));
}

function inputTokens({ messages }: ModelRequest): number {
  return messages.reduce((sum, message) => sum + tokens(message.content), 0);
}

/** The estimate for usage: a token for every four characters begun. */
function tokens(text: string): number {
  return Math.ceil(text.length / CHARS_PER_TOKEN);
}

/** The sources that the text names. */
function citations(text: string, material: Material): Citation[] {
  const named = new Set(marksIn(text).map((mark) => mark.id));
  const sources = material.research?.sources ?? documentsOrConversation(material);
  return sources.filter((source) => named.has(source.id)).map(({ title, url }) => ({
    ...(title ? { title } : {}),
    ...(url ? { url } : {}),
  }));
}
