/** Opens the database of a data directory. @module */
import { OrchestratorError, toOrchestratorError } from "../errors.ts";
import { openDenoKv } from "./deno_kv.ts";
import { type FlightFile, openFlightFile } from "./flight.ts";
import type { Kv } from "./kv.ts";
import { type DirectoryLock, lockDirectory } from "./lock.ts";
import { Store, type StoreOptions } from "./store.ts";

/** An open store with what must be closed after it. */
export interface OpenStore {
  store: Store;
  /** Only a data directory has one. */
  flight?: FlightFile;
  close(): Promise<void>;
}

/**
 * Opens the database of a data directory.
 *
 * @param directory created when absent; `:memory:` keeps nothing; nothing: the platform's database
 * @throws `data_dir_locked`, `store_newer_schema`, `store_unavailable`
 */
export async function openStore(
  directory: string | undefined,
  options: Omit<StoreOptions, "kv" | "alone">,
): Promise<OpenStore> {
  const local = directory !== undefined && directory !== ":memory:";
  let lock: DirectoryLock | undefined;
  let flight: FlightFile | undefined;
  if (local) {
    await makeDirectory(directory);
    lock = await lockDirectory(directory);
    flight = await openFlightFile(directory, options.worker);
  }
  const path = local ? `${directory}/store.kv` : directory;
  let kv: Kv | undefined;
  const close = async () => {
    await kv?.close();
    flight?.close();
    lock?.release();
  };
  try {
    kv = await openDenoKv(path);
    const store = new Store({ ...options, kv, alone: local });
    await store.open();
    return { store, flight, close };
  } catch (error) {
    await close();
    throw local ? unusable(path!, error) : error;
  }
}

/** The database has no code for damage: its words have to say whether it is that. */
export function unusable(path: string, cause: unknown): OrchestratorError {
  if (cause instanceof OrchestratorError) return cause;
  return new OrchestratorError(
    "store_unavailable",
    `Cannot open ${path}: it is damaged or cannot be used (${
      toOrchestratorError(cause).message
    }). Check disk space and permissions; if it is damaged, restore a backup (docs/operations.md) or move it away.`,
    { cause },
  );
}

async function makeDirectory(directory: string): Promise<void> {
  try {
    await Deno.mkdir(directory, { recursive: true, mode: 0o700 });
  } catch (cause) {
    throw new OrchestratorError(
      "config_invalid",
      `Cannot use ${directory}: it cannot be created (${
        (cause as Error).name
      }). Set ORCHESTRATOR_HOME to a folder that this user can write to.`,
      { cause },
    );
  }
}
