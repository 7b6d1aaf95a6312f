import { expect } from "expect";
import type { ModelsConfig } from "../../config/models.ts";
import { readConfig } from "../../config.ts";
import { createFetch, createOpenaiModel, createProbe } from "../../llm/mod.ts";
import { createOfflineModel } from "../../offline/mod.ts";
import { SELF_SIGNED } from "../_mock/certificate.ts";
import type { Script } from "../_mock/script.ts";
import { startOpenai } from "../_mock/openai.ts";
import { test } from "./_setup.ts";
import { LOCAL } from "../_caller.ts";

/** A probe of a server at `base_url`, with a transport of its own. */
async function probing(
  base_url: string,
  run: (probe: ReturnType<typeof createProbe>, config: ModelsConfig) => Promise<void>,
  timeout_ms = 2_000,
): Promise<void> {
  const { models } = readConfig({
    LLM_BASE_URL: base_url,
    LLM_DEFAULT_MODEL: "mock-1",
    LLM_API_KEY: "sk-secret-0123456789",
  });
  // undici's timer for connecting outlives the connection: a leak to the test runner.
  const fetch = createFetch({ connect_timeout_ms: 0 });
  const clients = {
    offline: createOfflineModel,
    "openai-compatible": () =>
      createOpenaiModel({ provider: "openai-compatible", baseUrl: base_url, fetch }),
  };
  try {
    await run(createProbe(models, clients, timeout_ms), models);
  } finally {
    await fetch.close();
  }
}

/** The same of a mock server with a script. */
async function scripted(
  script: Script,
  run: (
    probe: ReturnType<typeof createProbe>,
    server: ReturnType<typeof startOpenai>,
  ) => Promise<void>,
  timeout_ms?: number,
): Promise<void> {
  const server = startOpenai(script);
  try {
    await probing(`${server.url}/v1`, (probe) => run(probe, server), timeout_ms);
  } finally {
    await server.close();
  }
}

const failed = (failed: string, message: string) => ({
  ok: false,
  provider: "openai-compatible",
  model: "mock-1",
  latency_ms: expect.any(Number),
  failed,
  message: expect.stringContaining(message),
});

test("test() has the default model answer once", () =>
  scripted([{ text: "OK" }], async (probe, server) => {
    expect(await probe.test(LOCAL)).toEqual({
      ok: true,
      provider: "openai-compatible",
      model: "mock-1",
      latency_ms: expect.any(Number),
    });
    expect(server.calls.map(({ path, body }) => [path, body.model])).toEqual([
      ["/v1/chat/completions", "mock-1"],
    ]);
    expect(await probe.test(LOCAL, { provider: "offline" })).toMatchObject({
      ok: true,
      model: null,
    });
    await probe.test(LOCAL, { model: "other" });
    expect(server.calls.at(-1)!.body.model).toBe("other");
  }));

test("test() says auth when the key is refused", () =>
  scripted([{ status: 401, error: { error: { message: "bad key" } } }], async (probe) => {
    expect(await probe.test(LOCAL)).toEqual(failed("auth", "rejects the key"));
  }));

test("test() says model when there is no such model", () =>
  scripted([{ status: 404, error: { error: { code: "model_not_found" } } }], async (probe) => {
    expect(await probe.test(LOCAL)).toEqual(
      failed("model", "does not know the address or the model"),
    );
  }));

test("test() says quota when the account has none left", () =>
  scripted([{ status: 429, error: { error: { code: "insufficient_quota" } } }], async (probe) => {
    expect(await probe.test(LOCAL)).toEqual(failed("quota", "check the account's plan and credit"));
  }));

test("test() says provider when the server itself fails", () =>
  scripted([{ status: 500, error: { error: { message: "out of order" } } }], async (probe) => {
    expect(await probe.test(LOCAL)).toEqual(failed("provider", "out of order (500)"));
  }));

test("test() says timeout when the server stays silent", () =>
  scripted([{ fault: "half_open" }], async (probe) => {
    expect(await probe.test(LOCAL)).toEqual(failed("timeout", "does not answer in time"));
  }, 100));

test("test() says dns when the name leads nowhere", () =>
  probing("http://nowhere.invalid/v1", async (probe) => {
    expect(await probe.test(LOCAL)).toEqual(failed("dns", "nowhere.invalid cannot be resolved"));
  }));

test("test() says connection when nothing listens", async () => {
  const listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const { port } = listener.addr;
  listener.close();
  await probing(`http://127.0.0.1:${port}/v1`, async (probe) => {
    expect(await probe.test(LOCAL)).toEqual(failed("connection", "nothing answers at 127.0.0.1"));
  });
});

test("test() says tls when nobody vouches for the certificate", async () => {
  const server = Deno.serve(
    { hostname: "127.0.0.1", port: 0, ...SELF_SIGNED, onListen: () => {} },
    () => new Response("OK"),
  );
  await probing(`https://localhost:${server.addr.port}/v1`, async (probe) => {
    expect(await probe.test(LOCAL)).toEqual(failed("tls", "the certificate of localhost"));
  });
  await server.shutdown();
});

test("test() refuses a provider that is not set up", () =>
  probing("http://127.0.0.1:1/v1", async (probe) => {
    await expect(probe.test(LOCAL, { provider: "anthropic" })).rejects.toMatchObject({
      code: "validation_failed",
      issues: [{ location: "/provider", message: expect.stringContaining("openai-compatible") }],
    });
  }));

test("offered() lists the models of every provider and says which ones failed", async () => {
  await scripted([], async (probe) => {
    expect(await probe.offered(LOCAL)).toEqual({
      models: [
        { id: "offline", provider: "offline" },
        { id: "mock-1", provider: "openai-compatible" },
      ],
      errors: [],
    });
  });
  await probing("http://nowhere.invalid/v1", async (probe) => {
    expect(await probe.offered(LOCAL)).toEqual({
      models: [{ id: "offline", provider: "offline" }],
      errors: [{
        provider: "openai-compatible",
        failed: "dns",
        message: expect.stringContaining("cannot be resolved"),
      }],
    });
  });
});
