/**
 * Packs what the executable does not need at its start: Brotli makes it a quarter as large, in the
 * file and, because Deno reads what it holds into memory, there too. `dev/preamble.js` unpacks it.
 *
 * @module
 */
import { createHash } from "node:crypto";
import {
  cpSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { basename, join } from "node:path";
import { promisify } from "node:util";
import { brotliCompress, brotliDecompressSync, constants } from "node:zlib";

/** How each module begins that is not packed; CommonJS packages use `require`. */
const FIRST = `import { loadPacked } from "./preamble.js";
import { createRequire } from "node:module";
const require = createRequire(import.meta.url);
`;

const compress = promisify(brotliCompress);

/** Runs a command of deno in a folder. @throws Error when it fails */
export type RunDeno = (cwd: string, args: string[]) => Promise<void>;

/** What packing needs. */
export interface Packer {
  deno: RunDeno;
  /** Folder of what was compressed before: the best compression takes half a minute. */
  cache: string;
}

/** Writes `bytes` compressed as `path` with `.br` behind it. */
export async function pack(bytes: Uint8Array, path: string, { cache }: Packer): Promise<void> {
  const hash = hashOf(bytes);
  const known = join(cache, hash);
  if (!existsSync(known) || unpackedHash(known) !== hash) {
    const params = {
      [constants.BROTLI_PARAM_LGWIN]: constants.BROTLI_MAX_WINDOW_BITS,
      [constants.BROTLI_PARAM_SIZE_HINT]: bytes.length,
    };
    const packed = await compress(bytes, { params });
    mkdirSync(cache, { recursive: true });
    const fresh = `${known}.${crypto.randomUUID()}`;
    writeFileSync(fresh, packed);
    renameSync(fresh, known);
  }
  cpSync(known, `${path}.br`);
}

function hashOf(bytes: Uint8Array): string {
  return createHash("sha256").update(bytes).digest("hex");
}

/** What lies in the cache goes into the executable: it must be what its name says. */
function unpackedHash(path: string): string | undefined {
  try {
    return hashOf(brotliDecompressSync(readFileSync(path)));
  } catch {
    return undefined; // cut short by a crash
  }
}

/**
 * Packs those modules of a bundle that nothing imports before it needs them. They become CommonJS,
 * because Deno runs ES modules only from files that it holds unpacked.
 *
 * @param early the names of modules that are not packed, nor is what they import at their top
 */
export async function packModules(
  folder: string,
  early: (name: string) => boolean,
  packer: Packer,
): Promise<void> {
  const modules = modulesOf(folder);
  const plain = importedBy([...modules.keys()].filter(early), modules);
  const late = [...modules.keys()].filter((name) => !plain.has(name));
  for (const name of plain) {
    const text = modules.get(name)!.replace(
      /\bimport\("(\.\/([^"/]+))"\)/g,
      (all, path, name) => late.includes(name) ? `loadPacked("${path}")` : all,
    );
    writeFileSync(join(folder, name), FIRST + ascii(text));
  }
  const texts = new Map(late.map((name) => [name, modules.get(name)!]));
  for (const name of late) rmSync(join(folder, name));
  await packTexts(folder, texts, packer);
}

/** Packs the texts of ES modules, by name. */
async function packTexts(
  folder: string,
  texts: Map<string, string>,
  packer: Packer,
): Promise<void> {
  if (texts.size === 0) return;
  const work = join(folder, "packing");
  mkdirSync(work);
  // As entries they must not be called what they import of each other.
  const entries = [...texts].map(([name, text]) => {
    const entry = name.replace(/js$/, "mjs");
    writeFileSync(join(work, entry), text.replace(/\bimport\.meta(?=\.\w)/g, "importMeta"));
    return entry;
  });
  await packer.deno(work, [
    ...["bundle", "--quiet", "--no-config", "--platform", "deno", "--format", "cjs", "--minify"],
    ...["--external", "./*.js", "--outdir", "out", ...entries],
  ]);
  await Promise.all([...texts.keys()].map(async (name) => {
    const text = readFileSync(join(work, "out", name), "utf8");
    const late = text.replace(/\bimport\(("\.\/[^"/]+")\)/g, "loadPacked($1)");
    await pack(new TextEncoder().encode(late), join(folder, name), packer);
  }));
  rmSync(work, { recursive: true });
}

/**
 * The same code in ASCII: a single other letter would make V8 hold all of it with two bytes for each.
 * Minified code has such letters in regular expressions only, where an escape means the same.
 */
function ascii(text: string): string {
  return text.replace(
    /(?<!\\)[^\0-\x7f]/g,
    (letter) => `\\u${letter.charCodeAt(0).toString(16).padStart(4, "0")}`,
  );
}

function modulesOf(folder: string): Map<string, string> {
  const names = readdirSync(folder).filter((name) => name.endsWith(".js"));
  return new Map(names.map((name) => [basename(name), readFileSync(join(folder, name), "utf8")]));
}

/** Modules and all that they import at their top, as minified code says it. */
function importedBy(roots: string[], modules: Map<string, string>): Set<string> {
  const found = new Set(roots);
  for (const name of found) {
    for (const [, path = ""] of modules.get(name)!.matchAll(/\b(?:from|import)"\.\/([^"/]+)"/g)) {
      found.add(path);
    }
  }
  return found;
}
