/** From the parts of a goal to steps with inputs that refer to each other. @module */
import { canonicalJson, type Json } from "../../json/mod.ts";
import { record } from "../material.ts";
import { bm25, indexTerms } from "../score.ts";
import { capitalize, shorten, termsOf } from "../text.ts";
import { inputFrom, inputsOf, type Offer } from "./offers.ts";
import type { Part } from "./parts.ts";

/** A step of a plan. */
export interface Step {
  id: string;
  title: string;
  kind: Offer["kind"];
  name: string;
  input: Record<string, unknown>;
  depends_on: string[];
  max_attempts?: number;
}

/** A step that is finished. */
export type DoneStep = Pick<Step, "id" | "kind" | "name" | "input">;

/** What steps are made from. */
export interface Workshop {
  offers: Offer[];
  goal: string;
  hasContext: boolean;
  /** Whether the context brings documents. */
  hasDocuments: boolean;
  finished: DoneStep[];
  /** Names of what cannot be used any more: parts that call for it by name are left out. */
  unusable: string[];
  /** Attempts of steps that failed before, by id. */
  tries: ReadonlyMap<string, number>;
}

const TITLE_WORDS = 12;
const DATA_FILE = /^artifact:|\.(?:csv|tsv|json|ndjson|jsonl|parquet)(?:\.gz)?(?:[?#].*)?$/i;
/** What is named must be more than a word of the language. */
const NAMED = /[_-]/;

/** Makes the steps of one plan. */
export class StepBuilder {
  private readonly steps: Step[] = [];
  private readonly ids = new Set<string>();
  /** Expressions that give a document, or a list of them: of the part at work. */
  private material: string[] = [];
  /** The same of all parts so far, by the step that brings it. */
  private readonly gathered = new Map<string, string>();
  private readonly researches: string[] = [];
  private outline?: string;
  private draft?: string;
  private review?: string;
  /** Ids of what the part before made. */
  private last: string[] = [];

  constructor(private readonly shop: Workshop) {}

  /** The steps, and where the result is. */
  build(parts: Part[]): { steps: Step[]; output?: unknown } {
    for (const part of parts) {
      const before = this.last;
      this.last = [];
      this.material = [];
      this.part(part, part.follows ? before : []);
      if (this.last.length === 0) this.last = before;
    }
    const { draft, review } = this;
    if (!draft) return { steps: this.steps };
    const content = `\${ steps.${draft}.output }`;
    const output = review ? { content, review: `\${ steps.${review}.output }` } : { content };
    return { steps: this.steps, output };
  }

  private part(part: Part, after: string[]): void {
    const { unusable } = this.shop;
    if (unusable.some((name) => NAMED.test(name) && part.text.includes(name))) return;
    const named = this.named(part);
    if (named) return void this.use(named, part, after);
    for (const url of part.urls) this.read(url, part, after);
    if (part.work === "fetch") return;
    if (part.work === "calculate" && this.calculate(part, after)) return;
    if (part.work === "write") return this.write(part, after);
    if (part.work === "review" && this.check(part)) return;
    this.research(part, after);
  }

  /** A tool, pipeline or agent that the part calls by its name. */
  private named({ text }: Part): Offer | undefined {
    return this.shop.offers.find(({ kind, name }) =>
      (NAMED.test(name) && text.includes(name)) ||
      new RegExp(`\\b(?:the\\s+)?(?:${kind}\\s+["“\`]?${name}\\b|${name}\\s+${kind}\\b)`, "i")
        .test(text)
    );
  }

  private use(offer: Offer, part: Part, after: string[]): void {
    const input = inputFrom(offer, part);
    if (input) this.add(offer.name, shorten(part.text, TITLE_WORDS), offer, input, after);
  }

  /** Brings what is at an address: a data set's profile, or a page. */
  private read(url: string, part: Part, after: string[]): void {
    const isData = DATA_FILE.test(url);
    const offer = (isData ? this.tool(/^dataset/) : undefined) ??
      this.tool(/^fetch_page$/) ?? this.tool(/fetch|page|browse|scrape|http/);
    const input = offer && inputFrom(offer, { ...part, urls: [url], text: url });
    if (!offer || !input) return;
    const title = `${isData ? "Look into" : "Read"} ${url}`;
    const id = this.add(isData ? "data" : "page", title, offer, input, after);
    this.bring(id, offer, url);
  }

  private calculate(part: Part, after: string[]): boolean {
    const offer = this.tool(/calculat/) ?? this.tool(/code/);
    const input = offer && inputFrom(offer, part);
    if (!offer || !input) return false;
    this.add("calculation", `Calculate ${part.formula}`, offer, input, after);
    return true;
  }

  private research(part: Part, after: string[]): void {
    const offer = this.agent("documents") ?? this.nearest(part);
    if (!offer) return;
    const hasMaterial = this.shop.hasDocuments || this.material.length + after.length > 0;
    if (!hasMaterial) this.search(part);
    const title = shorten(part.text, TITLE_WORDS);
    const ask = { ...part, text: this.askOf(part) };
    const input = { ...inputFrom(offer, ask), ...this.documentsFor(offer, after) };
    const id = this.add(offer.takesAll ? "work" : "research", title, offer, input, after);
    if (!offer.takesAll) this.researches.push(id);
  }

  /** A part that leans on others is understood only with the whole goal. */
  private askOf({ follows, text }: Part): string {
    return follows ? this.shop.goal : text;
  }

  /** Looks where the operator's documents are, when the context brings none. */
  private search(part: Part): void {
    const offer = this.tool(/^search_documents$/);
    const text = this.askOf(part);
    const input = offer && inputFrom(offer, { ...part, text });
    if (!offer || !input) return;
    const title = `Search the documents: ${shorten(text, TITLE_WORDS)}`;
    this.bring(this.add("search", title, offer, input, []), offer);
  }

  /** Outline and draft from all that was found so far; without anything, it is looked for first. */
  private write(part: Part, after: string[]): void {
    const writer = this.agent("plan", "draft");
    if (!writer) return this.research(part, after);
    if (this.researches.length === 0) {
      this.material = [...this.gathered.values()];
      this.research({ ...part, follows: true }, []);
    }
    const outliner = this.agent("research", "plan", "draft");
    const research = this.allResearch();
    const ask = this.askOf(part);
    const input = { ask, ...this.context(writer), ...(research ? { research } : {}) };
    if (outliner) this.outline = this.add("outline", "Make the outline", outliner, input, []);
    const plan = this.outline ? { plan: `\${ steps.${this.outline}.output }` } : { plan: null };
    const title = shorten(part.text, TITLE_WORDS);
    this.draft = this.add("draft", title, writer, { ...input, ...plan }, []);
  }

  private check(part: Part): boolean {
    const { draft, outline } = this;
    const reviewer = this.agent("draft");
    if (!reviewer || !draft) return false;
    this.review = this.add("review", shorten(part.text, TITLE_WORDS), reviewer, {
      ask: this.shop.goal,
      research: this.allResearch() ?? null,
      plan: outline ? `\${ steps.${outline}.output }` : null,
      draft: `\${ steps.${draft}.output }`,
    }, []);
    return true;
  }

  /** Everything that was found, as one researcher would have given it. */
  private allResearch(): unknown {
    const [first, ...rest] = this.researches.map((id) => `steps.${id}.output`);
    if (first === undefined) return;
    if (rest.length === 0) return `\${ ${first} }`;
    const all = (field: string) => [first, ...rest].map((one) => `${one}.${field}`).join(", ");
    return {
      summary: `\${ $join([${all("summary")}], " ") }`,
      ...Object.fromEntries(
        ["findings", "sources", "gaps"].map((field) => [field, `\${ [${all(field)}] }`]),
      ),
    };
  }

  private context(offer: Offer): Record<string, unknown> {
    return this.shop.hasContext && "context" in inputsOf(offer) ? { context: "${ context }" } : {};
  }

  /** What an agent reads: the context's documents, what was fetched, what the parts before made. */
  private documentsFor(offer: Offer, after: string[]): Record<string, unknown> {
    const made = after.map((id) =>
      this.gathered.get(id) ?? documentOf(id, `$string(steps.${id}.output)`)
    );
    const read = [...new Set([...this.material, ...made])];
    if (offer.takesAll) return read.length === 0 ? {} : { material: `\${ [${read.join(", ")}] }` };
    if (!("documents" in inputsOf(offer))) return this.context(offer);
    const all = [...(this.shop.hasDocuments ? ["context.documents"] : []), ...read];
    return {
      ...this.context(offer),
      ...(all.length === 0 ? {} : { documents: `\${ [${all.join(", ")}] }` }),
    };
  }

  private bring(id: string, { output }: Offer, url?: string): void {
    const properties = record(output.properties);
    const text = ["text", "markdown", "content"].find((name) => name in properties);
    const found = "results" in properties
      ? `steps.${id}.output.results`
      : documentOf(id, text ? `steps.${id}.output.${text}` : `$string(steps.${id}.output)`, url);
    this.material.push(found);
    this.gathered.set(id, found);
  }

  private tool(name: RegExp): Offer | undefined {
    return this.shop.offers.find((offer) => offer.kind === "tool" && name.test(offer.name));
  }

  /** The agent that takes `wanted`, and not `unwanted`. */
  private agent(wanted: string, ...unwanted: string[]): Offer | undefined {
    return this.shop.offers.find((offer) => {
      if (offer.kind !== "agent") return false;
      const inputs = inputsOf(offer);
      return wanted in inputs && !unwanted.some((name) => name in inputs);
    });
  }

  /** What says that it does such work; any agent that takes whatever it is given otherwise. */
  private nearest(part: Part): Offer | undefined {
    const able = this.shop.offers.filter((offer) => inputFrom(offer, part) !== undefined);
    const index = indexTerms(
      able.map(({ name, description }) => termsOf(`${name} ${description}`)),
    );
    const scores = bm25(index, termsOf(part.text));
    const best = Math.max(0, ...scores);
    return best > 0 ? able[scores.indexOf(best)] : able.find(({ takesAll }) => takesAll);
  }

  /** Adds a step unless it is finished. @returns its id */
  private add(
    wish: string,
    title: string,
    { kind, name }: Offer,
    input: Record<string, unknown>,
    depends_on: string[],
  ): string {
    const base = wish.toLowerCase().replace(/[^a-z0-9]+/g, "_").replace(/^[^a-z]+/, "")
      .slice(0, 30) || "step";
    for (let n = 1;; n++) {
      const id = n === 1 ? base : `${base}_${n}`;
      const work = { id, kind, name, input };
      const done = this.shop.finished.find((step) => step.id === id);
      if (this.ids.has(id) || (done && !isSame(done, work))) continue;
      this.ids.add(id);
      this.last.push(id);
      const max_attempts = this.shop.tries.get(id);
      const tries = max_attempts === undefined ? {} : { max_attempts };
      if (!done) this.steps.push({ ...work, title: capitalize(title), depends_on, ...tries });
      return id;
    }
  }
}

function documentOf(id: string, text: string, url?: string): string {
  const more = url === undefined ? "" : `, "url": ${JSON.stringify(url)}`;
  return `{ "id": "${id}"${more}, "text": ${text} }`;
}

function isSame(a: DoneStep, b: DoneStep): boolean {
  const text = ({ id, kind, name, input }: DoneStep) =>
    canonicalJson({ id, kind, name, input } as unknown as Json);
  return text(a) === text(b);
}
