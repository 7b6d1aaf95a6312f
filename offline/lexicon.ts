/**
 * The word lists of the offline model. English only: other languages get no phrases of ours.
 *
 * @module
 */

const set = (words: string) => new Set(words.split(/\s+/));

/** English words that carry no topic. */
export const STOP_WORDS: ReadonlySet<string> = set(
  "a about above after again against all also am an and any are as at be because been before " +
    "being below between both but by can cannot could did do does doing down during each even " +
    "ever every few for from further had has have having he her here hers him his how however i " +
    "if in into is it its itself just less let like made make many may me might more most much " +
    "must my no nor not now of off often on once one only onto or other our ours out over own per " +
    "rather s same shall she should since so some still such t than that the their theirs them " +
    "then there these they this those though through thus to too under until up upon us use very " +
    "was we well were what when where whether which while who whom whose why will with within " +
    "without would yet you your yours",
);

/** Words of a request that say what to make of the topic, not what the topic is. */
export const INSTRUCTION_WORDS: ReadonlySet<string> = set(
  "article articles bullet bullets compose create describe discuss document documents draft " +
    "email essay explain file files findings generate give help introduction length list longer " +
    "memo need newsletter note overview page pages paragraph paragraphs piece please point points " +
    "post prepare produce provide report rewrite sentence sentences short shorter show source " +
    "sources story summaries summarise summarize summary tell text tone want word words write " +
    "trend trends tip tips blog brief concise long detailed informative formal friendly persuasive audience",
);

/** Words that lean on the sentence before; such a sentence is never quoted without it. */
export const LEANING_START =
  /^(?:it|its|this|that|these|those|they|their|them|he|she|his|her|such|both|another|others|either|neither|however|but|and|or|also|moreover|furthermore|instead|therefore|thus|hence|so|yet|then|still|nevertheless|nonetheless|meanwhile|similarly|likewise|consequently|otherwise|as a result|by contrast|in contrast|for example|for instance|in other words|in turn|that said|here|there|the former|the latter|the same|the approach|the result|the idea)\b/i;

/** A pronoun among the first words points back, too. */
export const LEANING_EARLY =
  /^(?:\S{1,40}\s+){0,5}?(?:they|it|of (?:that|this|these|those|them|it))\b/i;

/** Words with which a sentence may begin when a connective is put before it. */
export const PLAIN_START = /^(?:The|A|An|Most|Many|Some|Each|Every|About|Almost|Nearly|Only)\b/;

/** Contractions and their long forms. */
export const CONTRACTIONS: ReadonlyArray<readonly [long: string, short: string]> = [
  ["do not", "don't"],
  ["does not", "doesn't"],
  ["did not", "didn't"],
  ["is not", "isn't"],
  ["are not", "aren't"],
  ["was not", "wasn't"],
  ["were not", "weren't"],
  ["cannot", "can't"],
  ["will not", "won't"],
  ["would not", "wouldn't"],
  ["should not", "shouldn't"],
  ["has not", "hasn't"],
  ["have not", "haven't"],
  ["it is", "it's"],
  ["that is", "that's"],
  ["you will", "you'll"],
  ["we are", "we're"],
  ["you are", "you're"],
  ["they are", "they're"],
];

/** Manners of writing. */
export type Tone = "informative" | "formal" | "friendly" | "persuasive";

/** What a request may call each tone. */
export const TONE_WORDS: Record<Tone, RegExp> = {
  formal: /\b(?:formal|academic|professional|serious|legal|scientific|neutral)\b/i,
  friendly: /\b(?:friendly|casual|conversational|warm|playful|informal|relaxed)\b/i,
  persuasive: /\b(?:persuasive|convincing|compelling|marketing|promotional|inspiring)\b/i,
  informative: /\b(?:informative|factual|educational|explanatory)\b/i,
};

/** Adverbials that join a sentence to the one before without claiming a logical relation. */
export const CONNECTIVES: Record<Tone, readonly string[]> = {
  informative: ["At the same time", "In addition", "Beyond that"],
  formal: ["Furthermore", "In addition", "Moreover"],
  friendly: ["On top of that", "What's more", "And there's more to it:"],
  persuasive: ["Just as important", "What is more", "Beyond that"],
};
