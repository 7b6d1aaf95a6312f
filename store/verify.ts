/** Finds damaged values without changing anything. @module */
import { type OrchestratorError, toOrchestratorError } from "../errors.ts";
import { BYTES, Contents, type Form, isDamaged, json } from "./contents.ts";
import { openDenoKv } from "./deno_kv.ts";
import { keys, SCHEMA_VERSION } from "./keys.ts";
import type { Entry, Kv } from "./kv.ts";
import { schemaOf } from "./migrate.ts";
import { unusable } from "./open.ts";
import { isChunked, isIntact, isPlain } from "./schema_1.ts";
import { damaged } from "./values.ts";

const [BLOB, ARTIFACT_BYTES, VECTOR] = [
  keys.blobs("", ""),
  keys.artifactBytes("", ""),
  keys.vectorsOf("", "", ""),
].map(([kind]) => kind);

/** The errors of all values of a database that cannot be read. */
export async function* findDamaged(kv: Kv): AsyncGenerator<OrchestratorError, void> {
  const contents = new Contents({ kv, onLarge() {} });
  const { version, from = version } = await schemaOf(kv) ?? { version: SCHEMA_VERSION };
  for await (const entry of kv.list({ prefix: [] })) {
    const [kind, name] = entry.key;
    // What is a part of another value is read with that. The schema was read first.
    if (kind === BLOB || kind === "meta" && name === "schema") continue;
    const isOld = from < SCHEMA_VERSION;
    if (isOld && (kind === "chunk" || kind === "blob_loose" || isChunked(entry))) continue;
    try {
      if (!isOld || !isPlain(entry)) await contents.read(entry, formOf(entry));
      else if (!isIntact(entry.key, entry.value)) throw damaged(entry.key, "it has another form");
    } catch (error) {
      if (!isDamaged(error)) throw error;
      yield toOrchestratorError(error);
    }
  }
}

/**
 * The same for a data directory whose lock is held; nothing where it has no database.
 *
 * @throws `store_unavailable`
 */
export async function findDamagedIn(directory: string): Promise<OrchestratorError[] | undefined> {
  const path = `${directory}/store.kv`;
  if (!await Deno.stat(path).then(() => true, () => false)) return undefined;
  let kv: Kv | undefined;
  try {
    kv = await openDenoKv(path);
    return await Array.fromAsync(findDamaged(kv));
  } catch (error) {
    throw unusable(path, error);
  } finally {
    await kv?.close();
  }
}

function formOf({ key: [kind] }: Entry): Form<unknown> {
  return kind === ARTIFACT_BYTES || kind === VECTOR ? BYTES : json();
}
