/**
 * Runs that no document describes: reading a site into documents, and recreating vectors. Each page
 * and each document is a step, so an interrupted run resumes where it stopped.
 *
 * @module
 */
import * as z from "zod";
import { OrchestratorError, sentence, toOrchestratorError } from "../../errors.ts";
import { parse, toIssues } from "../../json/mod.ts";
import {
  collectionName,
  type Knowledge,
  metadata,
  type Visit,
  type VisitPage,
} from "../../knowledge/mod.ts";
import type { Json, RunContext, RunFunction } from "../kernel/mod.ts";

/** The longest for one page or one document, in milliseconds. */
const TIMEOUT_MS = 120_000;
/** Pages that a crawl knows of at most, visited ones included. */
const MAX_KNOWN = 5_000;

const crawlInput = z.strictObject({
  url: z.url({ protocol: /^https?$/, error: "must be an http or https URL" }),
  depth: z.int().min(0).max(10).default(1),
  max_pages: z.int().min(1).max(500).default(20),
  same_host: z.boolean().default(true),
  collection: collectionName.optional(),
  metadata: metadata.optional(),
});

/** What a crawl is asked for. */
export type CrawlInput = z.infer<typeof crawlInput>;

const reindexInput = z.strictObject({ collection: collectionName.optional() });

/** Code of runs that no document describes. No pipeline can have a name such as its. */
export interface BuiltInProgram {
  name: string;
  /** Stands in for the hash of a document; to be changed if old runs could not resume with it. */
  version: string;
  /** @throws `validation_failed` */
  check(input: Json): void;
  run: RunFunction;
}

/** The built-in programs `documents/crawl` and `documents/reindex`. */
export function ingestPrograms(
  deps: { visit: VisitPage; knowledge: Pick<Knowledge, "stale" | "embed"> },
): BuiltInProgram[] {
  return [
    {
      name: "documents/crawl",
      version: "built-in/crawl/1",
      check: (input) => check(crawlInput, input),
      run: (ctx, input) => crawl(ctx, crawlInput.parse(input), deps.visit),
    },
    {
      name: "documents/reindex",
      version: "built-in/reindex/1",
      check: (input) => check(reindexInput, input),
      run: (ctx, input) => reindex(ctx, reindexInput.parse(input), deps.knowledge),
    },
  ];
}

/** A page as the run's output tells of it. */
type Page = Omit<Visit, "links" | "outcome"> & { outcome: Visit["outcome"] | "failed" };

/** Page by page, those nearest to the first one first. */
async function crawl(ctx: RunContext, input: CrawlInput, visit: VisitPage): Promise<Json> {
  const { depth, max_pages, same_host, collection, metadata } = input;
  const start = input.url.replace(/#.*$/s, "");
  const host = same_host ? new URL(start).host : undefined;
  const options = {
    ...(host === undefined ? {} : { host }),
    ...(collection === undefined ? {} : { collection }),
    ...(metadata === undefined ? {} : { metadata }),
  };
  const known = new Set([start]);
  const queue = [{ url: start, level: 0 }];
  const pages: Page[] = [];
  for (let at = 0; at < queue.length && at < max_pages; at++) {
    const { url, level } = queue[at]!;
    const { links, ...page } = await visitPage(ctx, `page[${at}]`, { ...options, url }, visit);
    if (at === 0 && page.outcome === "failed") throw failedAt(page);
    pages.push(page);
    known.add(page.url);
    if (level === depth) continue;
    for (const link of links) {
      if (known.has(link) || known.size >= MAX_KNOWN) continue;
      if (host !== undefined && new URL(link).host !== host) continue;
      known.add(link);
      queue.push({ url: link, level: level + 1 });
    }
  }
  return summary(pages, queue.length - pages.length) as unknown as Json;
}

/** A page that cannot be read is reported and does not stop the others. */
async function visitPage(
  ctx: RunContext,
  key: string,
  options: Parameters<VisitPage>[1],
  visit: VisitPage,
): Promise<Page & { links: string[] }> {
  try {
    const seen = await ctx.step(
      key,
      async ({ signal }) => await visit(ctx.run.caller, options, signal) as unknown as Json,
      { kind: "crawl", timeout_ms: TIMEOUT_MS },
    );
    return seen as unknown as Visit;
  } catch (thrown) {
    const error = toOrchestratorError(thrown);
    if (error.kind === "cancelled" || error.code === "document_limit") throw error;
    return { url: options.url, outcome: "failed", reason: error.message, links: [] };
  }
}

function summary(pages: Page[], left: number) {
  const count = (...outcomes: Page["outcome"][]) =>
    pages.filter(({ outcome }) => outcomes.includes(outcome)).length;
  return {
    stored: count("created", "replaced"),
    unchanged: count("unchanged"),
    skipped: count("skipped"),
    failed: count("failed"),
    /** Known, but over `max_pages`. */
    not_visited: left,
    pages,
  };
}

function failedAt({ url, reason }: Page): OrchestratorError {
  return new OrchestratorError(
    "egress_failed",
    `Cannot crawl ${url}: its first page: ${sentence(reason ?? "unknown")}`,
  );
}

/** What there is to do for words: they are found in what is stored. */
const WORDS_ONLY = {
  documents: 0,
  embedded: 0,
  mode: "bm25",
  reason:
    "EMBEDDING_MODEL is not set, so there are no vectors and documents are searched by words only",
};

/** Document by document; one that is gone meanwhile is left out. */
async function reindex(
  ctx: RunContext,
  { collection }: { collection?: string },
  knowledge: Pick<Knowledge, "stale" | "embed">,
): Promise<Json> {
  const { caller } = ctx.run;
  const ids = await ctx.step("list", () => knowledge.stale(caller, collection), {
    kind: "reindex",
  });
  if (ids === null) return WORDS_ONLY;
  let embedded = 0;
  for (const [at, id] of ids.entries()) {
    const done = await ctx.step(`document[${at}]`, async ({ signal }) => {
      try {
        await knowledge.embed(caller, id, signal);
        return true;
      } catch (error) {
        if (toOrchestratorError(error).code === "not_found") return false;
        throw error;
      }
    }, { kind: "reindex", timeout_ms: 10 * TIMEOUT_MS });
    if (done) embedded++;
  }
  return { documents: ids.length, embedded, mode: "hybrid" };
}

/** @throws `validation_failed` with a JSON pointer per problem */
function check(schema: z.ZodType, input: Json): void {
  const { problems } = parse(schema, input);
  if (!problems) return;
  throw new OrchestratorError(
    "validation_failed",
    "Cannot start the run: its input is not valid. Fix the problems listed in `errors` and resend " +
      "the request.",
    { issues: toIssues(problems) },
  );
}
