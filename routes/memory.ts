/** `/v1/memory`: what is known of users, and forgetting. @module */
import { Hono } from "hono";
import * as z from "zod";
import { OrchestratorError } from "../errors.ts";
import { MAX_FACT_CHARS } from "../knowledge/mod.ts";
import { readBody } from "./body.ts";
import type { AppDeps, AppEnv } from "./deps.ts";
import { badHeader, readQuery } from "./headers.ts";
import { callerOf } from "./identity.ts";
import { ID } from "../service/mod.ts";

const user_id = z.string().min(1).max(128);

/** `POST /v1/memory`. */
const factRequest = z.strictObject({
  user_id,
  text: z.string().trim().min(1, "must not be empty").max(MAX_FACT_CHARS),
  about: z.string().regex(/^[a-z][a-z0-9_]{0,59}$/, "must be a–z, 0–9 and _").optional(),
});

/** `POST /v1/memory/clear`. */
const clearRequest = z.strictObject({
  conversation_id: z.string().regex(ID, "is not the ID of a conversation").optional(),
  user_id: user_id.optional(),
  cache: z.literal(true).optional(),
  all: z.literal(true).optional(),
}).refine((what) => Object.keys(what).length > 0, {
  error: "must have at least one of conversation_id, user_id, cache and all",
}).refine(({ all, ...what }) => !all || Object.keys(what).length === 0, {
  error: "all cannot be combined with other fields: it clears every conversation and every user",
});

/** The endpoints of what is remembered. */
export function memoryRoutes({ memory, recollection, settings }: AppDeps): Hono<AppEnv> {
  const max_bytes = settings.max_body_bytes;
  return new Hono<AppEnv>()
    .get("/v1/memory", async (c) => {
      const { user_id: user } = readQuery(c, "user_id");
      if (!user) throw badHeader("?user_id", "is required: it names the user");
      return c.json({ memories: await memory.list(callerOf(c), user) });
    })
    .post("/v1/memory", async (c) => {
      const { user_id, ...fact } = await readBody(c, { schema: factRequest, max_bytes });
      const caller = callerOf(c);
      const source = { by: caller.actor };
      return c.json(await memory.remember(caller, user_id, { ...fact, source }), 201);
    })
    .get("/v1/memory/stats", async (c) => c.json(await recollection.stats(callerOf(c))))
    .post("/v1/memory/clear", async (c) => {
      const what = await readBody(c, { schema: clearRequest, max_bytes });
      return c.json({ cleared: await recollection.forget(callerOf(c), what) });
    })
    .delete("/v1/memory/:id", async (c) => {
      const id = c.req.param("id");
      if (await memory.remove(callerOf(c), id)) return c.body(null, 204);
      throw new OrchestratorError(
        "not_found",
        `No fact has the ID ${
          JSON.stringify(id.slice(0, 128))
        }. GET /v1/memory?user_id= lists them.`,
      );
    });
}
