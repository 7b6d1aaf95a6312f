import { expect } from "expect";
import { readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { brotliCompressSync, brotliDecompressSync } from "node:zlib";
import { pack } from "../../dev/pack.ts";

Deno.test("pack() believes nothing in its cache that is not what its name says", async () => {
  const folder = await Deno.makeTempDir();
  try {
    const cache = join(folder, "cache");
    const target = join(folder, "module.js");
    const packed = async () => {
      await pack(new TextEncoder().encode("good"), target, { cache, deno: () => Promise.reject() });
      return brotliDecompressSync(readFileSync(`${target}.br`)).toString();
    };
    expect(await packed()).toBe("good");
    const [name, ...others] = readdirSync(cache);
    expect(others).toEqual([]);
    for (const bytes of [brotliCompressSync("bad"), new Uint8Array()]) {
      writeFileSync(join(cache, name!), bytes);
      expect(await packed()).toBe("good");
    }
    expect(readdirSync(cache)).toEqual([name]);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
});
