/** Ten thousand runs that wait for their turn. */
import { expect } from "expect";
import { createEngine, type Json, realWorld, type RunFunction } from "../../pipeline/kernel/mod.ts";
import { withStore } from "../pipeline/_memory_store.ts";
import { memoryOf, report, type ServerProcess, startServer, withHome } from "./_process.ts";
import { SLEEPER, SLEEPS_HOME, startSleeps } from "./_sleeps.ts";
import { callerOf } from "../_caller.ts";

const RUNS = 10_000;
const SILENT = { info() {}, warn() {}, error() {} };

Deno.test("a small tenant does not wait behind ten thousand runs of a big one", () =>
  withStore(async (store) => {
    const gate = Promise.withResolvers<void>();
    const began: { tenant: string; input: Json }[] = [];
    const program: RunFunction = (ctx, input) =>
      ctx.step("work", async () => {
        await gate.promise;
        began.push({ tenant: ctx.run.caller.tenant, input });
        return null;
      }, { effect: "none" });
    const engine = createEngine({
      store,
      world: realWorld(),
      log: SILENT,
      concurrency: 10,
      queue_limit: RUNS + 10,
      idempotency_ttl_ms: 60_000,
      lease_ms: 60_000,
      sweep_ms: 1_000,
    });
    await engine.open(() => program);
    const start = (tenant: string, n: number, conversation?: string) => {
      const key = `conversation/${conversation}`;
      return engine.start(callerOf(tenant), {
        pipeline: "p",
        version: "v",
        input: { n, ...(conversation ? { conversation } : {}) },
        ...(conversation ? { concurrency: { key, limit: 1, on_busy: "enqueue" as const } } : {}),
      });
    };
    const numbers = (count: number) => Array.from({ length: count }, (_, n) => n);
    const big = await Promise.all(numbers(RUNS).map((n) => start("big", n)));
    expect(engine.stats()).toMatchObject({ running: 10, queued: RUNS - 10 });
    // Each conversation's runs one after another, the conversations at once.
    const small = (await Promise.all(["a", "b", "c"].map(async (conversation) => {
      const runs = [];
      for (const n of numbers(10)) runs.push(await start("small", n, conversation));
      return runs;
    }))).flat();
    for (const n of numbers(17)) await start("big", RUNS + n);
    await expect(start("small", 0)).rejects.toMatchObject({
      code: "overloaded",
      kind: "retryable",
      retry_after_ms: 1000,
    });
    gate.resolve();
    await Promise.all([...small, ...big].map(({ result }) => result));

    const places = began.flatMap(({ tenant }, at) => tenant === "small" ? [at] : []);
    expect(places).toHaveLength(30);
    report(`the last of 30 runs of the small tenant began as number ${places.at(-1)}`);
    expect(places.at(-1)).toBeLessThan(2_000);
    for (const conversation of ["a", "b", "c"]) {
      const order = began.map(({ input }) => input as { n: number; conversation?: string })
        .filter((input) => input.conversation === conversation).map(({ n }) => n);
      expect(order).toEqual(numbers(10));
    }
    const order = began.flatMap(({ tenant, input }) =>
      tenant === "big" ? [(input as { n: number }).n] : []
    );
    expect(order.slice(0, RUNS)).toEqual(numbers(RUNS));
    await engine.drain(5_000);
  }));

Deno.test("a server holds ten thousand queued runs in 512 MB, refuses more, and finds them again", () =>
  withHome(SLEEPS_HOME, async (home) => {
    const env = { RUN_CONCURRENCY: "4", RUN_QUEUE_LIMIT: String(RUNS) };
    const options = { home, command: SLEEPER, env };
    const used: number[] = [];
    const use = async (fn: (server: ServerProcess) => Promise<void>) => {
      const server = await startServer(options);
      try {
        await fn(server);
        used.push(Math.round(await memoryOf(server.pid)));
      } finally {
        await server.stop("SIGKILL");
      }
    };
    let accepted = 0;
    await use(async ({ url }) => {
      const statuses = new Map<number, number>();
      let refused: Response | undefined;
      const client = async () => {
        while (!refused) {
          const response = await startSleeps(url, { run: "r", ms: 60_000 });
          statuses.set(response.status, (statuses.get(response.status) ?? 0) + 1);
          if (response.status === 429 && !refused) refused = response;
          else await response.body?.cancel();
        }
      };
      await Promise.all(Array.from({ length: 20 }, client));
      expect(refused!.headers.get("retry-after")).toBe("1");
      expect((await refused!.json()).code).toBe("overloaded");
      expect([...statuses.keys()].sort()).toEqual([202, 429]);
      accepted = statuses.get(202)!;
      expect(accepted).toBeGreaterThanOrEqual(RUNS);
    });
    let took = 0;
    await use(async ({ url, started_at, listening_at }) => {
      took = listening_at - started_at;
      const { runs } = await (await fetch(`${url}/health`)).json();
      expect(runs.running + runs.queued).toBe(accepted);
    });
    report(`${accepted} queued runs: ${used[0]} MB, ${used[1]} MB after a restart in ${took} ms`);
    expect(Math.max(...used)).toBeLessThan(512);
  }));
