import type { Block, ReadDocument } from "./blocks.ts";
import { unreadable } from "./unreadable.ts";

const MAX_PAGES = 2_000;

/** The text of a PDF's pages. @throws `document_unreadable` */
export async function readPdf(bytes: Uint8Array): Promise<ReadDocument> {
  const { extractText, getDocumentProxy, getMeta } = await import("unpdf");
  try {
    // The reader takes the bytes away from whoever gives them to it.
    const pdf = await getDocumentProxy(bytes.slice(), { verbosity: 0 });
    if (pdf.numPages > MAX_PAGES) throw unreadable("PDF", `it has more than ${MAX_PAGES} pages`);
    const { text } = await extractText(pdf, { mergePages: false });
    const { info } = await getMeta(pdf);
    const title = typeof info.Title === "string" ? info.Title.trim() : "";
    return { ...(title ? { title } : {}), blocks: text.flatMap(toBlock) };
  } catch (cause) {
    throw unreadable("PDF", "it is damaged, protected or too long", cause);
  }
}

function toBlock(page: string, index: number): Block[] {
  const text = unbroken(page).trim();
  return text ? [{ kind: "text", text, location: { page: index + 1 } }] : [];
}

/** Joins words that were broken at the end of a line. */
function unbroken(page: string): string {
  return page.replace(/(\p{Ll})-\n(\p{Ll})/gu, "$1$2");
}
