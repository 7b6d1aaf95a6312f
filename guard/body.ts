/** Reads bodies within their limits. @module */
import { promisify } from "node:util";
import { brotliDecompress, gunzip, type InputType } from "node:zlib";
import { OrchestratorError } from "../errors.ts";
import { type Incoming, tooLarge } from "./exchange.ts";

type Decoder = (input: InputType, options: { maxOutputLength: number }) => Promise<Uint8Array>;

const DECODERS: Record<string, Decoder> = {
  gzip: promisify(gunzip) as Decoder,
  "x-gzip": promisify(gunzip) as Decoder,
  br: promisify(brotliDecompress) as Decoder,
};

/**
 * The whole body, decompressed.
 *
 * @throws `response_too_large` before more than `max_bytes` are decompressed, `egress_failed` for an
 *   encoding that was not asked for or a broken one
 */
export async function readBody(
  host: string,
  { headers, body }: Incoming,
  max_bytes: number,
): Promise<Uint8Array> {
  const bytes = new Uint8Array(await new Response(body).arrayBuffer());
  const encoding = headers.get("content-encoding")?.trim().toLowerCase() ?? "identity";
  if (encoding === "identity" || bytes.length === 0) return bytes;
  const decode = Object.hasOwn(DECODERS, encoding) ? DECODERS[encoding] : undefined;
  if (!decode) throw broken(host, `in an encoding that was not requested (${encoding})`);
  try {
    return await decode(bytes, { maxOutputLength: max_bytes });
  } catch (cause) {
    if ((cause as { code?: unknown }).code === "ERR_BUFFER_TOO_LARGE") {
      throw tooLarge(host, max_bytes);
    }
    throw broken(host, `broken ${encoding}`, cause);
  }
}

function broken(host: string, what: string, cause?: unknown): OrchestratorError {
  const message = `Cannot read the response of ${host}: it is ${what}. Try another address.`;
  return new OrchestratorError("egress_failed", message, { cause });
}
