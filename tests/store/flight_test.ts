import assert from "node:assert/strict";
import { openFlightFile } from "../../store/flight.ts";

Deno.test("a flight file tells the next worker which run was noted last, and by whom", async () => {
  const directory = await Deno.makeTempDir();
  const noted = async (worker: string, before: string, runs: (string | undefined)[]) => {
    const file = await openFlightFile(directory, worker);
    const last = file.lastOf(before);
    for (const run of runs) file.note(run);
    assert.equal(file.lastOf(before), last, "what was noted since is none of before");
    file.close();
    return last;
  };
  try {
    assert.equal(await noted("w1", "w0", ["t/run_a_with_a_long_name", "t/run_b"]), undefined);
    assert.equal(await noted("w2", "w1", []), "t/run_b");
    assert.equal(await noted("w3", "w2", ["t/run_c", undefined]), undefined, "w2 noted nothing");
    assert.equal(await noted("w4", "w3", ["t/run_d"]), undefined, "w3 ended without a run");
    assert.equal(await noted("w5", "w4", []), "t/run_d");
    const damaged = new Uint8Array(10_000).fill(0xff);
    await Deno.writeFile(`${directory}/flight`, damaged);
    assert.equal(await noted("w6", "w5", ["t/run_e"]), undefined);
    assert.equal(await noted("w7", "w6", []), "t/run_e");
  } finally {
    await Deno.remove(directory, { recursive: true });
  }
});
