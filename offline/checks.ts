/**
 * The reviewer's checks. Each looks at one thing and proposes the change that fixes it, where it can
 * be fixed without inventing anything.
 *
 * @module
 */
import { forbiddenPattern, withoutWords } from "./brief.ts";
import { type Draft, marksIn, type Remark, removal, type Sentence } from "./draft.ts";
import { CONTRACTIONS } from "./lexicon.ts";
import type { Finding } from "./material.ts";
import { HEADINGS_FROM } from "./plan.ts";
import { cite } from "./research.ts";
import { bm25, cosine, count, indexTerms } from "./score.ts";
import {
  capitalize,
  countWords,
  enumerate,
  plainText,
  plural,
  shorten,
  termsOf,
  wordsOf,
} from "./text.ts";

type Check = (draft: Draft) => Remark[];

const LONG_SENTENCE = 40;
const MAX_COMPARED = 400;
/** Words that can go without harm to the sentence. */
const EXPENDABLE = /^(?:very|just|quite|really|rather|so|\p{L}{3,}ly)$/iu;

/** All checks, the ones whose changes win first. */
export const CHECKS: readonly Check[] = [
  forbiddenWords,
  missingMaterial,
  unknownCitations,
  repetition,
  uncitedFigures,
  doubleWords,
  contractions,
  longSentences,
  headings,
  length,
];

function quoteOf(sentence: string): string {
  return shorten(sentence, 25);
}

/** Words that the request forbids: they go from headings; elsewhere their sentence goes. */
function forbiddenWords({ text, blocks, sentences, brief }: Draft): Remark[] {
  const pattern = forbiddenPattern(brief.forbidden);
  if (!pattern) return [];
  const titles = blocks.filter(({ kind }) => kind === "heading");
  return [...titles, ...sentences].flatMap((span) => {
    const words = [...new Set(span.text.match(pattern) ?? [])];
    if (words.length === 0) return [];
    const named = enumerate(words.map((word) => `“${word}”`));
    const reason = `${named} must not be used`;
    const whole = "block" in span && !words.every((word) => EXPENDABLE.test(word));
    const rest = withoutWords(span.text, brief.forbidden) || "Overview";
    return [{
      severity: "major" as const,
      message: `The request forbids ${named}.`,
      quote: quoteOf(span.text),
      violation: `Forbidden word: ${named}`,
      change: whole
        ? removal(text, span, `${reason}, and the sources say it in no other way`)
        : { from: span.from, to: span.to, replace: rest, reason },
    }];
  });
}

/** Research that found nothing: whatever the draft says, no source says it. */
function missingMaterial({ research }: Draft): Remark[] {
  if (!research || research.findings.length > 0) return [];
  const message = "There is no material: the research has no findings, so that no source stands " +
    "behind the draft. Send documents along.";
  return [{ severity: "major", message }];
}

/** Citations of unknown sources. */
function unknownCitations({ sentences, research }: Draft): Remark[] {
  if (!research) return [];
  const known = new Set(research.sources.map((source) => source.id));
  return sentences.flatMap((sentence) =>
    marksIn(sentence.text).filter((mark) => !known.has(mark.id)).map((mark) => {
      const support = supportFor(sentence.text, research.findings);
      const right = support ? ` [${support.sources[0]}]` : "";
      const lead = /\s?$/.exec(sentence.text.slice(0, mark.from))?.[0].length ?? 0;
      return {
        severity: "major" as const,
        message: `The draft cites [${mark.id}], which is none of the sources.`,
        quote: quoteOf(sentence.text),
        violation: `Citation of an unknown source: [${mark.id}]`,
        change: {
          from: sentence.from + mark.from - lead,
          to: sentence.from + mark.to,
          replace: right,
          reason: support ? "cites the source that says it" : "there is no such source",
        },
      };
    })
  );
}

/** The finding that a sentence repeats, if there is one. */
function supportFor(sentence: string, findings: Finding[]): Finding | undefined {
  const own = count(termsOf(withoutMarks(sentence)));
  let best: Finding | undefined;
  let bestLikeness = 0.6;
  for (const finding of findings.slice(0, MAX_COMPARED)) {
    if (finding.sources.length === 0) continue;
    const likeness = cosine(own, count(termsOf(finding.claim)));
    if (likeness > bestLikeness) [best, bestLikeness] = [finding, likeness];
  }
  return best;
}

function withoutMarks(text: string): string {
  return text.replace(/\s?\[[^\[\]\n]{1,120}\](?!\()/g, "");
}

/** Sentences that say what an earlier one said. */
function repetition({ text, sentences }: Draft): Remark[] {
  const compared = sentences.slice(0, MAX_COMPARED);
  const terms = compared.map((sentence) => count(termsOf(withoutMarks(sentence.text))));
  return compared.flatMap((sentence, i) => {
    const own = terms[i]!;
    if (own.size < 4) return [];
    const twin = terms.findIndex((other, j) => j < i && cosine(own, other) > 0.92);
    if (twin < 0) return [];
    return [{
      severity: "minor" as const,
      message: "This sentence repeats an earlier one.",
      quote: quoteOf(sentence.text),
      change: removal(text, sentence, "says again what was said before"),
    }];
  });
}

/** Figures that no citation stands for. */
function uncitedFigures({ sentences, research }: Draft): Remark[] {
  if (!research || research.sources.length === 0) return [];
  return sentences.flatMap((sentence) => {
    const isNote = /^[*_].*[*_]$/s.test(sentence.block.text);
    if (isNote || !/\d/.test(withoutMarks(sentence.text))) return [];
    if (marksIn(sentence.text).length > 0) return [];
    const support = supportFor(sentence.text, research.findings);
    return [{
      severity: "major" as const,
      message: support
        ? `This figure needs its citation: ${support.sources[0]}.`
        : "This figure has no citation, and no finding supports it.",
      quote: quoteOf(sentence.text),
      ...(support
        ? {
          change: {
            from: sentence.from,
            to: sentence.to,
            replace: cite(sentence.text, support.sources),
            reason: "names the source of the figure",
          },
        }
        : {}),
    }];
  });
}

/** “the the”. */
function doubleWords({ sentences }: Draft): Remark[] {
  return sentences.flatMap((sentence) =>
    [...sentence.text.matchAll(/(?<![\p{L}\p{N}])(\p{L}{2,40})\s+\1(?![\p{L}\p{N}])/giu)]
      .filter((match) => !/^(?:had|that)$/i.test(match[1] ?? ""))
      .map((match) => ({
        severity: "minor" as const,
        message: `“${match[1]}” stands twice in a row.`,
        quote: quoteOf(sentence.text),
        change: {
          from: sentence.from + match.index,
          to: sentence.from + match.index + match[0].length,
          replace: match[1] ?? "",
          reason: "doubled word",
        },
      }))
  );
}

/** Contractions in a formal text. */
function contractions({ sentences, brief }: Draft): Remark[] {
  if (brief.tone !== "formal") return [];
  const pattern = new RegExp(
    `\\b(?:${CONTRACTIONS.map(([, short]) => short.replace("'", "['’]")).join("|")})\\b`,
    "gi",
  );
  return sentences.flatMap((sentence) =>
    [...sentence.text.matchAll(pattern)].map((match) => {
      const short = match[0].toLowerCase().replace("’", "'");
      const long = CONTRACTIONS.find((pair) => pair[1] === short)?.[0] ?? match[0];
      const replace = /^\p{Lu}/u.test(match[0]) ? capitalize(long) : long;
      return {
        severity: "minor" as const,
        message: `“${match[0]}” is too casual for the formal tone.`,
        quote: quoteOf(sentence.text),
        change: {
          from: sentence.from + match.index,
          to: sentence.from + match.index + match[0].length,
          replace,
          reason: "spelled out",
        },
      };
    })
  );
}

/** Overlong sentences; cut where two main clauses meet. */
function longSentences({ sentences }: Draft): Remark[] {
  return sentences.flatMap((sentence) => {
    const words = wordsOf(withoutMarks(sentence.text)).length;
    if (words <= LONG_SENTENCE) return [];
    const joint = /;\s+(\p{L})|,\s+and\s+(?=(?:it|they|this|these|the|we|he|she)\s)(\p{L})/giu;
    const middle = sentence.text.length / 2;
    const cut = [...sentence.text.matchAll(joint)].toSorted((a, b) =>
      Math.abs(a.index - middle) - Math.abs(b.index - middle)
    )[0];
    return [{
      severity: "minor" as const,
      message: `This sentence has ${words} words; up to ${LONG_SENTENCE} read well.`,
      quote: quoteOf(sentence.text),
      ...(cut
        ? {
          change: {
            from: sentence.from + cut.index,
            to: sentence.from + cut.index + cut[0].length,
            replace: `. ${(cut[1] ?? cut[2] ?? "").toUpperCase()}`,
            reason: "two sentences instead of a long one",
          },
        }
        : {}),
    }];
  });
}

/** Sections of the plan that the draft lacks. */
function headings({ blocks, brief, plan }: Draft): Remark[] {
  if (!plan || plan.sections.length < 2 || brief.words < HEADINGS_FROM || brief.parts) return [];
  const text = blocks.map((block) => plainText(block.text).toLowerCase());
  const missing = plan.sections.map((section) => section.heading)
    .filter((heading) => !text.some((block) => block.includes(heading.toLowerCase())));
  if (missing.length === 0) return [];
  return [{
    severity: "minor",
    message: `The plan has ${plural(missing.length, "section")} that the draft lacks: ${
      enumerate(missing.slice(0, 8))
    }.`,
  }];
}

/** The asked length. What is too much is cut where it speaks least to the ask. */
function length(draft: Draft): Remark[] {
  const { words, brief, research } = draft;
  const message = `The draft has ${words} words; ${brief.words} were asked for.`;
  if (!brief.length) return [{ severity: "info", message: `The draft has ${words} words.` }];
  const off = (words - brief.words) / brief.words;
  if (Math.abs(off) <= 0.1) return [{ severity: "info", message }];
  if (off > 0) return tooLong(draft, message);
  const material = research?.findings.reduce((sum, { claim }) => sum + countWords(claim), 0);
  if (material !== undefined && material < brief.words) {
    return [{ severity: "info", message: `${message} The material does not suffice for more.` }];
  }
  return [{ severity: off < -0.25 ? "major" : "minor", message }];
}

function tooLong(draft: Draft, message: string): Remark[] {
  const { sentences, brief, text, words } = draft;
  const index = indexTerms(sentences.map((sentence) => termsOf(sentence.text)));
  const scores = bm25(index, brief.terms);
  const least = sentences.map((sentence, i) => ({ sentence, score: scores[i] ?? 0 }))
    .filter(({ sentence }) => !(sentence.first && sentence.last))
    .toSorted((a, b) => a.score - b.score);
  let excess = words - brief.words * 1.05;
  const remarks: Remark[] = [{
    severity: excess > brief.words * 0.25 ? "major" : "minor",
    message,
  }];
  for (const { sentence } of least) {
    const size = countWords(sentence.text);
    if (excess <= 0) break;
    if (size > excess + brief.words * 0.1) continue;
    excess -= size;
    remarks.push(cut(text, sentence));
  }
  return remarks;
}

function cut(text: string, sentence: Sentence): Remark {
  return {
    severity: "info",
    message: "This sentence speaks least to the request.",
    quote: quoteOf(sentence.text),
    change: removal(text, sentence, "brings the text to the asked length"),
  };
}
