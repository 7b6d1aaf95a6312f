import { expect } from "expect";
import { createSignals } from "../../cli/signals.ts";

function setup(terminal: boolean) {
  const did: string[] = [];
  const state = { terminal, now: 0 };
  const signal = createSignals({
    stop: () => did.push("stop"),
    stopNow: () => did.push("stop now"),
    reload: () => did.push("reload"),
    isTerminal: () => state.terminal,
    now: () => state.now,
  });
  return { did, state, signal };
}

for (const terminal of [true, false]) {
  Deno.test(`SIGHUP reloads; started in a terminal: ${terminal}`, () => {
    const { did, signal } = setup(terminal);
    signal("SIGHUP");
    signal("SIGHUP");
    expect(did).toEqual(["reload", "reload"]);
  });
}

Deno.test("SIGHUP stops a server whose terminal was closed, and never at once", () => {
  const { did, state, signal } = setup(true);
  state.terminal = false;
  signal("SIGHUP");
  state.now = 5_000;
  signal("SIGHUP");
  expect(did).toEqual(["stop"]);
});

Deno.test("the second SIGINT or SIGTERM stops at once, the echo of the first does not", () => {
  const { did, state, signal } = setup(true);
  signal("SIGINT");
  state.now = 499;
  signal("SIGINT");
  expect(did).toEqual(["stop"]);
  state.now = 500;
  signal("SIGTERM");
  expect(did).toEqual(["stop", "stop now"]);
});
