import { expect } from "expect";
import { readTable, toCsv } from "../../../tools/dataset/read.ts";
import { damagedParquet, fileOf, parquet, tableOf } from "./_setup.ts";

const text = (bytes: Uint8Array) => new TextDecoder().decode(bytes);

Deno.test("columns get the type of their values, and what is missing is null", async () => {
  const table = await tableOf(
    "n,flag,day,name,none\n1,yes,2026-01-02,a,\n 2.5e1 ,no,2026-01-03,NA,?\n-3,,2026-01-04,1x,\n",
  );
  expect(table).toEqual({
    columns: [
      { name: "n", type: "number" },
      { name: "flag", type: "boolean" },
      { name: "day", type: "date" },
      { name: "name", type: "text" },
      { name: "none", type: "empty" },
    ],
    rows: [
      [1, true, "2026-01-02", "a", null],
      [25, false, "2026-01-03", null, null],
      [-3, null, "2026-01-04", "1x", null],
    ],
  });
});

for (
  const [what, source, name] of [
    ["semicolons and a byte order mark", "\ufeffa;b\n1;x\n2;y\n", "x.csv"],
    ["tabs", "a\tb\n1\tx\n2\ty\n", "x.tsv"],
    ["quotes and Windows line ends", '"a","b"\r\n"1","x"\r\n2,y\r\n\r\n', "x"],
    ["JSON", '[{"a":1,"b":"x"},{"b":"y","a":2}]', "x.json"],
    ["JSON around the list", '{"count":2,"data":[{"a":1,"b":"x"},{"a":2,"b":"y"}]}', "x"],
    ["a list of lists", '[["a","b"],[1,"x"],[2,"y"]]', "x"],
    ["NDJSON by its name", '{"a":1,"b":"x"}\n{"a":2,"b":"y"}\n', "x.jsonl"],
    ["NDJSON by its content", '{"a":1,"b":"x"}\n{"a":2,"b":"y"}\n', "x"],
  ] as const
) {
  Deno.test(`a table is read from ${what}`, async () => {
    const table = await tableOf(source, name);
    expect(table.columns).toEqual([{ name: "a", type: "number" }, { name: "b", type: "text" }]);
    expect(table.rows).toEqual([[1, "x"], [2, "y"]]);
    expect(text(await toCsv(table))).toBe("a,b\n1,x\n2,y\n");
  });
}

Deno.test("names are unique and not empty, short rows are filled", async () => {
  const table = await tableOf("a,a,,__proto__\n1\n");
  expect(table.columns.map(({ name }) => name)).toEqual(["a", "a_2", "column_3", "__proto__"]);
  expect(table.rows).toEqual([[1, null, null, null]]);
});

Deno.test("nested values are JSON text, Windows-1252 is understood", async () => {
  expect((await tableOf('[{"a":{"b":[1]}}]', "x.json")).rows).toEqual([['{"b":[1]}']]);
  const bytes = Uint8Array.from([97, 10, 252, 10]);
  expect((await readTable({ name: "x.csv", type: "", bytes }, 100)).rows).toEqual([["ü"]]);
});

Deno.test("Parquet is read with its types", async () => {
  expect(await readTable(parquet(), 1_000)).toEqual({
    columns: [
      { name: "n", type: "number" },
      { name: "s", type: "text" },
      { name: "big", type: "number" },
      { name: "day", type: "date" },
    ],
    rows: [
      [1, "a", 1, "2026-01-02T00:00:00.000Z"],
      [2, "b", 2, "2026-01-03T00:00:00.000Z"],
      [null, "c", 3, null],
    ],
  });
});

Deno.test("damaged Parquet fails the call that reads it, and leaves no rejection behind", async () => {
  for (const damage of ["missing", "twice"] as const) {
    const failed = await readTable(damagedParquet(damage), 1_000).catch((error) => error);
    expect(failed.code).toBe("dataset_invalid");
    expect(failed.message).toContain('its column "da');
    // A rejection that no one awaits would fail this file now.
    await new Promise((resolve) => setTimeout(resolve));
  }
});

Deno.test("gzip is opened, up to the limit", async () => {
  const body = new Blob(["a\n" + "1\n".repeat(5_000)]).stream();
  const zipped = body.pipeThrough(new CompressionStream("gzip"));
  const bytes = new Uint8Array(await new Response(zipped).arrayBuffer());
  const file = { name: "x.csv.gz", type: "", bytes };
  expect((await readTable(file, 20_000)).rows).toHaveLength(5_000);
  await expect(readTable(file, 5_000)).rejects.toMatchObject({ code: "dataset_invalid" });
  const broken = { ...file, bytes: bytes.slice(0, 20) };
  await expect(readTable(broken, 5_000)).rejects.toMatchObject({ code: "dataset_invalid" });
});

Deno.test("what is no data set is refused with the reason", async () => {
  const why = (source: string, name?: string) =>
    readTable(fileOf(source, name), 1_000).then(
      () => "",
      ({ code, message }) => `${code} ${message}`,
    );
  expect(await why("  \n")).toMatch(/^dataset_invalid .*empty/);
  expect(await why("<!doctype html><p>x")).toMatch(/web page/);
  expect(await why("{]", "x.json")).toMatch(/not valid JSON/);
  expect(await why("[1,2]", "x.json")).toMatch(/its items are not objects/);
  expect(await why("PAR1xxxxxxxxPAR1")).toMatch(/not valid Parquet/);
  expect(await why('a\n"x\n')).toMatch(/quotes/);
  expect(await why("a,".repeat(2_001) + "\n1\n")).toMatch(/more than 2000 columns/);
});
