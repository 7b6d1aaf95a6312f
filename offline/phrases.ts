/**
 * The few sentences that the offline model writes itself. They state nothing about the topic: only
 * what the text covers and where it comes from.
 *
 * @module
 */
import { CONNECTIVES, CONTRACTIONS, PLAIN_START, STOP_WORDS, type Tone } from "./lexicon.ts";
import { capitalize, enumerate } from "./text.ts";

/** What an opening speaks of. */
export interface Outline {
  title: string;
  headings: string[];
  documents: number;
}

const NUMBERS = ["no", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine"];

const OPENINGS: Record<Tone, (topic: string, documents: string) => string> = {
  informative: (topic, documents) =>
    `This overview brings together what ${documents} about ${topic}`,
  formal: (topic, documents) => `The following text presents what ${documents} about ${topic}`,
  friendly: (topic, documents) => `Let's see what ${documents} about ${topic}`,
  persuasive: (topic, documents) => `Look at what ${documents} about ${topic}`,
};

const CLOSINGS: Partial<Record<Tone, string>> = {
  friendly: "That's the picture so far; the names in brackets lead to the details.",
  persuasive: "The facts are on the table. The next step is to act on them.",
};

/** What the text covers. Headings become part of a sentence; `knows` tells common words. */
export function opening(tone: Tone, outline: Outline, knows: (word: string) => boolean): string {
  const { title, headings, documents } = outline;
  const say = documents === 1 ? "one document says" : `${inWords(documents)} documents say`;
  const themes = headings.map((heading) => inSentence(heading, knows));
  const parts =
    themes.length < 2 || themes.length > 5 || themes.some((theme) => /,| and /.test(theme))
      ? ""
      : `, in ${inWords(themes.length)} parts: ${enumerate(themes)}`;
  return `${OPENINGS[tone](inSentence(title, knows), say)}${parts}.`;
}

/** A last sentence, for the tones that have one. */
export function closing(tone: Tone): string {
  return CLOSINGS[tone] ?? "";
}

function inWords(n: number): string {
  return NUMBERS[n] ?? String(n);
}

/** Tells whether a lower-case word is common: the texts have it so, or never with a capital. */
export function commonWords(texts: string[]): (word: string) => boolean {
  const words = new Set(texts.flatMap((text) => text.split(/[^\p{L}\p{M}-]+/u)));
  return (word) => words.has(word) || STOP_WORDS.has(word) || !words.has(capitalize(word));
}

/** Lower-cases the first letter of a word that is known to be common. */
export function inSentence(text: string, knows: (word: string) => boolean): string {
  const first = /^[\p{L}\p{M}-]+/u.exec(text)?.[0] ?? "";
  const lower = first.toLowerCase();
  return knows(lower) ? lower + text.slice(first.length) : text;
}

/** Puts the tone's `n`-th connective before a sentence that allows it. */
export function connect(tone: Tone, n: number, sentence: string): string {
  const list = CONNECTIVES[tone];
  const connective = list[n % list.length];
  if (!connective || !PLAIN_START.test(sentence)) return sentence;
  const comma = connective.endsWith(":") ? "" : ",";
  return `${connective}${comma} ${sentence.charAt(0).toLowerCase()}${sentence.slice(1)}`;
}

/** Contracts verbs in the friendly tone and spells them out in the formal one; quotations stay. */
export function adaptVerbs(tone: Tone, text: string): string {
  if ((tone !== "friendly" && tone !== "formal") || /["“”«»]/.test(text)) return text;
  return CONTRACTIONS.reduce((changed, [long, short]) => {
    const [from, to] = tone === "friendly" ? [long, short] : [short, long];
    const pattern = new RegExp(`\\b${from.replace("'", "['’]")}\\b`, "gi");
    return changed.replace(pattern, (found) => /^\p{Lu}/u.test(found) ? capitalize(to) : to);
  }, text);
}

/** Says why a text of `words` words is shorter than `asked`; the findings hold `usable` words. */
export function shortfall(usable: number, words: number, asked: number): string {
  return usable < asked
    ? `*The documents hold about ${usable} usable words on this topic, so this text stays below the ${asked} words asked for.*`
    : `*This text has ${words} words: no further passage of the documents fits into the ${asked} words asked for.*`;
}
