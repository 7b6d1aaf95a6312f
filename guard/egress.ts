/**
 * The only way out for what agents, tools and documents ask for. An address is looked up once, every
 * address that the name has is checked, and the checked one is the one that is connected to.
 *
 * Invariants: (1) nothing is sent before the scheme, the host and every address were allowed; (2) each
 * redirect is checked like the first address; (3) connections to hosts that the operator named and
 * guarded ones are in separate pools, so that neither is used for the other; (4) secret headers go to
 * their origin only, and never again once a request has left it.
 *
 * @module
 */
import { isIP } from "node:net";
import type { Dispatcher } from "undici";
import type { Logger } from "../telemetry/mod.ts";
import { isLocalName, privateRange } from "./addresses.ts";
import { denied, openPool, type Resolve, systemResolve } from "./connector.ts";
import { readBody } from "./body.ts";
import { exchange, type Incoming } from "./exchange.ts";
import { egressFailure, withDeadline } from "./failure.ts";
import { firstHop, headersOf, type Hop, nextHop } from "./hop.ts";
import { bareHost, createRules } from "./rules.ts";

const TIMEOUT_MS = 30_000;
const MAX_BYTES = 5 * 1024 * 1024;
const MAX_REDIRECTS = 5;

/** One request to somewhere outside. */
export interface EgressRequest {
  method?: string;
  headers?: Record<string, string>;
  body?: string | Uint8Array;
  signal: AbortSignal;
  /** For the whole exchange, in milliseconds; default 30,000. */
  timeout_ms?: number;
  /** Of the response, after decompression; default 5 MiB. */
  max_bytes?: number;
  /** Redirects that are followed, each checked like the first address; default 5. 0: none. */
  max_redirects?: number;
  /**
   * Secret headers, each bound to the origin it was configured for: left out when a request or a
   * redirect goes to another one.
   */
  secret_headers?: { origin: string; headers: Record<string, string> };
  /**
   * An origin that the operator configured for this call, such as `http://localhost:9000`: it may be
   * at a private address. Other origins, redirects among them, are checked as ever.
   */
  operator_origin?: string;
}

/** What came back. The body is complete and within the limit. */
export interface EgressResponse {
  /** After redirects. */
  url: string;
  status: number;
  headers: Headers;
  body: Uint8Array;
}

/** Makes requests that are allowed. */
export interface Egress {
  /**
   * @throws `egress_denied` (terminal: a scheme, a host or an address that is not allowed),
   *   `egress_failed` (retryable when the connection broke or timed out), `response_too_large`, and
   *   what aborted `signal`. A status is not an error.
   */
  request(url: string, request: EgressRequest): Promise<EgressResponse>;

  /**
   * The same for protocols that stream: the answer comes with its headers, the body is read as it
   * arrives. Redirects are not followed; `timeout_ms` ends with the headers; a body of more than
   * `max_bytes` breaks with `response_too_large`, one that `signal` ends with its reason.
   *
   * @throws as {@linkcode Egress.request}
   */
  fetch(url: string, request: EgressRequest): Promise<Response>;
}

/** What the guard is made with. */
export interface EgressOptions {
  /** Hosts that may be private: `host`, `host:port`, `*.example.com`. */
  allowed_hosts: readonly string[];
  /** Looks names up; default: the system. */
  resolve?: Resolve;
  /** Told what is refused. */
  log?: Pick<Logger, "warn">;
}

/** An {@linkcode Egress} that owns its connections. */
export interface EgressGuard extends Egress {
  /** Closes every connection; what is under way fails. */
  close(): Promise<void>;
}

/** Makes the guard. No connection is opened before the first request. */
export function createEgress(options: EgressOptions): EgressGuard {
  return new PooledEgress(options);
}

class PooledEgress implements EgressGuard {
  private readonly isNamed: (url: URL) => boolean;
  /** Connections to guarded hosts, and to those that the operator named (invariant 3). */
  private readonly pools = new Map<boolean, Promise<Dispatcher>>();

  constructor(private readonly options: EgressOptions) {
    this.isNamed = createRules(options.allowed_hosts);
  }

  request(url: string, request: EgressRequest): Promise<EgressResponse> {
    const { max_redirects = MAX_REDIRECTS } = request;
    return this.attempt(url, request, (signal) => {
      const follow = async (hop: Hop, left: number): Promise<EgressResponse> => {
        const incoming = await this.send(hop, request, signal, "gzip, br");
        const next = max_redirects === 0 ? undefined : nextHop(hop, incoming, left);
        if (!next) return await complete(hop, incoming, request.max_bytes ?? MAX_BYTES);
        await incoming.body.cancel();
        return await follow(next, left - 1);
      };
      return follow(firstHop(url, request), max_redirects);
    });
  }

  fetch(url: string, request: EgressRequest): Promise<Response> {
    return this.attempt(url, request, async (signal) => {
      const hop = firstHop(url, request);
      const { status, headers, body } = await this.send(hop, request, signal, "identity");
      const empty = status === 204 || status === 205 || status === 304;
      if (empty) await body.cancel();
      return new Response(empty ? null : body, { status, headers });
    });
  }

  async close(): Promise<void> {
    const open = [...this.pools.values()];
    this.pools.clear();
    await Promise.all(open.map(async (pool) => (await pool).destroy()));
  }

  /** Runs one exchange with its deadline and shapes what goes wrong. */
  private async attempt<T>(
    url: string,
    { signal, timeout_ms = TIMEOUT_MS }: EgressRequest,
    work: (signal: AbortSignal) => Promise<T>,
  ): Promise<T> {
    signal.throwIfAborted();
    try {
      return await withDeadline(signal, timeout_ms, work);
    } catch (error) {
      if (signal.aborted) throw signal.reason;
      const failure = egressFailure(url, error);
      if (failure.code === "egress_denied") {
        this.options.log?.warn("egress denied", { error: failure });
      }
      throw failure;
    }
  }

  private async send(
    hop: Hop,
    { operator_origin, secret_headers, max_bytes = MAX_BYTES }: EgressRequest,
    signal: AbortSignal,
    encodings: string,
  ): Promise<Incoming> {
    const guarded = !this.isNamed(hop.url) && !isOrigin(hop.url, operator_origin);
    refuse(hop.url, guarded);
    const outgoing = { ...hop, headers: headersOf(hop, secret_headers, encodings) };
    return await exchange(await this.poolFor(guarded), outgoing, signal, max_bytes);
  }

  private poolFor(guarded: boolean): Promise<Dispatcher> {
    const { pools, options: { resolve = systemResolve } } = this;
    const pool = pools.get(guarded) ?? openPool(resolve, guarded);
    pools.set(guarded, pool);
    return pool;
  }
}

async function complete(hop: Hop, incoming: Incoming, max_bytes: number): Promise<EgressResponse> {
  const { status, headers } = incoming;
  return {
    url: hop.url.href,
    status,
    headers,
    body: await readBody(hop.url.host, incoming, max_bytes),
  };
}

function isOrigin(url: URL, origin: string | undefined): boolean {
  return origin !== undefined && URL.canParse(origin) && url.origin === new URL(origin).origin;
}

/** What can be told without a lookup. @throws `egress_denied` */
function refuse(url: URL, guarded: boolean): void {
  const host = bareHost(url.hostname);
  if (url.protocol !== "http:" && url.protocol !== "https:") {
    throw denied(host || url.protocol, `its scheme is ${url.protocol} instead of http: or https:`);
  }
  if (url.username || url.password) {
    throw denied(host, "its address contains a user name or a password");
  }
  if (!guarded) return;
  const range = isIP(host) ? privateRange(host) : isLocalName(host) ? "local" : undefined;
  if (range) throw denied(host, `it is not public (${range})`);
}
