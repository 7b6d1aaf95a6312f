/**
 * The intent router: fixed rules over the request's words and over what there is. The first rule that
 * fits decides.
 *
 * @module
 */
import { type Material, record } from "../material.ts";
import { clip, termsOf } from "../text.ts";
import { arithmeticOf } from "./arithmetic.ts";
import { MISSING } from "./assist.ts";
import { type StatedFact, statedFacts } from "./facts.ts";

/** What a request wants and who can do it. */
export interface Intent {
  intent: "answer" | "documents" | "tool" | "external_agent" | "pipeline" | "plan";
  complexity: "simple" | "complex";
  pipeline: string | null;
  tool: string | null;
  arguments: Record<string, unknown> | null;
  reason: string;
  facts: StatedFact[];
}

/** Something that a request can be handed to. */
interface Offer {
  name: string;
  description: string;
  input: Record<string, unknown>;
  source?: string;
}

/** A request as the rules see it. */
interface Request {
  ask: string;
  url?: string;
  isQuestion: boolean;
  /** How many documents came along. */
  given: number;
  states: boolean;
  /** The request before, when the answer to it asked for what a pipeline needs. */
  open?: string;
  pipelines: Offer[];
  tools: Offer[];
}

type Decision = Omit<Intent, "facts" | "complexity">;
type Rule = (request: Request) => Decision | undefined;

const URL_PATTERN = /\b[a-z][a-z0-9+.-]{1,20}:\/\/[^\s"'<>]+/i;
const QUESTION =
  /\?\s*$|^(?:what|which|who|whom|whose|when|where|why|how|is|are|was|were|does|do|did|can|could|will|has|have)\b/i;
const SMALL_TALK =
  /^(?:hi|hello|hey|good (?:morning|afternoon|evening)|thanks?|thank you|bye|goodbye|ok(?:ay)?|great|nice|cool)\b[^?]{0,60}$/i;
const ABOUT_US =
  /\b(?:what(?:'s| is) my|who am i|do you (?:know|remember)|what do you know about me|(?:did|have|had) (?:i|we|you)\b.{0,40}\b(?:say|said|ask|asked|tell|told|mention\w*|discuss\w*|write|wrote)|(?:my|your|our|the) (?:last|previous|earlier|first) (?:message|question|answer|reply|request)|what (?:was|were) (?:i|we|you))\b/i;
const DATA_FILE = /\.(?:csv|tsv|parquet|pq|xlsx?|jsonl?|ndjson)(?:\.gz)?(?:[?#]|$)/i;
const DATA_WORDS =
  /\b(?:data ?sets?|csv|churn|(?:train|build|fit) (?:a |the )?(?:\w+ ){0,2}model|predict\w*|forecast\w*|cluster\w*|classif\w+|regression)\b/i;
const STEPS =
  /(?:^|\n)\s*(?:1[.)]\s[\s\S]*\n\s*2[.)]\s)|\bfirst\b[\s\S]*\b(?:then|after that|finally)\b|\b(?:and )?then\b[\s\S]*\b(?:and finally|finally|after that)\b/i;
const WRITING =
  /^(?:please |can you |could you |would you |i need you to )*(?:write|draft|compose|prepare|create|produce|research|outline|summari[sz]e)\b[\s\S]*\b(?:blog|post|article|essay|report|text|story|letter|e-?mail|newsletter|speech|press release|summary|overview|paper|brief|guide|description|proposal|about|on|words?|paragraphs?|pages?)\b/i;
const WEB =
  /\b(?:search (?:the )?(?:web|internet|online)|google|look (?:it |this |that )?up online|on the (?:web|internet)|latest news)\b/i;
const RUNS =
  /^(?:please |can you |could you )*(?:run|start|use|execute|launch|test|check|verify|do)\b/i;

/** Decides how a request is answered. */
export function routeIntent({ ask, fields, history }: Material): Intent {
  const facts = statedFacts(ask);
  const request: Request = {
    ask: clip(ask.trim(), 4_000),
    url: URL_PATTERN.exec(clip(ask, 4_000))?.[0].replace(/[.,;:!?)\]]+$/, ""),
    isQuestion: QUESTION.test(clip(ask.trim(), 4_000)),
    given: typeof fields.given_documents === "number" ? fields.given_documents : 0,
    states: facts.length > 0,
    open: openRequest(history),
    pipelines: offers(fields.pipelines),
    tools: offers(fields.tools),
  };
  const decision = RULES.map((rule) => rule(request)).find(Boolean)!;
  const complexity = decision.intent === "plan" ? "complex" : "simple";
  return { ...decision, complexity, facts };
}

const RULES: Rule[] = [
  ({ ask }) => SMALL_TALK.test(ask) ? answer("It is small talk.") : undefined,
  ({ ask }) => ABOUT_US.test(ask) ? answer("It is about what was said before.") : undefined,
  named,
  dataScience,
  ({ ask }) =>
    STEPS.test(ask) ? { ...answer("It has several steps."), intent: "plan" as const } : undefined,
  arithmetic,
  ({ ask, pipelines }) =>
    WRITING.test(ask) ? handOver(pipelines, "compose", {}, "A text is wanted.") : undefined,
  ({ states, isQuestion }) =>
    states && !isQuestion ? answer("The user speaks of themselves.") : undefined,
  ({ ask, tools }) =>
    WEB.test(ask)
      ? call(tools, ["web_search"], { query: searchWords(ask) }, "The web is to be searched.")
      : undefined,
  described,
  ({ url, tools }) =>
    url ? call(tools, ["fetch_page"], { url }, "An address is given.") : undefined,
  ({ given }) => given > 0 ? answer("Documents came with it.") : undefined,
  ({ isQuestion, tools }) =>
    isQuestion && tools.some(({ name }) => name === "search_documents")
      ? { ...answer("The uploaded documents may say."), intent: "documents" as const }
      : undefined,
  () => answer("Nothing more is needed."),
];

function openRequest(history: Material["history"]): string | undefined {
  const [asked, answered] = history.slice(-2);
  const isOpen = asked?.role === "user" && answered?.role === "assistant" &&
    answered.content.startsWith(MISSING);
  return isOpen ? asked.content : undefined;
}

/** A pipeline, tool or agent that the request calls by its name. */
function named({ ask, url, pipelines, tools }: Request): Decision | undefined {
  const isNamed = (kind: string, { name }: Offer) =>
    new RegExp(`\\b(?:${kind})\\s+[“"'\`]?${escape(name)}\\b|[“"'\`]${escape(name)}[”"'\`]`, "i")
      .test(ask);
  const reason = "It is asked for by name.";
  const pipeline = pipelines.find((offer) => isNamed("pipeline|workflow", offer));
  if (pipeline) {
    return handOver(pipelines, pipeline.name, argumentsFor(pipeline, ask, url), reason);
  }
  const tool = tools.find((offer) => isNamed("tool|agent", offer));
  return tool && call(tools, [tool.name], argumentsFor(tool, ask, url), reason);
}

function dataScience({ ask, url, isQuestion, open, pipelines }: Request): Decision | undefined {
  const words = url === undefined ? ask : ask.replace(url, "");
  const brings = url !== undefined && !DATA_WORDS.test(words);
  if (brings && open !== undefined && DATA_WORDS.test(open)) {
    const input = { user_goal: open, dataset_url: url };
    return handOver(pipelines, "data-science", input, "It names the data set that was missing.");
  }
  const hasData = url !== undefined &&
    (DATA_FILE.test(url) || /^(?:s3|gs|hdfs|artifact):/i.test(url));
  const isTask = DATA_WORDS.test(ask);
  if (!(hasData && (isTask || !isQuestion)) && !(isTask && (url !== undefined || !isQuestion))) {
    return undefined;
  }
  const goal = url
    ? ask.replace(url, "").replace(/\b(?:on|from|in|at|with|using|of)\s*(?=[.!?:]*$)/i, "")
    : ask;
  const user_goal = goal.replace(/\s+/g, " ").replace(/ (?=[.!?:]*$)/, "").trim() ||
    "Explore the data";
  const input = { user_goal, ...(url ? { dataset_url: url } : {}) };
  return handOver(pipelines, "data-science", input, "It is work on a data set.");
}

function arithmetic({ ask, tools }: Request): Decision | undefined {
  const code = arithmeticOf(ask);
  if (code === undefined) return undefined;
  const names = ["code_executor", "run_code", "execute_code"];
  const input = { language: "javascript", code };
  return call(tools, names, input, "It is to be computed.");
}

/** A pipeline whose description shares words with what is to be done. */
function described({ ask, url, isQuestion, pipelines, tools }: Request): Decision | undefined {
  if (isQuestion) return undefined;
  const own = new Set(termsOf(ask));
  const best = [...pipelines.map((offer) => ({ offer, isTool: false })), ...agents(tools)]
    .map(({ offer, isTool }) => {
      const terms = new Set(termsOf(`${offer.name.replace(/[-_]/g, " ")} ${offer.description}`));
      return { offer, isTool, shared: [...terms].filter((term) => own.has(term)).length };
    })
    .sort((a, b) => b.shared - a.shared)[0];
  if (!best || best.shared < (RUNS.test(ask) ? 2 : 3)) return undefined;
  const input = argumentsFor(best.offer, ask, url);
  const reason = `What ${best.offer.name} does comes nearest.`;
  return best.isTool
    ? call(tools, [best.offer.name], input, reason)
    : handOver(pipelines, best.offer.name, input, reason);
}

function agents(tools: Offer[]) {
  return tools.filter(({ source }) => source === "agent").map((offer) => ({ offer, isTool: true }));
}

/** What the request says of an input: its address and its words, where fields are named so. */
function argumentsFor({ input }: Offer, ask: string, url?: string): Record<string, unknown> {
  const names = Object.keys(record(input.properties));
  const address = names.find((name) => /(?:^|_)(?:url|uri|link|address)$/i.test(name));
  const words = names.find((name) =>
    /^(?:user_)?(?:goal|ask|prompt|query|question|request|topic|task|text|message|story|instructions?)$/i
      .test(name)
  );
  return {
    ...(url && address ? { [address]: url } : {}),
    ...(words ? { [words]: ask } : {}),
  };
}

function handOver(
  pipelines: Offer[],
  name: string,
  input: Record<string, unknown>,
  reason: string,
): Decision | undefined {
  if (!pipelines.some((offer) => offer.name === name)) return undefined;
  return { intent: "pipeline", pipeline: name, tool: null, arguments: input, reason };
}

function call(
  tools: Offer[],
  names: string[],
  input: Record<string, unknown>,
  reason: string,
): Decision | undefined {
  const tool = tools.find(({ name }) => names.includes(name));
  if (!tool) return undefined;
  const intent = tool.source === "agent" ? "external_agent" as const : "tool" as const;
  return { intent, pipeline: null, tool: tool.name, arguments: input, reason };
}

function answer(reason: string): Decision {
  return { intent: "answer", pipeline: null, tool: null, arguments: null, reason };
}

function searchWords(ask: string): string {
  const words = ask.replace(
    /^(?:please |can you |could you )*(?:search (?:the )?(?:web|internet|online)|google|look up online)(?: for)?\s*/i,
    "",
  );
  return words.replace(/[?.!]+$/, "").trim() || ask;
}

function offers(value: unknown): Offer[] {
  return (Array.isArray(value) ? value : []).map(record).flatMap((offer) =>
    typeof offer.name === "string"
      ? [{
        name: offer.name,
        description: typeof offer.description === "string" ? offer.description : "",
        input: record(offer.input),
        ...(typeof offer.source === "string" ? { source: offer.source } : {}),
      }]
      : []
  );
}

function escape(text: string): string {
  return text.replace(/[.*+?^${}()|[\]\\]/g, "\\$&");
}
