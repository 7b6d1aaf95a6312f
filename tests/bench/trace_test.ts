import { expect } from "expect";
import { readTrace } from "../../bench/trace.ts";

Deno.test("readTrace() counts steps once, and apart those that ran twice", async () => {
  const path = await Deno.makeTempFile();
  try {
    const lines = [
      ["start a 1", "end a 1", "start a 2", "end a 2"],
      ["start b 1", "start b 1", "end b 1"],
      ["start c 2", "end c 2", "start c 2", "end c 2", "start d 1", "end d"],
    ].flat();
    await Deno.writeTextFile(path, lines.join("\n"));
    expect(readTrace(path, 2)).toEqual({ ended: 4, started_twice: 2, ended_twice: 1, finished: 2 });
  } finally {
    await Deno.remove(path);
  }
});
