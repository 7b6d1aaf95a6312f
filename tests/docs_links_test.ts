import { expect } from "expect";
import { existsSync, readdirSync } from "node:fs";
import { join, resolve } from "node:path";

const ROOT = resolve(import.meta.dirname!, "..");
const read = (path: string) => Deno.readTextFileSync(join(ROOT, path));
const PAGES = [
  ...["README.md", "AGENTS.md", "CHANGELOG.md"],
  ...readdirSync(join(ROOT, "docs"), { recursive: true, encoding: "utf8" })
    .filter((path) => path.endsWith(".md")).map((path) => `docs/${path}`),
];

/** The text without code, where brackets mean something else. */
function prose(text: string): string {
  return text.replace(/^( *)```[\s\S]*?^\1```$/gm, "").replace(/`[^`\n]*`/g, "");
}

/** Anchors of headings, as GitHub makes them. */
function anchors(text: string): string[] {
  return [...text.matchAll(/^#+ (.+)$/gm)].map(([, heading]) =>
    heading!.toLowerCase().replace(/[^\p{L}\p{N} _-]/gu, "").replaceAll(" ", "-")
  );
}

function brokenLinks(page: string): string[] {
  const links = [...prose(read(page)).matchAll(/\]\(([^)\s]+)\)/g)].map(([, link]) => link!);
  return links.filter((link) => !/^[a-z]+:/.test(link)).filter((link) => {
    const [path, anchor] = link.split("#") as [string, string?];
    const target = path ? join(page, "..", path) : page;
    if (!existsSync(join(ROOT, target))) return true;
    return anchor !== undefined && !anchors(read(target)).includes(anchor);
  });
}

Deno.test("every relative link of the documentation leads somewhere", () => {
  expect(PAGES.length).toBeGreaterThan(10);
  const broken = PAGES.flatMap((page) => brokenLinks(page).map((link) => `${page}: ${link}`));
  expect(broken).toEqual([]);
});

Deno.test("every task that the documentation names exists", () => {
  const tasks = Object.keys(JSON.parse(read("deno.json")).tasks);
  const named = PAGES.flatMap((page) =>
    [...read(page).matchAll(/deno(?:@[\d.]+)? task ([\w:-]+)/g)].map(([, task]) => task!)
  );
  expect(named.length).toBeGreaterThan(10);
  expect(named.filter((task) => !tasks.includes(task))).toEqual([]);
});

Deno.test("the README tells a contributor to run what CI runs", () => {
  const [command = ""] = /npx --yes deno@[\d.]+ task ok/.exec(read(".ci/run")) ?? [];
  expect(command).not.toBe("");
  expect(read("README.md")).toContain(`${command}\n`);
});

Deno.test("the index of the documentation names every page", () => {
  const index = read("docs/README.md");
  const pages = readdirSync(join(ROOT, "docs")).filter((name) => /\.md$/.test(name));
  expect(pages.filter((page) => page !== "README.md" && !index.includes(`(${page})`))).toEqual([]);
});
