/** A key goes to the server that it was given for, and to no other. */
import { expect } from "expect";
import { type Env, readConfig } from "../../config.ts";
import { configuredProviders, createProbe, type Fetch, rowOf, ROWS } from "../../llm/mod.ts";
import { configuredModels, modelClients } from "../../wiring/models.ts";
import { createFetch } from "../../llm/transport.ts";
import type { MockServer } from "../_mock/script.ts";
import { startOpenai } from "../_mock/openai.ts";
import { mockOf, test } from "../llm/_setup.ts";
import { LOCAL } from "../_caller.ts";

/** Every provider that has a key: where it lives, the mock of its protocol, the path of its API. */
const VENDORS = Object.fromEntries(
  ROWS.filter(([, { address }]) => address !== null)
    .map(([name, row]) => [name, { host: new URL(row.address!).host, ...mockOf(name, row) }]),
);

const PROJECTS = Object.fromEntries(
  ROWS.flatMap(([, { projects = {} }]) => Object.values(projects)).map((name) => [name, "42"]),
);

/** The keys with which each server was asked, once each; `-` without a key. */
type Asked = Record<string, string[]>;

/** Asks the default model, `models` and every list, with a mock for each vendor and a gateway. */
async function asked(env: (gateway: string) => Env, protocol: string, models: string[] = []) {
  const script = [{ text: "hello" }];
  const vendors = Object.entries(VENDORS).map(([name, { host, start }]) =>
    [name, host, start(script)] as const
  );
  const { start, path } = VENDORS[protocol]!;
  const gateway = start(script);
  const transport = createFetch({ connect_timeout_ms: 0 });
  const fetch: Fetch = (input, init) => {
    const url = new URL(input instanceof Request ? input.url : input);
    const vendor = vendors.find(([, host]) => host === url.host);
    const to = vendor ? vendor[2].url + url.pathname + url.search : url;
    return transport(to, init);
  };
  try {
    const config = readConfig(env(gateway.url + path));
    const clients = modelClients(config, fetch);
    const signal = new AbortController().signal;
    for (const model of [undefined, ...models]) {
      await configuredModels(config, clients).generate({
        model,
        messages: [{ role: "user", content: "Hi?" }],
        agent: { name: "researcher", capabilities: [] },
      }, { signal });
    }
    await createProbe(config.models, clients).offered(LOCAL);
    const servers: [string, MockServer][] = [
      ["gateway", gateway],
      ...vendors.map(([name, , server]): [string, MockServer] => [name, server]),
    ];
    const used = servers.filter(([, { calls }]) => calls.length > 0);
    return Object.fromEntries(used.map(([name, { calls }]) => [name, keysOf(calls)])) as Asked;
  } finally {
    await transport.close();
    for (const server of [gateway, ...vendors.map(([, , server]) => server)]) await server.close();
  }
}

function keysOf(calls: MockServer["calls"]): string[] {
  const keys = calls.map(({ headers }) =>
    headers.get("x-api-key") ?? headers.get("x-goog-api-key") ??
      headers.get("authorization")?.replace("Bearer ", "") ?? "-"
  );
  return [...new Set(keys)];
}

for (const vendor of Object.keys(VENDORS)) {
  const { keys: [own = ""], base_url } = rowOf(vendor)!;

  test(`LLM_PROVIDER=${vendor} with LLM_BASE_URL speaks to that address and to no other`, async () => {
    const env = (url: string) => ({
      ...PROJECTS,
      LLM_PROVIDER: vendor,
      LLM_BASE_URL: url,
      LLM_API_KEY: "gateway-key",
      LLM_DEFAULT_MODEL: "m",
    });
    expect(await asked(env, vendor)).toEqual({ gateway: ["gateway-key"] });
    expect(await asked((url) => ({ ...env(url), [own]: "vendor-key" }), vendor))
      .toEqual({ gateway: ["gateway-key"] });
  });

  test(`${own} goes to ${vendor} and to its own base URL only`, async () => {
    const env = { ...PROJECTS, [own]: "vendor-key", LLM_DEFAULT_MODEL: "m" };
    expect(await asked(() => env, "openai")).toEqual({ [vendor]: ["vendor-key"] });
    expect(await asked((url) => ({ ...env, [base_url!]: url }), vendor))
      .toEqual({ gateway: ["vendor-key"] });
  });

  test(`LLM_API_KEY goes to ${vendor} where it is LLM_PROVIDER, and to no server beside it`, async () => {
    const env = (url: string) => ({
      ...PROJECTS,
      LLM_PROVIDER: vendor,
      LLM_API_KEY: "general-key",
      LLM_DEFAULT_MODEL: "m",
      EMBEDDING_BASE_URL: url,
    });
    expect(await asked(env, "openai")).toEqual({ [vendor]: ["general-key"] });
  });
}

test("each of several servers gets its own key", async () => {
  const env = (url: string) => ({
    OPENAI_API_KEY: "openai-key",
    ANTHROPIC_API_KEY: "anthropic-key",
    GEMINI_API_KEY: "google-key",
    LLM_BASE_URL: url,
    LLM_API_KEY: "gateway-key",
    LLM_DEFAULT_MODEL: "m",
  });
  expect(await asked(env, "openai", ["openai/a", "anthropic/b", "google/c"])).toEqual({
    gateway: ["gateway-key"],
    openai: ["openai-key"],
    anthropic: ["anthropic-key"],
    google: ["google-key"],
  });
});

test("OPENAI_API_KEY does not go to LLM_BASE_URL", async () => {
  const env = (url: string) => ({
    OPENAI_API_KEY: "openai-key",
    LLM_BASE_URL: url,
    LLM_DEFAULT_MODEL: "m",
  });
  const { gateway } = await asked(env, "openai");
  // The SDK wants a key; this one stands for none.
  expect(gateway).toEqual(["none"]);
});

test("a default model goes to the provider that was chosen, whatever its name begins with", async () => {
  const env = (url: string) => ({
    ANTHROPIC_API_KEY: "anthropic-key",
    LLM_BASE_URL: url,
    LLM_API_KEY: "gateway-key",
    LLM_DEFAULT_MODEL: "anthropic/claude-x",
  });
  const { gateway } = await asked(env, "openai");
  expect(gateway).toEqual(["gateway-key"]);
});

test("a redirect is not followed: the key would go along", async () => {
  const elsewhere = startOpenai([{ text: "hello" }]);
  const server = Deno.serve(
    { port: 0, hostname: "127.0.0.1", onListen() {} },
    () => Response.redirect(`${elsewhere.url}/v1/chat/completions`, 307),
  );
  try {
    const base = `http://127.0.0.1:${server.addr.port}/v1`;
    const { models } = readConfig({ OPENAI_API_KEY: "k", OPENAI_BASE_URL: base });
    const { openai } = configuredProviders({ ...models, proxied: true });
    const asking = openai!().generate({ model: "m", messages: [] }, {
      signal: new AbortController().signal,
    });
    await expect(asking).rejects.toMatchObject({ code: "model_bad_request" });
    expect(elsewhere.calls).toEqual([]);
  } finally {
    await server.shutdown();
    await elsewhere.close();
  }
});
