/** From an uploaded file to the parts of a document. Readers are loaded when they are needed. @module */
import { OrchestratorError } from "../../errors.ts";
import { type ReadDocument, readText } from "./blocks.ts";
import { readCsv } from "./csv.ts";
import { readDocx } from "./docx.ts";
import { readHtml } from "./html.ts";
import { readMarkdown } from "./markdown.ts";
import { readPdf } from "./pdf.ts";
import { unreadable } from "./unreadable.ts";

export type { Block, ReadDocument } from "./blocks.ts";

const DOCX = "application/vnd.openxmlformats-officedocument.wordprocessingml.document";

type Reader = (bytes: Uint8Array, charset: string | undefined) => Promise<ReadDocument>;

/** Makes a reader of bytes from one of text. */
const ofText = (read: (text: string) => ReadDocument | Promise<ReadDocument>): Reader =>
(
  bytes,
  charset,
) => Promise.resolve(read(decode(bytes, charset)));

const READERS: Record<string, Reader> = {
  "text/plain": ofText(readText),
  "text/markdown": ofText(readMarkdown),
  "text/html": ofText(readHtml),
  "application/xhtml+xml": ofText(readHtml),
  "text/csv": ofText(readCsv),
  "application/pdf": readPdf,
  [DOCX]: readDocx,
};

/** Types by the end of a file's name. */
const ENDINGS: Record<string, string> = {
  txt: "text/plain",
  text: "text/plain",
  md: "text/markdown",
  markdown: "text/markdown",
  html: "text/html",
  htm: "text/html",
  csv: "text/csv",
  pdf: "application/pdf",
  docx: DOCX,
};

/** The media types that can be read. */
export const READABLE_TYPES: string[] = Object.keys(READERS);

/**
 * The media type of a file, without parameters: what is said of it, else what its name says.
 *
 * @throws `unsupported_media_type`
 */
export function typeOf(type: string | undefined, name: string | undefined): string {
  const said = type?.split(";", 1)[0]?.trim().toLowerCase();
  if (said && Object.hasOwn(READERS, said)) return said;
  const ending = /\.([a-z]+)$/i.exec(name ?? "")?.[1]?.toLowerCase() ?? "";
  if (Object.hasOwn(ENDINGS, ending)) return ENDINGS[ending]!;
  throw new OrchestratorError(
    "unsupported_media_type",
    `Cannot read a document of type ${said ? JSON.stringify(said) : "that is not given"}: send ` +
      "text, Markdown, HTML, CSV, PDF or DOCX, with its Content-Type or a file name.",
    { details: { types: READABLE_TYPES } },
  );
}

/**
 * Reads a file of a type that {@linkcode typeOf} gave.
 *
 * @param declared the type as it was said, for its `charset`
 * @throws `document_unreadable`
 */
export async function readDocument(
  bytes: Uint8Array,
  type: string,
  declared?: string,
): Promise<ReadDocument> {
  const charset = /charset\s*=\s*"?([\w.:-]+)/i.exec(declared ?? "")?.[1];
  try {
    return await READERS[type]!(bytes, charset);
  } catch (cause) {
    throw unreadable(`document as ${type}`, "it is damaged or nested too deeply", cause);
  }
}

/** UTF-8 unless it says or shows otherwise. */
function decode(bytes: Uint8Array, charset = "utf-8"): string {
  try {
    return new TextDecoder(charset, { fatal: true }).decode(bytes).replaceAll("\r\n", "\n");
  } catch {
    return new TextDecoder("windows-1252").decode(bytes).replaceAll("\r\n", "\n");
  }
}
