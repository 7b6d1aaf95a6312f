/**
 * Qdrant as the place of vectors, over its REST API. One collection of Qdrant for each model and
 * size of vector; tenants and collections of documents are fields of its points, so that tenants do
 * not cost it a collection each.
 *
 * @module
 */
import { OrchestratorError, sentence } from "../errors.ts";
import type { Egress } from "../guard/mod.ts";
import type { Hit, Place, VectorDb } from "./document.ts";
import { sha256 } from "./hash.ts";

/** Points of one request: some 3 MB for vectors of 3,072 numbers. */
const BATCH = 64;

/** Where Qdrant is and how to get in. */
export interface QdrantOptions {
  egress: Pick<Egress, "request">;
  /** Without a path. */
  url: string;
  apiKey?: string;
  /** The model whose vectors are kept. */
  model: string;
}

interface Point {
  score: number;
  payload: { document: string; n: number };
}

/** Vectors in Qdrant. Every method throws `vector_db_failed`. */
export function createQdrant(options: QdrantOptions): VectorDb {
  return new Qdrant(options);
}

class Qdrant implements VectorDb {
  private readonly prefix: string;
  /** The collections that were made or seen. */
  private readonly ready = new Set<string>();

  constructor(private readonly options: QdrantOptions) {
    this.prefix = `orchestrator-${options.model.replace(/[^A-Za-z0-9_.-]+/g, "-").slice(0, 100)}`;
  }

  async put(
    place: Place,
    document: string,
    vectors: Float32Array[],
    signal: AbortSignal,
  ): Promise<void> {
    const name = this.nameFor(vectors[0]?.length ?? 0);
    await this.ensure(name, vectors[0]?.length ?? 0, signal);
    const points = vectors.map((vector, n) => ({
      id: pointId(place, document, n),
      vector: Array.from(vector),
      payload: { ...place, document, n },
    }));
    for (let at = 0; at < points.length; at += BATCH) {
      const body = { points: points.slice(at, at + BATCH) };
      await this.ask("PUT", `/collections/${name}/points?wait=true`, signal, body);
    }
  }

  async remove(place: Place, document: string, signal: AbortSignal): Promise<void> {
    const { collections } = await this.ask<{ collections: { name: string }[] }>(
      "GET",
      "/collections",
      signal,
    );
    const filter = { must: [...isIn(place), { key: "document", match: { value: document } }] };
    for (const { name } of collections) {
      if (!name.startsWith("orchestrator-")) continue;
      await this.ask("POST", `/collections/${name}/points/delete?wait=true`, signal, { filter });
    }
  }

  async search(
    place: Place,
    vector: Float32Array,
    { limit, documents }: { limit: number; documents?: string[] },
    signal: AbortSignal,
  ): Promise<Hit[]> {
    const name = this.nameFor(vector.length);
    const among = documents ? [{ key: "document", match: { any: documents } }] : [];
    await this.ensure(name, vector.length, signal);
    const { points } = await this.ask<{ points: Point[] }>(
      "POST",
      `/collections/${name}/points/query`,
      signal,
      {
        query: Array.from(vector),
        limit,
        filter: { must: [...isIn(place), ...among] },
        with_payload: ["document", "n"],
      },
    );
    return points.map(({ score, payload: { document, n } }) => ({ score, document, n }));
  }

  private nameFor(size: number): string {
    return `${this.prefix}-${size}`;
  }

  /** Makes a collection unless it is there, with indexes of what is filtered by. */
  private async ensure(name: string, size: number, signal: AbortSignal): Promise<void> {
    if (this.ready.has(name)) return;
    const path = `/collections/${name}`;
    const { exists } = await this.ask<{ exists: boolean }>("GET", `${path}/exists`, signal);
    if (!exists) {
      // Another process may be faster: that it is there is all that matters.
      await this.ask("PUT", path, signal, { vectors: { size, distance: "Cosine" } }, [409]);
      for (const field_name of ["tenant", "collection", "document"]) {
        const index = { field_name, field_schema: "keyword" };
        await this.ask("PUT", `${path}/index?wait=true`, signal, index);
      }
    }
    this.ready.add(name);
  }

  private async ask<T>(
    method: string,
    path: string,
    signal: AbortSignal,
    body?: unknown,
    fine: number[] = [],
  ): Promise<T> {
    const { egress, url, apiKey } = this.options;
    const { origin } = new URL(url);
    try {
      const { status, body: bytes } = await egress.request(`${url}${path}`, {
        method,
        signal,
        operator_origin: origin,
        max_redirects: 0,
        ...(apiKey ? { secret_headers: { origin, headers: { "api-key": apiKey } } } : {}),
        ...(body === undefined
          ? {}
          : { body: JSON.stringify(body), headers: { "content-type": "application/json" } }),
      });
      if (fine.includes(status)) return undefined as T;
      if (status !== 200) throw failed(`it answered ${status}`, status >= 500 || status === 429);
      return (JSON.parse(new TextDecoder().decode(bytes)) as { result: T }).result;
    } catch (error) {
      signal.throwIfAborted();
      if (error instanceof OrchestratorError && error.code === "vector_db_failed") throw error;
      throw failed("it is unreachable, or its response is not valid", true, error);
    }
  }
}

function isIn({ tenant, collection }: Place) {
  return [
    { key: "tenant", match: { value: tenant } },
    { key: "collection", match: { value: collection } },
  ];
}

/** Qdrant takes UUIDs: one made of a hash, so that writing a point again replaces it. */
function pointId({ tenant, collection }: Place, document: string, n: number): string {
  const hex = sha256(JSON.stringify([tenant, collection, document, n]));
  const variant = (parseInt(hex[16]!, 16) & 3 | 8).toString(16);
  return [
    hex.slice(0, 8),
    hex.slice(8, 12),
    `8${hex.slice(13, 16)}`,
    `${variant}${hex.slice(17, 20)}`,
    hex.slice(20, 32),
  ].join("-");
}

function failed(why: string, mayPass: boolean, cause?: unknown): OrchestratorError {
  return new OrchestratorError(
    "vector_db_failed",
    `Cannot use the vector database: ${sentence(why)} Check VECTOR_DB_URL and the database itself.`,
    { kind: mayPass ? "retryable" : "terminal", cause },
  );
}
