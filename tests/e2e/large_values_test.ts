/** SIGKILL of the real process in the middle of storing a large pipeline. */
import { expect } from "expect";
import { join } from "node:path";
import { openStore } from "../../store/mod.ts";
import { post } from "./_api.ts";
import { startServer, withHome } from "./_process.ts";

const KILLS = Math.ceil(Number(Deno.env.get("KILLS") ?? 40) / 5);
/** A PUT writes about this much. */
const BYTES = 2_500_000;
const CHARACTERS = 260_000;

/** A pipeline of one character, as many as there may be. */
const pipeline = (version: number) =>
  `name: big\nversion: 1\nstart: a\nnodes:\n  a: { transform: "${
    String.fromCharCode(0x4e00 + version).repeat(CHARACTERS)
  }" }\noutput: "\${ nodes.a }"\n`;

Deno.test("a PUT of a large pipeline that is killed stores it or leaves the one before", async () => {
  await withHome({}, async (home) => {
    let server = await startServer({ home });
    expect((await putPipeline(server.url, 0)).status).toBe(201);
    await server.stop("SIGTERM");
    let acknowledged = 0;
    for (let version = 1; version <= KILLS; version++) {
      server = await startServer({ home });
      const put = putPipeline(server.url, version).then((response) => {
        if (response.ok) acknowledged = version;
        return response.body?.cancel();
      });
      let over = false;
      put.catch(() => {}).then(() => over = true);
      await written(join(home, "data"), BYTES * version / (KILLS + 1), () => over);
      await server.stop("SIGKILL");
      await put.catch(() => {});
      server = await startServer({ home });
      try {
        const read = await fetch(`${server.url}/v1/pipelines/big`);
        expect(read.status).toBe(200);
        const stored = versionOf((await read.json()).text);
        expect([stored >= acknowledged, stored <= version]).toEqual([true, true]);
        acknowledged = stored;
        expect((await (await fetch(`${server.url}/v1/pipelines`)).json()).pipelines.length > 0)
          .toBe(true);
        const chat = await post(`${server.url}/v1/chat`, {
          messages: [{ role: "user", content: "Hello" }],
        });
        expect(chat.status).toBe(200);
        await chat.body?.cancel();
      } finally {
        await server.stop("SIGTERM");
      }
    }
    await expectNothingLeft(join(home, "data"));
  });
});

function putPipeline(url: string, version: number): Promise<Response> {
  const headers = { "content-type": "application/yaml" };
  return fetch(`${url}/v1/pipelines/big`, { method: "PUT", headers, body: pipeline(version) });
}

/** Resolves when the log of the database has grown by so much, or when `isOver` says so. */
async function written(directory: string, bytes: number, isOver: () => boolean): Promise<void> {
  const size = () => Deno.statSync(join(directory, "store.kv-wal")).size;
  const before = size();
  while (size() - before < bytes && !isOver()) await new Promise((next) => setTimeout(next));
}

/** Which version a text is, whole. */
function versionOf(text: string): number {
  const found = /[\u4e00-\u9fff]+/.exec(text)![0];
  expect([found.length, new Set(found).size]).toEqual([CHARACTERS, 1]);
  return found.charCodeAt(0) - 0x4e00;
}

/** There are as many blobs as large values (their first byte is 4), once what the killed servers left was swept. */
async function expectNothingLeft(directory: string): Promise<void> {
  const { store, close } = await openStore(directory, {
    worker: "sweeper",
    now: Date.now,
    sleep: () => Promise.resolve(),
    lease_ms: 15_000,
  });
  try {
    await Array.fromAsync(store.sweep());
    const blobs = new Set<unknown>();
    let values = 0;
    for await (const { key } of store.kv.list({ prefix: ["blob"] })) blobs.add(key[2]);
    for await (const { value } of store.kv.list({ prefix: [] })) if (value[0] === 4) values++;
    expect(blobs.size).toBe(values);
  } finally {
    await close();
  }
}
