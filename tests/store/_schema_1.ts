/** What `schema_1/` holds. */
import { type Key, type Mutation, openDenoKv } from "../../store/mod.ts";

const folder = new URL("schema_1/", import.meta.url);

async function unpack(name: string): Promise<Uint8Array> {
  const packed = await Deno.open(new URL(name, folder));
  return await new Response(packed.readable.pipeThrough(new DecompressionStream("gzip"))).bytes();
}

/** Every value, by the JSON of its key, as the program of schema version 1 read it. */
export async function valuesOfSchema1(): Promise<Map<string, unknown>> {
  const text = new TextDecoder().decode(await unpack("values.json.gz"));
  return new Map(Object.entries(JSON.parse(text)));
}

/** Writes the database into a data directory. */
export async function unpackSchema1(directory: string): Promise<void> {
  await Deno.writeFile(`${directory}/store.kv`, await unpack("store.kv.gz"));
}

/** Every entry of the database, as it is stored. */
export async function entriesOfSchema1(): Promise<Mutation[]> {
  const directory = await Deno.makeTempDir();
  try {
    await unpackSchema1(directory);
    const kv = await openDenoKv(`${directory}/store.kv`);
    const entries: Mutation[] = [];
    for await (const { key, value } of kv.list({ prefix: [] })) entries.push({ key, set: value });
    await kv.close();
    return entries;
  } finally {
    await Deno.remove(directory, { recursive: true });
  }
}

/** The key that a value of {@linkcode valuesOfSchema1} has. */
export function keyOf(name: string): Key {
  return JSON.parse(name);
}
