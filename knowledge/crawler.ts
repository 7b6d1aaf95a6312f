/** Visits pages one at a time: asks the site's rules, keeps the page, finds its links. @module */
import { OrchestratorError } from "../errors.ts";
import type { Caller, Egress, EgressResponse } from "../guard/mod.ts";
import type { Metadata, NewDocument } from "./document.ts";
import type { Knowledge } from "./knowledge.ts";
import { READABLE_TYPES } from "./read/mod.ts";
import { createRobots, USER_AGENT } from "./robots.ts";

/** Pause before each page, unless the site asks for a longer one, in milliseconds. */
const DELAY_MS = 200;
const MAX_LINKS = 200;
const MAX_LINK_CHARS = 2_000;

/** Where a page's document goes, and where a crawl may go. */
export interface VisitOptions {
  /** Absolute, http or https. */
  url: string;
  collection?: string;
  metadata?: Metadata;
  /** When given, pages that are elsewhere after redirects are left out. */
  host?: string;
}

/** The result for a page. Plain JSON. */
export interface Visit {
  /** After redirects. */
  url: string;
  outcome: "created" | "replaced" | "unchanged" | "skipped";
  /** Id of its document. */
  document?: string;
  title?: string;
  /** Why it was skipped. */
  reason?: string;
  /** Where it leads, without fragments, each once. */
  links: string[];
}

/** What visiting pages needs. */
export interface CrawlerOptions {
  egress: Pick<Egress, "request">;
  knowledge: Pick<Knowledge, "add">;
  /** Of one page. */
  max_bytes: number;
  /** Milliseconds since the epoch. */
  now(): number;
  /** Rejects when `signal` aborts. */
  sleep(ms: number, signal: AbortSignal): Promise<void>;
}

/** Visits one page. @throws `egress_*`, `document_*`, what aborted `signal` */
export type VisitPage = (
  caller: Caller,
  options: VisitOptions,
  signal: AbortSignal,
) => Promise<Visit>;

/** Makes the crawler. */
export function createCrawler(options: CrawlerOptions): VisitPage {
  const { egress, knowledge, max_bytes, now, sleep } = options;
  const robots = createRobots(egress, now);
  return async (caller, { url, host, collection, metadata }, signal) => {
    const rules = await robots(url, signal);
    if (!rules.allows(url)) return skipped(url, "the site's robots.txt forbids it");
    await sleep(Math.max(rules.delay_ms, DELAY_MS), signal);
    const headers = { "user-agent": USER_AGENT, accept: READABLE_TYPES.join(", ") };
    const page = await egress.request(url, { signal, headers, max_bytes });
    const at = withoutFragment(page.url);
    if (page.status !== 200) return refused(at, page.status);
    if (host !== undefined && new URL(at).host !== host) {
      return skipped(at, "it is on another host");
    }
    if (at !== url && !(await robots(at, signal)).allows(at)) {
      return skipped(at, "the site's robots.txt forbids it");
    }
    const { links, hidden } = await linksOf(page, at);
    if (hidden) return { ...skipped(at, "it asks not to be indexed"), links };
    try {
      const given = { ...(collection ? { collection } : {}), ...(metadata ? { metadata } : {}) };
      const added = await knowledge.add(caller, { ...documentOf(page, at), ...given }, signal);
      const { document: { id, title }, outcome } = added;
      return { url: at, outcome, document: id, title, links };
    } catch (error) {
      const reason = unfit(error);
      if (reason === undefined) throw error;
      return { ...skipped(at, reason), links };
    }
  };
}

function documentOf({ headers, body: bytes }: EgressResponse, url: string): NewDocument {
  const type = headers.get("content-type");
  const name = new URL(url).pathname.split("/").at(-1);
  return { bytes, ...(type ? { type } : {}), ...(name ? { name } : {}), url };
}

/** A page that is not a document is nothing to fail for. */
function unfit(error: unknown): string | undefined {
  if (!(error instanceof OrchestratorError)) return undefined;
  if (error.code === "unsupported_media_type") return "its type is not supported";
  if (error.code === "document_unreadable") return "it contains no text";
}

function skipped(url: string, reason: string): Visit {
  return { url, outcome: "skipped", reason, links: [] };
}

/** @throws `egress_failed` when the page may come another time */
function refused(url: string, status: number): Visit {
  if (status < 500 && status !== 429) return skipped(url, `the site answered ${status}`);
  throw new OrchestratorError(
    "egress_failed",
    `Cannot read ${url}: the site answered ${status}. Try again later.`,
    { kind: "retryable", details: { status } },
  );
}

/** Where a page leads, as far as it lets a crawler follow; `hidden`: it does not want to be found. */
async function linksOf(
  { headers, body }: EgressResponse,
  at: string,
): Promise<{ links: string[]; hidden?: boolean }> {
  const type = headers.get("content-type") ?? "";
  const isHtml = /^(?:text\/html|application\/xhtml\+xml)\b/i.test(type);
  return isHtml ? await readLinks(new TextDecoder().decode(body), at) : { links: [] };
}

/** As far as a parsed page is looked at. */
interface Page {
  querySelector(selector: string): Element | null;
  querySelectorAll(selector: string): Iterable<Element>;
}
interface Element {
  getAttribute(name: string): string | null;
}

async function readLinks(
  html: string,
  at: string,
): Promise<{ links: string[]; hidden?: boolean }> {
  const { parseHTML } = await import("linkedom");
  const { document } = parseHTML(html) as unknown as { document: Page };
  const robots = document.querySelector('meta[name="robots" i]')?.getAttribute("content") ?? "";
  const hidden = /\b(?:noindex|none)\b/i.test(robots);
  if (/\b(?:nofollow|none)\b/i.test(robots)) return { links: [], hidden };
  const base = resolve(document.querySelector("base[href]")?.getAttribute("href"), at) ?? at;
  const links = new Set<string>();
  for (const link of document.querySelectorAll("a[href]")) {
    if (/\bnofollow\b/i.test(link.getAttribute("rel") ?? "")) continue;
    const url = resolve(link.getAttribute("href"), base);
    if (url !== undefined && url !== at) links.add(url);
    if (links.size === MAX_LINKS) break;
  }
  return { links: [...links], hidden };
}

function resolve(href: string | null | undefined, base: string): string | undefined {
  if (!href || !URL.canParse(href, base)) return undefined;
  const url = new URL(href, base);
  if (url.protocol !== "http:" && url.protocol !== "https:") return undefined;
  const text = withoutFragment(url.href);
  return text.length <= MAX_LINK_CHARS ? text : undefined;
}

/** The same page, whichever part of it is linked. */
function withoutFragment(url: string): string {
  return url.replace(/#.*$/s, "");
}
