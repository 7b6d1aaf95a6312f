import { expect } from "expect";
import { type ErrorCode, OrchestratorError } from "../../errors.ts";
import type { ModelAnswer, ModelClient } from "../../llm/model.ts";
import { watchModels } from "../../llm/mod.ts";

const ANSWER = { text: "yes" } as ModelAnswer;

/** A watched client whose calls end as `codes` say, one after the other; without a code well. */
function watched(codes: (ErrorCode | undefined)[]) {
  const client: ModelClient = {
    provider: "p",
    models: () => Promise.resolve(["m"]),
    generate() {
      const code = codes.shift();
      if (code) return Promise.reject(new OrchestratorError(code, `Cannot: ${code}.`));
      return Promise.resolve(ANSWER);
    },
  };
  const models = watchModels(client, () => 0);
  const call = (signal = new AbortController().signal) =>
    models.generate({ messages: [] }, { signal }).catch((error) => error.code);
  return { models, call };
}

Deno.test("watchModels() says down after three calls in a row that did not reach the provider", async () => {
  const { models, call } = watched(["model_unavailable", "model_auth", "model_timeout", undefined]);
  expect(models.health()).toEqual({ status: "ok" });
  await call();
  await call();
  expect(models.health().status).toBe("ok");
  expect(await call()).toBe("model_timeout");
  expect(models.health()).toEqual({
    status: "down",
    last_error: {
      code: "model_timeout",
      message: "Cannot: model_timeout.",
      at: "1970-01-01T00:00:00.000Z",
    },
  });
  expect(await call()).toBe(ANSWER);
  expect(models.health()).toEqual({ status: "ok" });
});

Deno.test("watchModels() does not count what the request or its sender is to blame for", async () => {
  const { models, call } = watched(["model_refused", "model_bad_request", "model_rate_limited"]);
  for (let i = 0; i < 3; i++) await call();
  expect(models.health()).toEqual({ status: "ok" });
  const aborted = watched(["model_unavailable", "model_unavailable", "model_unavailable"]);
  for (let i = 0; i < 3; i++) await aborted.call(AbortSignal.abort());
  expect(aborted.models.health()).toEqual({ status: "ok" });
});

Deno.test("watchModels() hands everything on", async () => {
  const { models } = watched([]);
  expect([models.provider, await models.models(new AbortController().signal)]).toEqual(["p", [
    "m",
  ]]);
});
