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
}
