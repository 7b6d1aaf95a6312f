/** What the adapters' tests share: each provider with its mock, and one call against it. */
import { expect } from "expect";
import { type ErrorCode, type ErrorKind, OrchestratorError } from "../../errors.ts";
import {
  createAnthropicModel,
  createCustomgptModel,
  createFetch,
  createGoogleModel,
  createOpenaiModel,
  type Fetch,
  type ModelAnswer,
  type ModelClient,
  type ModelFetch,
  type ModelRequest,
  type Provider as Row,
  ROWS,
} from "../../llm/mod.ts";
import type { MockServer, Script } from "../_mock/script.ts";
import { startAnthropic } from "../_mock/anthropic.ts";
import { startCustomgpt } from "../_mock/customgpt.ts";
import { startGoogle } from "../_mock/google.ts";
import { startOpenai } from "../_mock/openai.ts";

export const KEY = "sk-test-key-0123456789";

/** One provider: its mock and its adapter. */
export interface Provider {
  name: string;
  start(script: Script): MockServer;
  client(url: string, fetch: Fetch): ModelClient;
}

/** The mock of each adapter's protocol. */
export const MOCKS = new Map<Row["create"], (script: Script) => MockServer>([
  [createOpenaiModel, startOpenai],
  [createAnthropicModel, startAnthropic],
  [createGoogleModel, startGoogle],
  [createCustomgptModel, startCustomgpt],
]);

/** The mock of a row's protocol, and the path of its API on a server. */
export function mockOf(name: string, { create, address }: Row) {
  const start = MOCKS.get(create);
  if (!start) throw new Error(`the adapter of ${name} has no mock in tests/llm/_setup.ts`);
  const path = address === null ? "" : new URL(address).pathname.replace(/\/$/, "");
  return { start, path };
}

/** The first row of each adapter: further rows of it would repeat its tests. */
export const PROVIDERS: Provider[] = ROWS
  .filter(([, { create }], at) => ROWS.findIndex(([, row]) => row.create === create) === at)
  .map(([name, row]) => {
    const { start, path } = mockOf(name, row);
    const access = { provider: name, apiKey: KEY, projects: { researcher: "42" } };
    const client = (url: string, fetch: Fetch) =>
      row.create({ ...access, baseUrl: url + path, fetch });
    return { name, start, client };
  });

export function providerOf(name: string): Provider {
  const provider = PROVIDERS.find((provider) => provider.name === name);
  if (!provider) throw new Error(`no provider ${name}`);
  return provider;
}

/** A provider's mock, its adapter and a transport of its own, all closed at the end. */
export async function withProvider(
  { start, client }: Provider,
  script: Script,
  run: (client: ModelClient, server: MockServer, fetch: ModelFetch) => Promise<void>,
): Promise<void> {
  const server = start(script);
  // undici's timer for connecting outlives the connection: a leak to the test runner.
  const fetch = createFetch({ connect_timeout_ms: 0 });
  try {
    await run(client(server.url, fetch), server, fetch);
  } finally {
    await fetch.close();
    await server.close();
  }
}

export const REQUEST: ModelRequest = {
  model: "mock-1",
  agent: { name: "researcher", capabilities: [] },
  messages: [{ role: "system", content: "Be brief." }, { role: "user", content: "Hi?" }],
};

/** Asks and collects what was streamed. */
export async function ask(
  client: ModelClient,
  request: Partial<ModelRequest> = {},
  signal = new AbortController().signal,
): Promise<{ answer: ModelAnswer; deltas: string[] }> {
  const deltas: string[] = [];
  const answer = await client.generate({ ...REQUEST, ...request }, {
    signal,
    onDelta: (text) => deltas.push(text),
  });
  return { answer, deltas };
}

/** Expects a typed error and returns it. */
export async function expectError(
  promise: Promise<unknown>,
  code: ErrorCode,
  kind: ErrorKind,
): Promise<OrchestratorError> {
  const error = await promise.then(() => undefined, (error) => error);
  expect(error).toBeInstanceOf(OrchestratorError);
  expect({ code: error.code, kind: error.kind }).toEqual({ code, kind });
  expect(error.message).not.toContain(KEY);
  return error;
}

/** `Deno.test` with every leak check on. */
export function test(name: string, fn: () => Promise<void> | void): void {
  Deno.test({ name, fn, sanitizeOps: true, sanitizeResources: true });
}
