import { expect } from "expect";
import { createEmbedder } from "../../llm/embeddings.ts";

const NEVER = new AbortController().signal;

/** A server that answers as the script says, one entry for each request; the last one repeats. */
function serve(...script: ((input: string[]) => Response)[]) {
  const requests: { authorization: string | null; body: Record<string, unknown> }[] = [];
  const server = Deno.serve(
    { hostname: "127.0.0.1", port: 0, onListen: () => {} },
    async (request) => {
      const body = await request.json();
      const authorization = request.headers.get("authorization");
      const answer = script[Math.min(requests.length, script.length - 1)]!;
      requests.push({ authorization, body });
      return answer(body.input);
    },
  );
  const pauses: number[] = [];
  const embedder = createEmbedder({
    model: "small",
    baseUrl: `http://127.0.0.1:${server.addr.port}/v1`,
    apiKey: "sk-secret",
    timeout_ms: 5_000,
    sleep: (ms) => {
      pauses.push(ms);
      return Promise.resolve();
    },
  });
  return { embedder, requests, pauses, [Symbol.asyncDispose]: () => server.shutdown() };
}

const vectors = (input: string[]) =>
  Response.json({
    object: "list",
    model: "small",
    // The order is not promised.
    data: input.map((text, index) => ({ object: "embedding", index, embedding: [text.length, 1] }))
      .reverse(),
  });
const refuse = (status: number, headers = {}) => () =>
  Response.json({ error: { message: "no" } }, { status, headers });

Deno.test("embed() asks in batches and gives the vectors in the order of the texts", async () => {
  await using it = serve(vectors);
  const texts = Array.from({ length: 150 }, (_, n) => "x".repeat(n));
  const found = await it.embedder.embed(texts, NEVER);
  expect(found.slice(1)).toEqual(texts.slice(1).map((text) => [text.length, 1]));
  expect(it.requests.map(({ body }) => (body.input as string[]).length)).toEqual([64, 64, 22]);
  expect(it.requests[0]).toMatchObject({
    authorization: "Bearer sk-secret",
    body: { model: "small", encoding_format: "float" },
  });
});

Deno.test("embed() cuts what no model reads, and never sends an empty text", async () => {
  await using it = serve(vectors);
  expect(await it.embedder.embed(["", "y".repeat(20_000)], NEVER)).toEqual([[1, 1], [8_000, 1]]);
});

Deno.test("embed() tries again what may pass, and waits as long as it is told", async () => {
  await using it = serve(refuse(503), refuse(429, { "retry-after": "2" }), vectors);
  expect(await it.embedder.embed(["abc"], NEVER)).toEqual([[3, 1]]);
  expect(it.pauses).toEqual([250, 2_000]);
});

Deno.test("embed() leaves a long wait to its caller", async () => {
  await using it = serve(refuse(429, { "retry-after": "86400" }), vectors);
  await expect(it.embedder.embed(["abc"], NEVER)).rejects.toMatchObject({
    code: "model_rate_limited",
    retry_after_ms: 86_400_000,
  });
  expect([it.requests.length, it.pauses]).toEqual([1, []]);
});

Deno.test("embed() gives up what does not pass, and never tells the key", async () => {
  await using down = serve(refuse(500));
  await expect(down.embedder.embed(["a"], NEVER)).rejects.toMatchObject({
    code: "model_unavailable",
    kind: "retryable",
  });
  expect(down.requests).toHaveLength(4);
  await using wrong = serve(refuse(401));
  const error = await wrong.embedder.embed(["a"], NEVER).catch((e) => e);
  expect(error).toMatchObject({ code: "model_auth", kind: "terminal" });
  expect(error.message).not.toContain("sk-secret");
  expect(wrong.requests).toHaveLength(1);
});

Deno.test("embed() refuses vectors that are missing or of several lengths", async () => {
  await using few = serve(() => vectors(["a"]));
  await expect(few.embedder.embed(["a", "b"], NEVER)).rejects.toMatchObject({
    code: "model_bad_output",
  });
  const uneven = () =>
    Response.json({ data: [{ index: 0, embedding: [1] }, { index: 1, embedding: [1, 2] }] });
  for (const embedding of [["1"], [null], [NaN], "AAAA", { 0: 1, length: 1 }]) {
    await using odd = serve(() => Response.json({ data: [{ index: 0, embedding }] }));
    await expect(odd.embedder.embed(["a"], NEVER)).rejects.toMatchObject({
      code: "model_bad_output",
    });
  }
  await using mixed = serve(uneven);
  await expect(mixed.embedder.embed(["a", "b"], NEVER)).rejects.toMatchObject({
    code: "model_bad_output",
  });
});

Deno.test("embed() ends when it is aborted", async () => {
  await using it = serve(vectors);
  const reason = new Error("enough");
  await expect(it.embedder.embed(["a"], AbortSignal.abort(reason))).rejects.toBe(reason);
  expect(it.requests).toHaveLength(0);
});
