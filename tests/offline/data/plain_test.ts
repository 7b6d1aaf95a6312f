/** The programs of the standard library really run, and their figures are right. */
import { expect } from "expect";
import { programs, runPython } from "./_run.ts";

const PENGUINS = await Deno.readTextFile(
  new URL("../../data/penguins.csv", import.meta.url),
);
const EVERYTHING =
  "missing values, duplicates, class balance, outliers, correlation, dates, categories, plots";

/** 200 days of a wave with a trend and some noise, the same every time. */
const DAYS = Array.from({ length: 200 }, (_, at) => {
  const day = new Date(Date.UTC(2026, 0, 1) + at * 86_400_000).toISOString().slice(0, 10);
  const noise = (at * 7919 % 13 - 6) / 6;
  return { day, value: 100 + at / 5 + 20 * Math.sin(at * 2 * Math.PI / 7) + noise };
});
const SERIES = `day,sales\n${DAYS.map(({ day, value }) => `${day},${value}`).join("\n")}\n`;

Deno.test("classification: every class is found, the baseline knows one only", async () => {
  const goal = { task_type: "classification", target: ["Species"], feedback: [EVERYTHING] };
  const { eda, training } = programs(goal);
  const looked = await runPython(eda, PENGUINS);
  if (!looked) return;
  expect(looked).toMatchObject({ code: 0, stderr: "" });
  expect(looked.stdout).toContain(
    "Share of each class: {'Adelie': 0.4419, 'Gentoo': 0.3605, 'Chinstrap': 0.1977}",
  );
  expect(looked.files).toEqual(expect.arrayContaining(["classes.svg", "histogram_4.svg"]));
  const { code, stderr, files, last } = (await runPython(training, PENGUINS))!;
  expect({ code, stderr }).toEqual({ code: 0, stderr: "" });
  expect(last).toMatchObject({ task: "classification", target: "Species", rows: 344 });
  expect(last.metrics.f1).toBeGreaterThan(0.95);
  // A fifth of each class: 30 of 67 rows are of the most frequent one.
  expect(last.baseline).toEqual({ accuracy: 0.4478, f1: 0.2062, roc_auc: 0.5 });
  expect(files).toEqual(["importance.svg"]);
});

Deno.test("two classes: the chances of one are drawn as a ROC curve", async () => {
  const two = PENGUINS.split("\n").filter((line) => !line.endsWith(",.")).join("\n");
  const { training } = programs({ task_type: "classification", target: ["Sex"] });
  const ran = await runPython(training, two);
  if (!ran) return;
  expect(ran).toMatchObject({ code: 0, files: ["importance.svg", "roc.svg"] });
  expect(ran.last.metrics.roc_auc).toBeGreaterThan(0.9);
});

Deno.test("forecast: the last fifth in time is foretold better than by the day before", async () => {
  const { eda, training } = programs({ task_type: "forecast", target: ["sales"] });
  const looked = await runPython(eda, SERIES);
  if (!looked) return;
  expect(looked.stdout).toContain("day: 2026-01-01 to 2026-07-19, steps in days {1: 199}");
  expect(looked.files).toEqual(["over_time.svg", "target.svg"]);
  const { last, stderr } = (await runPython(training, SERIES))!;
  expect(stderr).toBe("");
  const held = DAYS.slice(14).slice(Math.floor(0.8 * (DAYS.length - 14)));
  const before = (at: number) => DAYS[DAYS.length - held.length + at - 1]!.value;
  const mae = held.reduce((sum, { value }, at) => sum + Math.abs(value - before(at)), 0) /
    held.length;
  expect(last.baseline.mae).toBeCloseTo(mae, 3);
  expect(last.metrics.mae).toBeLessThan(mae / 2);
  expect(last.test_rows).toBe(held.length);
});

Deno.test("clustering: three clouds are three clusters", async () => {
  const points = Array.from({ length: 150 }, (_, at) => {
    const center = [[0, 0], [10, 0], [0, 10]][at % 3]!;
    return `${center[0]! + at * 37 % 10 / 10},${center[1]! + at * 53 % 10 / 10}`;
  });
  const csv = `x,y\n${points.join("\n")}\n`;
  const { eda, training } = programs({ task_type: "clustering", target: [] });
  const looked = await runPython(eda, csv);
  if (!looked) return;
  expect(looked).toMatchObject({ code: 0, stderr: "" });
  const { last, files } = (await runPython(training, csv))!;
  expect(last).toMatchObject({ metrics: { clusters: 3 }, sizes: [50, 50, 50] });
  expect(files).toEqual(["clusters.svg"]);
});

Deno.test("odd data ends with a result or a clear message, never in a traceback", async () => {
  const odd = {
    "no target": "a,b\n1,2\n3,4\n",
    "one row": "target,b\n1,2\n",
    "nothing but a header": "target,b\n",
    "missing everywhere": "target,b\n,\n,\n,\n",
    "one class": `target,b\n${"x,1\nx,2\n".repeat(20)}`,
    "few rows": "target,b\nx,1\ny,2\nx,3\n",
    "numbers that do not change": `target,b\n${"1,1\n".repeat(50)}`,
    "quotes and signs": 'target,"b, ""c"""\n1,"x\ny"\n2,<svg>\n'.repeat(1) + "3,x\n".repeat(30),
    "texts where numbers are wanted": `target,b\n${"x,1\ny,2\n".repeat(20)}`,
  };
  const wrong: string[] = [];
  const tasks = ["classification", "regression", "forecast", "clustering"];
  const written = tasks.map((task_type) =>
    programs({ task_type, target: ["target"], feedback: [EVERYTHING] })
  );
  for (const [what, csv] of Object.entries(odd)) {
    const looked = await runPython(
      inTurn(written.map(({ eda }) => eda), "Exception, SystemExit"),
      csv,
    );
    const trained = await runPython(inTurn(written.map(({ training }) => training)), csv);
    if (looked) expect(looked.stdout.match(/rows, \d columns/g)).toHaveLength(tasks.length);
    wrong.push(
      ...[looked, trained].flatMap((ran) => ran?.stderr ? [`${what}: ${ran.stderr}`] : []),
    );
  }
  expect(wrong).toEqual([]);
});

/** Runs programs one after the other in one Python; `wrong` is what they must not end with. */
function inTurn(programs: string[], wrong = "Exception"): string {
  return `import sys, traceback
for source in ${JSON.stringify(programs)}:
    try:
        exec(source, {"__name__": "__main__"})
    except (${wrong}):
        traceback.print_exc()
    except SystemExit:
        pass
`;
}
