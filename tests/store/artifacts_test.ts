import { Buffer } from "node:buffer";
import { expect } from "expect";
import { createArtifacts, type Kv, openDenoKv, type Store } from "../../store/mod.ts";
import { Mortal } from "./_mortal.ts";
import { openOn } from "./_store.ts";

const ACME = { tenant: "acme" };
const OTHER = { tenant: "other" };

const HOUR = 3_600_000;

interface Bench {
  kv: Kv;
  store: Store;
  time: { now: number };
  artifacts: ReturnType<typeof createArtifacts>;
  /** How many keys begin with this word. */
  count(first: string): Promise<number>;
}

async function bench(use: (bench: Bench) => Promise<void>, max_bytes = 3_000_000): Promise<void> {
  const time = { now: Date.UTC(2026, 0, 1) };
  const kv = await openDenoKv(":memory:");
  const store = await openOn(kv);
  try {
    await use({
      kv,
      store,
      time,
      artifacts: keeper(store, time, max_bytes),
      count: async (first) => (await Array.fromAsync(kv.list({ prefix: [first] }))).length,
    });
  } finally {
    await kv.close();
  }
}

function keeper(store: Store, time: { now: number }, max_bytes = 3_000_000) {
  return createArtifacts(store, { now: () => time.now, max_bytes, keep_ms: 24 * HOUR });
}

function file(size: number, name = "plot.svg", type = "image/svg+xml") {
  return { name, type, bytes: Uint8Array.from({ length: size }, (_, i) => i * 7 % 251) };
}

const STEP = { run: "run_1", step: "browser_agent", key: "run_1/browser_agent" };

for (const size of [0, 10, 65_531, 65_532, 2_000_000]) {
  Deno.test(`a file of ${size} bytes comes back as it was`, () =>
    bench(async ({ artifacts, count }) => {
      const kept = await artifacts.put(ACME, STEP, file(size));
      expect(kept).toEqual({
        id: expect.stringMatching(/^art_[0-9a-z]{26}$/),
        name: "plot.svg",
        type: "image/svg+xml",
        size,
        sha256: expect.stringMatching(/^[0-9a-f]{64}$/),
        run_id: "run_1",
        step: "browser_agent",
        created_at: "2026-01-01T00:00:00.000Z",
      });
      expect(await artifacts.get(ACME, kept.id)).toEqual(kept);
      expect(await artifacts.read(ACME, kept.id)).toHaveLength(size);
      expect(Buffer.from(file(size).bytes).equals(await artifacts.read(ACME, kept.id))).toBe(
        true,
      );
      expect(await count("blob")).toBe(size < 65_532 ? 0 : Math.ceil(size / 65_536));
    }));
}

Deno.test("another tenant does not find a file", () =>
  bench(async ({ artifacts }) => {
    const { id } = await artifacts.put(ACME, STEP, file(10));
    expect(await artifacts.get(OTHER, id)).toBe(null);
    expect(await artifacts.list(OTHER, "run_1")).toEqual([]);
    expect(await artifacts.remove(OTHER, id)).toBe(false);
    await expect(artifacts.read(OTHER, id)).rejects.toMatchObject({ code: "not_found" });
  }));

Deno.test("a repeated attempt gives the same file, and the last bytes win", () =>
  bench(async ({ artifacts, count }) => {
    const first = await artifacts.put(ACME, STEP, file(100_000));
    expect(await artifacts.put(ACME, STEP, file(100_000))).toEqual(first);
    const second = await artifacts.put(ACME, STEP, file(70_000));
    expect(second.id).toBe(first.id);
    expect(await artifacts.list(ACME, "run_1")).toEqual([second]);
    expect(await artifacts.read(ACME, first.id)).toEqual(file(70_000).bytes);
    expect(await count("blob")).toBe(2);
    const other = await artifacts.put(ACME, { ...STEP, key: "run_1/ml" }, file(1));
    expect(other.id).not.toBe(first.id);
  }));

Deno.test("an upload whose key was used for other bytes is refused", () =>
  bench(async ({ artifacts }) => {
    const first = await artifacts.put(ACME, { key: "k" }, file(10));
    expect(await artifacts.put(ACME, { key: "k" }, file(10))).toEqual(first);
    await expect(artifacts.put(ACME, { key: "k" }, file(11))).rejects.toMatchObject({
      code: "idempotency_mismatch",
    });
  }));

Deno.test("names lose folders and control characters, types what is no media type", () =>
  bench(async ({ artifacts }) => {
    const names = ["../../etc/passwd", "C:\\x\\y.csv", "a\r\nb\u202e.txt", "..", ".env", ""];
    const kept = await Promise.all(
      names.map((name, n) => artifacts.put(ACME, { key: `${n}` }, file(1, name, "text/html\r\nx"))),
    );
    expect(kept.map(({ name }) => name)).toEqual([
      "passwd",
      "y.csv",
      "ab.txt",
      "file",
      "env",
      "file",
    ]);
    expect(kept[0]!.type).toBe("application/octet-stream");
  }));

Deno.test("a file that is too large and a file too many are refused", () =>
  bench(async ({ artifacts, count }) => {
    await expect(artifacts.put(ACME, STEP, file(101))).rejects.toMatchObject({
      code: "payload_too_large",
      details: { max_bytes: 100 },
    });
    for (let n = 0; n < 100; n++) await artifacts.put(ACME, STEP, file(1, `${n}`));
    await expect(artifacts.put(ACME, STEP, file(1, "100"))).rejects.toMatchObject({
      code: "payload_too_large",
    });
    await artifacts.put(ACME, STEP, file(2, "99"));
    expect(await artifacts.list(ACME, "run_1")).toHaveLength(100);
    expect(await count("artifact_bytes")).toBe(100);
  }, 100));

Deno.test("remove() takes the file, its index and its bytes", () =>
  bench(async ({ artifacts, count }) => {
    const { id } = await artifacts.put(ACME, STEP, file(1_000_000));
    expect(await artifacts.remove(ACME, id)).toBe(true);
    for (const first of ["artifact", "artifact_bytes", "artifact_of", "blob", "blob_of"]) {
      expect([first, await count(first)]).toEqual([first, 0]);
    }
    expect(await artifacts.remove(ACME, id)).toBe(false);
  }));

for (const applied of [false, true]) {
  Deno.test(`a step that dies at any commit${applied ? "'s end" : ""} and runs again leaves one file`, () =>
    bench(async ({ artifacts, kv, time, count }) => {
      await artifacts.put(ACME, STEP, file(80_000));
      for (let dies_at = 1, died = true; died; dies_at++) {
        const bytes = 900_000 + dies_at;
        const mortal = new Mortal(kv, dies_at, applied);
        await openOn(mortal).then((dying) => keeper(dying, time).put(ACME, STEP, file(bytes)))
          .catch(() => {});
        died = mortal.died;
        const next = await openOn(kv, { alone: true });
        const kept = await keeper(next, time).put(ACME, STEP, file(bytes));
        expect(await artifacts.list(ACME, "run_1")).toEqual([kept]);
        expect((await artifacts.read(ACME, kept.id)).length).toBe(bytes);
        await Array.fromAsync(next.sweep());
        expect([await count("blob"), await count("blob_of")]).toEqual([14, 1]);
      }
    }));
}

Deno.test("of two that write the same file at the same time one is asked to try again", () =>
  bench(async ({ artifacts }) => {
    const [one, other] = [file(900_000), file(900_001)];
    const outcomes = await Promise.allSettled([
      artifacts.put(ACME, STEP, one),
      artifacts.put(ACME, STEP, other),
    ]);
    const refused = outcomes.find(({ status }) => status === "rejected") as PromiseRejectedResult;
    expect(refused.reason).toMatchObject({ code: "conflict", kind: "retryable" });
    const [kept] = await artifacts.list(ACME, "run_1");
    expect(await artifacts.read(ACME, kept!.id)).toHaveLength(kept!.size);
  }));

Deno.test("old uploads go, files of runs stay with their run", () =>
  bench(async ({ artifacts, time, count }) => {
    const upload = await artifacts.put(ACME, { key: "k" }, file(10));
    const made = await artifacts.put(ACME, STEP, file(10));
    time.now += 24 * HOUR;
    expect(await Array.fromAsync(artifacts.sweep())).toEqual([]);
    time.now += HOUR + 1;
    expect(await Array.fromAsync(artifacts.sweep())).toEqual([1]);
    expect(await artifacts.get(ACME, upload.id)).toBe(null);
    expect(await artifacts.get(ACME, made.id)).toEqual(made);
    expect(await count("artifact_bytes")).toBe(1);
  }));
