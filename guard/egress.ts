/**
 * The only way out for what agents, tools and documents ask for. An address is looked up once, every
 * address that the name has is checked, and the checked one is the one that is connected to.
 *
 * @module
 */

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
