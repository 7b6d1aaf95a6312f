/** The variables about models: the general ones, and those of each provider's row. @module */
import * as z from "zod";
import {
  type AddressVariable,
  type KeyVariable,
  type ProjectVariable,
  type Provider,
  type ProviderName as RemoteName,
  ROWS,
} from "../llm/mod.ts";
import {
  apiKey,
  baseUrl,
  integer,
  listOf,
  oneOf,
  optional,
  projectId,
  required,
  text,
  url,
} from "./schemas.ts";

/** A provider that can answer model requests. */
export type ProviderName = RemoteName | "offline";

/** What `LLM_PROVIDER` may be, and which provider that is. */
const SPELLINGS: Record<string, ProviderName> = {
  ...Object.fromEntries(
    ROWS.flatMap(([name, { aliases = [] }]) => [name, ...aliases].map((word) => [word, name])),
  ),
  offline: "offline",
};

/** Those whose key chooses them. */
const KEYED = ROWS.filter(([, { keys }]) => keys.length > 0).map(([name]) => name);

const LIST = new Intl.ListFormat("en-GB");

const models = "Models";

/** The variables about models, in the order of the documentation. */
export const MODEL_VARIABLES = {
  LLM_PROVIDER: optional(oneOf(SPELLINGS), {
    group: models,
    description:
      "The provider that answers model requests. If not set: `openai-compatible` if `LLM_BASE_URL` is set, otherwise " +
      `the first of ${LIST.format(KEYED)} whose key is set, otherwise \`offline\`.`,
    example: "openai",
  }),
  LLM_DEFAULT_MODEL: optional(text, {
    group: models,
    description: "The model of agents that do not name one. Each provider has its own default.",
    example: "gpt-5-mini",
  }),
  LLM_BASE_URL: optional(url, {
    group: models,
    description:
      "The address of a server that speaks OpenAI's API (Ollama, vLLM, LM Studio …). With `LLM_PROVIDER`, the address of a server that speaks that provider's API; nothing is then sent to the provider itself.",
    example: "http://localhost:11434/v1",
  }),
  LLM_API_KEY: apiKey(
    models,
    "`LLM_BASE_URL`. Without `LLM_BASE_URL`, the API key for `LLM_PROVIDER` if its own key is not set",
    "sk-your-api-key",
  ),
  ...providerVariables((row) => row.projects === undefined),
  LLM_FALLBACKS: required(
    listOf(z.string().regex(/^[a-z-]+\/\S+$/), "`provider/model` names"),
    {
      group: models,
      default: "",
      description: "The models to try, in this order, when the first one fails.",
      example: "anthropic/claude-haiku-4-5,openai/gpt-5-mini",
    },
  ),
  LLM_TIMEOUT_SECONDS: required(integer(1, 3600), {
    group: models,
    default: "120",
    description: "The time limit for one model call.",
    example: "120",
  }),
  LLM_STALL_TIMEOUT_SECONDS: required(integer(1, 3600), {
    group: models,
    default: "30",
    description: "The longest pause allowed within a streamed answer.",
    example: "30",
  }),
  LLM_MAX_ATTEMPTS: required(integer(1, 20), {
    group: models,
    default: "4",
    description: "The maximum number of attempts for one answer, including the first.",
    example: "4",
  }),
  HTTPS_PROXY: optional(url, {
    group: models,
    description:
      "The proxy for calls to model providers. HTTP_PROXY, ALL_PROXY, NO_PROXY and the lower-case names work, too.",
    example: "http://proxy.example.com:3128",
  }),
  LLM_PRICES: optional(text, {
    group: models,
    description:
      "Prices that override or extend the built-in ones: JSON, or the path of a JSON file, that maps `provider/model` to `{input, output}` in USD per million tokens.",
    example: '{"openai/gpt-5-mini":{"input":0.25,"output":2}}',
  }),
  ...providerVariables((row) => row.projects !== undefined),
};

/** Keys, address and projects of the rows that `isMeant`. */
function providerVariables(isMeant: (row: Provider) => boolean) {
  const rows = ROWS.filter(([, row]) => isMeant(row));
  const variables = Object.fromEntries(rows.flatMap(([name, row]) => variablesOf(name, row)));
  // Together the calls cover all rows.
  return variables as
    & Record<KeyVariable, ReturnType<typeof apiKey>>
    & Record<AddressVariable, ReturnType<typeof baseUrl>>
    & Record<ProjectVariable, ReturnType<typeof projectOf>>;
}

function variablesOf(name: string, row: Provider): [string, z.ZodType][] {
  const { title, keys, base_url, projects = {} } = row;
  const group = row.projects ? title : models;
  return [
    ...keys.map((key, at): [string, z.ZodType] => {
      const where = at === 0 ? "" : `, used if \`${keys[0]}\` is not set`;
      return [key, apiKey(group, title + where, "your-key-here")];
    }),
    ...[base_url].filter((variable) => variable !== null).map((variable): [string, z.ZodType] => [
      variable,
      baseUrl(group, `${title}'s API`, `https://gateway.example.com/${name}${pathOf(row)}`),
    ]),
    ...Object.entries(projects).map(([agent, variable]): [string, z.ZodType] => [
      variable,
      projectOf(agent, title),
    ]),
  ];
}

function pathOf({ address }: Provider): string {
  return address === null ? "" : new URL(address).pathname.replace(/\/$/, "");
}

function projectOf(agent: string, title: string) {
  return optional(projectId, {
    group: title,
    description: `The ${title} project that answers for the agent ${agent}.`,
    example: `proj-xxxxxxxx-${agent}`,
  });
}
