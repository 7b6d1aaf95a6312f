/**
 * `/v1/artifacts`: the files that runs made, and uploads for runs to read. Always by id; what others
 * wrote is never shown, only downloaded.
 *
 * @module
 */
import { type Context, Hono } from "hono";
import { OrchestratorError } from "../errors.ts";
import { artifactNotFound, type ArtifactRecord } from "../store/mod.ts";
import { readBytes } from "./body.ts";
import type { AppDeps, AppEnv } from "./deps.ts";
import { findRun, ID } from "../service/mod.ts";
import { badHeader, readTags } from "./headers.ts";
import { callerOf } from "./identity.ts";

type C = Context<AppEnv>;

/** The endpoints of files. */
export function artifactRoutes(deps: AppDeps): Hono<AppEnv> {
  const { artifacts, engine } = deps;
  const app = new Hono<AppEnv>();

  const find = async (c: C): Promise<ArtifactRecord> => {
    const id = c.req.param("id") ?? "";
    const found = ID.test(id) ? await artifacts.get(callerOf(c), id) : null;
    if (found) return found;
    throw artifactNotFound(id);
  };

  app.get("/v1/runs/:id/artifacts", async (c) => {
    const caller = callerOf(c);
    const { id } = await findRun(engine, caller, c.req.param("id"));
    return c.json({ artifacts: (await artifacts.list(caller, id)).map(viewArtifact) });
  });

  app.post("/v1/artifacts", (c) => upload(c, deps));

  app.get("/v1/artifacts/:id", async (c) => c.json(viewArtifact(await find(c))));

  app.get("/v1/artifacts/:id/content", async (c) => {
    const record = await find(c);
    const tags = readTags(c.req.header("if-none-match") ?? null, "If-None-Match");
    const headers = contentHeaders(record);
    if (tags?.some((tag) => tag === "*" || tag === record.sha256)) {
      return new Response(null, { status: 304, headers });
    }
    const bytes = await artifacts.read(callerOf(c), record.id);
    return partOf(c, bytes, headers);
  });

  app.delete("/v1/artifacts/:id", async (c) => {
    const id = c.req.param("id");
    if (ID.test(id) && await artifacts.remove(callerOf(c), id)) return c.body(null, 204);
    throw artifactNotFound(id);
  });

  return app;
}

async function upload(c: C, { artifacts, newId, settings }: AppDeps): Promise<Response> {
  const type = c.req.header("content-type") ?? "application/octet-stream";
  if (/^multipart\//i.test(type)) throw multipart();
  const name = nameOf(c);
  const key = keyOf(c) ?? `upload_${newId()}`;
  const bytes = await readBytes(c.req.raw, settings.max_artifact_bytes, "MAX_ARTIFACT_BYTES");
  const record = await artifacts.put(callerOf(c), { key }, { name, type, bytes });
  c.header("Location", `/v1/artifacts/${record.id}`);
  return c.json(viewArtifact(record), 201);
}

/** A file as clients see it. */
export function viewArtifact(record: ArtifactRecord) {
  const { id, run_id } = record;
  const self = `/v1/artifacts/${id}`;
  const run = run_id === undefined ? {} : { run: `/v1/runs/${run_id}` };
  return {
    ...record,
    uri: `artifact://${id}`,
    links: { self, content: `${self}/content`, ...run },
  };
}

function nameOf(c: C): string {
  const name = c.req.query("name") ?? "";
  if (name !== "" && name.length <= 200) return name;
  throw badHeader("?name", "must be the file's name, of at most 200 characters");
}

function keyOf(c: C): string | undefined {
  const key = c.req.header("idempotency-key");
  if (key === undefined || /^[\x20-\x7e]{1,255}$/.test(key)) return key;
  throw badHeader("Idempotency-Key", "must be 1 to 255 printable ASCII characters");
}

/** A browser saves the file and runs nothing in it, whatever its type says. */
function contentHeaders({ name, type, sha256 }: ArtifactRecord): Headers {
  const encoded = encodeURIComponent(name).replace(
    /['()*]/g,
    (sign) => `%${sign.charCodeAt(0).toString(16).toUpperCase()}`,
  );
  const plain = name.replace(/[^\x20-\x7e]|["\\%]/g, "_");
  return new Headers({
    "content-type": type,
    // The first one for clients that do not know the second.
    "content-disposition": `attachment; filename="${plain}"; filename*=UTF-8''${encoded}`,
    "content-security-policy": "default-src 'none'; frame-ancestors 'none'; sandbox",
    "accept-ranges": "bytes",
    "cache-control": "private, no-cache",
    "etag": `"${sha256}"`,
  });
}

/** All of the file, or the one range that was asked for; what is no single range is ignored. */
function partOf(c: C, bytes: Uint8Array, headers: Headers): Response {
  const total = bytes.length;
  const part = /^bytes=(\d{0,15})-(\d{0,15})$/.exec(c.req.header("range") ?? "");
  const condition = c.req.header("if-range");
  const isFresh = condition === undefined || condition === headers.get("etag");
  if (!part || !isFresh || part[0] === "bytes=-") return respond(bytes, 200, headers);
  const [first, last] = [part[1]!, part[2]!];
  const from = first === "" ? Math.max(0, total - Number(last)) : Number(first);
  const to = first === "" || last === "" ? total - 1 : Math.min(Number(last), total - 1);
  if (from > to) {
    headers.set("content-range", `bytes */${total}`);
    return new Response(null, { status: 416, headers });
  }
  headers.set("content-range", `bytes ${from}-${to}/${total}`);
  return respond(bytes.subarray(from, to + 1), 206, headers);
}

function respond(bytes: Uint8Array, status: number, headers: Headers): Response {
  return new Response(bytes as Uint8Array<ArrayBuffer>, { status, headers });
}

function multipart(): OrchestratorError {
  return new OrchestratorError(
    "unsupported_media_type",
    "Cannot accept a multipart body. Send the file itself as the body, its type as Content-Type and " +
      "its name as ?name=.",
  );
}
