import { expect } from "expect";
import { schemaIssues } from "../../../json/schema.ts";
import { httpTool, openapiTools, parseToolDefinition } from "../../../tools/http/mod.ts";
import { run, select, withApi } from "./_setup.ts";
import { test } from "../../guard/_setup.ts";

/** A 3.0 document with most of what documents have. */
const petstore = {
  openapi: "3.0.3",
  info: { title: "Pets", version: "1" },
  servers: [{ url: "https://{region}.example.com/v1/", variables: { region: { default: "eu" } } }],
  paths: {
    "/pets": {
      parameters: [{ $ref: "#/components/parameters/Trace" }],
      get: {
        operationId: "listPets",
        summary: "Lists pets.",
        description: "All of them.",
        parameters: [
          { name: "limit", in: "query", schema: { type: "integer", maximum: 100 } },
          { name: "tag[]", in: "query", schema: { type: "array", items: { type: "string" } } },
          { name: "ids", in: "query", explode: false, schema: { type: "array", items: {} } },
          { name: "session", in: "cookie", schema: { type: "string" } },
          { name: "where", in: "query", style: "deepObject", schema: { type: "object" } },
          { name: "Accept", in: "header", required: true, schema: { type: "string" } },
        ],
      },
      post: {
        operationId: "create-pet",
        requestBody: {
          required: true,
          content: { "application/json": { schema: { $ref: "#/components/schemas/Pet" } } },
        },
      },
    },
    "/pets/{pet-id}": {
      delete: {
        parameters: [{ name: "pet-id", in: "path", required: true, schema: { type: "string" } }],
      },
    },
  },
  components: {
    parameters: {
      Trace: { name: "X-Trace", in: "header", description: "A mark.", schema: { type: "string" } },
    },
    schemas: {
      Pet: {
        type: "object",
        required: ["id", "name"],
        discriminator: { propertyName: "kind" },
        properties: {
          id: { type: "integer", readOnly: true },
          name: { type: "string", nullable: true, example: "Rex" },
          kind: { type: "string", enum: ["cat", "dog"], nullable: true },
          age: { type: "number", minimum: 0, exclusiveMinimum: true, "x-unit": "years" },
          example: { type: "string" },
          parent: { $ref: "#/components/schemas/Pet" },
          owner: { nullable: true, allOf: [{ $ref: "#/components/schemas/Owner Type" }] },
        },
      },
      "Owner Type": { type: "object", properties: { name: { type: "string" } } },
    },
  },
};

const byName = (document: unknown, options = {}) => {
  const { definitions, issues } = openapiTools(document, options);
  expect(issues).toEqual([]);
  return Object.fromEntries(definitions.map((one) => [one.name, one]));
};

Deno.test("openapiTools() makes a tool of each operation", () => {
  const tools = byName(petstore);
  expect(Object.keys(tools)).toEqual(["list_pets", "create_pet", "delete_pets_pet_id"]);
  expect(tools.list_pets).toMatchObject({
    description: "Lists pets.\n\nAll of them.",
    http: {
      method: "GET",
      url: "https://eu.example.com/v1/pets",
      query: { limit: "{limit*}", "tag[]": "{tag_*}", ids: "{ids}" },
      headers: { "X-Trace": "{X-Trace}" },
    },
  });
  expect(tools.list_pets?.input).toEqual({
    type: "object",
    properties: {
      "X-Trace": { description: "A mark.", type: "string" },
      limit: { type: "integer", maximum: 100 },
      tag_: { type: "array", items: { type: "string" } },
      ids: { type: "array", items: {} },
    },
    additionalProperties: false,
  });
  expect(tools.delete_pets_pet_id).toMatchObject({
    description: "DELETE /pets/{pet-id}",
    http: { method: "DELETE", url: "https://eu.example.com/v1/pets/{pet-id}" },
    input: { required: ["pet-id"] },
  });
});

Deno.test("openapiTools() turns schemas of 3.0 into JSON Schema that stands alone", () => {
  const { create_pet } = byName(petstore);
  expect(create_pet?.http.body).toBe("{body}");
  expect(create_pet?.input).toMatchObject({
    properties: { body: { $ref: "#/$defs/Pet" } },
    required: ["body"],
    $defs: { Owner_Type: { type: "object" } },
  });
  const valid = (body: unknown) => schemaIssues(create_pet!.input, { body }).length === 0;
  expect(valid({ name: null, kind: null, owner: null, age: 1, example: "x" })).toBe(true);
  expect(valid({ name: "Rex", parent: { name: "Max" }, owner: { name: "Ann" } })).toBe(true);
  expect(valid({})).toBe(false);
  expect(valid({ name: "Rex", parent: {} })).toBe(false);
  expect(valid({ name: "Rex", age: 0 })).toBe(false);
  expect(valid({ name: "Rex", kind: "cow" })).toBe(false);
  expect(JSON.stringify(create_pet?.input)).not.toMatch(/readOnly|discriminator|x-unit|nullable/);
});

Deno.test("openapiTools() takes what is asked for, under other names and at another place", () => {
  const tools = byName(petstore, {
    include: ["listPets"],
    prefix: "shop_",
    base_url: "http://localhost:9000/api",
    common: { timeout_seconds: 5, untrusted: false, secret_headers: { "x-key": "${ secrets.a }" } },
  });
  expect(tools).toMatchObject({
    shop_list_pets: {
      http: { url: "http://localhost:9000/api/pets" },
      timeout_seconds: 5,
      untrusted: false,
      secret_headers: { "x-key": "${ secrets.a }" },
    },
  });
  expect(Object.keys(tools)).toEqual(["shop_list_pets"]);
});

Deno.test("openapiTools() reads 3.1 and servers beside the document", () => {
  const tools = byName({
    openapi: "3.1.0",
    servers: [{ url: "/api" }],
    paths: {
      "/a": {
        put: {
          operationId: "putA",
          servers: [{ url: "../b" }],
          requestBody: {
            content: {
              "multipart/form-data": { schema: {} },
              "application/x-www-form-urlencoded": {
                schema: { type: "object", properties: { n: { type: ["integer", "null"] } } },
              },
            },
          },
        },
      },
    },
  }, { document_url: "https://a.test/docs/v1/openapi.json" });
  expect(tools.put_a?.http).toMatchObject({
    url: "https://a.test/docs/b/a",
    headers: { "content-type": "application/x-www-form-urlencoded" },
  });
  expect(tools.put_a?.input.required).toBeUndefined();
});

Deno.test("openapiTools() says what cannot be a tool, and takes the rest", () => {
  const operation = (more: object) => ({ get: { operationId: "x", ...more } });
  const { definitions, issues } = openapiTools({
    openapi: "3.0.0",
    servers: [{ url: "https://a.test" }],
    paths: {
      "/ok": operation({ operationId: "ok" }),
      "/again": operation({ operationId: "OK" }),
      "/cookie": operation({
        parameters: [{ name: "c", in: "cookie", required: true, schema: {} }],
      }),
      "/out": operation({ parameters: [{ $ref: "other.yaml#/a" }] }),
      "/gone": operation({
        parameters: [{ name: "a", in: "query", schema: { $ref: "#/nowhere" } }],
      }),
      "/file": {
        post: { requestBody: { required: true, content: { "image/png": {} } } },
      },
      "/loop": operation({ parameters: [{ $ref: "#/paths/~1loop/get/parameters/0" }] }),
      "/type": operation({
        parameters: [{ name: "a", in: "query", schema: { type: "strin" } }],
      }),
      "/missing/{id}": operation({}),
    },
  });
  expect(definitions.map(({ name }) => name)).toEqual(["ok"]);
  expect(Object.fromEntries(issues.map(({ location, message }) => [location, message]))).toEqual({
    "/paths/~1again/get": "has the same name as another operation: ok",
    "/paths/~1cookie/get": "needs the cookie parameter c in a style that is not supported",
    "/paths/~1out/get": "refers to another document: other.yaml#/a",
    "/paths/~1gone/get": "has a reference that leads nowhere: #/nowhere",
    "/paths/~1file/post": "needs a body of a type that is not supported: image/png",
    "/paths/~1loop/get": "has circular references: #/paths/~1loop/get/parameters/0",
    "/paths/~1type/get": expect.stringContaining('unknown type "strin"; did you mean "string"?'),
    "/paths/~1missing~1{id}/get": expect.stringContaining("{id} is not a property of the input"),
  });
});

Deno.test("openapiTools() refuses other documents", () => {
  for (const value of [null, [], {}, { swagger: "2.0" }, { openapi: "4.0.0" }]) {
    expect(openapiTools(value)).toMatchObject({
      definitions: [],
      issues: [{ location: "/openapi" }],
    });
  }
  const { issues } = openapiTools({ openapi: "3.0.0", paths: { "/a": { get: {} } } });
  expect(issues[0]?.message).toContain("set base_url");
});

test("tools of a document call its server", () =>
  withApi(() => Response.json([{ name: "Rex" }]), async ({ url, seen, egress }) => {
    const { definitions } = openapiTools(petstore, { base_url: url });
    const tools = definitions.map((one) =>
      httpTool(one, { egress, select, source: "openapi", secrets: () => undefined })
    );
    const call = (name: string, args: Record<string, never>) =>
      run(tools.find((tool) => tool.name === name)!, args);
    const args = { limit: 2, tag_: ["a", "b"], ids: [1, 2], "X-Trace": "t" } as never;
    expect(await call("list_pets", args)).toEqual([{ name: "Rex" }]);
    await call("create_pet", { body: { name: "Rex" } } as never);
    await call("delete_pets_pet_id", { "pet-id": "a/1" } as never);
    expect(seen.map(({ method, url, body }) => `${method} ${url.pathname}${url.search} ${body}`))
      .toEqual([
        "GET /pets?limit=2&tag%5B%5D=a&tag%5B%5D=b&ids=1%2C2 ",
        'POST /pets {"name":"Rex"}',
        "DELETE /pets/a%2F1 ",
      ]);
    expect(seen[0]?.headers.get("x-trace")).toBe("t");
    expect(parseToolDefinition(definitions[0]).issues).toBeUndefined();
  }));
