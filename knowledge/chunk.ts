/**
 * Cuts documents into passages: never across a heading or a page, at paragraphs where it can, else
 * at lines, sentences, words. Passages of one section overlap a little, so that what stands at a cut
 * is found with what belongs to it.
 *
 * @module
 */
import type { Location, Passage } from "./document.ts";
import type { Block } from "./read/mod.ts";

/** The most characters of a passage, overlap included. */
export const MAX_PASSAGE_CHARS = 1_200;
/** The most characters of one piece of a passage. */
const MAX_PIECE_CHARS = 1_000;
const OVERLAP_CHARS = 150;
const MAX_HEADING_CHARS = 200;

interface Piece {
  text: string;
  location: Location;
}

/** The passages of a document, in order. */
export function chunk(blocks: Block[]): Passage[] {
  const passages: Passage[] = [];
  const path: { level: number; text: string }[] = [];
  const section = new Section((text, location) => {
    passages.push({ text, heading: path.map(({ text }) => text), location });
  });
  for (const block of blocks) {
    if (block.kind === "heading") {
      section.end();
      const level = block.level ?? 1;
      while (path.length > 0 && path.at(-1)!.level >= level) path.pop();
      path.push({ level, text: block.text.slice(0, MAX_HEADING_CHARS) });
    } else {
      for (const piece of pieces(block)) section.add(piece, block.kind === "row");
    }
  }
  section.end();
  return passages;
}

/** Collects pieces until they are a passage. */
class Section {
  private parts: Piece[] = [];
  private size = 0;
  /** True when nothing but the end of the passage before is in `parts`. */
  private onlyOverlap = false;

  constructor(private readonly emit: (text: string, location: Location) => void) {}

  add(piece: Piece, isRow: boolean): void {
    const first = this.parts[0];
    if (first && first.location.page !== piece.location.page) this.end();
    if (this.size + piece.text.length + 2 > MAX_PASSAGE_CHARS) this.flush(!isRow);
    this.parts.push(piece);
    this.size += piece.text.length + 2;
    this.onlyOverlap = false;
  }

  end(): void {
    this.flush(false);
  }

  private flush(overlap: boolean): void {
    const [first] = this.parts;
    const last = this.parts.at(-1);
    if (first && !this.onlyOverlap) {
      const between = first.location.row === undefined ? "\n\n" : "\n";
      this.emit(this.parts.map(({ text }) => text).join(between), first.location);
    }
    const tail = overlap && last ? tailOf(last) : undefined;
    this.parts = tail ? [tail] : [];
    this.size = tail ? tail.text.length + 2 : 0;
    this.onlyOverlap = true;
  }
}

/** The last sentences of a piece, as far as they are short. */
function tailOf({ text, location }: Piece): Piece | undefined {
  const from = Math.max(0, text.length - OVERLAP_CHARS);
  const start = from === 0 ? 0 : from + text.slice(from).search(/(?<=[.!?。！？]["')\]]*\s)\S/u);
  if (start < from) return undefined;
  return { text: text.slice(start), location: moved(location, start) };
}

/** A block as pieces of {@linkcode MAX_PIECE_CHARS} at most. */
function* pieces({ text, location }: Block): Generator<Piece> {
  for (let at = 0; at < text.length;) {
    const end = at + cut(text.slice(at, at + MAX_PIECE_CHARS + 1));
    const piece = text.slice(at, end);
    const trimmed = piece.trim();
    if (trimmed) yield { text: trimmed, location: moved(location, at + piece.indexOf(trimmed)) };
    at = end;
  }
}

/** Where to end a piece of `text`: in its second half, at the strongest boundary there is. */
function cut(text: string): number {
  if (text.length <= MAX_PIECE_CHARS) return text.length;
  for (const boundary of [/\n/g, /[.!?。！？]["')\]]*\s|[。！？]/gu, /\s/g]) {
    const last = [...text.matchAll(boundary)].at(-1);
    const end = last ? last.index + last[0].length : 0;
    if (end > MAX_PIECE_CHARS / 2) return Math.min(end, MAX_PIECE_CHARS);
  }
  // Not between the halves of one character.
  const half = text.charCodeAt(MAX_PIECE_CHARS - 1);
  return half >= 0xd800 && half < 0xdc00 ? MAX_PIECE_CHARS - 1 : MAX_PIECE_CHARS;
}

function moved(location: Location, by: number): Location {
  return location.offset === undefined ? location : { ...location, offset: location.offset + by };
}
