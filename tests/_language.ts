/** How texts for people are written: the words that a native technical writer does not use here. */

/** Words with an idiomatic equivalent: fix, apply, is reported, resume, no one, instead of, again … */
const WORDS = [
  "mend(?:s|ed|ing)?",
  "heed(?:s|ed|ing)?",
  "obey(?:s|ed)?",
  "somebody",
  "nobody",
  "(?:is|are|was|were) told",
  "told (?:the|by|of)",
  "go(?:es)? on",
  "what (?:became|becomes) of",
  "in place of",
  "there is none",
  "another one by now",
  "anew",
  "hardly meant",
  "taken for dead",
];

/** Finds these words, with a small or a capital first letter. */
export const UNIDIOMATIC = new RegExp(
  `\\b(?:${
    WORDS.map((word) => word.replace(/^[a-z]/, (a) => `[${a}${a.toUpperCase()}]`)).join("|")
  })\\b`,
);

/** One or more sentences: a capital first, a full stop last. */
export const SENTENCES = /^[A-Z"`].*[.?]$/s;
