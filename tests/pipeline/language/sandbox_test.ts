import { expect } from "expect";
import { LIMITS } from "../../../pipeline/language/bounds.ts";
import { compileProgram } from "../../../pipeline/language/sandbox.ts";
import type { Scope } from "../../../pipeline/language/scope.ts";
import type { Json } from "../../../pipeline/kernel/events.ts";
import { within } from "../../_yardstick.ts";

const CREATED = "2026-01-02T03:04:05.678Z";

function scope(input: Json = null): Scope {
  return { input, nodes: {}, run: { id: "run_1", pipeline: "p", created_at: CREATED } };
}

async function evaluate(source: string, input: Json = null): Promise<Json | undefined> {
  return (await compileProgram(source)).evaluate(scope(input));
}

/** Fails a test whose expression was not stopped in good time. */
async function expectLimit(source: string, input: Json = null): Promise<void> {
  await within(
    LIMITS.milliseconds * 5,
    () => expect(evaluate(source, input)).rejects.toMatchObject({ code: "expression_limit" }),
  );
}

Deno.test("compileProgram() evaluates JSONata over the scope", async () => {
  expect(
    await evaluate("$sum(input.items.(price * count))", {
      items: [{ price: 2, count: 3 }, { price: 1.5, count: 2 }],
    }),
  ).toBe(9);
  expect(await evaluate('{"a": input.x, "gone": input.y}', { x: 1 })).toEqual({ a: 1 });
  expect(await evaluate("input.items[n > 1].n", { items: [{ n: 1 }, { n: 2 }, { n: 3 }] }))
    .toStrictEqual([2, 3]);
  expect(await evaluate("input.missing")).toBeUndefined();
});

Deno.test("compileProgram() keeps higher-order functions and partial application working", async () => {
  expect(await evaluate("$map([1..3], $string)")).toStrictEqual(["1", "2", "3"]);
  expect(await evaluate('$map(["a","b"], function($v, $i) { $v & $i })')).toStrictEqual([
    "a0",
    "b1",
  ]);
  expect(await evaluate('($first := $substring(?, 0, 2); $first("hello"))')).toBe("he");
  expect(await evaluate("[3,1,2] ~> $sort ~> $reverse")).toStrictEqual([3, 2, 1]);
  expect(await evaluate("$reduce([1..4], function($a, $b) { $a * $b })")).toBe(24);
});

Deno.test("compileProgram() counts equal values once in $distinct, whatever their key order", async () => {
  expect(await evaluate("$distinct(input)", [{ a: 1, b: 2 }, { b: 2, a: 1 }, 1, "1", 1]))
    .toStrictEqual([{ a: 1, b: 2 }, 1, "1"]);
});

Deno.test("compileProgram() answers the time of the run for $now and $millis", async () => {
  expect(await evaluate("$now()")).toBe(CREATED);
  expect(await evaluate("$millis()")).toBe(Date.parse(CREATED));
  expect(await evaluate('$now("[Y0001]-[M01]")')).toBe("2026-01");
  expect(await evaluate('$fromMillis($toMillis("10:30", "[H]:[m]"))')).toBe(
    "2026-01-02T10:30:00.000Z",
  );
});

for (const name of ["random()", "shuffle([1, 2])", 'eval("1")']) {
  Deno.test(`compileProgram() refuses $${name} and says why`, async () => {
    await expect(evaluate(`$${name}`)).rejects.toMatchObject({
      code: "expression_failed",
      message: expect.stringContaining("is not allowed"),
    });
  });
}

Deno.test("compileProgram() reports a syntax error with its position", async () => {
  await expect(compileProgram("1 + ")).rejects.toMatchObject({
    code: "expression_failed",
    details: { expression: "1 + ", position: 4 },
  });
});

Deno.test("compileProgram() reports what $error says, with expression and position", async () => {
  await expect(evaluate('input.a + $error("no such thing")', { a: 1 })).rejects.toMatchObject({
    code: "expression_failed",
    message: expect.stringMatching(/no such thing.*at character/),
  });
});

Deno.test("compileProgram() refuses results that are not JSON", async () => {
  await expect(evaluate("$sum")).rejects.toMatchObject({ code: "expression_failed" });
  await expect(evaluate("function($x) { $x }")).rejects.toMatchObject({
    code: "expression_failed",
  });
});

Deno.test("compileProgram() stops endless recursion", async () => {
  await expectLimit("(function($f){$f($f)})(function($f){$f($f)})");
  await expectLimit("($f := function($n){ 1 + $f($n + 1) }; $f(0))");
});

Deno.test("compileProgram() stops huge ranges, paddings and doublings", async () => {
  await expectLimit("[1..1e7]");
  await expectLimit("[1..1e9]");
  await expectLimit('$length($pad("x", 1e9))');
  await expectLimit('$length($reduce([1..40], function($a, $b){ $a & $a }, "xxxxxxxx"))');
  await expectLimit('$string($reduce([1..40], function($a, $b){ {"a": $a, "b": $a} }, {"x": 1}))');
  await expectLimit('$replace(input, "a", input)', "a".repeat(20_000));
  await expectLimit("$join(input, input[0])", Array(3_000).fill("a".repeat(1_000)));
  await expectLimit('$fromMillis(0, "[Y,9999999-9999999]")');
  await expectLimit('$toMillis("1", "[Y][Y][Y][Y][Y][Y][Y][Y][Y][Y][Y][Y][Y]")');
  await expectLimit(`$toMillis("${"1".repeat(60)}x", "[Y]")`);
});

Deno.test("compileProgram() stops work that takes long in all", async () => {
  await expectLimit("$count([1..3000].($i := $; [1..3000].($i + $)))");
  await expectLimit("$map([1..100000], function($i){ $count($map([1..100000], $string)) })");
});

const MANY = Array.from({ length: 60_000 }, (_, index) => String(index)).reverse();

Deno.test("compileProgram() sorts tens of thousands of values, or stops", async () => {
  // Either is right on a slow machine; the library's $sort runs for a minute and out of memory.
  for (
    const source of ["$count($sort(input))", "$count($sort(input, function($a, $b) { $a > $b }))"]
  ) {
    await within(LIMITS.milliseconds * 5, () => countOrLimit(source, MANY));
  }
  expect(await evaluate("$sort(input)[0]", MANY.slice(0, 5_000))).toBe("55000");
});

Deno.test("compileProgram() sorts as JSONata does", async () => {
  expect(await evaluate("$sort(input)", [10, 9, -1])).toStrictEqual([-1, 9, 10]);
  expect(await evaluate("$sort(input)", ["b", "B", "a"])).toStrictEqual(["B", "a", "b"]);
  expect(await evaluate("$sort(input)", "alone")).toStrictEqual(["alone"]);
  expect(await evaluate("$sort(input.missing)", {})).toBeUndefined();
  const pairs = [["b", 1], ["a", 2], ["b", 3], ["a", 4]];
  expect(await evaluate("$sort(input, function($l, $r) { $l[0] > $r[0] })", pairs))
    .toStrictEqual([["a", 2], ["a", 4], ["b", 1], ["b", 3]]);
  for (const mixed of [[1, "a"], [{}, {}], [null, null], [true, false]]) {
    await expect(evaluate("$sort(input)", mixed)).rejects.toMatchObject({
      code: "expression_failed",
      message: expect.stringContaining("array of strings or an array of numbers"),
    });
  }
});

Deno.test("compileProgram() groups by thousands of keys, and stops in time at more", async () => {
  const groups = await evaluate("input{$: $}", MANY.slice(0, 2_000));
  expect(Object.keys(groups as object)).toHaveLength(2_000);
  await within(LIMITS.milliseconds * 5, () => countOrLimit("$count($keys(input{$: $}))", MANY));
});

Deno.test("compileProgram() spreads as JSONata does, also tens of thousands of objects", async () => {
  expect(await evaluate("$spread(input)", [{ a: 1, b: 2 }, [{ c: 3 }], 4, null, {}]))
    .toStrictEqual([{ a: 1 }, { b: 2 }, { c: 3 }, 4, null]);
  expect(await evaluate("$spread(input)", [{ a: 1 }])).toStrictEqual([{ a: 1 }]);
  expect(await evaluate("$spread(input)", { a: 1, b: 2 })).toStrictEqual([{ a: 1 }, { b: 2 }]);
  expect(await evaluate("$spread(input)", "text")).toBe("text");
  const objects = MANY.map((name) => ({ [`k${name}`]: 1 }));
  await within(LIMITS.milliseconds * 5, () => countOrLimit("$count($spread(input))", objects));
});

/** Fails a test whose expression neither counts all items nor ends at a limit. */
async function countOrLimit(source: string, input: Json[]): Promise<void> {
  const result = await evaluate(source, input).catch((error) => error.code);
  expect([input.length, "expression_limit"]).toContain(result);
}

Deno.test("compileProgram() runs evil regular expressions in linear time", async () => {
  expect(await evaluate("$contains(input, /^(a+)+$/)", "a".repeat(50_000) + "b")).toBe(false);
  expect(await evaluate("$contains(input, /^(a|a)*$/)", "a".repeat(50_000) + "b")).toBe(false);
});

Deno.test("compileProgram() matches, splits and replaces with regular expressions", async () => {
  expect(await evaluate("$match(input, /(b)(c)?/i).match", "aBxBC")).toStrictEqual(["B", "BC"]);
  expect(await evaluate("$split(input, /[,;]\\s*/)", "a, b;c")).toStrictEqual(["a", "b", "c"]);
  expect(await evaluate('$replace(input, /(\\w+)@/, "<$1>")', "me@x you@y")).toBe("<me>x <you>y");
  await expect(evaluate("$contains(input, /(?=a)b/)", "ab")).rejects.toMatchObject({
    code: "expression_failed",
    message: expect.stringContaining("not supported"),
  });
});

Deno.test("compileProgram() does not reach prototypes", async () => {
  for (const name of ["__proto__", "constructor", "toString", "hasOwnProperty"]) {
    expect(await evaluate(`input.\`${name}\``, {})).toBeUndefined();
    expect(await evaluate(`$lookup(input, "${name}")`, {})).toBeUndefined();
  }
  await evaluate('input ~> |$|{"__proto__": {"polluted": true}}|', { a: 1 });
  expect(await evaluate('{"__proto__": {"polluted": 1}}.polluted')).toBeFalsy();
  expect(({} as Record<string, unknown>).polluted).toBeUndefined();
});

Deno.test("compileProgram() refuses an expression that is too long or too deep", async () => {
  await expect(compileProgram("1+".repeat(6_000) + "1")).rejects.toMatchObject({
    code: "expression_limit",
  });
  await expect(compileProgram("(".repeat(4_500) + "1" + ")".repeat(4_500))).rejects.toMatchObject({
    code: expect.stringMatching(/^expression_/),
  });
});

Deno.test("compileProgram() gives one evaluation its whole time, also among many", async () => {
  const program = await compileProgram("$sum([1..200].($ * 2))");
  const results = await Promise.all(Array.from({ length: 200 }, () => program.evaluate(scope())));
  expect(new Set(results)).toEqual(new Set([40_200]));
});
