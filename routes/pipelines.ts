/**
 * `/v1/pipelines`: look at pipelines, check, put and delete documents, start runs of them.
 * `/v1/schedules`: when they start by themselves.
 *
 * @module
 */
import { type Context, Hono } from "hono";
import { stringify } from "yaml";
import { OrchestratorError } from "../errors.ts";
import type { CatalogEntry, PipelineDetail, PipelineVersion } from "../pipeline/catalog/mod.ts";
import { JSON_TYPE, parseJson, readBody, readText, validationFailed } from "./body.ts";
import type { AppDeps, AppEnv } from "./deps.ts";
import { readInteger, readQuery, readTags } from "./headers.ts";
import { callerOf } from "./identity.ts";
import { startRun } from "./runs.ts";
import { pipelineRunRequest } from "../service/mod.ts";

type C = Context<AppEnv>;

const YAML_TYPE = /^(?:application|text)\/(?:x-)?yaml[ \t]*(?:;|$)/i;

/** The endpoints of pipelines. */
export function pipelineRoutes(deps: AppDeps): Hono<AppEnv> {
  const { pipelines, settings } = deps;
  const app = new Hono<AppEnv>();

  app.get("/v1/pipelines", async (c) => {
    readQuery(c);
    return c.json({ pipelines: (await pipelines.list(callerOf(c))).map(viewEntry) });
  });

  app.post("/v1/pipelines/validate", async (c) => {
    const issues = await pipelines.check(callerOf(c), await readDocument(c, settings));
    return c.json({ valid: issues.length === 0, issues });
  });

  app.get("/v1/pipelines/:name", (c) => show(c, c.req.param("name"), deps));

  app.get("/v1/pipelines/:name/versions", async (c) => {
    readQuery(c);
    const versions = await pipelines.versions(callerOf(c), c.req.param("name"));
    return c.json({ versions: versions.map(viewVersion) });
  });

  app.put("/v1/pipelines/:name", (c) => put(c, c.req.param("name"), deps));

  app.delete("/v1/pipelines/:name", async (c) => {
    await pipelines.remove(callerOf(c), c.req.param("name"), conditionOf(c));
    return c.body(null, 204);
  });

  app.post("/v1/pipelines/:name/runs", async (c) => {
    const rules = { schema: pipelineRunRequest, max_bytes: settings.max_body_bytes };
    const body = await readBody(c, { ...rules, when_empty: {} });
    return await startRun(c, deps, { ...body, pipeline: c.req.param("name") });
  });

  return app;
}

/** The endpoint of schedules. */
export function scheduleRoutes({ schedules }: AppDeps): Hono<AppEnv> {
  return new Hono<AppEnv>().get("/v1/schedules", async (c) => {
    readQuery(c);
    return c.json({ schedules: await schedules.list(callerOf(c)) });
  });
}

async function show(c: C, name: string, { pipelines }: AppDeps): Promise<Response> {
  const { tag, ...detail } = await pipelines.read(callerOf(c), name, numberOf(c));
  c.header("ETag", `"${tag}"`);
  return c.json(viewDetail(detail));
}

async function put(c: C, name: string, { pipelines, settings }: AppDeps): Promise<Response> {
  const condition = conditionOf(c);
  const caller = callerOf(c);
  const text = await readDocument(c, settings);
  const { outcome, number } = await pipelines.put(caller, name, text, condition);
  const { tag, ...detail } = await pipelines.read(caller, name, number);
  c.header("ETag", `"${tag}"`);
  c.header("Location", `/v1/pipelines/${name}`);
  return c.json(viewDetail(detail), outcome === "created" ? 201 : 200);
}

/** A document as YAML text, however it was sent. */
async function readDocument(c: C, { max_body_bytes }: AppDeps["settings"]): Promise<string> {
  const type = c.req.raw.headers.get("content-type") ?? "";
  if (YAML_TYPE.test(type)) return await readText(c, max_body_bytes);
  if (!JSON_TYPE.test(type)) {
    throw new OrchestratorError(
      "unsupported_media_type",
      `Cannot read a pipeline of type ${JSON.stringify(type)}: send YAML as application/yaml, or ` +
        "JSON as application/json.",
    );
  }
  const body = parseJson(await readText(c, max_body_bytes));
  if (typeof body !== "object" || body === null || Array.isArray(body)) {
    throw validationFailed([{ location: "", message: "must be a pipeline, or {text} with one" }]);
  }
  const wrapped = typeof body.text === "string" && Object.keys(body).length === 1;
  return wrapped ? body.text as string : stringify(body);
}

function conditionOf(c: C) {
  const { headers } = c.req.raw;
  return {
    match: readTags(headers.get("if-match"), "If-Match"),
    none_match: readTags(headers.get("if-none-match"), "If-None-Match"),
  };
}

function numberOf(c: C): number | undefined {
  const number = c.req.query("number");
  const rules = { name: "?number", min: 1, max: Number.MAX_SAFE_INTEGER, fallback: 0 };
  return readInteger(number, rules) || undefined;
}

function linksOf(name: string) {
  const self = `/v1/pipelines/${name}`;
  return { self, versions: `${self}/versions`, runs: `${self}/runs` };
}

function viewEntry({ file: _file, issues = [], ...entry }: CatalogEntry) {
  return { ...entry, valid: issues.length === 0, issues, links: linksOf(entry.name) };
}

function viewDetail(detail: Omit<PipelineDetail, "tag">) {
  return { ...detail, links: linksOf(detail.name) };
}

function viewVersion(version: PipelineVersion) {
  const self = `/v1/pipelines/${version.name}?number=${version.number}`;
  return { ...version, links: { self } };
}
