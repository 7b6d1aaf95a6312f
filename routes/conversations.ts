/** `/v1/conversations`: what was said. @module */
import { type Context, Hono } from "hono";
import { OrchestratorError } from "../errors.ts";
import type { AppDeps, AppEnv } from "./deps.ts";
import { readCursor, readLimit, readQuery } from "./headers.ts";
import { callerOf } from "./identity.ts";

type C = Context<AppEnv>;

/** The endpoints of conversations. */
export function conversationRoutes(deps: AppDeps): Hono<AppEnv> {
  return new Hono<AppEnv>()
    .get("/v1/conversations", (c) => list(c, deps))
    .get("/v1/conversations/:id", (c) => show(c, c.req.param("id"), deps))
    .delete("/v1/conversations/:id", async (c) => {
      const id = c.req.param("id");
      if (await deps.conversations.remove(callerOf(c), id) === null) throw unknown(id);
      return c.body(null, 204);
    });
}

async function list(c: C, { conversations }: AppDeps): Promise<Response> {
  const { limit, cursor } = readQuery(c, "limit", "cursor");
  const page = await conversations.list(callerOf(c), {
    limit: readLimit(limit),
    cursor: readCursor(cursor, "run"),
  });
  const found = page.conversations.map((head) => ({ ...head, links: linksOf(head.id) }));
  return c.json({ conversations: found, next_cursor: page.next_cursor ?? null });
}

/** A conversation with its newest exchanges, or those before `?cursor`. */
async function show(c: C, id: string, { conversations }: AppDeps): Promise<Response> {
  const caller = callerOf(c);
  const query = readQuery(c, "limit", "cursor");
  const limit = readLimit(query.limit);
  const before = readCursor(query.cursor, "run");
  const [head, summary, exchanges] = await Promise.all([
    conversations.head(caller, id),
    conversations.summary(caller, id),
    conversations.exchanges(caller, id, { before, limit: limit + 1 }),
  ]);
  if (!head && exchanges.length === 0) throw unknown(id);
  const page = exchanges.slice(-limit);
  return c.json({
    ...(head ?? { id }),
    summary: summary && { text: summary.text, upto: summary.upto },
    exchanges: page.map(({ run, owner: _owner, ...exchange }) => ({ run_id: run, ...exchange })),
    next_cursor: exchanges.length > limit ? page[0]!.run : null,
    links: linksOf(id),
  });
}

function linksOf(id: string) {
  return { self: `/v1/conversations/${encodeURIComponent(id)}` };
}

function unknown(id: string): OrchestratorError {
  return new OrchestratorError(
    "not_found",
    `No conversation has the ID ${
      JSON.stringify(id.slice(0, 128))
    }. GET /v1/conversations lists them.`,
  );
}
