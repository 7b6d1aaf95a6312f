import { Buffer } from "node:buffer";
import type { ReadDocument } from "./blocks.ts";
import { readHtml } from "./html.ts";
import { unreadable } from "./unreadable.ts";

/** The most that a file may say it unpacks to, in bytes. */
const MAX_UNPACKED_BYTES = 200 * 1024 * 1024;
const DIRECTORY_ENTRY = [0x50, 0x4b, 0x01, 0x02];

/** The text of a Word document. @throws `document_unreadable` */
export async function readDocx(bytes: Uint8Array): Promise<ReadDocument> {
  if (unpackedBytes(bytes) > MAX_UNPACKED_BYTES) {
    throw unreadable("Word document", "it is too large when unpacked");
  }
  const { default: mammoth } = await import("mammoth");
  const convertImage = mammoth.images.imgElement(() => Promise.resolve({ src: "" }));
  try {
    const { value } = await mammoth.convertToHtml({ buffer: Buffer.from(bytes) }, { convertImage });
    const read = await readHtml(`<body>${value}</body>`);
    const title = read.blocks.find(({ level }) => level === 1)?.text;
    return { ...read, ...(title ? { title } : {}) };
  } catch (cause) {
    throw unreadable("Word document", "it is damaged or protected", cause);
  }
}

/** What the entries of a ZIP archive's directory say of their size, added up. */
function unpackedBytes(bytes: Uint8Array): number {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  let sum = 0;
  for (let at = bytes.indexOf(0x50); at >= 0; at = bytes.indexOf(0x50, at + 1)) {
    const isEntry = at + 28 <= bytes.length && DIRECTORY_ENTRY.every((b, i) => bytes[at + i] === b);
    if (isEntry) sum += view.getUint32(at + 24, true);
  }
  return sum;
}
