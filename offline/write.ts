/**
 * The builder: a draft in Markdown from the outline and the findings only. It chooses findings so
 * that the text has the asked length, and never says a thing twice to fill up.
 *
 * @module
 */
import { type Brief, forbiddenPattern, withoutWords } from "./brief.ts";
import { LEANING_START } from "./lexicon.ts";
import type { Finding, Material, Plan } from "./material.ts";
import { findingPassages, scorePassages } from "./passages.ts";
import { adaptVerbs, closing, commonWords, connect, opening, shortfall } from "./phrases.ts";
import { HEADINGS_FROM, plan as makePlan } from "./plan.ts";
import { cite, questions, research as doResearch } from "./research.ts";
import { cosine, count } from "./score.ts";
import { countWords, splitSentences, termsOf, wordsOf } from "./text.ts";

/** Passages of one paragraph. */
const PER_PARAGRAPH = 4;
/** Texts shorter than this close without a word of their own. */
const CLOSING_FROM = 250;
const OPENING_FROM = 90;

interface Item {
  finding: Finding;
  section: number;
  words: number;
  score: number;
  place: number;
}

/** Writes the draft. Without findings it is an honest list of what has to be found out. */
export function write(material: Material, brief: Brief): string {
  const research = material.research ?? doResearch(material, brief);
  const outline = material.plan ?? makePlan({ ...material, research }, brief);
  const items = readItems(research.findings, outline, brief);
  if (items.length === 0) return writeQuestions(outline, brief);
  const frame = frameOf(brief, outline, items);
  const fixed = countWords(render(frame, [], brief));
  const chosen = fill(items, brief.words - fixed, brief);
  const text = render({ ...frame, outline: used(outline, chosen) }, chosen, brief);
  const words = countWords(text);
  if (words >= brief.words * 0.9 || !brief.english || brief.parts) return text;
  const usable = items.reduce((sum, item) => sum + item.words, 0);
  return `${text}\n\n${shortfall(usable, words, brief.words)}`;
}

/** Gives each finding its section; those with forbidden words are left out. */
function readItems(findings: Finding[], outline: Plan, brief: Brief): Item[] {
  const passages = findingPassages(findings);
  const { scores } = scorePassages(passages, brief.terms, new Map());
  const sections = outline.sections.map(({ heading, points }) =>
    count(termsOf([heading, ...points].join(" ")))
  );
  const forbidden = forbiddenPattern(brief.forbidden);
  const seen = new Set<string>();
  return findings.flatMap((finding, place) => {
    const key = finding.claim.toLowerCase();
    if (seen.has(key) || forbidden && finding.claim.search(forbidden) >= 0) return [];
    seen.add(key);
    const section = sectionOf(finding, outline, sections);
    return [{
      finding,
      section,
      words: wordsOf(finding.claim).length,
      score: scores[place] ?? 0,
      place,
    }];
  });
}

/** The section that quotes the finding as a point, else that names its topic, else is most like it. */
function sectionOf(finding: Finding, outline: Plan, terms: Map<string, number>[]): number {
  const quoted = outline.sections.findIndex(({ points }) =>
    points.some((point) => finding.claim.startsWith(point.replace(/\s*…$/, "")))
  );
  if (quoted >= 0) return quoted;
  const topic = finding.topic.toLowerCase();
  const named = outline.sections.findIndex(({ heading }) =>
    topic !== "" && heading.toLowerCase().includes(topic)
  );
  if (named >= 0) return named;
  const own = count(termsOf(`${finding.topic} ${finding.claim}`));
  const likeness = terms.map((section) => cosine(own, section));
  return Math.max(0, likeness.indexOf(Math.max(...likeness)));
}

/** The text around the findings. */
interface Frame {
  outline: Plan;
  opening: string;
  closing: string;
  headings: boolean;
}

function frameOf(brief: Brief, outline: Plan, items: Item[]): Frame {
  const documents = new Set(items.flatMap(({ finding }) => finding.sources)).size;
  const knows = commonWords(items.map(({ finding }) => finding.claim));
  const headings = outline.sections.length > 1 && !brief.parts && brief.words >= HEADINGS_FROM;
  const used = new Set(items.map((item) => item.section));
  const covered = headings
    ? outline.sections.filter(({ heading }, i) => used.has(i) && heading !== "Overview")
      .map((section) => section.heading)
    : [];
  const speaks = brief.english && documents > 0 && !brief.parts;
  const clean = (text: string) => withoutWords(text, brief.forbidden);
  return {
    outline: {
      ...outline,
      title: clean(outline.title),
      sections: outline.sections.map((section) => ({
        ...section,
        heading: clean(section.heading),
      })),
    },
    headings,
    opening: speaks && brief.words >= OPENING_FROM && brief.form !== "bullets"
      ? clean(
        opening(brief.tone, { title: outline.title, headings: covered, documents }, knows),
      )
      : "",
    closing: speaks && brief.words >= CLOSING_FROM ? clean(closing(brief.tone)) : "",
  };
}

/** Empty sections lose their heading. */
function used(outline: Plan, items: Item[]): Plan {
  const taken = new Set(items.map((item) => item.section));
  return {
    ...outline,
    sections: outline.sections.map((section, i) =>
      taken.has(i) ? section : { ...section, heading: "" }
    ),
  };
}

/**
 * Chooses the findings that are worth most and fit the words left: the best of each section first,
 * then an exact knapsack over the rest.
 */
function fill(items: Item[], words: number, brief: Brief): Item[] {
  if (brief.parts && brief.form === "bullets") {
    return items.toSorted((a, b) => b.score - a.score).slice(0, brief.parts);
  }
  const chosen = bestOfEachSection(items, words);
  const left = words - chosen.reduce((sum, item) => sum + item.words, 0);
  const rest = items.filter((item) => !chosen.includes(item));
  return [...chosen, ...knapsack(rest, left, brief.words * 0.03)];
}

function bestOfEachSection(items: Item[], words: number): Item[] {
  const sections = Map.groupBy(items, (item) => item.section);
  let left = words;
  return [...sections.values()].flatMap((members) => {
    const best = members.toSorted((a, b) => b.score - a.score).find((item) => item.words <= left);
    left -= best?.words ?? 0;
    return best ? [best] : [];
  });
}

/** The most valuable items whose words come within `slack` of `words`, or else as near as possible. */
function knapsack(items: Item[], words: number, slack: number): Item[] {
  const limit = Math.max(0, Math.floor(words + slack));
  const value = new Float64Array(limit + 1).fill(-1);
  value[0] = 0;
  const taken = items.map(() => new Uint8Array(limit + 1));
  items.forEach((item, i) => {
    for (let w = limit; w >= item.words; w--) {
      const before = value[w - item.words]!;
      if (before < 0 || before + worth(item) <= value[w]!) continue;
      value[w] = before + worth(item);
      taken[i]![w] = 1;
    }
  });
  let w = bestFill(value, words, slack);
  const chosen: Item[] = [];
  for (let i = items.length - 1; i >= 0; i--) {
    if (taken[i]![w] !== 1) continue;
    chosen.push(items[i]!);
    w -= items[i]!.words;
  }
  return chosen;
}

/** A longer passage is worth more, or short ones would always win. */
function worth({ score, words }: Item): number {
  return (score + 0.05) * words;
}

function bestFill(value: Float64Array, words: number, slack: number): number {
  let best = 0;
  for (let w = value.length - 1; w >= 0; w--) {
    if (value[w]! < 0) continue;
    if (w < words - slack) return best === 0 ? w : best;
    if (best === 0 || value[w]! > value[best]!) best = w;
  }
  return best;
}

function render(frame: Frame, items: Item[], brief: Brief): string {
  const plain = brief.form === "plain";
  const head = (mark: string, text: string) => text === "" ? "" : plain ? text : `${mark} ${text}`;
  const showTitle = !brief.parts || brief.form === "bullets";
  const blocks = [showTitle ? head("#", frame.outline.title) : "", frame.opening];
  frame.outline.sections.forEach((section, i) => {
    const own = items.filter((item) => item.section === i).toSorted((a, b) => a.place - b.place);
    if (frame.headings) blocks.push(head("##", section.heading));
    blocks.push(...paragraphs(own, brief, i));
  });
  return [...blocks, frame.closing].filter((block) => block !== "").join("\n\n");
}

function paragraphs(items: Item[], brief: Brief, section: number): string[] {
  if (items.length === 0) return [];
  if (brief.form === "bullets") {
    return [items.map(({ finding }) => `- ${sentences(finding, undefined, brief)}`).join("\n")];
  }
  const per = brief.parts ? items.length : balanced(items.length);
  const found: string[] = [];
  for (let i = 0; i < items.length; i += per) {
    const texts = items.slice(i, i + per).map((item, n) => {
      const text = sentences(item.finding, items.slice(i, i + per)[n + 1]?.finding, brief);
      const follows = n === 1 && brief.english && !LEANING_START.test(text);
      return follows && (section + i) % 2 === 0
        ? connect(brief.tone, section + i / per, text)
        : text;
    });
    found.push(texts.join(" "));
  }
  return found;
}

/** Paragraphs of equal size rather than a last one of a single sentence. */
function balanced(count: number): number {
  return Math.ceil(count / Math.ceil(count / PER_PARAGRAPH));
}

/**
 * A claim with its citation: after each sentence that holds figures, and after the last one unless
 * the next claim of the paragraph comes from the same place.
 */
function sentences({ claim, sources }: Finding, next: Finding | undefined, brief: Brief): string {
  const parts = splitSentences(claim);
  const goesOn = next?.sources.join() === sources.join();
  return parts.map(({ text }, i) => {
    const adapted = brief.english ? adaptVerbs(brief.tone, text) : text;
    return (i === parts.length - 1 && !goesOn) || /\d/.test(text)
      ? cite(adapted, sources)
      : adapted;
  }).join(" ");
}

function writeQuestions(outline: Plan, brief: Brief): string {
  const plain = brief.form === "plain";
  const open = outline.sections.flatMap((section) =>
    section.points.map((point) =>
      plain ? `${section.heading}: ${point}` : `- **${section.heading}**: ${point}`
    )
  );
  const asked = open.length > 0 ? open : questions(brief).map((question) => `- ${question}`);
  return withForbiddenRemoved([
    plain ? outline.title : `# ${outline.title}`,
    "No usable documents came with this request, and the offline model adds no facts of its own. " +
    "This is therefore a plan for the text, not the text.",
    "A good text would answer:",
    asked.join("\n"),
    "Send documents along (`documents: [{title, text}]`) to get a draft with citations, or set an " +
    "API key to let a language model write freely.",
  ], brief);
}

function withForbiddenRemoved(blocks: string[], brief: Brief): string {
  const pattern = forbiddenPattern(brief.forbidden);
  return blocks.map((block) => pattern ? block.replace(pattern, "…") : block).join("\n\n");
}
