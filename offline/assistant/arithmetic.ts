/** Sums in plain words, as code. @module */
import { clip } from "../text.ts";

const LEAD =
  /^(?:please |can you |could you )*(?:calculate|compute|evaluate|work out|solve|what(?:'s| is)|how much is)\s+/i;
const NUMBER = /\d+(?:,\d{3})*(?:\.\d+)?/g;
const WORDS: [RegExp, string][] = [
  [/(\d+(?:\.\d+)?)\s*(?:%|percent)\s+of\s+/gi, "$1 / 100 * "],
  [/\b(?:square root of|sqrt)\s*\(?\s*(\d+(?:\.\d+)?)\s*\)?/gi, "Math.sqrt($1)"],
  [/\b(?:multiplied by|times)\b|[×·]/gi, "*"],
  [/\bdivided by\b|÷/gi, "/"],
  [/\bplus\b/gi, "+"],
  [/\bminus\b|[−–]/gi, "-"],
  [/\bto the power of\b|\^/gi, "**"],
  [/(?<=\d)\s*x\s*(?=\d)/gi, "*"],
];
const SUM = /^(?:Math\.sqrt\(\d+(?:\.\d+)?\)|[\d.+*/%()\s-])+$/;

/** JavaScript for the sum that a message asks for; nothing when it asks for none. */
export function arithmeticOf(message: string): string | undefined {
  const text = clip(message.trim(), 300);
  const body = text.replace(LEAD, "").replace(/\s*(?:=\s*\??|\?)?\s*[.!]*\s*$/, "")
    .replace(NUMBER, (number) => number.replaceAll(",", ""));
  const code = WORDS.reduce((sum, [words, sign]) => sum.replace(words, sign), body).trim();
  if (!SUM.test(code) || /^\d{1,4}-\d{1,2}-\d{1,4}$/.test(code)) return undefined;
  // A lone number, a date or a telephone number is no sum.
  const hasSign = /\d\s*(?:\*\*|[+*/%])\s*[\d(M]|\)\s*[-+*/%]|\d\s+-\s+\d|Math\.sqrt|[\d)]\s*-\s*\(/
    .test(code);
  const isAsked = LEAD.test(text) && /\d\s*-\s*\d/.test(code);
  return hasSign || isAsked ? code : undefined;
}
