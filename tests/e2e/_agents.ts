/** Scripted answers of the four agents of `compose`, and the providers they can come from. */
import type { MockCall, MockServer, Reply, Script } from "../_mock/script.ts";
import { startAnthropic } from "../_mock/anthropic.ts";
import { startCustomgpt } from "../_mock/customgpt.ts";
import { startGoogle } from "../_mock/google.ts";
import { startOpenai } from "../_mock/openai.ts";

/** An agent of `compose`, in the order in which they work. */
export type Agent = "researcher" | "planner" | "builder" | "reviewer";
export const AGENTS: Agent[] = ["researcher", "planner", "builder", "reviewer"];

/** The draft has a slip that the review mends. */
export const DRAFT = "# Timber\n\nTimber stors carbon for decades [doc-1].";
export const FINAL = "# Timber\n\nTimber stores carbon for decades [doc-1].";

const SOURCE = { id: "doc-1", title: "Wood", url: null, excerpt: "Timber stores carbon." };

const USAGE = { input: 1000, output: 100 };

const ANSWERS: Record<Agent, Reply> = {
  researcher: {
    json: {
      summary: "Timber stores carbon [doc-1].",
      findings: [{ claim: "Timber stores carbon.", topic: "Timber", sources: ["doc-1"] }],
      sources: [SOURCE],
      gaps: [],
    },
    usage: USAGE,
  },
  planner: {
    json: {
      title: "Timber",
      sections: [{ heading: "Timber", points: ["Carbon"], sources: ["doc-1"], words: 100 }],
      tasks: ["Keep it short."],
    },
    usage: USAGE,
  },
  builder: { text: DRAFT, usage: USAGE },
  reviewer: {
    json: {
      score: 95,
      summary: "Good. One slip.",
      comments: [{ severity: "minor", message: "A slip.", quote: "stors" }],
      edits: [{ find: "stors", replace: "stores", all: false, reason: "spelling" }],
      violations: [],
    },
    usage: USAGE,
  },
};

const ROLES: Record<string, Agent> = {
  "the researcher of": "researcher",
  "the planner of": "planner",
  "the writer of": "builder",
  "the reviewer of": "reviewer",
};

/** Which agent a model request is for, by its system message. Throws for another request. */
export function agentOf(call: MockCall): Agent {
  const text = JSON.stringify(call.body);
  const role = Object.keys(ROLES).find((role) => text.includes(`You are ${role} a small`));
  if (!role) throw new Error(`no agent asked this: ${call.method} ${call.path} ${text}`);
  return ROLES[role]!;
}

/** Answers as the agents do; `first` may answer instead, by the number of the agent's call. */
export function agents(
  instead: (agent: Agent, n: number) => Reply | undefined = () => undefined,
): Script {
  const counts: Partial<Record<Agent, number>> = {};
  return (call) => {
    const agent = agentOf(call);
    const n = counts[agent] = (counts[agent] ?? 0) + 1;
    return instead(agent, n) ?? ANSWERS[agent];
  };
}

/** The agents' answers in small pieces, so that a turn takes about `ms`. */
export function slowAgents(ms: number): Script {
  const pieces = 20;
  return agents((agent) => {
    const answer = ANSWERS[agent];
    const { length } = answer.text ?? JSON.stringify(answer.json);
    const piece = Math.ceil(length / pieces);
    return { ...answer, piece, delay_ms: Math.ceil(ms / pieces / AGENTS.length) };
  });
}

/** A way to reach a provider. */
export interface Provider {
  name: string;
  start(script: Script): MockServer;
  env(url: string): Record<string, string>;
  /** What the response calls the models that answered. */
  models: string[];
  /** CustomGPT tells no token counts. */
  counts_tokens: boolean;
}

const PRICE = { input: 1, output: 10 };

/** Everything but the address that providers are set to. */
const common = (provider: string) => ({
  LLM_DEFAULT_MODEL: "mock-1",
  LLM_PRICES: JSON.stringify({ [`${provider}/mock-1`]: PRICE }),
});

export const COMPATIBLE: Provider = {
  name: "a server that speaks OpenAI's API",
  start: startOpenai,
  env: (url) => ({ ...common("openai-compatible"), LLM_BASE_URL: `${url}/v1` }),
  models: ["openai-compatible/mock-1"],
  counts_tokens: true,
};

/** Every provider. */
export const PROVIDERS: Provider[] = [
  COMPATIBLE,
  {
    name: "OpenAI",
    start: startOpenai,
    env: (url) => ({
      ...common("openai"),
      OPENAI_API_KEY: "sk-test-0123456789",
      OPENAI_BASE_URL: `${url}/v1`,
    }),
    models: ["openai/mock-1"],
    counts_tokens: true,
  },
  {
    name: "Anthropic",
    start: startAnthropic,
    env: (url) => ({
      ...common("anthropic"),
      ANTHROPIC_API_KEY: "sk-test-0123456789",
      ANTHROPIC_BASE_URL: url,
    }),
    models: ["anthropic/mock-1"],
    counts_tokens: true,
  },
  {
    name: "Google",
    start: startGoogle,
    env: (url) => ({
      ...common("google"),
      GEMINI_API_KEY: "sk-test-0123456789",
      GOOGLE_BASE_URL: url,
    }),
    models: ["google/mock-1"],
    counts_tokens: true,
  },
  {
    name: "CustomGPT",
    start: startCustomgpt,
    env: (url) => ({
      CUSTOMGPT_API_KEY: "sk-test-0123456789",
      CUSTOMGPT_BASE_URL: `${url}/api/v1`,
      RESEARCH_AGENT_PROJECT_ID: "proj-1",
      PLANNING_AGENT_PROJECT_ID: "proj-2",
      BUILDER_AGENT_PROJECT_ID: "proj-3",
      REVIEW_AGENT_PROJECT_ID: "proj-4",
    }),
    models: ["customgpt/default"],
    counts_tokens: false,
  },
];
