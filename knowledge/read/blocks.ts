import type { Location } from "../document.ts";

/** A part of a document in reading order. */
export interface Block {
  /** `row`: one of many of the same shape, which need no overlap. */
  kind: "heading" | "text" | "row";
  text: string;
  /** Of a heading: 1 is the outermost. */
  level?: number;
  location: Location;
}

/** A document that was read. */
export interface ReadDocument {
  /** What the document itself says it is called. */
  title?: string;
  blocks: Block[];
}

/** Paragraphs of plain text. */
export function readText(text: string): ReadDocument {
  return { blocks: paragraphs(text) };
}

/** The parts of a text between empty lines. */
export function paragraphs(text: string): Block[] {
  const blocks: Block[] = [];
  let offset = 0;
  for (const part of text.split(/(\r?\n[ \t]*(?:\r?\n[ \t]*)+)/)) {
    const trimmed = part.trim();
    if (trimmed) {
      const location = { offset: offset + part.indexOf(trimmed) };
      blocks.push({ kind: "text", text: trimmed, location });
    }
    offset += part.length;
  }
  return blocks;
}
