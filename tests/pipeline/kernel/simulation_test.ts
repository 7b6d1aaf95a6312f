/**
 * Random schedules with random faults on three workers. A failing seed is printed; run it alone with
 * `SIM_SEED=<seed> deno test -P tests/pipeline/kernel/simulation_test.ts`.
 */
import { expect } from "expect";
import { runProgram, source, withHome } from "../../e2e/_process.ts";
import { simulateMany } from "./_simulate.ts";

const SEEDS = Number(Deno.env.get("SIM_SEEDS") ?? 10_000);
const SEED = Number(Deno.env.get("SIM_SEED"));
/** Simulated here, where coverage is counted, which halves the speed. */
const HERE = SEED ? 1 : Math.min(SEEDS, 200);

Deno.test(`${HERE} simulated schedules with faults keep every invariant`, () =>
  simulateMany(SEED || 1, HERE));

Deno.test({
  name: `${SEEDS - HERE} more schedules, on every core, keep every invariant`,
  ignore: SEED > 0 || SEEDS === HERE,
  fn: () =>
    withHome({}, async (home) => {
      const share = Math.ceil((SEEDS - HERE) / navigator.hardwareConcurrency);
      const command = source("tests/pipeline/kernel/_simulate.ts");
      const ends = [];
      for (let first = HERE + 1; first <= SEEDS; first += share) {
        const args = [first, Math.min(share, SEEDS - first + 1)].map(String);
        ends.push(runProgram(args, { home, command }));
      }
      for (const end of await Promise.all(ends)) {
        expect(end).toEqual({ code: 0, stdout: "", stderr: "" });
      }
    }),
});
