import assert from "node:assert/strict";
import { holdDirectory } from "../../store/lock.ts";
import { lockDirectory } from "../../store/mod.ts";
import { inDirectory } from "./_store.ts";

/** A process that takes the lock of a directory and stays. */
async function otherProcess(directory: string) {
  const lock = import.meta.resolve("../../store/lock.ts");
  const code = `const { lockDirectory } = await import(${JSON.stringify(lock)});
    await lockDirectory(${JSON.stringify(directory)});
    console.log("locked");
    setInterval(() => {}, 1e6);`;
  const process = new Deno.Command(Deno.execPath(), {
    args: ["eval", "--no-lock", code],
    stdout: "piped",
    stderr: "null",
  }).spawn();
  const output = process.stdout.getReader();
  assert.equal(new TextDecoder().decode((await output.read()).value), "locked\n");
  return {
    pid: process.pid,
    async kill() {
      process.kill("SIGKILL");
      await process.status;
      await output.cancel();
    },
  };
}

Deno.test("the lock of a process is refused while it lives, with its pid, and free once it was killed", () =>
  inDirectory(async (directory) => {
    const other = await otherProcess(directory);
    const refused = { code: "data_dir_locked", message: new RegExp(`pid ${other.pid}\\b`) };
    await assert.rejects(lockDirectory(directory), refused);
    await assert.rejects(holdDirectory(directory), refused);
    await other.kill();
    const lock = await lockDirectory(directory);
    assert.equal(await Deno.readTextFile(`${directory}/lock`), `${Deno.pid}\n`);
    lock.release();
  }));

Deno.test("holding a directory keeps others out, and writes and makes nothing", () =>
  inDirectory(async (directory) => {
    assert.equal(await holdDirectory(directory), undefined);
    assert.deepEqual(await Array.fromAsync(Deno.readDir(directory)), []);
    (await lockDirectory(directory)).release();
    await Deno.writeTextFile(`${directory}/lock`, "4711\n"); // as a process that was killed leaves it
    const hold = await holdDirectory(directory);
    await assert.rejects(lockDirectory(directory), { code: "data_dir_locked" });
    assert.equal(await Deno.readTextFile(`${directory}/lock`), "4711\n");
    hold!.release();
    (await lockDirectory(directory)).release();
  }));
