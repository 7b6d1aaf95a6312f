/**
 * What every file of the executable begins with: what npm packages expect to find around them, and how
 * packed files are read. It lies beside them; `dev/pack.ts` packs them.
 *
 * @module
 */
import { existsSync, readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { resolve } from "node:path";
import * as nodeTimers from "node:timers";
import { pathToFileURL } from "node:url";
import { promisify } from "node:util";
import { compileFunction } from "node:vm";
import { brotliDecompress, brotliDecompressSync } from "node:zlib";

// Timers that are objects: undici calls their `unref`.
for (const name of ["setTimeout", "setInterval", "clearTimeout", "clearInterval"]) {
  globalThis[name] = nodeTimers[name];
}

const decompress = promisify(brotliDecompress);
const require = createRequire(import.meta.url);
const loaded = new Map();

/** Reads a packed file as `readFile` reads one that is not; a thread of its own unpacks it. */
export async function readPacked(path, { encoding } = {}) {
  const bytes = await decompress(readFileSync(`${path}.br`));
  return encoding ? bytes.toString(encoding) : bytes;
}

/** Does for a packed module what `import()` does for one that is not. */
export const loadPacked = (path) => Promise.resolve().then(() => requirePacked(path));

function requirePacked(name) {
  const path = resolve(import.meta.dirname, name);
  if (!existsSync(`${path}.br`)) return require(name);
  const known = loaded.get(path);
  if (known) return known.exports;
  const module = { exports: {} };
  loaded.set(path, module);
  const text = brotliDecompressSync(readFileSync(`${path}.br`)).toString();
  const names = ["module", "require", "loadPacked", "importMeta"];
  // As a path it would be no referrer for Deno 2.7, and without the function Deno 2.9 imports nothing.
  const filename = pathToFileURL(path).href;
  const options = { filename, importModuleDynamically: (specifier) => import(specifier) };
  const run = compileFunction(`"use strict";${text}`, names, options);
  try {
    run(module, requirePacked, loadPacked, import.meta);
  } catch (error) {
    loaded.delete(path); // half a module must not be taken for a whole one
    throw error;
  }
  return module.exports;
}
