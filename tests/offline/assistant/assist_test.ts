import { expect } from "expect";
import { createOfflineModel } from "../../../offline/mod.ts";
import type { ModelMessage } from "../../../llm/model.ts";

/** What the agent `assistant` answers to an input. */
async function answer(input: Record<string, unknown>, before: ModelMessage[] = []) {
  const { text } = await createOfflineModel().generate({
    messages: [...before, { role: "user", content: String(input.ask) }],
    agent: { name: "assistant", capabilities: ["assisting"] },
    input: { documents: [], tried: [], learned: [], memory: { facts: [] }, ...input },
  }, { signal: new AbortController().signal });
  return text;
}

const tried = (result: unknown, what = "tool x") => ({ ask: "Do it", tried: [{ what, result }] });

Deno.test("assisting tells results in the form they have", async () => {
  expect(await answer(tried({ result: 84, stdout: "" }))).toBe("The result is 84.");
  expect(await answer(tried(true))).toBe("The result is true.");
  expect(await answer(tried("Booked."))).toBe("Booked.");
  expect(await answer(tried({ message: "Sent." }))).toBe("Sent.");
  expect(await answer(tried({ results: [] }))).toBe("Nothing was found.");
  expect(await answer(tried([{ a: "x", b: 1 }, { a: "y" }]))).toBe("- x · 1\n- y");
  expect(await answer(tried({ deep: { a: 1 } }))).toContain('"a": 1');
  expect(await answer(tried(null))).toContain("nothing back");
});

Deno.test("assisting answers from a long page what was asked", async () => {
  const text = `# Opening hours\n\n${"The museum has many rooms. ".repeat(40)}\n\n` +
    "The museum opens at nine on weekdays.";
  const found = await answer({
    ask: "When does the museum open?",
    tried: [{
      what: "tool fetch_page",
      result: { url: "https://m.example", title: "Museum", text },
    }],
  });
  expect(found).toContain("opens at nine");
  expect(found.length).toBeLessThan(text.length / 2);
});

Deno.test("assisting asks for what is missing and says what failed", async () => {
  const error = {
    code: "validation_failed",
    message: "Cannot run.",
    issues: [{ location: "/dataset_url", message: "is missing" }],
  };
  expect(await answer({ ask: "Go", tried: [{ what: "pipeline data-science", error }] }))
    .toContain("- /dataset_url: is missing");
  const failed = { code: "tool_timeout", message: "Cannot call x: too slow." };
  expect(await answer({ ask: "Go", tried: [{ what: "tool x", error: failed }] }))
    .toBe("The tool x did not work (tool_timeout). Cannot call x: too slow.");
});

Deno.test("assisting greets, remembers and says what it knows, no more", async () => {
  const memory = { facts: ["The user's name is Ada.", "The user likes tea."] };
  expect(await answer({ ask: "Hello!", memory })).toBe("Hello Ada! What can I do for you?");
  expect(await answer({ ask: "Thanks" })).toBe("You are welcome.");
  expect(await answer({ ask: "I like tea.", learned: ["The user likes tea."] }))
    .toBe("I will remember that: The user likes tea.");
  expect(await answer({ ask: "What is my name?", memory })).toBe("Your name is Ada.");
  expect(await answer({ ask: "What do you know about me?", memory }))
    .toBe("Your name is Ada. You like tea.");
  expect(await answer({ ask: "What is my shoe size?", memory })).not.toContain("Ada");
});

Deno.test("assisting quotes documents, never other fields", async () => {
  const found = await answer({
    ask: "How tall are timber towers?",
    documents: [{ id: "wood", text: "Timber towers reach 25 storeys." }],
    memory: { facts: ["The user builds timber towers of 3 storeys."] },
  });
  expect(found).toBe("Timber towers reach 25 storeys [wood].");
});

Deno.test("assisting knows the beginning of a long conversation by its summary", async () => {
  const memory = { summary: "The user: “The code word is heliotrope.”", facts: [] };
  expect(await answer({ ask: "What was the code word?", memory })).toContain("heliotrope");
});

Deno.test("summarizing shortens exchanges and lets the oldest go", async () => {
  const summarize = async (summary: string, exchanges: unknown[]) => {
    const { text } = await createOfflineModel().generate({
      messages: [{ role: "user", content: "…" }],
      agent: { name: "summarizer", capabilities: ["summarizing"] },
      input: { summary, exchanges },
      output: {
        name: "summary",
        schema: {
          type: "object",
          required: ["summary"],
          properties: { summary: { type: "string" } },
        },
      },
    }, { signal: new AbortController().signal });
    return JSON.parse(text).summary as string;
  };
  const first = await summarize("", [
    { user: "What is timber?", assistant: "# Timber\n\nTimber is wood. It is light." },
  ]);
  expect(first).toBe("- The user: “What is timber?” The answer: “Timber is wood.”");
  const second = await summarize(first, [{ user: "Thanks", assistant: "" }]);
  expect(second).toBe(`${first}\n- The user: “Thanks”`);
  const many = Array.from({ length: 60 }, (_, n) => ({ user: `q${n}`, assistant: "a" }));
  const last = await summarize(second, many);
  expect(last.split("\n")).toHaveLength(40);
  expect([last.includes("q59"), last.includes("timber")]).toEqual([true, false]);
});
