/** Finds out why an address cannot be reached, stage by stage: name, connection, certificate. @module */
import { lookup } from "node:dns/promises";
import { connect, isIP, type Socket } from "node:net";
import { connect as connectTls } from "node:tls";

/** Longest time for one stage, in milliseconds. */
const STAGE_MS = 5_000;

/** The network as {@linkcode explainConnection} uses it. Every function rejects where it fails. */
export interface Network {
  lookup(hostname: string): Promise<unknown>;
  connect(hostname: string, port: number): Promise<Disposable>;
  /** Connects and shakes hands. */
  connectTls(hostname: string, port: number): Promise<Disposable>;
}

const SYSTEM: Network = {
  lookup: (hostname) => lookup(hostname),
  connect: (host, port) => opened(connect({ host, port }), "connect"),
  connectTls: (host, port) =>
    opened(
      connectTls({ host, port, ...(isIP(host) ? {} : { servername: host }) }),
      "secureConnect",
    ),
};

/** How far a connection comes. */
export interface ConnectionState {
  /** The stage that fails; absent when the address can be reached. */
  failed?: "dns" | "connection" | "tls";
  /** Why, and what to do. */
  message: string;
}

const SPELLING = "check its spelling, DNS and, behind a proxy, HTTPS_PROXY";
const SERVER = "check that the server is running and no firewall blocks it; behind a proxy, " +
  "set HTTPS_PROXY";

function unresolved(hostname: string): string {
  return `the name ${hostname} cannot be resolved`;
}

function silent(host: string, port: number): string {
  return `nothing answers at ${host} (port ${port})`;
}

function sentenceOf(advice: string): string {
  return `${advice.charAt(0).toUpperCase()}${advice.slice(1)}.`;
}

/** What a socket's error says of a connection that was never made, and what to do; without asking. */
export function readSocketError(error: unknown): { why: string; advice: string } | undefined {
  const { code, syscall, hostname, address, port } = error as Partial<Record<string, unknown>>;
  if (syscall === "getaddrinfo" && typeof hostname === "string") {
    return { why: unresolved(hostname), advice: sentenceOf(SPELLING) };
  }
  if (code !== "ECONNREFUSED" || typeof address !== "string") return undefined;
  return {
    why: silent(isIP(address) === 6 ? `[${address}]` : address, Number(port)),
    advice: sentenceOf(SERVER),
  };
}

/** Why `address` cannot be reached and what to do, or that it can. */
export async function explainConnection(
  address: string,
  network = SYSTEM,
): Promise<ConnectionState> {
  const { hostname: name, host, protocol, port } = new URL(address);
  const hostname = name.replace(/^\[|\]$/g, "");
  const number = Number(port) || (protocol === "https:" ? 443 : 80);
  if (await fails(network.lookup(hostname))) {
    return { failed: "dns", message: `${unresolved(hostname)}: ${SPELLING}` };
  }
  if (await fails(network.connect(hostname, number))) {
    return { failed: "connection", message: `${silent(host, number)}: ${SERVER}` };
  }
  if (protocol === "https:" && await fails(network.connectTls(hostname, number))) {
    const message =
      `the certificate of ${host} is not accepted: check the machine's clock; where ` +
      "a proxy re-signs traffic, set DENO_TLS_CA_STORE=system or DENO_CERT to its CA file";
    return { failed: "tls", message };
  }
  return { message: `${host} is reachable, so the failure is probably transient: try again` };
}

function fails(attempt: Promise<unknown>): Promise<boolean> {
  return attempt.then((made) => {
    (made as Partial<Disposable> | undefined)?.[Symbol.dispose]?.();
    return false;
  }, () => true);
}

/** The socket once `event` says that it is ready. */
function opened(socket: Socket, event: "connect" | "secureConnect"): Promise<Disposable> {
  return new Promise((resolve, reject) => {
    socket.setTimeout(STAGE_MS, () => socket.destroy(new Error("timed out")));
    socket.once(event, () => resolve({ [Symbol.dispose]: () => void socket.destroy() }));
    socket.once("error", reject);
  });
}
