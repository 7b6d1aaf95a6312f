/** The tool `fetch_page`: the readable text of an address. @module */
import { OrchestratorError } from "../errors.ts";
import type { Egress, EgressResponse } from "../guard/mod.ts";
import type { Json } from "../json/mod.ts";
import { decodeText, mediaType, statusFailure, urlArgument } from "./http/mod.ts";
import { type Page, readPage } from "./readable_page.ts";
import type { Tool, ToolScope } from "./tool.ts";

const TIMEOUT_MS = 30_000;
/** Of a page as it is sent; reading one takes the process for a moment. */
const MAX_BYTES = 3 * 1024 * 1024;
const DEFAULT_CHARS = 20_000;
const MAX_CHARS = 100_000;

const INPUT = {
  type: "object",
  properties: {
    url: { type: "string", description: "http(s) address of a page." },
    max_chars: { type: "integer", minimum: 100, maximum: MAX_CHARS, default: DEFAULT_CHARS },
    offset: {
      type: "integer",
      minimum: 0,
      default: 0,
      description: "Where in the text to begin: `next_offset` of the previous call.",
    },
    links: { type: "boolean", default: false, description: "Also return the page's links." },
  },
  required: ["url"],
  additionalProperties: false,
};

/**
 * Makes the tool. Its result is `{url, title?, text, next_offset?, links?}`; `next_offset` says that
 * there is more text.
 */
export function createFetchPage({ egress }: { egress: Egress }): Tool {
  return {
    name: "fetch_page",
    description: "Reads a web page: its main text without menus and advertisements. Also reads " +
      "plain text, Markdown, JSON and XML. No PDF.",
    input: INPUT,
    source: "built_in",
    capability: "egress",
    effect: "none",
    timeout_ms: TIMEOUT_MS,
    untrusted: true,
    run: (args, scope) => fetchPage(args, scope, egress),
  };
}

async function fetchPage(
  args: Record<string, Json>,
  scope: ToolScope,
  egress: Egress,
): Promise<Json> {
  const { href } = urlArgument("fetch_page", String(args.url));
  const response = await egress.request(href, {
    headers: { accept: "text/html, application/xhtml+xml, text/*;q=0.9, application/json;q=0.8" },
    signal: scope.signal,
    timeout_ms: TIMEOUT_MS,
    max_bytes: MAX_BYTES,
  });
  if (response.status >= 300) throw statusFailure("fetch_page", response, []);
  const { title, text, links } = await pageOf(response);
  const { offset = 0, max_chars = DEFAULT_CHARS } = args as { offset?: number; max_chars?: number };
  const end = offset + max_chars;
  return {
    url: response.url,
    ...(title ? { title } : {}),
    text: text.slice(offset, end),
    ...(end < text.length ? { next_offset: end } : {}),
    ...(args.links ? { links } : {}),
  };
}

async function pageOf(response: EgressResponse): Promise<Page> {
  const { url, headers, body } = response;
  const start = new TextDecoder("latin1").decode(body.subarray(0, 1024));
  if (start.startsWith("%PDF-")) {
    throw unreadable(
      url,
      "it is a PDF",
      "Upload it as a document and use search_documents, or find a page with the same text",
    );
  }
  const type = mediaType(headers);
  const looksLikeHtml = /^\s*(?:<!doctype html|<html)/i.test(start);
  if (/^(?:text\/html|application\/xhtml\+xml)$/.test(type) || (type === "" && looksLikeHtml)) {
    return await readPage(htmlText(response, start), url);
  }
  const isText = type === "" || type.startsWith("text/") || /[/+](?:json|xml|yaml)$/.test(type);
  if (isText && !start.includes("\0")) return { text: decodeText(response), links: [] };
  throw unreadable(url, `it is ${type || "no text"}`, "Choose the address of a page or a text");
}

/** In the encoding that the response names, else the one that the page names. */
function htmlText(response: EgressResponse, start: string): string {
  if (/charset=/i.test(response.headers.get("content-type") ?? "")) return decodeText(response);
  const [, charset] = /<meta[^>]+charset=["']?([\w-]+)/i.exec(start) ?? [];
  const headers = new Headers({ "content-type": `text/html; charset=${charset ?? "utf-8"}` });
  return decodeText({ ...response, headers });
}

function unreadable(url: string, why: string, advice: string): OrchestratorError {
  return new OrchestratorError("tool_failed", `Cannot read ${url}: ${why}. ${advice}.`, {
    details: { tool: "fetch_page" },
  });
}
