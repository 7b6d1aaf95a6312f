import { expect } from "expect";
import { createPrompt, promptIssues } from "../../../pipeline/agent/prompt.ts";
import type { Json } from "../../../pipeline/kernel/events.ts";
import { within } from "../../_yardstick.ts";

const RUN = { id: "run_1", created_at: "2026-01-02T03:04:05.678Z" };

function render(text: string, variables: Record<string, Json> = {}): Promise<string> {
  return createPrompt(text, "prompts/demo.md").render({ ...variables, run: RUN });
}

Deno.test("createPrompt() renders variables, loops and JSON", async () => {
  expect(
    await render("{% for s in steps %}{{ forloop.index }}. {{ s }}\n{% endfor %}", {
      steps: ["a", "b"],
    }),
  ).toBe("1. a\n2. b\n");
  expect(await render("{{ plan | json }} {{ gone.deep }}!", { plan: { a: [1] } })).toBe(
    '{"a":[1]} !',
  );
});

Deno.test("createPrompt() renders the same template again and again", async () => {
  const prompt = createPrompt("{{ n }}", "prompts/demo.md");
  expect(await Promise.all([1, 2, 3].map((n) => prompt.render({ n })))).toEqual(["1", "2", "3"]);
});

Deno.test("createPrompt() reads no file", async () => {
  for (const tag of ["include", "render", "layout"]) {
    await expect(render(`{% ${tag} "deno.json" %}`)).rejects.toMatchObject({
      code: "prompt_invalid",
    });
  }
});

Deno.test("createPrompt() reaches no prototype", async () => {
  expect(await render("{{ a.constructor.name }}{{ a.__proto__ }}{{ a.toString }}", { a: {} }))
    .toBe("");
});

Deno.test("createPrompt() takes the time of the run for now, in UTC", async () => {
  expect(await render("{{ 'now' | date: '%Y-%m-%d %H:%M' }}")).toBe("2026-01-02 03:04");
  expect(await render("{{ '2025-06-01T10:00:00Z' | date: '%H:%M' }}")).toBe("10:00");
  await expect(render("{{ list | sample }}", { list: [1, 2] })).rejects.toMatchObject({
    code: "prompt_invalid",
    message: expect.stringContaining("sample is not available"),
  });
});

Deno.test("createPrompt() stops templates that ask for too much", async () => {
  const refused = { code: "prompt_invalid" };
  const nested = "{% for i in (1..5000) %}{% for j in (1..5000) %}x{% endfor %}{% endfor %}";
  await within(3_000, async () => {
    await expect(render("{% for i in (1..1000000000) %}x{% endfor %}")).rejects.toMatchObject(
      refused,
    );
    await expect(render(nested)).rejects.toMatchObject(refused);
  });
  await expect(render("x".repeat(300_000))).rejects.toMatchObject(refused);
});

Deno.test("createPrompt() says on which line something is wrong", async () => {
  await expect(render("a\n\n{{ x | upcas }}")).rejects.toMatchObject({
    code: "prompt_invalid",
    message: expect.stringMatching(/^Cannot render prompts\/demo.md: line 3: .*upcas/),
  });
  await expect(createPrompt("a\n{% if %}", "agents/a.md", 10).render({})).rejects.toMatchObject({
    issues: [{ location: "line 11", message: expect.any(String) }],
  });
});

Deno.test("promptIssues() checks the syntax", async () => {
  expect(await promptIssues("Hello {{ name }}")).toEqual([]);
  expect(await promptIssues("\n{% for x in %}")).toEqual([
    { location: "line 2", message: expect.not.stringContaining("line:") },
  ]);
  expect(await promptIssues("{% if x %}never closed")).toEqual([
    { location: "line 1", message: expect.stringContaining("not closed") },
  ]);
});
