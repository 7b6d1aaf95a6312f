import { expect } from "expect";
import { readConfig } from "../../config.ts";
import { createHealth } from "../../wiring/http.ts";
import { callerOf, LOCAL } from "../_caller.ts";

Deno.test("health tells why a model call failed to those who may do everything only", async () => {
  const config = readConfig({
    HOME: "/home",
    LLM_PROVIDER: "openai-compatible",
    LLM_BASE_URL: "http://m.test",
    LLM_DEFAULT_MODEL: "m",
  });
  const last_error = {
    code: "model_not_found",
    message: 'Cannot ask "acme-secret-tune": the provider does not know it.',
    at: "2026-01-02T03:04:05.678Z",
  };
  const health = createHealth(config, {
    engine: { stats: () => ({ running: 0, queued: 0, accepting: true, store_ok: true }) },
    models: { health: () => ({ status: "down", last_error }) },
    external: [],
  });
  expect((await health(LOCAL)).model_provider).toMatchObject({ status: "down", last_error });
  const { code, at } = last_error;
  expect((await health(callerOf("globex"))).model_provider)
    .toMatchObject({ status: "down", last_error: { code, at } });
  expect(JSON.stringify(await health(callerOf("globex")))).not.toContain("acme");
});
