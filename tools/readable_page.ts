/**
 * The readable part of an HTML page.
 *
 * Boundary: pages are hostile. Finding the main part, by the rules of Firefox's reader view, takes time
 * that grows with the cube of a page's depth, so only pages of ordinary size and depth are treated so;
 * of others all text is taken, in linear time.
 *
 * @module
 */

/** What is read of a page. */
export interface Page {
  title?: string;
  /** Headings, paragraphs, lists and tables, with line breaks between them. */
  text: string;
  /** Of the text, in their order; absolute http(s) addresses, each once. */
  links: { text: string; url: string }[];
}

const MAX_ELEMENTS = 4_000;
const MAX_DEPTH = 60;
const MAX_LINKS = 200;
/** Where a title is looked for. */
const HEAD_CHARS = 65_536;
const HEADINGS = ["h1", "h2", "h3", "h4", "h5", "h6"];
const SKIPPED = [
  "title",
  "img",
  "nav",
  "aside",
  "footer",
  "form",
  "button",
  "noscript",
  "template",
  "svg",
];
/** Elements that have no end, or need none: their own depth is that of what is around them. */
const FLAT = new Set(
  ("area base br col embed hr img input link meta param source track wbr p li dt dd tr td th thead " +
    "tbody tfoot option optgroup").split(" "),
);

/** Reads a page. @param url where it is, for its links */
export async function readPage(html: string, url: string): Promise<Page> {
  const main = isOrdinary(html) ? await mainPart(html) : undefined;
  const { text, links } = await textOf(main?.html ?? html, url);
  const title = main?.title || await titleOf(html);
  return { ...(title ? { title: oneLine(title) } : {}), text, links };
}

/** True for pages with a usual number and depth of elements. */
function isOrdinary(html: string): boolean {
  const open = new Map<string, number>();
  let depth = 0;
  let elements = 0;
  for (const [, slash, raw = ""] of html.matchAll(/<(\/?)([a-z][a-z0-9-]*)/gi)) {
    const name = raw.toLowerCase();
    if (!slash && ++elements > MAX_ELEMENTS) return false;
    if (FLAT.has(name)) continue;
    const count = open.get(name) ?? 0;
    // An end without a beginning ends nothing.
    if (slash && count === 0) continue;
    open.set(name, slash ? count - 1 : count + 1);
    depth += slash ? -1 : 1;
    if (depth > MAX_DEPTH) return false;
  }
  return true;
}

/** The main part of a page, or nothing when it has none. */
async function mainPart(html: string): Promise<{ title: string; html: string } | undefined> {
  const [{ parseHTML }, { Readability }] = await Promise.all([
    import("linkedom"),
    import("@mozilla/readability"),
  ]);
  const { document } = parseHTML(html) as unknown as { document: never };
  try {
    const article = new Readability(document).parse();
    if (article?.content) return { title: article.title ?? "", html: article.content };
  } catch {
    // A page that is no page at all, such as an empty one.
  }
}

/** As far as it is used of html-to-text, which has no types. */
interface Element {
  name?: string;
  data?: string;
  attribs?: Record<string, string>;
  children?: Element[];
}
type Walk = (children: Element[] | undefined, builder: unknown) => void;

async function textOf(html: string, base: string): Promise<Pick<Page, "text" | "links">> {
  const { convert } = await import("html-to-text");
  const links = new Map<string, string>();
  const link = (element: Element, walk: Walk, builder: unknown) => {
    const { href = "" } = element.attribs ?? {};
    if (links.size < MAX_LINKS && !href.startsWith("#") && URL.canParse(href, base)) {
      const url = new URL(href, base);
      const text = oneLine(plain(element));
      if (url.protocol.startsWith("http") && text && !links.has(url.href)) {
        links.set(url.href, text);
      }
    }
    walk(element.children, builder);
  };
  const text: string = convert(html, {
    wordwrap: false,
    limits: { maxDepth: 200 },
    formatters: { link },
    selectors: [
      { selector: "a", format: "link" },
      { selector: "table", format: "dataTable", options: { uppercaseHeaderCells: false } },
      ...SKIPPED.map((selector) => ({ selector, format: "skip" })),
      ...HEADINGS.map((selector) => ({ selector, options: { uppercase: false } })),
    ],
  });
  return { text: text.trim(), links: [...links].map(([url, text]) => ({ text, url })) };
}

function plain({ data, children = [] }: Element, depth = 0): string {
  return depth > MAX_DEPTH
    ? ""
    : (data ?? "") + children.map((one) => plain(one, depth + 1)).join("");
}

async function titleOf(html: string): Promise<string> {
  const [, title = ""] = /<title(?:\s[^>]{0,300})?>([^<]*)/i.exec(html.slice(0, HEAD_CHARS)) ?? [];
  const { convert } = await import("html-to-text");
  return convert(title, { wordwrap: false });
}

function oneLine(text: string): string {
  return text.replace(/\s+/g, " ").trim();
}
