import { expect } from "expect";
import type { ProbeRequest } from "../../llm/probe.ts";
import { expectProblem, setup } from "./_setup.ts";

function withProbe() {
  const asked: (ProbeRequest | undefined)[] = [];
  const fixture = setup({
    deps: {
      llm: {
        offered: () => Promise.resolve({ models: [{ id: "m", provider: "p" }], errors: [] }),
        test(_caller, request) {
          asked.push(request);
          return Promise.resolve({ ok: true, provider: "p", model: "m", latency_ms: 3 });
        },
      },
    },
  });
  return { ...fixture, asked };
}

Deno.test("GET /v1/llm/models lists what the providers offer", async () => {
  const response = await withProbe().app.request("/v1/llm/models");
  expect(await response.json()).toEqual({ models: [{ id: "m", provider: "p" }], errors: [] });
});

Deno.test("POST /v1/llm/test-connection asks the given or the chosen provider", async () => {
  const { app, post, asked } = withProbe();
  const empty = await app.request("/v1/llm/test-connection", { method: "POST" });
  expect(await empty.json()).toEqual({ ok: true, provider: "p", model: "m", latency_ms: 3 });
  await post("/v1/llm/test-connection", { provider: "p", model: "m" });
  expect(asked).toEqual([{}, { provider: "p", model: "m" }]);
  const wrong = await post("/v1/llm/test-connection", { key: "sk" });
  expect((await expectProblem(wrong, 422, "validation_failed")).errors[0].location).toBe("/key");
});
