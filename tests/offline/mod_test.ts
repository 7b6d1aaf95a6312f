import { expect } from "expect";
import fc from "fast-check";
import { createOfflineModel } from "../../offline/mod.ts";
import { ASK, ask, compose, DOCUMENTS } from "./_setup.ts";
import { within } from "../_yardstick.ts";

const options = () => ({ signal: new AbortController().signal });
const writing = { name: "builder", capabilities: ["writing"] };

Deno.test("generate() streams exactly its text, in small pieces", async () => {
  const pieces: string[] = [];
  const answer = await createOfflineModel().generate({
    messages: [{ role: "user", content: ASK }],
    agent: writing,
    input: { ask: ASK, documents: DOCUMENTS },
  }, { ...options(), onDelta: (text) => void pieces.push(text) });
  expect(pieces.join("")).toBe(answer.text);
  expect(pieces.length).toBeGreaterThan(50);
  expect(Math.max(...pieces.map((piece) => piece.length))).toBeLessThanOrEqual(25);
});

Deno.test("generate() says that it is offline, what it used and what it cites", async () => {
  const answer = await createOfflineModel().generate({
    messages: [{ role: "system", content: "1234" }, { role: "user", content: "12345" }],
    agent: writing,
    input: { ask: "Write 100 words on timber", documents: [DOCUMENTS[0]] },
  }, options());
  expect(answer.model).toBe("offline");
  expect(answer.finish_reason).toBe("stop");
  expect(answer.usage).toEqual({
    input_tokens: 3,
    output_tokens: Math.ceil(answer.text.length / 4),
    cost_usd: 0,
  });
  expect(answer.citations).toEqual([{
    title: "Materials and reuse in sustainable architecture",
    url: "https://example.org/materials",
  }]);
  expect(await createOfflineModel().models(options().signal)).toEqual(["offline"]);
});

Deno.test("generate() is deterministic", async () => {
  const [first, second] = [await compose(ASK, {}), await compose(ASK, {})];
  expect(first).toEqual(second);
});

Deno.test("generate() ends with the signal's reason, before and while it streams", async () => {
  const request = { messages: [{ role: "user" as const, content: ASK }], agent: writing };
  const before = AbortSignal.abort(new Error("too late"));
  await expect(createOfflineModel().generate(request, { signal: before })).rejects.toThrow(
    "too late",
  );
  const controller = new AbortController();
  let pieces = 0;
  const running = createOfflineModel().generate(request, {
    signal: controller.signal,
    onDelta: () => {
      if (++pieces === 3) controller.abort(new Error("enough"));
    },
  });
  await expect(running).rejects.toThrow("enough");
  expect(pieces).toBe(3);
});

Deno.test("generate() cuts prose at max_output_tokens and keeps JSON whole", async () => {
  const request = { messages: [{ role: "user" as const, content: ASK }], max_output_tokens: 10 };
  const prose = await createOfflineModel().generate(request, options());
  expect([prose.text.length, prose.finish_reason]).toEqual([40, "length"]);
  const output = { name: "x", schema: { type: "object", properties: { text: { minLength: 80 } } } };
  const json = await createOfflineModel().generate({ ...request, output }, options());
  expect(JSON.parse(json.text).text.length).toBeGreaterThanOrEqual(80);
  expect(json.finish_reason).toBe("stop");
});

Deno.test("agents without a skill answer from the documents, with citations", async () => {
  const text = await ask("chat", { ask: "How tall is Mjøstårnet?", documents: DOCUMENTS });
  expect(text).toContain("Mjøstårnet in Norway reached 85.4 metres");
  expect(text).toContain("[materials]");
  const other = await ask("chat", { ask: "Who won the football cup?", documents: DOCUMENTS });
  expect(other).toMatch(/^The documents do not speak of this/);
});

Deno.test("agents without a skill answer from the conversation", async () => {
  const messages = [
    { role: "user" as const, content: "My name is Anna. I like cork." },
    { role: "assistant" as const, content: "Cork is renewable." },
    { role: "user" as const, content: "?" },
  ];
  const say = (question: string) => ask("chat", { ask: question }, { messages });
  expect(await say("What did I say before?")).toBe("You said: “My name is Anna. I like cork.”");
  expect(await say("What was your last answer?")).toBe("I answered: “Cork is renewable.”");
  expect(await say("What is my name?")).toBe("You said earlier: “My name is Anna.”");
});

Deno.test("with nothing to go on it says what it is", async () => {
  expect(await ask("chat", { ask: "Who was the first king of France?" })).toContain(
    "offline model",
  );
});

Deno.test("tool results, other fields and pasted text are material", async () => {
  const fact = "The lighthouse of Alexandria stood about 100 metres high and was built of stone.";
  const messages = [
    { role: "user" as const, content: "How high was the lighthouse?" },
    { role: "tool" as const, content: fact, tool_call_id: "1", name: "search" },
  ];
  expect(await ask("chat", {}, { messages })).toContain("100 metres high");
  expect(await ask("chat", { ask: "How high was the lighthouse?", notes: { a: [fact] } }))
    .toContain("[notes]");
  const pasted = `Summarise this text:\n\n${fact} ${
    "It guided many ships to the harbour. ".repeat(6)
  }`;
  expect(await ask("writing", { ask: pasted })).toContain("[request]");
});

Deno.test("skills without an output schema answer in readable Markdown", async () => {
  const input = { ask: "Write about timber", documents: DOCUMENTS };
  expect(await ask("research", input)).toMatch(/^- .* \[materials\]\.$/m);
  const research = JSON.parse(await ask("research", input, { output: { name: "r", schema: {} } }));
  expect(await ask("planning", { ...input, research })).toMatch(/^## .* \(\d+ words\)$/m);
  expect(await ask("review", { ...input, draft: "It it is." })).toContain("```json");
});

Deno.test("other schemas are filled from the input", async () => {
  const schema = {
    type: "object",
    required: ["intent", "confidence"],
    properties: {
      intent: { enum: ["question", "order_food", "small_talk"] },
      confidence: { type: "number", minimum: 0, maximum: 1 },
    },
  };
  const text = await ask("intent", { ask: "I want to order food for 4" }, {
    output: { name: "intent", schema },
  });
  expect(JSON.parse(text)).toEqual({ intent: "order_food", confidence: 1 });
});

const CAPABILITIES = ["research", "planning", "writing", "review", "other"];

Deno.test("hostile input of 10 MB ends soon", async () => {
  const units = [
    "a ",
    "😀",
    "x",
    "Mr. ",
    "[",
    "```\n",
    "句子。",
    "שלום עולם. ",
    "<a ",
    "# h\n\nSome 5 words here.\n",
  ];
  for (const unit of units) {
    const big = unit.repeat(10_000_000 / unit.length);
    for (const capability of CAPABILITIES) {
      const input = { ask: big, draft: big, documents: [{ text: big }] };
      await within(2_000, () => ask(capability, input));
    }
  }
});

Deno.test("odd input never breaks it", async () => {
  const odd = fc.oneof(
    fc.string({ unit: "binary", maxLength: 200 }),
    fc.constantFrom(
      "",
      "😀😀",
      "```js\nx\n```",
      "مرحبا بالعالم. كيف الحال؟",
      "---\n---\n",
      "| a |\n|---|",
    ),
  );
  await fc.assert(
    fc.asyncProperty(
      odd,
      odd,
      fc.jsonValue(),
      fc.constantFrom(...CAPABILITIES),
      async (a, b, c, skill) => {
        const input = {
          ask: a,
          documents: [{ id: b, text: a }, b, c],
          research: c,
          plan: c,
          draft: b,
        };
        expect(typeof await ask(skill, { ...input, context: c })).toBe("string");
      },
    ),
    { numRuns: 300, seed: 3 },
  );
});
