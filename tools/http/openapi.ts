/**
 * Tools of an OpenAPI document (3.0, 3.1): one for each operation. Responses are not checked against
 * the document, which often knows less than the server does.
 *
 * @module
 */
import type { Issue } from "../../errors.ts";
import type { Json, JsonSchema } from "../../json/mod.ts";
import { type HttpToolDefinition, parseToolDefinition } from "./definition.ts";
import { closeSchema, isRecord, resolveRef } from "./openapi_schema.ts";

/** What of a document becomes tools. */
export interface OpenapiOptions {
  /** Begins the tools' names. */
  prefix?: string;
  /** `operationId`s to take; default: all. */
  include?: string[];
  /** Instead of the document's own servers. */
  base_url?: string;
  /** Where the document is, for servers with a relative address. */
  document_url?: string;
  /** Fields of {@linkcode HttpToolDefinition} that all its tools share. */
  common?: Partial<
    Pick<HttpToolDefinition, "secret_headers" | "timeout_seconds" | "untrusted">
  >;
}

/** The tools of a document, and what of it cannot be one. */
export interface OpenapiTools {
  definitions: HttpToolDefinition[];
  issues: Issue[];
}

const METHODS = ["get", "head", "post", "put", "patch", "delete"];
const BODY_TYPES = /^application\/(?:(?:[\w.+-]+\+)?json|x-www-form-urlencoded)\b/;
/** Headers that the specification leaves to other parts of a document. */
const IGNORED_HEADERS = ["accept", "content-type", "authorization"];
const MAX_DESCRIPTION = 1000;

/** Reads a document that was parsed from JSON or YAML. */
export function openapiTools(document: unknown, options: OpenapiOptions = {}): OpenapiTools {
  if (!isRecord(document) || !/^3\.[01]\b/.test(String(document.openapi))) {
    const message = "is not an OpenAPI 3.0 or 3.1 document: convert it first";
    return { definitions: [], issues: [{ location: "/openapi", message }] };
  }
  const result: OpenapiTools = { definitions: [], issues: [] };
  for (const operation of operations(document)) {
    const id = operation.value.operationId;
    if (options.include && !options.include.includes(String(id))) continue;
    try {
      add(result, operation, document, options);
    } catch (error) {
      result.issues.push({ location: operation.location, message: (error as Error).message });
    }
  }
  return result;
}

interface Operation {
  location: string;
  path: string;
  method: string;
  item: JsonSchema;
  value: JsonSchema;
}

function operations(document: JsonSchema): Operation[] {
  return Object.entries(recordOf(document.paths)).flatMap(([path, value]) => {
    const item = recordOf(resolveRef(document, value));
    return METHODS.filter((method) => isRecord(item[method])).map((method) => ({
      location: `/paths/${path.replaceAll("~", "~0").replaceAll("/", "~1")}/${method}`,
      path,
      method,
      item,
      value: item[method] as JsonSchema,
    }));
  });
}

function add(
  result: OpenapiTools,
  operation: Operation,
  document: JsonSchema,
  options: OpenapiOptions,
): void {
  const value = definitionOf(operation, document, options);
  const parsed = parseToolDefinition(value, { operator: true });
  const report = (message: string) => result.issues.push({ location: operation.location, message });
  if (parsed.issues) {
    for (const { location, message } of parsed.issues) report(`${location}: ${message}`);
  } else if (result.definitions.some(({ name }) => name === parsed.definition.name)) {
    report(`has the same name as another operation: ${parsed.definition.name}`);
  } else result.definitions.push(parsed.definition);
}

function definitionOf(
  { path, method, item, value }: Operation,
  document: JsonSchema,
  options: OpenapiOptions,
): unknown {
  const parts: Parts = { properties: {}, required: [], names: {}, query: {}, headers: {} };
  const base = serverOf(document, item, value, options);
  for (const parameter of parametersOf(document, item, value)) addParameter(parts, parameter);
  const body = addBody(parts, resolveRef(document, value.requestBody), document);
  const input = closeSchema(document, {
    type: "object",
    properties: parts.properties,
    ...(parts.required.length > 0 && { required: parts.required }),
    additionalProperties: false,
  });
  const url = base +
    path.replace(/\{([^}]*)\}/g, (_whole, name) => `{${parts.names[name] ?? name}}`);
  return {
    name: nameOf(String(value.operationId ?? `${method}_${path}`), options.prefix ?? ""),
    description: describe(value) || `${method.toUpperCase()} ${path}`,
    input,
    http: {
      method: method.toUpperCase(),
      url,
      query: parts.query,
      headers: parts.headers,
      ...body,
    },
    ...options.common,
  };
}

/** What parameters add to a definition. */
interface Parts {
  properties: JsonSchema;
  required: string[];
  /** The property of each path parameter. */
  names: Record<string, string>;
  query: Record<string, string>;
  headers: Record<string, string>;
}

/** Those of the path, overridden by those of the operation. */
function parametersOf(document: JsonSchema, item: JsonSchema, value: JsonSchema): JsonSchema[] {
  const all = [...listOf(item.parameters), ...listOf(value.parameters)]
    .map((parameter) => recordOf(resolveRef(document, parameter)));
  return [...new Map(all.map((one) => [`${one.in} ${one.name}`, one])).values()];
}

function addParameter(parts: Parts, parameter: JsonSchema): void {
  const { in: place, name, required, style, description } = parameter;
  const key = String(name);
  if (place === "header" && IGNORED_HEADERS.includes(key.toLowerCase())) return;
  const usual = place === "query" ? "form" : "simple";
  if (place === "cookie" || (style ?? usual) !== usual) {
    if (!required) return;
    throw new Error(`needs the ${place} parameter ${key} in a style that is not supported`);
  }
  const property = propertyName(parts, key);
  const schema = recordOf(
    parameter.schema ?? Object.values(recordOf(parameter.content))
      .map((media) => recordOf(media).schema)[0],
  );
  parts.properties[property] = description && !schema.$ref ? { description, ...schema } : schema;
  if (required || place === "path") parts.required.push(property);
  if (place === "path") parts.names[key] = property;
  if (place === "query") {
    const explode = parameter.schema !== undefined && parameter.explode !== false;
    parts.query[key] = explode ? `{${property}*}` : `{${property}}`;
  }
  if (place === "header") parts.headers[key] = `{${property}}`;
}

function addBody(
  parts: Parts,
  requestBody: unknown,
  document: JsonSchema,
): { body?: Json } {
  if (!isRecord(requestBody)) return {};
  const content = recordOf(requestBody.content);
  const type = Object.keys(content).find((one) => BODY_TYPES.test(one));
  if (type === undefined) {
    if (!requestBody.required) return {};
    throw new Error(`needs a body of a type that is not supported: ${Object.keys(content)}`);
  }
  const property = propertyName(parts, "body");
  parts.properties[property] = recordOf(recordOf(resolveRef(document, content[type])).schema);
  if (requestBody.required) parts.required.push(property);
  parts.headers["content-type"] = type;
  return { body: `{${property}}` };
}

/** A name that placeholders and models' interfaces take, and that is still free. */
function propertyName({ properties }: Parts, name: string): string {
  const plain = name.replace(/[^\w.-]+/g, "_").replace(/^[^A-Za-z_]/, "_$&").slice(0, 60);
  for (let count = 1;; count++) {
    const candidate = count === 1 ? plain : `${plain}_${count}`;
    if (!Object.hasOwn(properties, candidate)) return candidate;
  }
}

/** `listPets` and `get_/pets/{id}` as tools are named. */
function nameOf(id: string, prefix: string): string {
  const snake = id.replace(/([a-z\d])([A-Z])/g, "$1_$2").toLowerCase()
    .replace(/[^a-z\d]+/g, "_").replace(/^_+|_+$/g, "");
  return `${prefix}${snake}`.replace(/^(?=\d)/, "op_").slice(0, 64);
}

function describe({ summary, description }: JsonSchema): string {
  const parts = [summary, description].filter((part) => typeof part === "string" && part !== "");
  return [...new Set(parts)].join("\n\n").slice(0, MAX_DESCRIPTION);
}

function serverOf(
  document: JsonSchema,
  item: JsonSchema,
  value: JsonSchema,
  { base_url, document_url }: OpenapiOptions,
): string {
  const [server] = [value, item, document].map(({ servers }) => listOf(servers))
    .find((servers) => servers.length > 0) ?? [];
  const { url = "/", variables } = recordOf(server);
  const filled = String(url).replace(
    /\{([^}]*)\}/g,
    (_whole, name) => String(recordOf(recordOf(variables)[name]).default ?? ""),
  );
  const address = base_url ?? filled;
  if (!URL.canParse(address, document_url)) {
    throw new Error("has no server with a full address: set base_url");
  }
  return new URL(address, document_url).href.replace(/[?#].*$/, "").replace(/\/+$/, "");
}

function recordOf(value: unknown): JsonSchema {
  return isRecord(value) ? value : {};
}

function listOf(value: unknown): unknown[] {
  return Array.isArray(value) ? value : [];
}
