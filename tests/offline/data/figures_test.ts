import { expect } from "expect";
import { findTarget } from "../../../offline/data/columns.ts";
import { reviewFigures } from "../../../offline/data/figures.ts";
import { readGoal } from "../../../offline/data/goal.ts";
import { researchData } from "../../../offline/data/mod.ts";

const review = (ml_result: unknown, eda_result?: unknown) =>
  reviewFigures(ml_result, eda_result).map(({ severity, about, message }) =>
    `${severity} ${about}: ${message}`
  );

Deno.test("figures are compared with those of the training rows", () => {
  const result = {
    metrics: { f1: 0.6, rmse: 4 },
    train_metrics: { f1: 0.9, rmse: 2 },
  };
  expect(review({ result })).toEqual([
    "minor ml_result: f1 is 0.9 on the training rows and 0.6 on the others: the model overfits. Use a simpler one or more rows.",
    "minor ml_result: rmse is 2 on the training rows and 4 on the others: the model overfits. Use a simpler one or more rows.",
  ]);
  const close = { metrics: { f1: 0.8, rmse: 2.5 }, train_metrics: { f1: 0.9, rmse: 2 } };
  expect(review({ result: close })).toEqual([]);
});

Deno.test("rare classes make accuracy misleading", () => {
  const classes = { rain: 0.6, sun: 0.38, snow: 0.02 };
  expect(review({ metrics: { accuracy: 0.85, f1: 0.4 }, classes })).toEqual([
    "minor ml_result: Only 2 % of the rows are “snow”: accuracy of 0.85 hides an F1 of 0.4. Weight the classes or join the rare ones.",
  ]);
  expect(review({ metrics: { f1: 0.8 }, classes })).toEqual([
    "info ml_result: Only 2 % of the rows are “snow”: judge by F1 and ROC AUC.",
  ]);
  expect(review({ metrics: { f1: 0.8 }, classes: { a: 0.5, b: 0.5 } })).toEqual([]);
});

Deno.test("few held-out rows and many missing values are told", () => {
  const eda = { result: { rows: 100, missing: { age: 40, name: 3 } } };
  expect(review({ metrics: { f1: 0.8 }, test_rows: 12 }, eda)).toEqual([
    "minor ml_result: Only 12 rows were held out: the figures may be chance.",
    "minor eda_result: 40 % of age is missing: decide whether to fill, to mark or to drop it.",
  ]);
});

Deno.test("results of any shape are borne", () => {
  for (const odd of [null, undefined, 1, "text", "{", [], { metrics: [] }, { result: null }]) {
    expect(review(odd, odd)).toEqual([]);
  }
});

const PROFILE = {
  rows: 300,
  columns: [
    { name: "id", type: "number", distinct: 300 },
    { name: "Miles_per_Gallon", type: "number", distinct: 120 },
    { name: "fuelType", type: "text", distinct: 3 },
    { name: "HasChurned", type: "boolean", distinct: 2 },
    { name: "notes", type: "empty", distinct: 0 },
  ],
};
const target = (user_goal: string, research = {}) => {
  const found = findTarget(readGoal({ user_goal, dataset_url: "x", research }), PROFILE);
  return found && [found.name, found.task_type];
};

Deno.test("the target is the column that the goal speaks of, in any spelling", () => {
  expect(target("Predict the miles per gallon of cars")).toEqual([
    "Miles_per_Gallon",
    "regression",
  ]);
  expect(target("Classify the fuel type")).toEqual(["fuelType", "classification"]);
  expect(target("Build a customer churn prediction model")).toEqual([
    "HasChurned",
    "classification",
  ]);
  expect(target("Explain the weather")).toBeUndefined();
  expect(target("Segment the customers who churned")).toBeUndefined();
});

Deno.test("the task is mended where the column cannot be that", () => {
  expect(target("Classify the miles per gallon")).toEqual(["Miles_per_Gallon", "regression"]);
  expect(target("Regression of the fuel type")).toEqual(["fuelType", "classification"]);
  expect(target("Forecast the fuel type")).toEqual(["fuelType", "classification"]);
  expect(target("Forecast the miles per gallon")).toEqual(["Miles_per_Gallon", "forecast"]);
});

Deno.test("research with a profile names the column, without one it says that it has not looked", () => {
  const fields = { user_goal: "Predict the miles per gallon", dataset_url: "https://x/y.csv" };
  const look = (profile?: unknown) =>
    researchData({
      fields: { ...fields, profile },
      ask: "",
      context: {},
      documents: [],
      history: [],
    });
  const { target, task_type, dataset_info, research_plan } = look(PROFILE);
  expect(target[0]).toBe("Miles_per_Gallon");
  expect(task_type).toBe("regression");
  expect(dataset_info.notes[1]).toBe(
    "The target is the column “Miles_per_Gallon” (number, 120 different values).",
  );
  expect(research_plan[1]).toContain("“Miles_per_Gallon”");
  for (const none of [undefined, null, { error: { code: "egress_failed", message: "down" } }]) {
    expect(look(none).dataset_info.notes.at(-1)).toContain("has not seen the data");
  }
});
