/** A server that starts again after the machine's clock was set back. */
import FakeTimers from "@sinonjs/fake-timers";
import { expect } from "expect";
import { service } from "./pipeline/definitions/_service.ts";

const HOUR = 3_600_000;

Deno.test("a conversation keeps its order when the clock is set back between two starts", async () => {
  const home = await Deno.makeTempDir();
  const texts = ["one", "two", "three", "four", "five", "six"];
  const clock = FakeTimers.install({ now: Date.now() + 3 * HOUR, toFake: ["Date"] });
  try {
    for (const pair of [texts.slice(0, 2), texts.slice(2, 4), texts.slice(4)]) {
      await using s = await service({}, home);
      for (const text of pair) {
        clock.tick(1_000);
        await s.ask(text, { conversation_id: "c" });
      }
      clock.setSystemTime(Date.now() - HOUR);
    }
    await using s = await service({}, home);
    const { body: talk } = await s.request("GET", "/v1/conversations/c");
    const said = talk.exchanges.map(({ user }: { user: string }) => user);
    expect(said).toEqual(texts);
    const { body } = await s.request("GET", "/v1/runs");
    const prompts = await Promise.all(
      body.runs.map(async ({ id }: { id: string }) => {
        const { body: run } = await s.request("GET", `/v1/runs/${id}`);
        return run.input.messages[0].content;
      }),
    );
    expect(prompts).toEqual(texts.toReversed());
  } finally {
    clock.uninstall();
    await Deno.remove(home, { recursive: true });
  }
});
