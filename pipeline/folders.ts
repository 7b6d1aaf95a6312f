/** Definition files: every regular file directly in a folder, by the name it gives. @module */
import { join } from "node:path";

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
    for (const file of await entries(folder)) {
      if (!file.endsWith(extension)) continue;
      const name = file.slice(0, -extension.length);
      if (/^[a-z0-9][a-z0-9_-]*$/.test(name)) files.set(name, join(folder, file));
    }
  }
  return new Map([...files].sort(([a], [b]) => a < b ? -1 : 1));
}

async function entries(folder: string): Promise<string[]> {
  try {
    const found = await Array.fromAsync(Deno.readDir(folder));
    return found.filter(({ isFile }) => isFile).map(({ name }) => name);
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
