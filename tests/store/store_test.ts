import assert from "node:assert/strict";
import { MAX_VALUE_BYTES, openStore, SCHEMA_VERSION, setJson, Store } from "../../store/mod.ts";
import { setSchema } from "../../store/migrate.ts";
import { inDirectory } from "./_store.ts";

const options = (worker: string) => ({
  worker,
  now: () => Date.now(),
  sleep: () => Promise.resolve(),
  lease_ms: 15_000,
});

Deno.test("openStore() refuses a directory that another process has", () =>
  inDirectory(async (directory) => {
    const first = await openStore(directory, options("w1"));
    await assert.rejects(openStore(directory, options("w2")), {
      code: "data_dir_locked",
      message: new RegExp(`pid ${Deno.pid}`),
    });
    await first.close();
    const second = await openStore(directory, options("w3"));
    await second.close();
  }));

Deno.test("openStore() refuses a store that a newer program wrote, and lets go of it", () =>
  inDirectory(async (directory) => {
    const { store, close } = await openStore(directory, options("w1"));
    const newer = setSchema({ version: SCHEMA_VERSION + 1 });
    await store.commit({ checks: [], mutations: [newer] });
    await close();
    for (let i = 0; i < 2; i++) {
      await assert.rejects(openStore(directory, options("w2")), { code: "store_newer_schema" });
    }
  }));

for (const at of [0, 4096]) {
  Deno.test(`openStore() says what to do about a store that is damaged from byte ${at}`, () =>
    inDirectory(async (directory) => {
      await (await openStore(directory, options("w1"))).close();
      const path = `${directory}/store.kv`;
      const bytes = await Deno.readFile(path);
      assert(bytes.length > at);
      await Deno.writeFile(path, bytes.fill(0xa5, at));
      for (let i = 0; i < 2; i++) {
        await assert.rejects(openStore(directory, options("w2")), {
          code: "store_unavailable",
          message:
            /^Cannot open .*store\.kv: it is damaged .* restore a backup .* or move it away\.$/,
        });
      }
    }));
}

Deno.test("the lock names its holder while there is one", () =>
  inDirectory(async (directory) => {
    const { close } = await openStore(directory, options("w1"));
    assert.equal(await Deno.readTextFile(`${directory}/lock`), `${Deno.pid}\n`);
    await close();
    assert.equal(await Deno.readTextFile(`${directory}/lock`), "");
  }));

Deno.test("openStore() with the lock held buries the workers before it", () =>
  inDirectory(async (directory) => {
    const first = await openStore(directory, options("w1"));
    await first.close(); // died without giving its lease back
    const second = await openStore(directory, options("w2"));
    const workers = await second.store.workers();
    assert.deepEqual(workers.map(({ worker }) => worker), ["w2"]);
    await second.close();
  }));

Deno.test("a store knows the latest time that it has seen, though the clock is set back again and again", () =>
  inDirectory(async (directory) => {
    const start = 1_700_000_000_000;
    let now = start, seen = start + 5_000;
    const open = (worker: string) => openStore(directory, { ...options(worker), now: () => now });
    for (const end of ["is killed", "is released"]) {
      const first = await open(`before it ${end}`);
      now += 5_000;
      await first.store.commit({ checks: [], mutations: [] });
      now -= 3_000; // while it runs, too
      await first.store.commit({ checks: [], mutations: [] });
      if (end === "is released") await first.store.release();
      await first.close();
      now -= 4_000;
      const second = await open(`after it ${end}`);
      assert(second.store.after > seen, end);
      seen = second.store.after;
      await second.close();
      now = start;
    }
  }));

Deno.test("a worker that buries another one carries on the latest time that it knew of", async () => {
  const { store, close } = await openStore(":memory:", { ...options("w1"), now: () => 5_000 });
  const heir = new Store({ ...options("w2"), kv: store.kv, now: () => 4_000 });
  await heir.open();
  await store.commit({ checks: [], mutations: [] });
  const [first] = await heir.workers();
  assert.equal(await heir.reap(first!.entry), true);
  await heir.release();
  const next = new Store({ ...options("w3"), kv: store.kv, now: () => 4_000 });
  await next.open();
  assert(next.after > 5_000);
  await close();
});

Deno.test("a data directory that cannot be made is a matter of the configuration", () =>
  inDirectory(async (parent) => {
    await Deno.writeTextFile(`${parent}/file`, "");
    await assert.rejects(openStore(`${parent}/file/data`, options("w1")), {
      code: "config_invalid",
      message: /ORCHESTRATOR_HOME/,
    });
  }));

Deno.test("a data directory is private to its owner", () =>
  inDirectory(async (parent) => {
    const { close } = await openStore(`${parent}/data`, options("w1"));
    assert.equal((await Deno.stat(`${parent}/data`)).mode! & 0o777, 0o700);
    await close();
  }));

for (const size of [10, 59_990, 60_001, 65_510, 65_537, 900_000, 5_000_000]) {
  Deno.test(`a value of ${size} bytes comes back as it was`, async () => {
    const { store, close } = await openStore(":memory:", options("w1"));
    const value = { text: "é".repeat(size / 2) };
    assert(await store.commit({ checks: [], mutations: [setJson(["x", 1], value)] }));
    assert.deepEqual((await store.get(["x", 1]))!.value, value);
    const listed = await Array.fromAsync(store.list({ prefix: ["x"] }));
    assert.equal(listed.length, 1, "pieces stay out of lists");
    await close();
  });
}

Deno.test("a value above the limit is refused before anything is written", () => {
  const huge = "x".repeat(MAX_VALUE_BYTES);
  assert.throws(() => setJson(["x"], huge), { code: "payload_too_large" });
});
