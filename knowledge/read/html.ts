import { type Block, paragraphs, type ReadDocument } from "./blocks.ts";

/** Marks a heading in the text that is made of a page; not a character that pages use. */
const MARK = "\uE000";
const HEADINGS = ["h1", "h2", "h3", "h4", "h5", "h6"];
/** What is around the content of a page, or is none. */
const SKIPPED = [
  "nav",
  "footer",
  "aside",
  "script",
  "style",
  "noscript",
  "template",
  "form",
  "button",
  "svg",
  "iframe",
  "img",
];

/** As far as it is used of html-to-text, which has no types. */
interface Builder {
  openBlock(options: { leadingLineBreaks: number }): void;
  closeBlock(options: { trailingLineBreaks: number }): void;
  addLiteral(text: string): void;
}
type Formatter = (
  element: { name: string; children: unknown },
  walk: (children: unknown, builder: Builder) => void,
  builder: Builder,
) => void;

const formatters: Record<string, Formatter> = {
  marked(element, walk, builder) {
    builder.openBlock({ leadingLineBreaks: 2 });
    builder.addLiteral(`${MARK}${element.name[1]} `);
    walk(element.children, builder);
    builder.closeBlock({ trailingLineBreaks: 2 });
  },
  row(element, walk, builder) {
    builder.openBlock({ leadingLineBreaks: 1 });
    walk(element.children, builder);
    builder.closeBlock({ trailingLineBreaks: 1 });
  },
  cell(element, walk, builder) {
    walk(element.children, builder);
    builder.addLiteral(" | ");
  },
};

/** The content of a page as text: of `main`, else of the articles, else of all but its surroundings. */
export async function readHtml(source: string): Promise<ReadDocument> {
  const { convert } = await import("html-to-text");
  const html = source.replaceAll(MARK, "");
  const text: string = convert(html, {
    wordwrap: false,
    baseElements: { selectors: contentOf(html) },
    limits: { maxInputLength: undefined, maxDepth: 200 },
    formatters,
    selectors: [
      ...SKIPPED.map((selector) => ({ selector, format: "skip" })),
      ...HEADINGS.map((selector) => ({ selector, format: "marked" })),
      { selector: "tr", format: "row" },
      { selector: "td", format: "cell" },
      { selector: "th", format: "cell" },
      { selector: "a", options: { ignoreHref: true } },
    ],
  });
  const title = titleOf(html);
  return { ...(title ? { title } : {}), blocks: paragraphs(text).map(withHeading) };
}

function contentOf(html: string): string[] {
  if (/<main[\s>]/i.test(html)) return ["main"];
  return /<article[\s>]/i.test(html) ? ["article"] : ["body"];
}

function titleOf(html: string): string | undefined {
  const raw = /<title[^>]*>([^<]*)<\/title>/i.exec(html)?.[1];
  return raw && decodeEntities(raw).replace(/\s+/g, " ").trim();
}

const ENTITIES: Record<string, string> = { amp: "&", lt: "<", gt: ">", quot: '"', apos: "'" };

function decodeEntities(text: string): string {
  return text.replace(/&(?:#(\d{1,7})|#x([\da-f]{1,6})|(\w+));/gi, (all, decimal, hex, name) => {
    if (name) return ENTITIES[name.toLowerCase()] ?? all;
    const code = decimal ? Number(decimal) : parseInt(hex, 16);
    return code <= 0x10ffff ? String.fromCodePoint(code) : all;
  });
}

function withHeading(block: Block): Block {
  if (!block.text.startsWith(MARK)) return block;
  const text = block.text.slice(2).replace(/\s+/g, " ").trim();
  return { ...block, kind: "heading", text, level: Number(block.text[1]) };
}
