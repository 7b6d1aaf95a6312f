/** `/v1/llm`: which models there are, and whether they answer. @module */
import { Hono } from "hono";
import * as z from "zod";
import { readBody } from "./body.ts";
import type { AppDeps, AppEnv } from "./deps.ts";
import { callerOf } from "./identity.ts";

/** `POST /v1/llm/test-connection`. */
const testRequest = z.strictObject({
  provider: z.string().min(1).max(64).optional(),
  model: z.string().min(1).max(256).optional(),
});

/** The endpoints of language models. */
export function llmRoutes({ llm, settings }: AppDeps): Hono<AppEnv> {
  return new Hono<AppEnv>()
    .get("/v1/llm/models", async (c) => c.json(await llm.offered(callerOf(c))))
    .post("/v1/llm/test-connection", async (c) => {
      const rules = { schema: testRequest, max_bytes: settings.max_body_bytes, when_empty: {} };
      return c.json(await llm.test(callerOf(c), await readBody(c, rules)));
    });
}
