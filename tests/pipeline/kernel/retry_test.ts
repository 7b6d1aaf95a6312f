import assert from "node:assert/strict";
import fc from "fast-check";
import { type ErrorCode, type ErrorKind, OrchestratorError } from "../../../errors.ts";
import type { RetryPolicy } from "../../../pipeline/kernel/mod.ts";
import { DEFAULT_RETRY, type Retry, retryDelay } from "../../../pipeline/kernel/retry.ts";

function error(kind: ErrorKind, code: ErrorCode = "call_failed", retry_after_ms?: number) {
  return new OrchestratorError(code, "Cannot call.", { kind, retry_after_ms });
}

/** Which policy is taken: each has an interval of its own, half of which is the pause by chance. */
const POLICIES: [what: string, Retry | undefined, OrchestratorError, pause: number | undefined][] =
  [
    ["without a policy a retryable error gets the default one", undefined, error("retryable"), 250],
    ["without a policy a terminal error is final", undefined, error("terminal"), undefined],
    ["an empty list of policies is for no error", [], error("retryable"), undefined],
    [
      "a policy that names no errors is for retryable ones",
      [{ interval_ms: 2 }],
      error("terminal"),
      undefined,
    ],
    [
      "a named code is retried whatever its kind",
      { errors: ["call_failed"], interval_ms: 4 },
      error("terminal"),
      2,
    ],
    [
      "a code that is not named is final",
      { errors: ["tool_failed"], interval_ms: 4 },
      error("retryable"),
      undefined,
    ],
    ["`all` names every code", { errors: ["all"], interval_ms: 4 }, error("terminal"), 2],
    [
      "of several policies the first that fits counts",
      [
        { errors: ["tool_failed"], interval_ms: 2 },
        { errors: ["call_failed"], interval_ms: 4 },
        { errors: ["all"], interval_ms: 6 },
      ],
      error("terminal"),
      2,
    ],
    [
      "the first that fits ends the search, even if it allows no retry",
      [{ errors: ["all"], max_attempts: 1 }, { errors: ["all"], interval_ms: 6 }],
      error("retryable"),
      undefined,
    ],
    [
      "what was stopped is never retried, not even by its name",
      { errors: ["all", "run_cancelled"], interval_ms: 4 },
      error("cancelled", "run_cancelled"),
      undefined,
    ],
  ];

for (const [what, retry, thrown, pause] of POLICIES) {
  Deno.test(`retryDelay(): ${what}`, () => {
    assert.equal(retryDelay(retry, 1, thrown, () => 0.5), pause);
  });
}

const anyPolicy = fc.record({
  max_attempts: fc.integer({ min: 1, max: 100 }),
  interval_ms: fc.integer({ min: 0, max: 3_600_000 }),
  backoff_rate: fc.double({ min: 1, max: 100, noNaN: true }),
  max_delay_ms: fc.integer({ min: 0, max: 3_600_000 }),
  jitter: fc.constantFrom("full", "none"),
}) as fc.Arbitrary<RetryPolicy>;

Deno.test("a pause is never negative, never longer than the longest one, never shorter than asked", () => {
  fc.assert(
    fc.property(
      anyPolicy,
      fc.integer({ min: 1, max: 120 }),
      fc.option(fc.integer({ min: 0, max: 7_200_000 }), { nil: undefined }),
      fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true }),
      (policy, attempt, asked = 0, chance) => {
        const thrown = error("retryable", "model_rate_limited", asked);
        const delay = retryDelay(policy, attempt, thrown, () => chance);
        const final = attempt >= policy.max_attempts || asked > policy.max_delay_ms;
        assert.equal(delay === undefined, final);
        if (delay === undefined) return;
        assert(Number.isInteger(delay), `${delay}`);
        assert(delay >= asked && delay <= policy.max_delay_ms, `${delay}`);
        if (policy.jitter === "full") return;
        const pause = policy.interval_ms * policy.backoff_rate ** (attempt - 1);
        assert.equal(delay, Math.round(Math.max(Math.min(pause, policy.max_delay_ms), asked)));
      },
    ),
    { numRuns: 500 },
  );
});

Deno.test("without jitter a pause is never shorter than the one before it", () => {
  fc.assert(fc.property(anyPolicy, (policy) => {
    const exact = { ...policy, max_attempts: 100, jitter: "none" as const };
    let before = 0;
    for (let attempt = 1; attempt < 100; attempt++) {
      const delay = retryDelay(exact, attempt, error("retryable"), () => 0)!;
      assert(delay >= before, `${delay} after ${before}`);
      before = delay;
    }
  }));
});

Deno.test("full jitter spreads pauses evenly from nothing up to the computed one", () => {
  const policy = { interval_ms: 1_000, backoff_rate: 3, jitter: "full" as const, max_attempts: 9 };
  const pauses = [0, 0.25, 0.5, 0.75, 0.999].map((chance) =>
    retryDelay(policy, 2, error("retryable"), () => chance)
  );
  assert.deepEqual(pauses, [0, 750, 1_500, 2_250, 2_997]);
});

Deno.test("what a policy leaves out is as in the default one, which no caller can change", () => {
  const { interval_ms, max_delay_ms, max_attempts } = DEFAULT_RETRY;
  const exact = (more: Partial<RetryPolicy>, attempt = 1) =>
    retryDelay({ jitter: "none", ...more }, attempt, error("retryable"), () => 0);
  assert.equal(exact({}), interval_ms);
  assert.equal(exact({}, 2), interval_ms * DEFAULT_RETRY.backoff_rate);
  assert.equal(exact({ interval_ms: 10 * max_delay_ms }), max_delay_ms);
  assert.equal(exact({}, max_attempts), undefined);
  assert.throws(() => Object.assign(DEFAULT_RETRY, { max_attempts: 99 }), TypeError);
});
