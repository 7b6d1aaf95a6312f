/** The smallest files of formats that are not text. */
import { crc32 } from "node:zlib";
import { joinBytes } from "../../../bytes.ts";

const encoder = new TextEncoder();

/** A PDF with a line of text on each page. */
export function pdf(pages: string[]): Uint8Array {
  const kids = pages.map((_, index) => `${4 + 2 * index} 0 R`).join(" ");
  const objects = [
    "<< /Type /Catalog /Pages 2 0 R >>",
    `<< /Type /Pages /Kids [${kids}] /Count ${pages.length} >>`,
    "<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica >>",
    ...pages.flatMap((text, index) => {
      const stream = `BT /F1 24 Tf 72 700 Td (${text}) Tj ET`;
      const resources = "<< /Font << /F1 3 0 R >> >>";
      return [
        `<< /Type /Page /Parent 2 0 R /MediaBox [0 0 612 792] /Resources ${resources} ` +
        `/Contents ${5 + 2 * index} 0 R >>`,
        `<< /Length ${stream.length} >>\nstream\n${stream}\nendstream`,
      ];
    }),
  ];
  let body = "%PDF-1.4\n";
  const offsets = objects.map((object, index) => {
    const offset = body.length;
    body += `${index + 1} 0 obj\n${object}\nendobj\n`;
    return String(offset).padStart(10, "0");
  });
  const table = ["0000000000 65535 f ", ...offsets.map((at) => `${at} 00000 n `)].join("\n");
  const trailer = `<< /Size ${objects.length + 1} /Root 1 0 R >>`;
  const xref = `xref\n0 ${objects.length + 1}\n${table}\ntrailer\n${trailer}\n`;
  return encoder.encode(`${body}${xref}startxref\n${body.length}\n%%EOF`);
}

const WORD = "http://schemas.openxmlformats.org/wordprocessingml/2006/main";
const PACKAGE = "http://schemas.openxmlformats.org/package/2006";
const OFFICE = "http://schemas.openxmlformats.org/officeDocument/2006/relationships";
const MAIN = "application/vnd.openxmlformats-officedocument.wordprocessingml.document.main+xml";

/** A Word document with a heading and a paragraph; `unpacked` is the size that it claims. */
export function docx(heading: string, text: string, unpacked?: number): Uint8Array {
  const style = '<w:pPr><w:pStyle w:val="Heading1"/></w:pPr>';
  return zip({
    "[Content_Types].xml": `<Types xmlns="${PACKAGE}/content-types">` +
      '<Default Extension="rels" ' +
      'ContentType="application/vnd.openxmlformats-package.relationships+xml"/>' +
      `<Override PartName="/word/document.xml" ContentType="${MAIN}"/></Types>`,
    "_rels/.rels": `<Relationships xmlns="${PACKAGE}/relationships"><Relationship Id="r1" ` +
      `Type="${OFFICE}/officeDocument" Target="word/document.xml"/></Relationships>`,
    "word/document.xml": `<w:document xmlns:w="${WORD}"><w:body>` +
      `<w:p>${style}<w:r><w:t>${heading}</w:t></w:r></w:p>` +
      `<w:p><w:r><w:t>${text}</w:t></w:r></w:p></w:body></w:document>`,
  }, unpacked);
}

/** A ZIP archive of files that are stored as they are. */
function zip(files: Record<string, string>, unpacked?: number): Uint8Array {
  const parts: Uint8Array[] = [];
  const directory: Uint8Array[] = [];
  let offset = 0;
  for (const [name, text] of Object.entries(files)) {
    const [path, data] = [encoder.encode(name), encoder.encode(text)];
    const sizes = [crc32(data), data.length, unpacked ?? data.length];
    const local = record([[0x04034b50, 4], [20, 2], [0, 2], [0, 2], [0, 4]], sizes, [
      [path.length, 2],
      [0, 2],
    ]);
    directory.push(
      record([[0x02014b50, 4], [20, 2], [20, 2], [0, 2], [0, 2], [0, 4]], sizes, [
        ...[[path.length, 2], [0, 2], [0, 2], [0, 2], [0, 2], [0, 4], [offset, 4]] as const,
      ]),
      path,
    );
    parts.push(local, path, data);
    offset += local.length + path.length + data.length;
  }
  const size = directory.reduce((sum, part) => sum + part.length, 0);
  const count = Object.keys(files).length;
  const end = record([[0x06054b50, 4], [0, 2], [0, 2], [count, 2], [count, 2]], [size, offset], [
    [0, 2],
  ]);
  return joinBytes([...parts, ...directory, end]);
}

type Field = readonly [value: number, bytes: number];

function record(before: Field[], words: number[], after: Field[]): Uint8Array {
  const fields: Field[] = [...before, ...words.map((word) => [word, 4] as const), ...after];
  const out = new Uint8Array(fields.reduce((sum, [, bytes]) => sum + bytes, 0));
  let at = 0;
  for (const [value, bytes] of fields) {
    for (let n = 0; n < bytes; n++) out[at++] = Math.floor(value / 256 ** n) % 256;
  }
  return out;
}
