/**
 * Checks that imports, type-only ones included, point down the layers, go through entry points and
 * form no cycle:
 *
 *     deno run -P=dev dev/layers.ts
 *
 * @module
 */
import { basename, dirname, join, normalize, relative, resolve } from "node:path";

/**
 * Layers from the top down. A file belongs to the first entry that is its path or a folder above it;
 * it may import its own entry's files and those of lower layers. Entries of one layer are beside
 * each other: neither imports the other.
 */
const LAYERS: string[][] = [
  ["main.ts"],
  ["cli", "dev"],
  ["orchestrator.ts"],
  ["wiring"],
  ["routes"],
  ["service"],
  [
    "pipeline/catalog",
    "pipeline/compose",
    "pipeline/ingest",
    "pipeline/notebook",
    "pipeline/recall",
  ],
  ["pipeline/walk"],
  ["pipeline/document"],
  ["pipeline/plans"],
  ["pipeline/nodes"],
  ["pipeline/agent"],
  ["pipeline/calls"],
  ["pipeline/language"],
  ["pipeline/kernel"],
  ["knowledge", "tools", "offline"],
  ["config.ts", "config"],
  ["llm"],
  ["guard"],
  ["store", "telemetry"],
  ["resources.ts", "version.ts"],
  ["json"],
  ["bytes.ts", "errors.ts"],
];

/** Parts with rules of their own: all that they may import besides themselves. */
const NARROW: Record<string, string[]> = {
  "pipeline/kernel": ["guard/mod.ts", "store", "telemetry", "json", "bytes.ts", "errors.ts"],
  "config.ts": ["config", "telemetry", "errors.ts"],
};

/**
 * The main file bypasses entry points: it starts children of this program, which load little.
 * So may a dynamic import, which is there to load one file late.
 */
const ENTRY = "main.ts";
/** A folder with this file is a module: from outside, only this file of it is imported. */
const ENTRY_POINT = "mod.ts";

/** Not part of the product: may import all of it. */
const OUTSIDE = ["tests", "bench"];

/** Source text by path, relative to the project. */
export type Sources = Record<string, string>;

/** One line for each import that breaks a rule, and for each cycle. */
export function findViolations(sources: Sources): string[] {
  const entryPoints = new Set(
    Object.keys(sources).filter((file) => basename(file) === ENTRY_POINT),
  );
  const imports = Object.entries(sources).map(([file, text]) =>
    [file, importsOf(file, text)] as const
  );
  const wrong = imports.flatMap(([file, found]) =>
    found.flatMap(({ target, late }) => {
      const why = refusal(file, target) ?? (late ? undefined : bypassed(file, target, entryPoints));
      return why ? [`${file} imports ${target}: ${why}`] : [];
    })
  );
  const graph = new Map(imports.map(([file, found]) => [file, found.map(({ target }) => target)]));
  return [...wrong, ...findCycles(graph)];
}

/** One import of a file of the project. */
interface Import {
  target: string;
  /** `import(…)`, a type within an expression included. */
  late: boolean;
}

/** The project's own files that a file imports, relative to the project. */
function importsOf(file: string, text: string): Import[] {
  const code = text.replace(/\/\*[\s\S]*?\*\//g, "").replace(/^\s*\/\/.*$/gm, "");
  const found = code.matchAll(
    /\b(?:from|import)\s*(\()?\s*["'](\.{1,2}\/[^"']+\.tsx?)["']/g,
  );
  return [...found].map(([, paren, path = ""]) => ({
    target: normalize(join(dirname(file), path)),
    late: paren !== undefined,
  }));
}

/** Which entry point an import bypasses, if any. */
function bypassed(file: string, target: string, entryPoints: Set<string>): string | undefined {
  if (file === ENTRY || basename(target) === ENTRY_POINT || isOutside(file)) return undefined;
  for (let folder = dirname(target); folder !== "."; folder = dirname(folder)) {
    if (!entryPoints.has(`${folder}/${ENTRY_POINT}`)) continue;
    return within(file, folder)
      ? undefined
      : `it bypasses the entry point ${folder}/${ENTRY_POINT}`;
  }
}

function isOutside(file: string): boolean {
  return OUTSIDE.some((folder) => within(file, folder));
}

/** Why a file may not import another one; nothing when it may. */
function refusal(file: string, target: string): string | undefined {
  if (target === ENTRY && !within(file, "tests")) return "nothing imports main.ts";
  if (isOutside(file)) return undefined;
  if (isOutside(target)) return "only tests and bench may";
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
