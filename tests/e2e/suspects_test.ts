/** The real process dies of one of its runs, and starts again. */
import { expect } from "expect";
import { follow, post } from "./_api.ts";
import { type ServerProcess, source, startServer, withHome } from "./_process.ts";
import { readTrace, SLEEPS_HOME, startSleeps } from "./_sleeps.ts";

const DEADLY = source("tests/e2e/_server.ts");
const HOME = {
  ...SLEEPS_HOME,
  "pipelines/deadly.yaml": `name: deadly
version: 1
start: die
nodes:
  die: { task: die }
`,
};
const STEP_MS = 300;

Deno.test("a run that kills the real process is set aside before its fourth try; others are not", () =>
  withHome(HOME, async (home) => {
    const first = await startServer({ home, command: DEADLY });
    const good: string[] = [];
    for (let n = 0; n < 20; n++) {
      const response = await startSleeps(first.url, { run: `good${n}`, ms: STEP_MS });
      good.push((await response.json()).id);
    }
    await post(`${first.url}/v1/runs`, { pipeline: "deadly", input: {} })
      .then((response) => response.body?.cancel(), () => {}); // it may die before it answers
    await first.stop("SIGCONT"); // which does nothing: it dies by itself
    const server = await lastingServer(home);
    try {
      for (const id of good) {
        expect((await follow(server.url, id)).at(-1)?.type).toBe("run.completed");
      }
      const { runs } = await (await fetch(`${server.url}/v1/runs?status=failed`)).json();
      expect(runs.map((run: { error: { code: string } }) => run.error.code))
        .toEqual(["run_poisoned"]);
      const deaths = (await readTrace(home)).filter(({ run }) => run === "deadly");
      expect(deaths.length).toBe(3);
    } finally {
      await server.stop("SIGKILL");
    }
  }));

/** A server that lives for a while; those before it may die as soon as they start. */
async function lastingServer(home: string): Promise<ServerProcess> {
  for (let tries = 0; tries < 5; tries++) {
    const server = await startServer({ home, command: DEADLY }).catch(() => undefined);
    if (!server) continue;
    const answer = fetch(`${server.url}/v1/runs?status=failed`).then((response) => response.json());
    const { runs } = await answer.catch(() => ({ runs: [] }));
    if (runs.length > 0) return server;
    await server.stop("SIGKILL");
  }
  throw new Error("every server died");
}
