/** What a message says of its author, as far as fixed phrases tell. @module */
import { clip } from "../text.ts";

/** Something to remember. */
export interface StatedFact {
  text: string;
  about: string | null;
}

/** Never kept, whatever was asked. */
const SECRET = /\b(?:password|passphrase|api[- ]?key|secret|token|pin|credit card|iban)\b/i;
const MAX_FACTS = 5;
/** The rest of a clause. */
const REST = "([^.!?\\n;]{1,160})";

const PHRASES: [RegExp, (rest: string, verb: string) => StatedFact][] = [
  [
    /\b(?:[Mm]y name is|I am called|I'm called|[Cc]all me)()\s+(\p{L}[\p{L}'’-]*(?:\s+(?!I\b)\p{Lu}[\p{L}'’-]*){0,2})/u,
    (name) => ({ text: `The user's name is ${name}.`, about: "name" }),
  ],
  [
    new RegExp(
      `\\b(?:i live|i'm based|i am based)()\\s+((?:in|at|near)\\s+${REST.slice(1, -1)})`,
      "iu",
    ),
    (place) => ({ text: `The user lives ${place}.`, about: "location" }),
  ],
  [
    new RegExp(`\\bi work()\\s+((?:as|at|for|in)\\s+${REST.slice(1, -1)})`, "iu"),
    (work) => ({ text: `The user works ${work}.`, about: "work" }),
  ],
  [
    new RegExp(
      `\\bi (?:really |always |usually )?(prefer|like|love|dislike|hate)\\s+${REST}`,
      "giu",
    ),
    (what, verb) => ({ text: `The user ${verb.toLowerCase()}s ${what}.`, about: null }),
  ],
  [
    new RegExp(`\\b(?:remember|note|keep in mind)()(?: that|:)\\s*${REST}`, "giu"),
    (what) => ({ text: `The user asked to remember: ${what}.`, about: null }),
  ],
];

/** The facts that a message states. */
export function statedFacts(message: string): StatedFact[] {
  // What is quoted or pasted is not said of oneself.
  const text = clip(message, 2_000).split(/\n\s*\n/, 1)[0]!.replace(/[“"][^”"]*[”"]/g, "");
  const found = PHRASES.flatMap(([pattern, toFact]) => {
    const matches = pattern.global ? [...text.matchAll(pattern)] : [pattern.exec(text)];
    return matches.flatMap((match) =>
      match ? [toFact(match[2]!.trim().replace(/[,\s]+$/, ""), match[1]!)] : []
    );
  });
  const asked = found.filter(({ text }) => text.startsWith("The user asked"));
  // “Remember that I like tea” is one fact, not two.
  const own = found.filter((fact) => !asked.includes(fact));
  const rest = asked.filter(({ text }) => statedWithin(text, own));
  return [...own, ...rest].filter(({ text }) => !SECRET.test(text)).slice(0, MAX_FACTS);
}

function statedWithin(text: string, own: StatedFact[]): boolean {
  return own.length === 0 ||
    !/\b(?:my name is|i live|i work|i (?:\w+ )?(?:prefer|like|love|dislike|hate))\b/i.test(text);
}
