import { expect } from "expect";
import { profile } from "../../../tools/dataset/profile.ts";
import { query } from "../../../tools/dataset/query.ts";
import { createDatasetTool } from "../../../tools/dataset/mod.ts";
import { schemaIssues } from "../../../json/mod.ts";
import { depsOf, fileOf, scope, tableOf } from "./_setup.ts";

const CSV =
  "city,n,day\nGraz,1,2026-01-01\nWien,4,2026-01-02\nGraz,3,2026-01-03\nLinz,,2026-01-01\n";

Deno.test("profile() tells size, types, missing values and distributions", async () => {
  const { rows, columns, duplicate_rows, sample } = profile(
    await tableOf(CSV + "Graz,1,2026-01-01\n"),
  );
  expect({ rows, duplicate_rows }).toEqual({ rows: 5, duplicate_rows: 1 });
  expect(columns).toEqual([
    {
      name: "city",
      type: "text",
      missing: 0,
      distinct: 3,
      top: [{ value: "Graz", count: 3 }, { value: "Wien", count: 1 }, { value: "Linz", count: 1 }],
    },
    {
      name: "n",
      type: "number",
      missing: 1,
      distinct: 3,
      min: 1,
      max: 4,
      mean: 2.25,
      std: 1.5,
      quantiles: { p25: 1, median: 2, p75: 3.25 },
    },
    expect.objectContaining({ name: "day", type: "date", min: "2026-01-01", max: "2026-01-03" }),
  ]);
  expect(sample[0]).toEqual({ city: "Graz", n: 1, day: "2026-01-01" });
});

Deno.test("query() filters, picks and orders rows", async () => {
  const table = await tableOf(CSV);
  expect(query(table, { where: [{ field: "n", op: "ge", value: 3 }] })).toEqual({
    matched: 2,
    columns: ["city", "n", "day"],
    rows: [["Wien", 4, "2026-01-02"], ["Graz", 3, "2026-01-03"]],
    truncated: false,
  });
  const cities = (op: string, value?: unknown, field = "city") =>
    // deno-lint-ignore no-explicit-any -- any comparison
    query(table, { select: ["city"], where: [{ field, op, value } as any] }).rows.flat().join(" ");
  expect(cities("eq", "Graz")).toBe("Graz Graz");
  expect(cities("ne", "Graz")).toBe("Wien Linz");
  expect(cities("in", ["Wien", "Linz"])).toBe("Wien Linz");
  expect(cities("contains", "IN")).toBe("Linz");
  expect(cities("is_missing", undefined, "n")).toBe("Linz");
  expect(cities("not_missing", undefined, "n")).toBe("Graz Wien Graz");
  expect(cities("lt", 3, "n")).toBe("Graz");
  expect(cities("le", 3, "n")).toBe("Graz Graz");
  expect(cities("gt", "2026-01-02", "day")).toBe("Graz");
  expect(cities("gt", "text", "n")).toBe("");
  const ordered = query(table, {
    select: ["city"],
    order_by: [{ field: "n", direction: "desc" }],
    limit: 3,
  });
  expect(ordered).toMatchObject({
    rows: [["Wien", 4], ["Graz", 3], ["Graz", 1]],
    truncated: true,
  });
});

Deno.test("query() groups and aggregates", async () => {
  const table = await tableOf(CSV);
  const answer = query(table, {
    group_by: ["city"],
    aggregate: [
      { op: "count" },
      { op: "count_distinct", field: "day" },
      { op: "sum", field: "n" },
      { op: "mean", field: "n", as: "average" },
      { op: "median", field: "n" },
      { op: "min", field: "day" },
      { op: "max", field: "n" },
    ],
    order_by: [{ field: "average" }],
  });
  expect(answer.columns).toEqual([
    "city",
    "count",
    "count_distinct_day",
    "sum_n",
    "average",
    "median_n",
    "min_day",
    "max_n",
  ]);
  expect(answer.rows).toEqual([
    ["Graz", 2, 2, 4, 2, 2, "2026-01-01", 3],
    ["Wien", 1, 1, 4, 4, 4, "2026-01-02", 4],
    ["Linz", 1, 1, null, null, null, "2026-01-01", null],
  ]);
  const none = { field: "city", op: "eq", value: "x" } as const;
  expect(query(table, { where: [none], aggregate: [{ op: "count" }] }).rows).toEqual([[0]]);
});

Deno.test("a field that is not there is refused, with the one that was meant", async () => {
  const table = await tableOf(CSV);
  for (
    const question of [
      { select: ["citty"] },
      { group_by: ["constructor"] },
      { where: [{ field: "__proto__", op: "eq", value: 1 }] } as const,
      { aggregate: [{ op: "sum" }] } as const,
      { group_by: ["city"], order_by: [{ field: "n" }] },
    ]
  ) {
    expect(() => query(table, question as never)).toThrow(
      expect.objectContaining({ code: "tool_bad_arguments" }),
    );
  }
});

Deno.test("the tool reads files of its own tenant and addresses through the guard", async () => {
  const deps = depsOf({ "acme/art_1": fileOf(CSV) }, {
    "https://x.test/a.json": { status: 200, text: '[{"a":1}]', type: "application/json" },
    "https://x.test/none": { status: 404, text: "" },
    "https://x.test/down": { status: 503, text: "" },
  });
  const tool = createDatasetTool(deps);
  const run = (source: string, tenant?: string) =>
    tool.run({ source, action: "profile" }, scope(tenant));
  for (const source of ["art_1", "artifact://art_1"]) {
    expect(await run(source)).toMatchObject({ rows: 4 });
  }
  await expect(run("art_1", "other")).rejects.toThrow("no art_1 of other");
  expect(await run("https://x.test/a.json")).toMatchObject({ rows: 1 });
  await expect(run("https://x.test/none")).rejects.toMatchObject({
    code: "egress_failed",
    kind: "terminal",
  });
  await expect(run("https://x.test/down")).rejects.toMatchObject({ kind: "retryable" });
  for (const source of ["file:///etc/passwd", "/etc/passwd", "ftp://x/y", "art_1/../art_2"]) {
    await expect(run(source)).rejects.toMatchObject({ code: "dataset_invalid" });
  }
  const args = { source: "art_1", action: "query", query: { aggregate: [{ op: "count" }] } };
  expect(schemaIssues(tool.input, args)).toEqual([]);
  expect(await tool.run(args, scope())).toMatchObject({ rows: [[4]] });
  expect(schemaIssues(tool.input, { ...args, query: { code: "1+1" } })).not.toEqual([]);
});
