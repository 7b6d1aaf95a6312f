import type { Token } from "marked";
import type { Block, ReadDocument } from "./blocks.ts";

/** Front matter is about the document, not a part of it. */
const FRONT_MATTER = /^---\r?\n[\s\S]*?\r?\n---[ \t]*(?:\r?\n|$)/;

/** Headings and blocks of Markdown, as they are written. */
export async function readMarkdown(source: string): Promise<ReadDocument> {
  const { marked } = await import("marked");
  const start = FRONT_MATTER.exec(source)?.[0].length ?? 0;
  const blocks: Block[] = [];
  let offset = start;
  for (const token of marked.lexer(source.slice(start))) {
    const block = toBlock(token, offset);
    if (block) blocks.push(block);
    offset += token.raw.length;
  }
  const title = blocks.find(({ level }) => level === 1)?.text;
  return { ...(title ? { title } : {}), blocks };
}

function toBlock(token: Token, at: number): Block | undefined {
  if (token.type === "heading") {
    const text = plain(token.text);
    return { kind: "heading", text, level: token.depth, location: { offset: at } };
  }
  const text = token.raw.trim();
  if (!text || token.type === "space" || token.type === "hr" || isComment(text)) return undefined;
  return { kind: "text", text, location: { offset: at + token.raw.indexOf(text) } };
}

/** A heading without the marks of links, images and code. */
function plain(text: string): string {
  return text.replace(/!?\[([^\]]*)\](?:\([^)]*\)|\[[^\]]*\])/g, "$1").replaceAll("`", "").trim();
}

function isComment(text: string): boolean {
  return text.startsWith("<!--") && text.indexOf("-->") === text.length - 3;
}
