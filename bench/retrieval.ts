/**
 * Search in a collection of 10,000 passages: how long the index takes, how long a search, and the
 * memory of the process.
 *
 *     deno run -A bench/retrieval.ts [dimensions of vectors, none by default]
 *
 * Texts are of made-up words whose frequencies follow Zipf's law as those of languages do.
 *
 * @module
 */
import { createKnowledge, type Embedder } from "../knowledge/mod.ts";
import { openStore } from "../store/mod.ts";
import { localCaller } from "../guard/mod.ts";

const PASSAGES = 10_000;
const PER_DOCUMENT = 50;
const PASSAGE_CHARS = 1_000;
const VOCABULARY = 50_000;
const QUERIES = 300;
const NEVER = new AbortController().signal;

const dimensions = Number(Deno.args[0] ?? 0);
const random = generator(7);
const vocabulary = Array.from({ length: VOCABULARY }, madeUpWord);
const directory = await Deno.makeTempDir();

const adding = await timed(fill);
const searching = await measureSearches();
await Deno.remove(directory, { recursive: true });
print([
  `${PASSAGES} passages of about ${PASSAGE_CHARS} characters, ` +
  (dimensions ? `vectors of ${dimensions}` : "no vectors"),
  `reading, cutting and storing  ${(adding / 1000).toFixed(1)} s`,
  ...searching,
]);

/** Opens the same store twice, so that the searches begin like those of a new process. */
async function open() {
  const { store, close } = await openStore(directory, {
    worker: crypto.randomUUID(),
    now: Date.now,
    sleep: (ms) => new Promise((resolve) => setTimeout(resolve, ms)),
    lease_ms: 15_000,
  });
  let ids = 0;
  const knowledge = createKnowledge({
    store,
    now: Date.now,
    newId: () => String(++ids).padStart(8, "0"),
    limits: { max_documents: 1e6, max_passages: 1e6, max_indexed: 1e6, max_bytes: 1e9 },
    ...(dimensions ? { meaning: { embedder: madeUpEmbedder() } } : {}),
  });
  return { knowledge, close };
}

async function fill(): Promise<void> {
  const { knowledge, close } = await open();
  for (let at = 0; at < PASSAGES / PER_DOCUMENT; at++) {
    const sections = Array.from(
      { length: PER_DOCUMENT },
      (_, n) => `## Section ${n} ${text(30)}\n\n${text(PASSAGE_CHARS)}`,
    );
    const bytes = new TextEncoder().encode(`# Document ${at}\n\n${sections.join("\n\n")}`);
    await knowledge.add(localCaller(), { bytes, type: "text/markdown" }, NEVER);
  }
  await close();
}

async function measureSearches(): Promise<string[]> {
  const { knowledge, close } = await open();
  const search = (query: string) => knowledge.search(localCaller(), { query }, NEVER);
  const building = await timed(() => search("first"));
  const times: number[] = [];
  for (let n = 0; n < QUERIES; n++) {
    const query = Array.from({ length: 3 + n % 6 }, word).join(" ");
    times.push(await timed(() => search(query)));
  }
  const updating: number[] = [];
  for (let n = 0; n < 10; n++) {
    const bytes = new TextEncoder().encode(text(PASSAGE_CHARS));
    await knowledge.add(localCaller(), { bytes, type: "text/plain" }, NEVER);
    updating.push(await timed(() => search("after")));
  }
  const { rss } = Deno.memoryUsage();
  await close();
  return [
    `index from the store          ${(building / 1000).toFixed(1)} s (first search)`,
    `search of 3 to 8 words        p50 ${at(times, 0.5)} ms, p95 ${at(times, 0.95)} ms`,
    `search after an upload        p50 ${at(updating, 0.5)} ms`,
    `memory of the process         ${(rss / 1e6).toFixed(0)} MB`,
  ];
}

async function timed(work: () => Promise<unknown>): Promise<number> {
  const began = performance.now();
  await work();
  return performance.now() - began;
}

function at(times: number[], part: number): string {
  return times.toSorted((a, b) => a - b)[Math.floor(times.length * part)]!.toFixed(1);
}

/** Zipf: the word of rank r with a probability of about 1/r. */
function word(): string {
  return vocabulary[Math.floor(VOCABULARY ** random()) - 1]!;
}

function text(chars: number): string {
  let out = "";
  while (out.length < chars) out += `${word()} `;
  return out.trim();
}

function madeUpWord(): string {
  const length = 3 + Math.floor(random() * 8);
  return Array.from(
    { length },
    (_, n) => (n % 2 ? "aeiou" : "bcdfghklmnprstvw")[Math.floor(random() * (n % 2 ? 5 : 16))],
  ).join("");
}

function madeUpEmbedder(): Embedder {
  return {
    model: "made-up",
    embed: (texts) =>
      Promise.resolve(texts.map(() => Array.from({ length: dimensions }, () => random() - 0.5))),
  };
}

/** Mulberry32: the same numbers each time. */
function generator(seed: number): () => number {
  return () => {
    seed = seed + 0x6d2b79f5 | 0;
    let t = Math.imul(seed ^ seed >>> 15, 1 | seed);
    t = t + Math.imul(t ^ t >>> 7, 61 | t) ^ t;
    return ((t ^ t >>> 14) >>> 0) / 2 ** 32;
  };
}

function print(lines: string[]): void {
  Deno.stdout.writeSync(new TextEncoder().encode(lines.join("\n") + "\n"));
}
