/** What a JSON Schema must be like for providers' structured output. */
import type { JsonSchema, ModelMessage } from "./model.ts";

/** The keywords that OpenAI's strict mode knows. */
const STRICT_KEYWORDS = new Set(
  ("$defs $ref additionalProperties anyOf const description enum exclusiveMaximum " +
    "exclusiveMinimum format items maxItems maximum minItems minimum multipleOf pattern " +
    "properties required title type").split(" "),
);

/**
 * True when the schema keeps to what OpenAI's strict mode takes: the root is an object, every object
 * is closed and requires all its properties, and there are no other keywords.
 */
export function isStrict(schema: JsonSchema): boolean {
  return schema.type === "object" && !schema.anyOf && holds(schema, (node) => {
    if (Object.keys(node).some((keyword) => !STRICT_KEYWORDS.has(keyword))) return false;
    if (!isObjectNode(node)) return true;
    const required = new Set(Array.isArray(node.required) ? node.required : []);
    return node.additionalProperties === false &&
      Object.keys(node.properties ?? {}).every((name) => required.has(name));
  });
}

/**
 * True when closing every object of the schema loses nothing: no object is a free-form map, and each
 * node says what it is.
 */
export function isClosable(schema: JsonSchema): boolean {
  return schema.type === "object" && holds(schema, (node) => {
    if (isObjectNode(node)) return Boolean(node.properties) && !node.additionalProperties;
    return ["type", "enum", "const", "anyOf", "oneOf", "allOf", "$ref"].some((key) => key in node);
  });
}

/** Says in words what structured output would ensure, for models and schemas without it. */
export function askForJson(schema: JsonSchema): string {
  return `Answer with one JSON value of this JSON Schema and nothing else:\n${
    JSON.stringify(schema)
  }`;
}

/** The messages with {@linkcode askForJson} in the system message: many templates take one only. */
export function withJsonAsked(messages: ModelMessage[], schema: JsonSchema): ModelMessage[] {
  const at = messages.findIndex(({ role }) => role === "system");
  const asked = askForJson(schema);
  const system = messages[at];
  if (!system) return [{ role: "system", content: asked }, ...messages];
  return messages.with(at, { role: "system", content: `${system.content}\n\n${asked}` });
}

function isObjectNode(node: JsonSchema): boolean {
  return node.type === "object" || (Array.isArray(node.type) && node.type.includes("object")) ||
    "properties" in node;
}

function holds(node: unknown, test: (node: JsonSchema) => boolean): boolean {
  if (!isRecord(node)) return false;
  if (!test(node)) return false;
  return children(node).every((child) => holds(child, test));
}

function children(node: JsonSchema): unknown[] {
  const named = [node.properties, node.$defs].filter(isRecord).flatMap(Object.values);
  const listed = [node.anyOf, node.oneOf, node.allOf].flatMap((list) => list ?? []);
  return [...named, ...listed, ...(node.items === undefined ? [] : [node.items])];
}

function isRecord(value: unknown): value is JsonSchema {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
