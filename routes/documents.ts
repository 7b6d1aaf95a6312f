/**
 * `/v1/documents`: upload, crawl, look at, search and delete documents.
 *
 * @module
 */
import { type Context, Hono } from "hono";
import * as z from "zod";
import { OrchestratorError } from "../errors.ts";
import {
  collectionName,
  type DocumentRecord,
  metadata,
  type NewDocument,
  searchRequest,
} from "../knowledge/mod.ts";
import type { Json } from "../pipeline/kernel/mod.ts";
import { JSON_TYPE, parseJson, readBody, readBytes, validate } from "./body.ts";
import type { AppDeps, AppEnv } from "./deps.ts";
import { readCursor, readInteger, readLimit, readQuery } from "./headers.ts";
import { callerOf } from "./identity.ts";
import { startRun } from "./runs.ts";

type C = Context<AppEnv>;

/** What a body may need besides its document: fields, boundaries, escapes. */
const OVERHEAD_BYTES = 64 * 1024;
const LIMIT = "MAX_DOCUMENT_BYTES" as const;
const MULTIPART = /^multipart\/form-data\b/i;

const described = {
  title: z.string().min(1).max(500).optional(),
  url: z.url({ protocol: /^https?$/, error: "must be an http or https URL" }).optional(),
  name: z.string().min(1).max(255).optional(),
  collection: collectionName.optional(),
  metadata: metadata.optional(),
};
const description = z.strictObject(described);
const textDocument = z.strictObject({
  text: z.string().min(1, "must not be empty"),
  type: z.enum(["text/plain", "text/markdown", "text/html", "text/csv"]).default("text/plain"),
  ...described,
});

/** Checked as an input by the run that it becomes. */
const runInput = z.record(z.string(), z.unknown());

/** The endpoints of documents. */
export function documentRoutes(deps: AppDeps): Hono<AppEnv> {
  const { knowledge, settings: { max_body_bytes: max_bytes } } = deps;
  const app = new Hono<AppEnv>();

  app.post("/v1/documents", (c) => upload(c, deps));

  app.get("/v1/documents", (c) => list(c, deps));

  app.get("/v1/documents/collections", async (c) => {
    return c.json({ collections: await knowledge.collections(callerOf(c)) });
  });

  app.post("/v1/documents/search", async (c) => {
    const request = await readBody(c, { schema: searchRequest, max_bytes });
    return c.json(await knowledge.search(callerOf(c), request, c.req.raw.signal));
  });

  for (const name of ["crawl", "reindex"]) {
    app.post(`/v1/documents/${name}`, async (c) => {
      const input = await readBody(c, { schema: runInput, max_bytes, when_empty: {} });
      return await startRun(c, deps, { pipeline: `documents/${name}`, input });
    });
  }

  app.get("/v1/documents/:id", async (c) => {
    return c.json(view(await knowledge.get(callerOf(c), c.req.param("id"))));
  });

  app.get("/v1/documents/:id/passages", (c) => passagesOf(c, c.req.param("id"), deps));

  app.delete("/v1/documents/:id", async (c) => {
    await knowledge.remove(callerOf(c), c.req.param("id"));
    return c.body(null, 204);
  });

  return app;
}

async function upload(c: C, { knowledge, settings }: AppDeps): Promise<Response> {
  const document = await readUpload(c, settings.max_document_bytes);
  const { signal } = c.req.raw;
  const { document: kept, ...rest } = await knowledge.add(callerOf(c), document, signal);
  c.header("Location", `/v1/documents/${kept.id}`);
  return c.json({ ...view(kept), ...rest }, rest.outcome === "unchanged" ? 200 : 201);
}

async function list(c: C, { knowledge }: AppDeps): Promise<Response> {
  const { collection, limit, cursor } = readQuery(c, "collection", "limit", "cursor");
  const { documents, next_cursor } = await knowledge.list(callerOf(c), {
    ...(collection === undefined ? {} : { collection }),
    limit: readLimit(limit),
    cursor: readCursor(cursor, "document"),
  });
  return c.json({ documents: documents.map(view), next_cursor: next_cursor ?? null });
}

async function passagesOf(c: C, id: string, { knowledge }: AppDeps): Promise<Response> {
  const query = readQuery(c, "from", "limit");
  const rules = { name: "?from", min: 0, max: 1_000_000, fallback: 0 };
  const options = { from: readInteger(query.from, rules), limit: readLimit(query.limit) };
  return c.json({ passages: await knowledge.passages(callerOf(c), id, options) });
}

function view(record: DocumentRecord) {
  const self = `/v1/documents/${record.id}`;
  return { ...record, links: { self, passages: `${self}/passages` } };
}

/** A document in whatever form it was sent: JSON with its text, a form with a file, or the file. */
async function readUpload(c: C, max_bytes: number): Promise<NewDocument> {
  const type = c.req.raw.headers.get("content-type") ?? "";
  if (JSON_TYPE.test(type)) return await readTextUpload(c, max_bytes);
  if (MULTIPART.test(type)) return await readForm(c, type, max_bytes);
  const { metadata, ...query } = c.req.query();
  return {
    ...validate(description, withMetadata(query, metadata, "?metadata")),
    bytes: await readBytes(c.req.raw, max_bytes, LIMIT),
    ...(type ? { type } : {}),
  };
}

async function readTextUpload(c: C, max_bytes: number): Promise<NewDocument> {
  // Escapes make JSON up to twice as long as ordinary text.
  const body = { schema: textDocument, max_bytes: 2 * max_bytes + OVERHEAD_BYTES, limit: LIMIT };
  const { text, ...rest } = await readBody(c, body);
  return { ...rest, bytes: new TextEncoder().encode(text) };
}

async function readForm(c: C, type: string, max_bytes: number): Promise<NewDocument> {
  const bytes = await readBytes(c.req.raw, max_bytes + OVERHEAD_BYTES, LIMIT);
  const form = await new Response(new Uint8Array(bytes), { headers: { "content-type": type } })
    .formData().catch(() => {
      throw badForm("it is not valid multipart/form-data");
    });
  const file = form.get("file");
  if (!(file instanceof File)) throw badForm("it has no part `file` with a file name");
  const { metadata, ...fields } = Object.fromEntries(
    [...form].filter((entry): entry is [string, string] => typeof entry[1] === "string"),
  );
  return {
    name: file.name,
    ...validate(description, withMetadata(fields, metadata, "the part `metadata`")),
    bytes: new Uint8Array(await file.arrayBuffer()),
    ...(file.type ? { type: file.type } : {}),
  };
}

/** Where everything is text, metadata is JSON. */
function withMetadata(
  fields: Record<string, string>,
  metadata: string | undefined,
  part: string,
): Json {
  return metadata === undefined ? fields : { ...fields, metadata: parseJson(metadata, part) };
}

function badForm(why: string): OrchestratorError {
  return new OrchestratorError(
    "invalid_request",
    `Cannot read the form: ${why}. Send the document as the part \`file\`.`,
  );
}
