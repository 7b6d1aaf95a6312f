/**
 * One process per data directory: two processes on one local file block each other and do not see
 * each other's changes. The operating system drops the lock when its holder dies, however it dies.
 *
 * @module
 */
import { OrchestratorError } from "../errors.ts";

/** A held lock. */
export interface DirectoryLock {
  release(): void;
}

/** Takes the lock of `directory`. @throws `data_dir_locked` */
export async function lockDirectory(directory: string): Promise<DirectoryLock> {
  const path = `${directory}/lock`;
  const file = await Deno.open(path, { create: true, read: true, write: true });
  await acquire(file, directory);
  await file.truncate();
  await file.write(new TextEncoder().encode(`${Deno.pid}\n`));
  return {
    release() {
      file.truncateSync(); // what reads the pid must not end another process that has it by then
      file.close();
    },
  };
}

/**
 * Takes the lock of `directory` and writes nothing. Nothing to release where no process has ever
 * taken it.
 *
 * @throws `data_dir_locked`
 */
export async function holdDirectory(directory: string): Promise<DirectoryLock | undefined> {
  const file = await Deno.open(`${directory}/lock`).catch((error) => {
    if (!(error instanceof Deno.errors.NotFound)) throw error;
  });
  if (!file) return undefined;
  await acquire(file, directory);
  return { release: () => file.close() };
}

async function acquire(file: Deno.FsFile, directory: string): Promise<void> {
  if (await file.tryLock(true)) return;
  file.close();
  const holder = (await Deno.readTextFile(`${directory}/lock`).catch(() => "")).trim();
  throw new OrchestratorError(
    "data_dir_locked",
    `Cannot open ${directory}: another process${
      holder ? ` (pid ${holder})` : ""
    } uses it. Send requests to that process, stop it, or set ORCHESTRATOR_HOME to another folder.`,
  );
}
