/** Definition files: every regular file directly in a folder, by the name it gives. @module */
import { extname, join } from "node:path";
import type { Issue } from "../../errors.ts";

/** The longest file that is read, in bytes. */
const MAX_FILE_BYTES = 256 * 1024;

/**
 * The files of some folders by name without extension; later folders override earlier ones. Folders
 * that do not exist are empty.
 */
export async function listFiles(
  folders: string[],
  extension: string,
): Promise<Map<string, string>> {
  const files = new Map<string, string>();
  for (const folder of folders) {
    for (const { name: file, isFile } of await entries(folder)) {
      const name = nameOf(file, extension);
      if (isFile && name !== undefined) files.set(name, join(folder, file));
    }
  }
  return new Map([...files].sort(([a], [b]) => a < b ? -1 : 1));
}

/** What lies in a folder and is not read as a definition, and why; hidden files need no reason. */
export async function unreadFiles(folder: string, extension: string): Promise<Issue[]> {
  const found = (await entries(folder)).filter(({ name }) => !/^\.|^readme/i.test(name));
  return found.sort((a, b) => a.name < b.name ? -1 : 1).flatMap(({ name, isFile }) => {
    const message = !isFile
      ? "is ignored: only regular files directly in this folder are read"
      : nameOf(name, extension) === undefined
      ? `is ignored because of its name: rename it to ${readable(name, extension)}`
      : undefined;
    return message ? [{ location: join(folder, name), message }] : [];
  });
}

/** The name of the definition that a file holds, unless it holds none. */
function nameOf(file: string, extension: string): string | undefined {
  if (!file.endsWith(extension)) return undefined;
  const name = file.slice(0, -extension.length);
  return /^[a-z0-9][a-z0-9_-]*$/.test(name) ? name : undefined;
}

/** A name for a file that is read, as near as possible. */
function readable(file: string, extension: string): string {
  const stem = file.slice(0, file.length - extname(file).length).toLowerCase();
  const name = stem.replace(/[^a-z0-9_-]+/g, "_").replace(/^[_-]+/, "");
  return `${name || "name"}${extension}`;
}

async function entries(folder: string): Promise<Deno.DirEntry[]> {
  try {
    return await Array.fromAsync(Deno.readDir(folder));
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return [];
    throw error;
  }
}

/** A file's text, or why it cannot be used. */
export async function readText(file: string): Promise<{ text: string } | { problem: string }> {
  try {
    if ((await Deno.stat(file)).size > MAX_FILE_BYTES) {
      return { problem: `the file is larger than ${MAX_FILE_BYTES} bytes; split it` };
    }
    return { text: await Deno.readTextFile(file) };
  } catch (error) {
    return {
      problem: `the file cannot be read: ${error instanceof Error ? error.message : error}`,
    };
  }
}
