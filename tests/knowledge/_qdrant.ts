/** A server in memory with the part of Qdrant's REST API that is used, checking what it is sent. */

interface Point {
  id: string;
  vector: number[];
  payload: Record<string, string | number>;
}
interface Condition {
  key: string;
  match: { value?: string; any?: string[] };
}
interface Collection {
  size: number;
  points: Map<string, Point>;
  indexes: string[];
}

/** Starts it; every request needs `key`. */
export function startQdrant(key: string) {
  const collections = new Map<string, Collection>();
  const state = { failing: false };
  const server = Deno.serve(
    { hostname: "127.0.0.1", port: 0, onListen: () => {} },
    async (request) => {
      if (request.headers.get("api-key") !== key) return answer(null, 403);
      if (state.failing) return answer(null, 500);
      const path = new URL(request.url).pathname.split("/").slice(1).map(decodeURIComponent);
      const text = await request.text();
      return route(collections, request.method, path, text ? JSON.parse(text) : undefined);
    },
  );
  return {
    url: `http://127.0.0.1:${server.addr.port}`,
    collections,
    points: () => [...collections.values()].reduce((sum, { points }) => sum + points.size, 0),
    set failing(failing: boolean) {
      state.failing = failing;
    },
    close: () => server.shutdown(),
  };
}

// deno-lint-ignore no-explicit-any -- bodies of many shapes; a wrong one fails the test
function route(all: Map<string, Collection>, method: string, path: string[], body: any): Response {
  const [, name, part, action] = path;
  const at = `${method} ${[part, action].filter(Boolean).join("/")}`;
  if (name === undefined) return answer({ collections: [...all.keys()].map((name) => ({ name })) });
  const collection = all.get(name);
  if (at === "GET exists") return answer({ exists: collection !== undefined });
  if (at === "PUT ") {
    if (collection) return answer(null, 409);
    all.set(name, { size: body.vectors.size, points: new Map(), indexes: [] });
    return answer(body.vectors.distance === "Cosine");
  }
  if (!collection) return answer(null, 404);
  switch (at) {
    case "PUT index":
      collection.indexes.push(body.field_name);
      return answer({ status: body.field_schema === "keyword" ? "completed" : "wrong" });
    case "PUT points":
      for (const point of body.points as Point[]) {
        if (point.vector.length !== collection.size) return answer(null, 400);
        collection.points.set(point.id, point);
      }
      return answer({ status: "completed" });
    case "POST points/delete":
      for (const point of matching(collection, body.filter)) collection.points.delete(point.id);
      return answer({ status: "completed" });
    case "POST points/query": {
      const points = matching(collection, body.filter)
        .map(({ vector, payload, id }) => ({ id, payload, score: dot(vector, body.query) }))
        .sort((a, b) => b.score - a.score).slice(0, body.limit);
      return answer({ points });
    }
  }
  return answer(null, 404);
}

function matching({ points }: Collection, filter: { must: Condition[] }): Point[] {
  return [...points.values()].filter(({ payload }) =>
    filter.must.every(({ key, match }) =>
      match.any ? match.any.includes(String(payload[key])) : payload[key] === match.value
    )
  );
}

function dot(a: number[], b: number[]): number {
  return a.reduce((sum, value, index) => sum + value * b[index]!, 0);
}

function answer(result: unknown, status = 200): Response {
  return Response.json({ result, status: status === 200 ? "ok" : { error: "no" } }, { status });
}
