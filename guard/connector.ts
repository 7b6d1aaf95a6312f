/**
 * Opens connections for the guard.
 *
 * Invariants: (1) a name is looked up once for a connection, and what was looked up is what is
 * connected to; (2) a guarded connector connects to nothing when any address of a name is private.
 *
 * @module
 */
import { isIP } from "node:net";
import type { Socket } from "node:net";
import type { buildConnector, Dispatcher } from "undici";
import { OrchestratorError } from "../errors.ts";
import { privateRange } from "./addresses.ts";

const CONNECT_TIMEOUT_MS = 10_000;
/** While there are further addresses to try. */
const NEXT_ADDRESS_MS = 3_000;
const KEEP_ALIVE_MS = 10_000;
const CONNECTIONS_PER_ORIGIN = 64;

/** Looks a name up: all its addresses. @throws errors with the codes of `node:dns` */
export type Resolve = (host: string) => Promise<string[]>;

/** The system's own lookup. */
export const systemResolve: Resolve = async (host) => {
  const { lookup } = await import("node:dns/promises");
  return (await lookup(host, { all: true })).map(({ address }) => address);
};

/**
 * Opens a pool of connections. A guarded one connects to public addresses only.
 *
 * What it refuses fails with `egress_denied`.
 */
export async function openPool(resolve: Resolve, guarded: boolean): Promise<Dispatcher> {
  // Not `undici` itself: see llm/transport.ts.
  const [{ default: Agent }, { default: connector }] = await Promise.all([
    import("undici/lib/dispatcher/agent.js"),
    import("undici/lib/core/connect.js") as Promise<{ default: typeof buildConnector }>,
  ]);
  return new Agent({
    allowH2: false,
    pipelining: 1,
    connections: CONNECTIONS_PER_ORIGIN,
    keepAliveTimeout: KEEP_ALIVE_MS,
    // The guard has a deadline for the whole exchange.
    headersTimeout: 0,
    bodyTimeout: 0,
    connect: createConnect(connector({ allowH2: false, timeout: 0 }), resolve, guarded),
  });
}

/** What undici opens its sockets with; `connect` opens one to an address. */
export function createConnect(
  connect: buildConnector.connector,
  resolve: Resolve,
  guarded: boolean,
): buildConnector.connector {
  const open = async (options: buildConnector.Options): Promise<Socket> => {
    const addresses = await addressesOf(options.hostname, resolve);
    if (guarded) refusePrivate(options.hostname, addresses);
    let failure: unknown;
    for (const [index, address] of addresses.entries()) {
      const timeout_ms = index + 1 < addresses.length ? NEXT_ADDRESS_MS : CONNECT_TIMEOUT_MS;
      try {
        return await connectTo(connect, { ...options, hostname: address }, timeout_ms);
      } catch (error) {
        failure = error;
      }
    }
    throw failure;
  };
  return (options, callback) => {
    open(options).then(
      (socket) => callback(null, socket),
      (error) => callback(error as Error, null),
    );
  };
}

async function addressesOf(host: string, resolve: Resolve): Promise<string[]> {
  if (isIP(host)) return [host];
  const addresses = await resolve(host);
  if (addresses.length > 0) return addresses;
  throw Object.assign(new Error(`${host} has no address`), { code: "ENOTFOUND" });
}

function refusePrivate(host: string, addresses: string[]): void {
  for (const address of addresses) {
    const range = privateRange(address);
    if (range) throw denied(host, `it resolves to an address that is not public (${range})`);
  }
}

function connectTo(
  connect: buildConnector.connector,
  options: buildConnector.Options,
  timeout_ms: number,
): Promise<Socket> {
  return new Promise((resolve, reject) => {
    const socket = connect(options, (error, opened) => {
      clearTimeout(timer);
      if (error) reject(error);
      else resolve(opened!);
    }) as unknown as Socket;
    const timer = setTimeout(() => {
      socket.destroy();
      reject(Object.assign(new Error("the connection timed out"), { code: "ETIMEDOUT" }));
    }, timeout_ms);
  });
}

/** A refusal of the guard; `host` without anything secret. */
export function denied(host: string, why: string): OrchestratorError {
  return new OrchestratorError(
    "egress_denied",
    `Cannot send a request to ${host}: ${why}. Only public http(s) addresses may be reached; the ` +
      "operator can allow other hosts with EGRESS_ALLOWED_HOSTS.",
    { details: { host } },
  );
}
