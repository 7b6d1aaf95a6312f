import { expect } from "expect";
import { parsePipeline } from "../../../pipeline/document/parse.ts";
import { document, issues, KNOWN, reports } from "./_issues.ts";

Deno.test("parsePipeline() lets expressions inside a body name its nodes, the outer ones and the item", async () => {
  const pipeline = await parsePipeline(
    `
name: demo
version: 1
start: a
priority: -3
concurrency: { key: "\${ input.customer }", limit: 2, on_busy: interrupt }
budget: { tokens: 9, on_exceeded: approval }
schedule: [{ cron: 0 9 * * 1-5, timezone: Europe/Vienna, missed: once }]
nodes:
  a: { transform: [1], on_fail: [undo], next: b }
  undo: { transform: "\${ error.message }" }
  b:
    map:
      items: "\${ nodes.a }"
      as: city
      body:
        start: c
        nodes:
          c:
            parallel:
              x:
                start: d
                nodes: { d: { transform: "\${ [nodes.a, nodes.b, city, index] }" } }
            catch: [{ errors: [all], next: e }]
            on_cancel: [f]
          e: { wait: { signal: "go-\${ city }", seconds: "\${ index }" } }
          f: { pipeline: inner, with: "\${ error }" }
        output: "\${ [nodes.c.x, city] }"
`,
    "demo.yaml",
    KNOWN,
  );
  expect(Object.keys(pipeline.nodes)).toEqual(["a", "undo", "b"]);
  expect(pipeline.schedule).toHaveLength(1);
});

Deno.test("parsePipeline() counts the nodes of all graphs", async () => {
  const body = Array.from(
    { length: 250 },
    (_, n) => `n${n}: { transform: 1${n < 249 ? `, next: n${n + 1}` : ""} }`,
  ).join(", ");
  const branch = (name: string) => `${name}: { start: n0, nodes: { ${body} } }`;
  const found = await issues(document(`  a: { parallel: { ${branch("x")}, ${branch("y")} } }`));
  expect(found).toEqual([{
    location: "line 5, nodes.a.parallel.y.nodes",
    message: "a pipeline may have at most 500 nodes: split it",
  }]);
});

reports([
  [
    "a missing pipeline",
    document("  a: { pipeline: iner }"),
    "line 5, nodes.a.pipeline",
    'unknown pipeline "iner"; did you mean "inner"?',
  ],
  [
    "a wait for nothing",
    document("  a: { wait: {} }"),
    "line 5, nodes.a.wait",
    /waits for nothing: add signal, seconds or until/,
  ],
  [
    "a wait with two ends in time",
    document("  a: { wait: { seconds: 5, until: 2026-01-01T00:00:00Z } }"),
    "line 5, nodes.a.wait",
    "has both seconds and until: keep one of them",
  ],
  [
    "a way out of a wait that has no end in time",
    document("  a: { wait: { signal: go }, on_timeout: b }\n  b: { transform: 1 }"),
    "line 5, nodes.a",
    /on_timeout needs a signal and a time/,
  ],
  [
    "a time that is none",
    document("  a: { wait: { until: tomorrow } }"),
    "line 5, nodes.a.wait.until",
    /must be a time such as/,
  ],
  [
    "a duration that is none",
    document("  a: { wait: { seconds: long } }"),
    "line 5, nodes.a.wait.seconds",
    /must be an expression/,
  ],
  [
    "an unknown node in a branch",
    document(
      "  a:\n    parallel:\n      x:\n        start: b\n        nodes:\n          b: { transform: 1, next: cc }\n          c: { transform: 1 }",
    ),
    "line 10, nodes.a.parallel.x.nodes.b.next",
    'unknown node "cc"; available: b, c',
  ],
  [
    "an edge that leaves its branch",
    document(
      "  a: { parallel: { x: { start: b, nodes: { b: { transform: 1, next: d } } } }, next: d }\n  d: { transform: 1 }",
    ),
    "line 5, nodes.a.parallel.x.nodes.b.next",
    /^node "d" is outside: an edge may not leave its branch or body/,
  ],
  [
    "an edge that enters a branch",
    document("  a: { parallel: { x: { start: b, nodes: { b: { transform: 1 } } } }, next: b }"),
    "line 5, nodes.a.next",
    /^node "b" is inside another one: an edge may not enter/,
  ],
  [
    "an unknown kind in a body",
    document("  a: { map: { items: [1], body: { start: b, nodes: { b: { agnt: x } } } } }"),
    "line 5, nodes.a.map.body.nodes.b.agnt",
    'unknown field "agnt"; did you mean "agent"?',
  ],
  [
    "an unreachable node in a body",
    document(
      "  a: { map: { items: [1], body: { start: b, nodes: { b: { transform: 1 }, c: { transform: 1 } } } } }",
    ),
    "line 5, nodes.a.map.body.nodes.c",
    /^no path leads to node "c"/,
  ],
  [
    "a loop without an end in a body",
    document(
      "  a: { map: { items: [1], body: { start: b, nodes: { b: { transform: 1, next: b } } } } }",
    ),
    "line 5, nodes.a.map.body.nodes.b",
    /^from node "b" there is no path to an end/,
  ],
  [
    "an item outside of its map",
    document(
      "  a: { map: { items: '${ item }', body: { start: b, nodes: { b: { transform: 1 } } } } }",
    ),
    "line 5, nodes.a.map.items",
    '"item" is not known here; expressions start with input, nodes or run',
  ],
  [
    "an item by another name than its map's",
    document(
      "  a: { map: { items: [1], as: city, body: { start: b, nodes: { b: { transform: '${ item }' } } } } }",
    ),
    "line 5, nodes.a.map.body.nodes.b.transform",
    '"item" is not known here; expressions start with input, nodes, run, city or index',
  ],
  [
    "an item with a name that means something else",
    document(
      "  a: { map: { items: [1], as: nodes, body: { start: b, nodes: { b: { transform: 1 } } } } }",
    ),
    "line 5, nodes.a.map.as",
    /means something else/,
  ],
  [
    "a body's output that names nothing",
    document(
      "  a: { map: { items: [1], body: { start: b, output: '${ nodes.c }', nodes: { b: { transform: 1 } } } } }",
    ),
    "line 5, nodes.a.map.body.output",
    'in ${ nodes.c }: unknown node "c"; available: a, b',
  ],
  [
    "a parallel node without a branch",
    document("  a: { parallel: {} }"),
    "line 5, nodes.a.parallel",
    /has no branch/,
  ],
  [
    "an unknown field in a list of retries",
    document(
      "  a:\n    task: merge_review\n    retry:\n      - { max_attempts: 1 }\n      - { error: [all] }",
    ),
    "line 9, nodes.a.retry[1].error",
    'unknown field "error"; did you mean "errors"?',
  ],
  [
    "a retry that is neither a policy nor a list",
    document("  a: { task: merge_review, retry: 3 }"),
    "line 5, nodes.a.retry",
    "must be a policy or a list of policies",
  ],
  [
    "a catch that leads nowhere",
    document("  a: { task: merge_review, catch: [{ errors: [all], next: b }] }"),
    "line 5, nodes.a.catch[0].next",
    'unknown node "b"; available: a',
  ],
  [
    "a cache that depends on nobody knows what",
    document("  a: { task: merge_review, cache: { ttl_seconds: 5 } }"),
    "line 5, nodes.a.cache",
    /add "with" to the node, or a key here/,
  ],
  [
    "a bad expression in a cache's key",
    document("  a: { task: merge_review, cache: { ttl_seconds: 5, key: '${ inptu }' } }"),
    "line 5, nodes.a.cache.key",
    /"inptu" is not known here/,
  ],
  [
    "compensation by an unknown node",
    document("  a: { task: merge_review, on_fail: [undo] }"),
    "line 5, nodes.a.on_fail[0]",
    'unknown node "undo"; available: a',
  ],
  [
    "compensation that leads on",
    document("  a: { transform: 1, on_cancel: [b] }\n  b: { transform: 1, next: a }"),
    "line 5, nodes.a.on_cancel[0]",
    /^node "b" undoes work after the run has ended, so it leads nowhere/,
  ],
  [
    "compensation that a run passes anyway",
    document("  a: { transform: 1, on_fail: [b], next: b }\n  b: { transform: 1 }"),
    "line 5, nodes.a.on_fail[0]",
    /so no edge may lead to it/,
  ],
  [
    "compensation of compensation",
    document(
      "  a: { transform: 1, on_fail: [b] }\n  b: { transform: 1, on_fail: [c] }\n  c: { transform: 1 }",
    ),
    "line 5, nodes.a.on_fail[0]",
    /is not undone itself/,
  ],
  [
    "an error where there is none",
    document("  a: { transform: '${ error.code }' }"),
    "line 5, nodes.a.transform",
    /"error" is not known here/,
  ],
  [
    "a bad cron expression",
    document("  a: { transform: 1 }", "schedule: [{ cron: every day }]"),
    "line 6, schedule[0].cron",
    /is not a cron expression/,
  ],
  [
    "a schedule whose input does not fit",
    document(
      "  a: { transform: 1 }",
      "input: { type: object, required: [q] }\nschedule: [{ cron: '@daily', input: { p: 1 } }]",
    ),
    "line 7, schedule[0].input",
    /^the input does not match the schema/,
  ],
  [
    "a concurrency key over nodes",
    document("  a: { transform: 1 }", "concurrency: { key: '${ nodes.a }', limit: 1 }"),
    "line 6, concurrency.key",
    '"nodes" is not known here; expressions start with input',
  ],
  [
    "a priority beyond the bounds",
    document("  a: { transform: 1 }", "priority: 101"),
    "line 6, priority",
    /100/,
  ],
]);
