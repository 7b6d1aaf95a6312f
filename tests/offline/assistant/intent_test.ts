import { expect } from "expect";
import { arithmeticOf } from "../../../offline/assistant/arithmetic.ts";
import { statedFacts } from "../../../offline/assistant/facts.ts";
import { routeIntent } from "../../../offline/assistant/intent.ts";
import { readMaterial } from "../../../offline/material.ts";
import { within } from "../../_yardstick.ts";

const PIPELINES = [
  { name: "compose", description: "Four agents answer a request with a text." },
  {
    name: "data-science",
    description: "Plans, explores, trains and reviews work on a data set.",
    input: { properties: { user_goal: {}, dataset_url: {} } },
  },
  {
    name: "ui-test",
    description: "Tests a web page: checks what a login page does in a browser.",
    input: { properties: { url: {}, instructions: {} } },
  },
];
const TOOLS = [
  ...["code_executor", "fetch_page", "web_search", "search_documents"].map((name) => ({
    name,
    description: name,
    input: { properties: { query: {} } },
    source: "built_in",
  })),
  {
    name: "agent_partner",
    description: "Books flights and hotels for business travel.",
    input: { properties: { prompt: {} } },
    source: "agent",
  },
];

/** The decision, in short: intent, whom, with what. */
function decide(ask: string, more: Record<string, unknown> = {}) {
  const input = { ask, pipelines: PIPELINES, tools: TOOLS, given_documents: 0, ...more };
  const intent = routeIntent(readMaterial({ messages: [{ role: "user", content: ask }], input }));
  return [intent.intent, intent.pipeline ?? intent.tool, intent.arguments];
}

const CASES: [string, ...unknown[]][] = [
  ["Hi there", "answer", null, null],
  ["What is my name?", "answer", null, null],
  ["What did I say before?", "answer", null, null],
  ["My name is Ada.", "answer", null, null],
  ["Analyze customer churn", "pipeline", "data-science", { user_goal: "Analyze customer churn" }],
  ["Predict churn on https://x.org/d.csv.", "pipeline", "data-science", {
    user_goal: "Predict churn.",
    dataset_url: "https://x.org/d.csv",
  }],
  ["What is 12 * 7?", "tool", "code_executor", { language: "javascript", code: "12 * 7" }],
  ["Draft a blog post about timber.", "pipeline", "compose", {}],
  ["Read https://example.com/page.", "tool", "fetch_page", { url: "https://example.com/page" }],
  ["Search the web for deno 3", "tool", "web_search", { query: "deno 3" }],
  ["What is our refund policy?", "documents", null, null],
  ["First fetch the page, then sum it up, and finally mail it", "plan", null, null],
  ["1. find timber\n2. write about it", "plan", null, null],
  ["Check the login page https://a.b/login", "pipeline", "ui-test", {
    url: "https://a.b/login",
    instructions: "Check the login page https://a.b/login",
  }],
  ["Use pipeline ui-test", "pipeline", "ui-test", { instructions: "Use pipeline ui-test" }],
  ["Use the tool search_documents", "tool", "search_documents", {
    query: "Use the tool search_documents",
  }],
  ["Please book flights and hotels for my travel", "external_agent", "agent_partner", {
    prompt: "Please book flights and hotels for my travel",
  }],
];
for (const [ask, ...expected] of CASES) {
  Deno.test(`routing: ${JSON.stringify(ask)} is ${expected[0]} ${expected[1] ?? ""}`, () => {
    expect(decide(ask)).toEqual(expected);
  });
}

Deno.test("routing goes only to what there is", () => {
  const nothing = { pipelines: [], tools: [] };
  for (const [ask] of CASES) {
    expect(["answer", "plan"]).toContain(decide(ask, nothing)[0]);
  }
  expect(decide("What is our policy?", { given_documents: 1 })).toEqual(["answer", null, null]);
});

Deno.test("routing is quick on long and hostile requests", () =>
  within(2_000, () => {
    for (const ask of ["first ".repeat(50_000), "1".repeat(100_000), "I like ".repeat(20_000)]) {
      decide(ask);
    }
  }));

Deno.test("arithmeticOf() reads sums in words and signs, and nothing else", () => {
  expect(arithmeticOf("calculate 15% of 80")).toBe("15 / 100 * 80");
  expect(arithmeticOf("What is 1,200 divided by 4?")).toBe("1200 / 4");
  expect(arithmeticOf("square root of 16")).toBe("Math.sqrt(16)");
  expect(arithmeticOf("2^10 =")).toBe("2**10");
  expect(arithmeticOf("(1 + 2) × 3")).toBe("(1 + 2) * 3");
  for (const ask of ["what is 2026-05-01?", "42", "call 555 1234", "process.exit(1)", "a + b"]) {
    expect(arithmeticOf(ask)).toBeUndefined();
  }
});

Deno.test("statedFacts() keeps what users say of themselves", () => {
  const texts = (message: string) => statedFacts(message).map(({ text }) => text);
  expect(statedFacts("My name is Ada Lovelace and I live in Graz.")).toEqual([
    { text: "The user's name is Ada Lovelace.", about: "name" },
    { text: expect.stringContaining("The user lives in Graz"), about: "location" },
  ]);
  expect(texts("I prefer short answers. I hate tables!")).toEqual([
    "The user prefers short answers.",
    "The user hates tables.",
  ]);
  expect(texts("Remember that I like tea")).toEqual(["The user likes tea."]);
  expect(texts("Please remember that the meeting is on Friday.")).toEqual([
    "The user asked to remember: the meeting is on Friday.",
  ]);
});

Deno.test("statedFacts() keeps no secrets and nothing that is quoted or pasted", () => {
  for (
    const message of [
      "Remember that my password is tulip",
      "Translate “my name is Bob” into German",
      "Summarize this:\n\nI like turtles.",
      "What would I like?",
    ]
  ) expect(statedFacts(message)).toEqual([]);
});
