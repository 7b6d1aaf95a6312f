/**
 * Checks that imports, type-only ones included, point down the layers and form no cycle:
 *
 *     deno run -P=dev dev/layers.ts
 *
 * @module
 */
import { dirname, join, normalize, relative, resolve } from "node:path";

/**
 * Layers from the top down. A file belongs to the first entry that is its path or a folder above it;
 * it may import its own entry's files and those of lower layers.
 */
const LAYERS: string[][] = [
  ["main.ts"],
  ["cli", "dev"],
  ["orchestrator.ts"],
  ["parts"],
  ["routes"],
  ["pipeline", "uitest"],
  ["knowledge", "tools", "llm"],
  ["guard"],
  ["store", "telemetry"],
  ["config.ts", "config", "resources.ts", "version.ts"],
  ["json"],
  ["bytes.ts", "errors.ts"],
];

/** Parts with rules of their own: all that they may import besides themselves. */
const NARROW: Record<string, string[]> = {
  "pipeline/kernel": ["store", "telemetry", "json", "errors.ts"],
  "config.ts": ["config", "errors.ts"],
};

/** Not part of the product: may import all of it. */
const OUTSIDE = ["tests", "bench"];

/** Source text by path, relative to the project. */
export type Sources = Record<string, string>;

/** One line for each import that breaks a rule, and for each cycle. */
export function findViolations(sources: Sources): string[] {
  const graph = new Map(
    Object.entries(sources).map(([file, text]) => [file, importsOf(file, text)]),
  );
  const wrong = [...graph].flatMap(([file, imports]) =>
    imports.flatMap((target) => {
      const why = refusal(file, target);
      return why ? [`${file} imports ${target}: ${why}`] : [];
    })
  );
  return [...wrong, ...findCycles(graph)];
}

/** The project's own files that a file imports, relative to the project. */
function importsOf(file: string, text: string): string[] {
  const code = text.replace(/\/\*[\s\S]*?\*\//g, "").replace(/^\s*\/\/.*$/gm, "");
  const found = code.matchAll(/\b(?:from|import)\s*\(?\s*["'](\.{1,2}\/[^"']+\.tsx?)["']/g);
  return [...found].map(([, path = ""]) => normalize(join(dirname(file), path)));
}

/** Why a file may not import another one; nothing when it may. */
function refusal(file: string, target: string): string | undefined {
  if (target === "main.ts" && !within(file, "tests")) return "nothing imports main.ts";
  if (OUTSIDE.some((folder) => within(file, folder))) return undefined;
  if (OUTSIDE.some((folder) => within(target, folder))) return "only tests and bench may";
  const part = Object.keys(NARROW).find((name) => within(file, name));
  if (part && !within(target, part)) {
    const allowed = NARROW[part] ?? [];
    if (allowed.some((name) => within(target, name))) return undefined;
    return `${part} may import ${allowed.join(", ")} only`;
  }
  const [from, to] = [layerOf(file), layerOf(target)];
  if (!from) return `${file} is in no layer: name its place in dev/layers.ts`;
  if (!to) return `${target} is in no layer: name its place in dev/layers.ts`;
  if (from.name === to.name || from.rank < to.rank) return undefined;
  return from.rank === to.rank
    ? `${from.name} and ${to.name} are beside each other`
    : `${to.name} is above ${from.name}`;
}

function within(file: string, place: string): boolean {
  return file === place || file.startsWith(`${place}/`);
}

function layerOf(file: string): { name: string; rank: number } | undefined {
  for (const [rank, names] of LAYERS.entries()) {
    const name = names.find((place) => within(file, place));
    if (name) return { name, rank };
  }
}

/** One line for each cycle that a depth-first walk closes. */
function findCycles(graph: Map<string, string[]>): string[] {
  const done = new Set<string>();
  const path: string[] = [];
  const cycles: string[] = [];
  const visit = (file: string) => {
    const start = path.indexOf(file);
    if (start >= 0) cycles.push(`cycle: ${[...path.slice(start), file].join(" → ")}`);
    if (start >= 0 || done.has(file)) return;
    path.push(file);
    graph.get(file)?.forEach(visit);
    path.pop();
    done.add(file);
  };
  for (const file of graph.keys()) visit(file);
  return cycles;
}

/** Reads every TypeScript file below `project` that belongs to it. */
export function readSources(project: string): Sources {
  const skipped = new Set(["node_modules", "dist", "coverage", "studio"]);
  const walk = (folder: string): [string, string][] =>
    [...Deno.readDirSync(folder)].flatMap(({ name, isDirectory }) => {
      const path = join(folder, name);
      if (isDirectory) return skipped.has(name) || name.startsWith(".") ? [] : walk(path);
      return /\.tsx?$/.test(name) ? [[relative(project, path), Deno.readTextFileSync(path)]] : [];
    });
  return Object.fromEntries(walk(project));
}

if (import.meta.main) {
  const violations = findViolations(readSources(resolve(import.meta.dirname ?? ".", "..")));
  const report = violations.map((line) => `${line}\n`).join("") || "Layers: no violation.\n";
  Deno.stdout.writeSync(new TextEncoder().encode(report));
  Deno.exitCode = violations.length > 0 ? 1 : 0;
}
