/**
 * Which run had control of the process: one line in a file of the data directory. It outlives the
 * process, not the machine, which is as it should be: no run makes the power fail.
 *
 * @module
 */

/** Notes and remembers. */
export interface FlightFile {
  note(run: string | undefined): void;
  /** What a worker before this one noted last. */
  lastOf(worker: string): string | undefined;
  close(): void;
}

const encoder = new TextEncoder();
/** Longest line that is read back: a worker's and a run's name. */
const LINE_BYTES = 4_096;

/** Opens the file of a data directory whose lock is held. */
export async function openFlightFile(directory: string, worker: string): Promise<FlightFile> {
  const path = `${directory}/flight`;
  const file = await Deno.open(path, { create: true, read: true, write: true });
  const [before, last] = await firstLine(file);
  const note = (run: string | undefined) => {
    const line = run === undefined ? "\n" : `${worker}\t${run}\n`;
    try {
      file.seekSync(0, Deno.SeekMode.Start);
      file.writeSync(encoder.encode(line));
    } catch {
      // A disk that takes no note must not stop what is about to run.
    }
  };
  return {
    note,
    lastOf: (asked) => asked === before ? last : undefined,
    close: () => file.close(),
  };
}

async function firstLine(file: Deno.FsFile): Promise<string[]> {
  const bytes = new Uint8Array(LINE_BYTES);
  const length = await file.read(bytes);
  const text = new TextDecoder().decode(bytes.subarray(0, length ?? 0));
  return text.slice(0, Math.max(0, text.indexOf("\n"))).split("\t");
}
