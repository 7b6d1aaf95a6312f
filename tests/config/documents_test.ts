import { expect } from "expect";
import { type Env, readConfig } from "../../config.ts";

const read = (env: Env) => readConfig({ HOME: "/home/x", ...env }).documents;
const problems = (env: Env): string[] => {
  try {
    read(env);
    return [];
  } catch (error) {
    const { issues } = error as { issues: { location: string }[] };
    return issues.map(({ location }) => location);
  }
};

Deno.test("documents are searched by words unless a model is named", () => {
  expect(read({ OPENAI_API_KEY: "sk-1" })).toEqual({
    max_bytes: 10_485_760,
    max_documents: 10_000,
    max_passages: 50_000,
  });
});

Deno.test("vectors come from the server that is named, else from the one that answers", () => {
  const server = (env: Env) => {
    const { model, base_url, api_key } = read({ EMBEDDING_MODEL: "small", ...env }).embedding!;
    return [model, base_url, api_key?.reveal()];
  };
  const compatible = { LLM_BASE_URL: "http://llm.test/v1", LLM_DEFAULT_MODEL: "x" };
  const openai = { OPENAI_API_KEY: "sk-openai" };
  expect(server(openai)).toEqual(["small", "https://api.openai.com/v1", "sk-openai"]);
  expect(server({ ...openai, OPENAI_BASE_URL: "http://gate.test/v1" })).toEqual([
    "small",
    "http://gate.test/v1",
    "sk-openai",
  ]);
  expect(server({ ...openai, ...compatible, LLM_API_KEY: "sk-llm" })).toEqual([
    "small",
    "http://llm.test/v1",
    "sk-llm",
  ]);
  expect(server({ EMBEDDING_API_KEY: "sk-e" })).toEqual([
    "small",
    "https://api.openai.com/v1",
    "sk-e",
  ]);
});

Deno.test("a key goes to no other server than its own", () => {
  const { embedding } = read({
    EMBEDDING_MODEL: "small",
    EMBEDDING_BASE_URL: "http://own.test/v1",
    OPENAI_API_KEY: "sk-openai",
  });
  expect(embedding).toEqual({ model: "small", base_url: "http://own.test/v1" });
});

Deno.test("what is missing is told", () => {
  expect(problems({ EMBEDDING_MODEL: "small" })).toEqual(["EMBEDDING_MODEL"]);
  expect(problems({ VECTOR_DB_URL: "http://localhost:6333" })).toEqual(["VECTOR_DB_URL"]);
  const all = {
    EMBEDDING_MODEL: "small",
    EMBEDDING_BASE_URL: "http://own.test/v1",
    VECTOR_DB_URL: "http://localhost:6333/",
    VECTOR_DB_API_KEY: "key",
  };
  expect(problems(all)).toEqual([]);
  expect(read(all).vector_db).toMatchObject({ url: "http://localhost:6333" });
});
