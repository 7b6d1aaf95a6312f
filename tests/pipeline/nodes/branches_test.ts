import { expect } from "expect";
import fc from "fast-check";
import { OrchestratorError } from "../../../errors.ts";
import type { Json } from "../../../pipeline/kernel/events.ts";
import type { Tasks } from "../../../pipeline/nodes/task.ts";
import { define, deps, once, twice } from "../walk/_define.ts";

const tasks: Tasks = {
  echo: { run: (input) => input },
  refuse: {
    run: (input) => {
      if ((input as { bad?: boolean }).bad) {
        throw new OrchestratorError("tool_failed", `no ${JSON.stringify(input)}`);
      }
      return input;
    },
  },
  stop: {
    run: () => {
      throw new OrchestratorError("worker_fenced", "lost", { kind: "cancelled" });
    },
  },
};

const CHECKS = `
  a: { transform: 1, next: checks }
  checks:
    parallel:
      tone:
        start: score
        nodes:
          score: { task: refuse, with: { n: "\${ nodes.a }", bad: "\${ input.bad }" }, next: grade }
          grade: { transform: "\${ nodes.score.n + 1 }" }
      facts:
        start: find
        nodes: { find: { task: echo, with: found } }
        output: { all: "\${ nodes.find }", first: "\${ nodes.a }" }`;

Deno.test("parallel gives the outputs of its branches by name", async () => {
  const definition = await define(CHECKS);
  const { ended, ctx } = await twice({ definition, deps: deps(tasks), input: { bad: false } });
  expect(ended).toEqual({ output: { tone: 2, facts: { all: "found", first: 1 } } });
  expect(ctx.ran.toSorted()).toEqual([
    "a",
    "checks.facts/find",
    "checks.tone/grade",
    "checks.tone/score",
  ]);
  expect(ctx.steps.at(-1)).toMatchObject({ key: "checks", options: { kind: "parallel" } });
});

Deno.test("parallel keeps the nodes of a branch to itself", async () => {
  const definition = await define(`${CHECKS}\n    next: end\n  end: { task: echo }`);
  const { ended } = await once({ definition, deps: deps(tasks), input: { bad: false } });
  expect(ended).toEqual({
    output: { bad: false, a: 1, checks: { tone: 2, facts: { all: "found", first: 1 } } },
  });
});

Deno.test("parallel fails with a branch, unless it may fail", async () => {
  const failing = { definition: await define(CHECKS), deps: deps(tasks), input: { bad: true } };
  const { ended } = await twice(failing);
  expect(ended).toMatchObject({ error: { code: "tool_failed" } });
  const definition = await define(`${CHECKS}\n    tolerated_failures: 1`);
  expect((await twice({ ...failing, definition })).ended).toEqual({
    output: {
      tone: { error: { code: "tool_failed", message: 'no {"n":1,"bad":true}' } },
      facts: { all: "found", first: 1 },
    },
  });
});

Deno.test("parallel does not take a stop for the failure of a branch", async () => {
  const definition = await define(
    "  a: { tolerated_failures: all, parallel: { x: { start: b, nodes: { b: { task: stop } } } } }",
  );
  const { ended } = await once({ definition, deps: deps(tasks) });
  expect(ended).toMatchObject({ error: { code: "worker_fenced", kind: "cancelled" } });
});

Deno.test("parallel nodes nest, and a second visit has keys of its own", async () => {
  const definition = await define(`
  a:
    parallel:
      one: { start: b, nodes: { b: { parallel: { two: { start: c, nodes: { c: { task: echo, with: 1 } } } } } } }
    next: again
  again:
    choose: [{ when: "\${ $exists(nodes.done) }", next: end }]
    default: done
  done: { transform: 1, next: a }
  end: { transform: "\${ nodes.a.one.two }" }`);
  const { ended, ctx } = await twice({ definition, deps: deps(tasks) });
  expect(ended).toEqual({ output: 1 });
  expect(ctx.ran).toEqual(["a.one/b.two/c", "again", "done", "a#2.one/b.two/c", "again#2", "end"]);
});

const MAP = `
  a:
    map:
      items: "\${ input }"
      body:
        start: one
        nodes:
          one: { task: refuse, with: "\${ item }", next: two }
          two: { transform: { i: "\${ index }", n: "\${ nodes.one.n }", own: "\${ item.n }" } }`;

Deno.test("map walks its body for each item, in their order", async () => {
  const definition = await define(MAP);
  const { ended, ctx } = await twice({
    definition,
    deps: deps(tasks),
    input: [{ n: 7 }, { n: 8 }],
  });
  expect(ended).toEqual({ output: [{ i: 0, n: 7, own: 7 }, { i: 1, n: 8, own: 8 }] });
  expect(ctx.ran.toSorted()).toEqual(["a[0]/one", "a[0]/two", "a[1]/one", "a[1]/two"]);
  expect((await twice({ definition, deps: deps(tasks), input: [] })).ended).toEqual({ output: [] });
});

Deno.test("map keeps the order of its items, whichever is ready first", async () => {
  const definition = await define(MAP);
  const slow: Tasks = {
    refuse: {
      run: async (input) => {
        const { n } = input as { n: number };
        for (let turn = 0; turn < n; turn++) await Promise.resolve();
        return input;
      },
    },
  };
  await fc.assert(
    fc.asyncProperty(fc.array(fc.nat(20), { maxLength: 30 }), async (numbers) => {
      const input = numbers.map((n) => ({ n }));
      const { ended } = await twice({ definition, deps: deps(slow), input });
      expect(ended).toEqual({ output: numbers.map((n, i) => ({ i, n, own: n })) });
    }),
    { numRuns: 30 },
  );
});

Deno.test("map names its item as it is told, also within another map", async () => {
  const definition = await define(`
  a:
    map:
      items: [[1, 2], [3]]
      as: row
      concurrency: 1
      body:
        start: b
        nodes:
          b:
            map:
              items: "\${ row }"
              body: { start: c, nodes: { c: { task: echo } } }`);
  const { ended, ctx } = await twice({ definition, deps: deps(tasks), input: { x: 1 } });
  const cell = (row: Json, item: number, index: number) => ({ x: 1, row, item, index });
  expect(ended).toEqual({
    output: [[cell([1, 2], 1, 0), cell([1, 2], 2, 1)], [cell([3], 3, 0)]],
  });
  expect(ctx.ran).toContain("a[1]/b[0]/c");
});

Deno.test("map fails with an item, unless it may fail", async () => {
  const input = [{ n: 1 }, { bad: true }];
  const failing = { definition: await define(MAP), deps: deps(tasks), input };
  expect((await twice(failing)).ended).toMatchObject({ error: { code: "tool_failed" } });
  const tolerant = MAP.replace("body:", "tolerated_failures: all\n      body:");
  expect((await twice({ ...failing, definition: await define(tolerant) })).ended).toEqual({
    output: [{ i: 0, n: 1, own: 1 }, {
      error: { code: "tool_failed", message: 'no {"bad":true}' },
    }],
  });
});

Deno.test("map refuses what is no list or too long a list, and names the node", async () => {
  const definition = await define(MAP);
  const message = async (input: Json) => {
    const { ended } = await once({ definition, deps: deps(tasks), input });
    return "error" in ended && [ended.error.code, ended.error.message];
  };
  expect(await message({ x: 1 })).toEqual([
    "validation_failed",
    'Cannot map in a: items is {"x":1}, not a list. Fix the node\'s expression or its input.',
  ]);
  expect((await message(Array(10_001).fill(0)) as string[])[1]).toMatch(
    /Cannot map in a: there are 10001 items, more than 10000/,
  );
});

Deno.test("nodes inside count for the run's one step limit", async () => {
  const definition = await define(MAP, { rest: "max_steps: 4" });
  const run = (items: number) =>
    once({ definition, deps: deps(tasks), input: Array(items).fill({ n: 1 }) });
  expect((await run(1)).ended).toMatchObject({ output: [{ n: 1 }] });
  expect((await run(2)).ended).toMatchObject({
    error: { code: "step_limit_exceeded", details: { max_steps: 4 } },
  });
});
