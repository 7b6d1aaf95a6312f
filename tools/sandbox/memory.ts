/** How much memory a process takes, as far as the system tells. @module */
import { readFile } from "node:fs/promises";

const EVERY_MS = 50;

/**
 * Calls `onLimit` once when a process holds more than `limit` bytes. Watches on Linux only; elsewhere
 * the limit within the interpreter has to do.
 *
 * @returns what ends the watch
 */
export function watchMemory(pid: number, limit: number, onLimit: () => void): () => void {
  const timer = setInterval(async () => {
    const status = await readFile(`/proc/${pid}/status`, "utf8").catch(() => "");
    const kilobytes = Number(/^VmRSS:\s+(\d+) kB/m.exec(status)?.[1] ?? 0);
    if (kilobytes * 1024 <= limit) return;
    clearInterval(timer);
    onLimit();
  }, EVERY_MS);
  return () => clearInterval(timer);
}
