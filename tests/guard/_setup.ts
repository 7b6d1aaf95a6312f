/** What the guard's tests share. */
import { expect } from "expect";
import { type ErrorCode, OrchestratorError } from "../../errors.ts";
import { createEgress, type EgressGuard, type EgressOptions } from "../../guard/egress.ts";

/** `Deno.test` with every leak check on. */
export function test(name: string, fn: () => Promise<void> | void): void {
  Deno.test({ name, fn, sanitizeOps: true, sanitizeResources: true });
}

/** A server on a free port of loopback. */
export interface TestServer {
  port: number;
  /** `http://127.0.0.1:port` */
  url: string;
  /** Requests that came, in order. */
  requests: { url: string; method: string; headers: Headers }[];
  stop(): Promise<void>;
}

/** Starts a server that keeps what it is asked. */
export function serve(
  handler: (request: Request) => Response | Promise<Response>,
): TestServer {
  const requests: TestServer["requests"] = [];
  const server = Deno.serve({ port: 0, hostname: "127.0.0.1", onListen() {} }, (request) => {
    const { url, method, headers } = request;
    requests.push({ url, method, headers: new Headers(headers) });
    return handler(request);
  });
  const { port } = server.addr;
  return { port, url: `http://127.0.0.1:${port}`, requests, stop: () => server.shutdown() };
}

/** A server and a guard, both closed at the end. The guard may reach the server by default. */
export async function withServer(
  handler: (request: Request) => Response | Promise<Response>,
  run: (server: TestServer, egress: EgressGuard) => Promise<void>,
  options: Partial<EgressOptions> = {},
): Promise<void> {
  const server = serve(handler);
  const egress = createEgress({ allowed_hosts: [`127.0.0.1:${server.port}`], ...options });
  try {
    await run(server, egress);
  } finally {
    await egress.close();
    await server.stop();
  }
}

/** Never aborted. */
export const signal = new AbortController().signal;

/** Expects a typed error and returns it. */
export async function expectError(
  promise: Promise<unknown>,
  code: ErrorCode,
  kind = "terminal",
): Promise<OrchestratorError> {
  const error = await promise.then(() => undefined, (error) => error);
  expect(error).toBeInstanceOf(OrchestratorError);
  expect({ code: error.code, kind: error.kind }).toEqual({ code, kind });
  return error;
}

/** The text of a response's body. */
export function textOf({ body }: { body: Uint8Array }): string {
  return new TextDecoder().decode(body);
}
