import { expect } from "expect";
import type { Json } from "../../../pipeline/kernel/events.ts";
import type { WaitOutcome } from "../../../pipeline/kernel/context.ts";
import { define, twice } from "../walk/_define.ts";

async function wait(node: string, outcome: WaitOutcome, input: Json = null) {
  const definition = await define(`  a: ${node}\n  late: { transform: late }`.replace(
    /\n {2}late.*$/,
    (line) => node.includes("on_timeout") ? line : "",
  ));
  const { ended, ctx } = await twice({
    definition,
    input,
    prepare: (ctx) => void (ctx.onWait = () => outcome),
  });
  return { ended, options: ctx.waits[0]?.options };
}

Deno.test("wait for a signal gives its payload", async () => {
  const { ended, options } = await wait("{ wait: { signal: 'paid-${ input.id }' } }", {
    signal: { amount: 5 },
  }, { id: 7 });
  expect(ended).toEqual({ output: { amount: 5 } });
  expect(options).toEqual({ kind: "wait", binding: false, signal: "paid-7" });
});

Deno.test("wait for a time gives null", async () => {
  const timed_out = { timed_out: true } as const;
  const constant = await wait("{ wait: { seconds: 1.5 } }", timed_out);
  expect(constant).toEqual({
    ended: { output: null },
    options: { kind: "wait", binding: false, timeout_ms: 1_500 },
  });
  const computed = await wait('{ wait: { seconds: "${ input * 60 }" } }', timed_out, 2);
  expect(computed.options).toEqual({ kind: "wait", binding: false, timeout_ms: 120_000 });
  const until = await wait('{ wait: { until: "${ input }" } }', timed_out, "2026-01-02T00:00:00Z");
  expect(until.options).toEqual({ kind: "wait", binding: false, until: Date.UTC(2026, 0, 2) });
});

Deno.test("wait for a signal and a time says which one came", async () => {
  const node = "{ wait: { signal: go, seconds: 9 } }";
  expect((await wait(node, { signal: "now" })).ended).toEqual({ output: "now" });
  expect((await wait(node, { timed_out: true })).ended).toEqual({ output: { timed_out: true } });
  const edge = "{ wait: { signal: go, seconds: 9 }, on_timeout: late }";
  expect((await wait(edge, { signal: null })).ended).toEqual({ output: null });
  expect((await wait(edge, { timed_out: true })).ended).toEqual({ output: "late" });
});

Deno.test("wait refuses what an expression gives and no wait can use", async () => {
  const refused = async (field: string, input: Json) =>
    (await wait(`{ wait: { ${field}: "\${ input }" } }`, { timed_out: true }, input)).ended;
  const error = (message: RegExp) => ({
    error: expect.objectContaining({
      code: "validation_failed",
      message: expect.stringMatching(message),
      details: { step: "a" },
    }),
  });
  expect(await refused("seconds", "soon")).toEqual(
    error(/^Cannot wait in a: seconds must be a number from 0 to 315360000, but is "soon"/),
  );
  expect(await refused("seconds", -1)).toEqual(
    error(/seconds must be a number from 0 to 315360000, but is -1/),
  );
  expect(await refused("until", "soon")).toEqual(
    error(/until must be a time such as .*, but is "soon"/),
  );
  expect(await refused("signal", "")).toEqual(
    error(/signal must be a non-empty string, but is ""/),
  );
});
