/**
 * The planner: an outline from the findings, grouped by topic, whose sections add up to the asked
 * length.
 *
 * @module
 */
import { type Brief, withoutWords } from "./brief.ts";
import type { Finding, Material, Plan, Section } from "./material.ts";
import { findingPassages, type Passage, scorePassages } from "./passages.ts";
import { commonWords, inSentence } from "./phrases.ts";
import { questions } from "./research.ts";
import { cosine, count } from "./score.ts";
import { capitalize, enumerate, plural, shorten } from "./text.ts";

const SECTION_WORDS = 55;
/** Below this length headings would only interrupt. */
export const HEADINGS_FROM = 180;
const MAX_SECTIONS = 12;
const MAX_POINTS = 10;
const POINT_WORDS = 14;

interface Topic {
  heading: string;
  /** The topic's name when it was found, then those of the topics merged into it. */
  names: string[];
  findings: number[];
  words: number;
  relevance: number;
  position: number;
  terms: Map<string, number>;
}

/** Makes an outline of what was found; without findings, one of what has to be found out. */
export function plan(material: Material, brief: Brief): Plan {
  const { research } = material;
  const findings = research?.findings ?? [];
  const title = withoutWords(brief.title, brief.forbidden) || "Untitled";
  if (findings.length === 0) return planQuestions(title, brief);
  const titles = new Set((research?.sources ?? []).map((source) => source.title ?? source.id));
  const passages = findingPassages(findings);
  const { scores } = scorePassages(passages, brief.terms, new Map());
  const topics = mergeDown(
    mostRelevant(groupByTopic(passages, scores, titles), brief),
    wantedSections(brief),
  );
  topics.sort(mainThingsFirst(topics));
  const words = shareWords(brief.words, topics.map((topic) => topic.words));
  const knows = commonWords(findings.map(({ claim }) => claim));
  const sections = topics.map((topic, i) =>
    section(topic, findings, scores, words[i] ?? 0, brief, i, knows)
  );
  return { title, sections, tasks: tasks(sections, brief) };
}

function wantedSections({ words, parts, form }: Brief): number {
  if (form !== "bullets" && parts) return parts;
  if (words < HEADINGS_FROM || parts) return 1;
  return Math.min(MAX_SECTIONS, Math.max(2, Math.floor(words / SECTION_WORDS)));
}

function groupByTopic(passages: Passage[], scores: number[], titles: Set<string>): Topic[] {
  const groups = new Map<string, number[]>();
  passages.forEach(({ heading }, i) => {
    const name = titles.has(heading) ? "" : heading;
    groups.set(name, [...groups.get(name) ?? [], i]);
  });
  return [...groups].map(([name, members]) => {
    const best = members.map((i) => scores[i] ?? 0).toSorted((a, b) => b - a).slice(0, 2);
    return {
      heading: name || "Overview",
      names: [name],
      findings: members,
      words: members.reduce((sum, i) => sum + (passages[i]?.words ?? 0), 0),
      relevance: best.reduce((sum, score) => sum + score, 0) / best.length,
      position: name === ""
        ? -1
        : members.reduce((sum, i) => sum + (passages[i]?.position ?? 0), 0) / members.length,
      terms: count(members.flatMap((i) => passages[i]?.terms ?? [])),
    };
  });
}

/** In reading order, but topics that hardly speak to the ask come after those that do. */
function mainThingsFirst(topics: Topic[]): (a: Topic, b: Topic) => number {
  const best = Math.max(...topics.map((topic) => topic.relevance));
  const aside = (topic: Topic) => topic.relevance < best * 0.5 ? 1 : 0;
  return (a, b) => aside(a) - aside(b) || a.position - b.position;
}

/** Leaves the least relevant topics out while enough material and enough topics remain. */
function mostRelevant(topics: Topic[], brief: Brief): Topic[] {
  const kept = topics.toSorted((a, b) => b.relevance - a.relevance);
  let words = kept.reduce((sum, topic) => sum + topic.words, 0);
  const least = brief.words * 1.1;
  while (words > least * 1.5 || kept.length > wantedSections(brief)) {
    if (words - (kept.at(-1)?.words ?? 0) < least) break;
    words -= kept.pop()?.words ?? 0;
  }
  return kept;
}

/** Joins the smallest topic to the one most like it, single topics first, until few are left. */
function mergeDown(topics: Topic[], wanted: number): Topic[] {
  const left = [...topics];
  while (left.length > wanted) {
    left.sort((a, b) => b.words - a.words);
    const smallest = left.pop()!;
    const likeness = left.map((topic) =>
      cosine(topic.terms, smallest.terms) - topic.names.length - (topic.names[0] === "" ? 5 : 0)
    );
    const nearest = likeness.indexOf(Math.max(...likeness));
    left[nearest] = merge(left[nearest]!, smallest);
  }
  return left;
}

function merge(a: Topic, b: Topic): Topic {
  const share = b.words / Math.max(1, a.words + b.words);
  return {
    heading: a.heading,
    names: [...a.names, ...b.names],
    findings: [...a.findings, ...b.findings].sort((x, y) => x - y),
    words: a.words + b.words,
    relevance: Math.max(a.relevance, b.relevance),
    position: a.position * (1 - share) + b.position * share,
    terms: new Map([...b.terms, ...a.terms]),
  };
}

/** Shares `total` in proportion to the weights' square roots; the shares add up to it exactly. */
function shareWords(total: number, weights: number[]): number[] {
  const roots = weights.map((weight) => Math.sqrt(weight + 1));
  const sum = roots.reduce((a, b) => a + b, 0);
  let given = 0;
  return roots.map((root, i) => {
    const share = i === roots.length - 1 ? total - given : Math.round(total * root / sum);
    given += share;
    return share;
  });
}

function section(
  topic: Topic,
  findings: Finding[],
  scores: number[],
  words: number,
  brief: Brief,
  place: number,
  knows: (word: string) => boolean,
): Section {
  const best = topic.findings.toSorted((a, b) => (scores[b] ?? 0) - (scores[a] ?? 0));
  const points = best.slice(0, MAX_POINTS).toSorted((a, b) => a - b)
    .map((i) => shorten(findings[i]?.claim ?? "", POINT_WORDS));
  const sources = new Set(topic.findings.flatMap((i) => findings[i]?.sources ?? []));
  const heading = withoutWords(headingOf(topic, knows), brief.forbidden) || `Part ${place + 1}`;
  return { heading, points, sources: [...sources], words };
}

/** Two short topics are both named; of more, the largest stands for all. */
function headingOf({ heading, names }: Topic, knows: (word: string) => boolean): string {
  const named = names.filter((name) => name !== "");
  const [first, second] = named;
  if (named.length !== 2 || !first || !second) return heading;
  const joined = `${first}${/ and /.test(first + second) ? "," : " and"} ${
    inSentence(second, knows)
  }`;
  return joined.split(" ").length <= 10 ? joined : first;
}

function tasks(sections: Section[], brief: Brief): string[] {
  return [
    `Open with what the text is about, in ${brief.tone === "formal" ? "a formal" : `an easy`} way.`,
    ...sections.map(({ heading, points, sources, words }) =>
      `Write “${heading}” in about ${words} words from ${plural(points.length, "point")} of ${
        enumerate(sources)
      }.`
    ),
    "Cite the source of every claim as [id], figures above all.",
    ...(brief.forbidden.length > 0 ? [`Do without ${enumerate(brief.forbidden)}.`] : []),
    `Keep within 10 % of ${brief.words} words, in the ${brief.tone} tone.`,
  ];
}

/** An outline without material: what to find out, in the order in which a text would tell it. */
function planQuestions(title: string, brief: Brief): Plan {
  const asked = questions(brief);
  const headings = brief.english && asked.length > 1
    ? ["What it is about", "Size and direction", "An example", "The other side", "What follows"]
    : [capitalize(title)];
  const words = shareWords(brief.words, headings.map(() => 1));
  return {
    title,
    sections: headings.map((heading, i) => ({
      heading,
      points: [asked[i] ?? title],
      sources: [],
      words: words[i] ?? 0,
    })),
    tasks: [
      "Collect documents that answer the questions of each section.",
      "Ask again with those documents.",
    ],
  };
}
