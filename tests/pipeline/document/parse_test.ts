import { expect } from "expect";
import { kinds } from "../../../pipeline/document/kinds.ts";
import { parsePipeline } from "../../../pipeline/document/parse.ts";
import { document, issues, KNOWN, reports } from "./_issues.ts";
import { within } from "../../_yardstick.ts";

Deno.test("parsePipeline() reads every kind of node", async () => {
  const pipeline = await parsePipeline(
    `
name: demo
description: Shows all kinds.
version: 2
input: { type: object }
start: a
max_steps: 5
nodes:
  a: { agent: researcher, with: { q: "\${ input.q }" }, timeout_seconds: 5, next: b }
  b: { task: merge_review, effect: none, retry: { max_attempts: 3, jitter: none }, next: c }
  c: { transform: { x: "\${ nodes.b }" }, next: d }
  d:
    choose: [{ when: "\${ nodes.c.x = 1 }", next: a }]
    default: e
  e: { transform: done }
output: \${ nodes.e }
`,
    "demo.yaml",
    KNOWN,
  );
  expect(Object.keys(pipeline.nodes)).toEqual(["a", "b", "c", "d", "e"]);
  expect(pipeline.max_steps).toBe(5);
});

Deno.test("parsePipeline() expands anchors and merge keys", async () => {
  const pipeline = await parsePipeline(
    document(
      "  a: &base { task: merge_review, timeout_seconds: 5, next: b }\n  b: { <<: *base, next: c }\n  c: { transform: 1 }",
    ),
    "demo.yaml",
    KNOWN,
  );
  expect(pipeline.nodes.b).toEqual({ task: "merge_review", timeout_seconds: 5, next: "c" });
});

Deno.test("parsePipeline() does not check references when it is told of none", async () => {
  const text = document("  a: { agent: whoever }");
  expect((await parsePipeline(text, "demo.yaml")).nodes.a).toEqual({ agent: "whoever" });
});

Deno.test("parsePipeline() says in its message where the first problem is and how many there are", async () => {
  await expect(parsePipeline(document("  a: { agent: x, next: y }"), "demo.yaml", KNOWN)).rejects
    .toThrow(
      'Cannot use pipeline demo.yaml: line 5, nodes.a.agent: unknown agent "x"; available: researcher, planner (and 1 more). Fix the document.',
    );
  await expect(parsePipeline(document("  a: { agent: reseacher }"), "demo.yaml", KNOWN)).rejects
    .toThrow('unknown agent "reseacher"; did you mean "researcher"? Fix the document.');
});

reports([
  [
    "an unknown node with the nearest one",
    document("  a: { transform: 1, next: biuld }\n  build: { transform: 1 }"),
    "line 5, nodes.a.next",
    'unknown node "biuld"; did you mean "build"?',
  ],
  [
    "an unknown start",
    document("  b: { transform: 1 }"),
    "line 3, start",
    'unknown node "a"; available: b',
  ],
  [
    "an unknown node in a choice",
    document(
      "  a:\n    choose:\n      - when: ${ input.x }\n        next: bb\n    default: b\n  b: { transform: 1 }",
    ),
    "line 8, nodes.a.choose[0].next",
    'unknown node "bb"; available: a, b',
  ],
  [
    "an unreachable node",
    document("  a: { transform: 1 }\n  b: { transform: 2 }"),
    "line 6, nodes.b",
    /^no path leads to node "b"/,
  ],
  [
    "a missing agent",
    document("  a: { agent: reseacher }"),
    "line 5, nodes.a.agent",
    'unknown agent "reseacher"; did you mean "researcher"?',
  ],
  [
    "a missing task",
    document("  a:\n    task: merge"),
    "line 6, nodes.a.task",
    'unknown task "merge"; available: merge_review',
  ],
  [
    "a bad expression with its position",
    document("  a:\n    transform:\n      x: ${ 1 + }"),
    "line 7, nodes.a.transform.x",
    /at character 3/,
  ],
  [
    "an expression that is not closed",
    document("  a: { transform: '${ input.x' }"),
    "line 5, nodes.a.transform",
    /is not closed/,
  ],
  [
    "a bad output expression",
    document("  a: { transform: 1 }", "output: ${ nodes.b }"),
    "line 6, output",
    'in ${ nodes.b }: unknown node "b"; available: a',
  ],
  [
    "a reference to a node that does not exist",
    document(
      "  a: { transform: 1, next: build }\n  build:\n    transform: ${ $string(nodes.biuld.x) }",
    ),
    "line 7, nodes.build.transform",
    'in ${ $string(nodes.biuld.x) }: unknown node "biuld"; did you mean "build"?',
  ],
  [
    "a function that is not deterministic",
    document("  a: { transform: '${ $random() }' }"),
    "line 5, nodes.a.transform",
    /\$random is not allowed/,
  ],
  [
    "a duplicate key",
    document("  a: { transform: 1 }\n  a: { transform: 2 }"),
    "line 6",
    /^duplicate key/,
  ],
  ["bad YAML", "name: demo\nversion: [1\n", "line 3", /^invalid YAML/],
  ["an unresolved alias", "version: 1\nname: *gone\n", "line 2", /^unknown anchor "gone"/],
  [
    "an unknown field with the nearest one",
    document("  a: { transform: 1, nxt: a }"),
    "line 5, nodes.a.nxt",
    'unknown field "nxt"; did you mean "next"?',
  ],
  [
    "an unknown field of the document",
    document("  a: { transform: 1 }", "outptu: 1"),
    "line 6, outptu",
    'unknown field "outptu"; did you mean "output"?',
  ],
  [
    "an unknown field inside a field",
    document("  a:\n    task: merge_review\n    retry:\n      max_attempt: 3"),
    "line 8, nodes.a.retry.max_attempt",
    'unknown field "max_attempt"; did you mean "max_attempts"?',
  ],
  [
    "a value of the wrong type",
    document("  a:\n    task: merge_review\n    timeout_seconds: long"),
    "line 7, nodes.a.timeout_seconds",
    "must be a number",
  ],
  [
    "a missing field",
    "name: demo\nversion: 1\nnodes:\n  a: { transform: 1 }\n",
    "line 1, start",
    "is required",
  ],
  [
    "a branch without next",
    document("  a:\n    choose:\n      - when: ${ input.x }\n"),
    "line 7, nodes.a.choose[0].next",
    "is required",
  ],
  [
    "a condition that is no expression",
    document("  a:\n    choose:\n      - { when: input.x, next: a }\n"),
    "line 7, nodes.a.choose[0].when",
    /must be an expression/,
  ],
  [
    "a node that does nothing",
    document("  a: { description: x }"),
    "line 5, nodes.a",
    `the node does not say what it does: add one of ${kinds.map(({ kind }) => kind).join(", ")}`,
  ],
  [
    "a node that does two things",
    document("  a: { transform: 1, task: merge_review }"),
    "line 5, nodes.a",
    "a node does one thing, this one has task and transform: keep one",
  ],
  [
    "a node that is no mapping",
    document("  a: transform"),
    "line 5, nodes.a",
    /^a node is a mapping/,
  ],
  [
    "a node name that expressions cannot use",
    document("  a: { transform: 1, next: b-c }\n  b-c: { transform: 2 }"),
    "line 6, nodes.b-c",
    /letters, digits and _/,
  ],
  [
    "a name that is not the file's",
    document("  a: { transform: 1 }").replace("demo", "other"),
    "line 1, name",
    /^must be the file's name: write "demo"/,
  ],
  [
    "no path to an end",
    document("  a: { transform: 1, next: b }\n  b: { transform: 2, next: a }"),
    "line 5, nodes.a",
    /no path to an end \(a → b\)/,
  ],
  [
    "a bad input schema",
    `input:\n  type: objekt\n${document("  a: { transform: 1 }")}`,
    "line 2, input.type",
    'unknown type "objekt"; did you mean "object"?',
  ],
  ["a document that is no mapping", "- 1\n", "line 1", /^a pipeline is a mapping/],
  [
    "a key that would reach a prototype",
    document("  a: { transform: { __proto__: 1 } }"),
    "line 5",
    /"__proto__" is not allowed/,
  ],
]);

Deno.test("parsePipeline() reports a misspelt kind by name", async () => {
  expect(await issues(document("  a: { agnt: researcher }"))).toContainEqual({
    location: "line 5, nodes.a.agnt",
    message: 'unknown field "agnt"; did you mean "agent"?',
  });
});

Deno.test("parsePipeline() stops the expansion of aliases", async () => {
  const lines = ["a: &a [x, x, x, x, x, x, x, x, x, x]"];
  for (const [name, before] of ["ba", "cb", "dc", "ed", "fe", "gf", "hg"]) {
    lines.push(`${name}: &${name} [${Array(10).fill(`*${before}`).join(", ")}]`);
  }
  expect((await issues(lines.join("\n")))[0]?.message).toMatch(/^the YAML cannot be read/);
  const many = `a: &a 1\nb: [${Array(60_000).fill("*a").join(", ")}]`;
  expect((await issues(many))[0]).toEqual({
    location: "line 2",
    message: "more than 100 aliases: write some out",
  });
});

Deno.test("parsePipeline() refuses documents that are too large or nested too deep", async () => {
  expect((await issues("#".repeat(300_000)))[0]?.message).toMatch(/300000 characters.*split it/);
  const deep = `  a: { transform: ${"[".repeat(80)}${"]".repeat(80)} }`;
  expect((await issues(document(deep)))[0]?.message).toMatch(/nested deeper than 64/);
  const abyss = `  a: { transform: ${"[".repeat(60_000)}${"]".repeat(60_000)} }`;
  expect((await issues(document(abyss)))[0]?.message).toMatch(/nested|call stack/);
});

Deno.test("parsePipeline() is quick with documents that are wrong everywhere", () =>
  within(5_000, async () => {
    const line = (n: number) => `  n${n}: { transform: 1, next: m${n}${"x".repeat(400)} }`;
    const wrong = document(Array.from({ length: 500 }, (_, n) => line(n)).join("\n"));
    expect(await issues(wrong)).toHaveLength(50);
    const near = wrong.replaceAll("x".repeat(400), "");
    expect((await issues(near))[1]!.message).toMatch(/did you mean "n0"/);
    const many = Array.from({ length: 20_000 }, (_, n) => `  n${n}: {}`).join("\n");
    expect(await issues(document(many).slice(0, 250_000))).toContainEqual({
      location: "line 4, nodes",
      message: "a pipeline may have at most 500 nodes: split it",
    });
  }));

Deno.test("the built-in pipelines are sound", async () => {
  const folder = new URL("../../../pipeline/definitions/", import.meta.url);
  const names: string[] = [];
  for await (const { name } of Deno.readDir(folder)) {
    const text = await Deno.readTextFile(new URL(name, folder));
    const pipeline = await parsePipeline(text, name, { name: name.replace(/\.yaml$/, "") });
    names.push(pipeline.name);
  }
  expect(names).toContain("compose");
});

Deno.test("parsePipeline() reports the other mistakes of a node with a misspelt or malformed field", async () => {
  const found = await issues(document(`  a:
    agent: reseacher
    with: "\${ nodes.gone }"
    timeout_second: 5
    description: 7
    retry: { max_attempt: 3 }
    next: nowhere`));
  expect(found.map(({ location }) => location).sort()).toEqual([
    "line 10, nodes.a.retry.max_attempt",
    "line 11, nodes.a.next",
    "line 6, nodes.a.agent",
    "line 7, nodes.a.with",
    "line 8, nodes.a.timeout_second",
    "line 9, nodes.a.description",
  ]);
});

Deno.test("parsePipeline() says no more of a node whose own field is malformed", async () => {
  const found = await issues(document("  a:\n    agent: 5\n    next: nowhere"));
  expect(found).toEqual([{ location: "line 6, nodes.a.agent", message: "must be a string" }]);
});
