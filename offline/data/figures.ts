/** What the figures of a training say: too good, no better than a baseline, overfitted, imbalanced. @module */
import { record } from "../material.ts";

/** One remark. */
export interface Remark {
  severity: "info" | "minor" | "major";
  /** What it is about. */
  about: "eda_code" | "eda_result" | "ml_code" | "ml_result";
  message: string;
}

/** Reviews what came out of a training and of the exploration before it. */
export function reviewFigures(ml_result: unknown, eda_result: unknown): Remark[] {
  const found = resultOf(ml_result);
  const figures: Figures = {
    metrics: numbers(found.metrics),
    baseline: numbers(found.baseline),
    train: numbers(found.train_metrics),
    classes: numbers(found.classes),
    test_rows: typeof found.test_rows === "number" ? found.test_rows : undefined,
  };
  return [
    ...againstBaseline(figures),
    ...overfitting(figures),
    ...imbalance(figures),
    ...fewRows(figures),
    ...missingValues(resultOf(eda_result)),
  ];
}

interface Figures {
  metrics: Record<string, number>;
  baseline: Record<string, number>;
  train: Record<string, number>;
  /** Share of each class. */
  classes: Record<string, number>;
  test_rows?: number;
}

/** Scores are better when they are higher, errors when they are lower. */
function isScore(name: string): boolean {
  return /auc|f1|r2|accuracy|precision|recall/i.test(name);
}

function isError(name: string): boolean {
  return /mae|mse|rmse|error|loss/i.test(name);
}

/** A score above this is that of a column that knows the answer. */
const TOO_GOOD = 0.995;

function againstBaseline({ metrics, baseline }: Figures): Remark[] {
  return Object.entries(metrics).flatMap(([name, value]) => {
    const other = baseline[name];
    if (isScore(name) && value > TOO_GOOD || isError(name) && value === 0) {
      return remark(
        "major",
        `${name} of ${value} is too good: look for a column that leaks the target.`,
      );
    }
    if (other === undefined || !isScore(name) && !isError(name)) return [];
    const worse = isScore(name) ? value <= other : value >= other;
    return worse
      ? remark("major", `${name} of ${value} is no better than the baseline's ${other}.`)
      : remark("info", `${name} is ${value}; the baseline has ${other}.`);
  });
}

/** How much better training rows may be than held-out ones. */
const SCORE_GAP = 0.15;
const ERROR_RATIO = 1.5;

function overfitting({ metrics, train }: Figures): Remark[] {
  return Object.entries(metrics).flatMap(([name, value]) => {
    const known = train[name];
    if (known === undefined) return [];
    const gap = isScore(name)
      ? known - value > SCORE_GAP
      : isError(name) && value > ERROR_RATIO * known;
    return gap
      ? remark(
        "minor",
        `${name} is ${known} on the training rows and ${value} on the others: the model overfits. Use a simpler one or more rows.`,
      )
      : [];
  });
}

/** Shares below this make accuracy mislead. */
const SMALL_SHARE = 0.1;

function imbalance({ metrics: { accuracy, f1 }, classes }: Figures): Remark[] {
  const [name, share] = Object.entries(classes).sort((a, b) => a[1] - b[1])[0] ?? [];
  if (share === undefined || share >= SMALL_SHARE) return [];
  const rare = `Only ${percent(share)} of the rows are “${name}”`;
  const hides = accuracy !== undefined && f1 !== undefined && accuracy - f1 > SCORE_GAP;
  return hides
    ? remark(
      "minor",
      `${rare}: accuracy of ${accuracy} hides an F1 of ${f1}. Weight the classes or join the rare ones.`,
    )
    : remark("info", `${rare}: judge by F1 and ROC AUC.`);
}

function fewRows({ test_rows }: Figures): Remark[] {
  if (test_rows === undefined || test_rows >= 30) return [];
  return remark("minor", `Only ${test_rows} rows were held out: the figures may be chance.`);
}

/** Shares of missing values that call for a decision. */
const MANY_MISSING = 0.2;

function missingValues({ rows, missing }: Record<string, unknown>): Remark[] {
  if (typeof rows !== "number" || rows === 0) return [];
  return Object.entries(numbers(missing)).flatMap(([name, count]) =>
    count / rows > MANY_MISSING
      ? [{
        severity: "minor" as const,
        about: "eda_result" as const,
        message: `${
          percent(count / rows)
        } of ${name} is missing: decide whether to fill, to mark or to drop it.`,
      }]
      : []
  );
}

/** The result's fields: of a field of it, or of a line of JSON that the code printed last. */
function resultOf(value: unknown): Record<string, unknown> {
  const outer = record(value);
  const printed = [outer.stdout, outer.output, outer.result, value].map(lastJsonLine);
  const candidates = [outer, record(outer.result), record(outer.output), ...printed];
  return candidates.find(({ metrics, missing }) => isRecord(metrics) || isRecord(missing)) ?? {};
}

function isRecord(value: unknown): boolean {
  return typeof value === "object" && value !== null;
}

function lastJsonLine(value: unknown): Record<string, unknown> {
  const line = typeof value === "string" ? value.trim().split("\n").at(-1) ?? "" : "";
  if (!line.startsWith("{")) return {};
  try {
    return record(JSON.parse(line));
  } catch {
    return {};
  }
}

function numbers(value: unknown): Record<string, number> {
  const entries = Object.entries(record(value)).slice(0, 20);
  return Object.fromEntries(
    entries.filter((entry): entry is [string, number] => typeof entry[1] === "number"),
  );
}

function percent(share: number): string {
  return `${Math.round(share * 1000) / 10} %`;
}

function remark(severity: Remark["severity"], message: string): Remark[] {
  return [{ severity, about: "ml_result", message }];
}
