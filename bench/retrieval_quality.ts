/**
 * nDCG@10 of search by words and of hybrid search over the labelled corpus of `tests/knowledge`:
 *
 *     deno run -A bench/retrieval_quality.ts
 *
 * Vectors come from a real model behind a real endpoint: `embedding_server.mjs`.
 *
 * @module
 */
import { createEmbedder } from "../llm/embeddings.ts";
import type { Embedder } from "../knowledge/mod.ts";
import { library, NEVER } from "../tests/knowledge/_setup.ts";
import { addCorpus, mean, measure } from "../tests/knowledge/quality/_quality.ts";
import { localCaller } from "../guard/mod.ts";

const byWords = await scores();
const server = await startServer();
try {
  const hybrid = await scores(createEmbedder({
    model: "energetic-en",
    baseUrl: server.url,
    timeout_ms: 60_000,
    sleep: (ms) => new Promise((resolve) => setTimeout(resolve, ms)),
  }));
  report(byWords, hybrid);
} finally {
  server.process.kill();
  await server.process.status;
}

type Scores = Awaited<ReturnType<typeof measure>>;

async function scores(embedder?: Embedder): Promise<Scores> {
  await using docs = await library(embedder ? { meaning: { embedder } } : {});
  await addCorpus({ add: (...asked) => docs.knowledge.add(...asked) });
  return await measure(async (query) => {
    const answer = await docs.knowledge.search(localCaller(), { query }, NEVER);
    if ((answer.mode === "hybrid") !== (embedder !== undefined)) {
      throw new Error(`a search was by ${answer.mode}: ${answer.degraded?.message}`);
    }
    return answer;
  });
}

async function startServer() {
  const script = new URL("embedding_server.mjs", import.meta.url).pathname;
  const process = new Deno.Command(Deno.execPath(), {
    args: ["run", "-A", "--no-config", "--no-lock", script],
    stdout: "piped",
    stderr: "null",
  }).spawn();
  const reader = process.stdout.pipeThrough(new TextDecoderStream()).getReader();
  const { value = "" } = await reader.read();
  return { process, url: value.trim() };
}

function report(byWords: Scores, hybrid: Scores): void {
  const lines = byWords.map(({ query, ndcg }, index) =>
    `${ndcg.toFixed(2)}  ${hybrid[index]!.ndcg.toFixed(2)}  ${query}`
  );
  const means = `${mean(byWords).toFixed(3)} ${mean(hybrid).toFixed(3)} mean nDCG@10`;
  const text = ["words hybrid", ...lines, means, ""].join("\n");
  Deno.stdout.writeSync(new TextEncoder().encode(text));
}
