/**
 * The research agent: what the goal asks for and a plan in five steps, made from the goal's words,
 * the data set's address and, where it could be looked at, its columns.
 *
 * @module
 */
import type { Material } from "../material.ts";
import { findTarget } from "./columns.ts";
import { type Goal, readGoal, type TaskType } from "./goal.ts";

/** What the research agent gives. */
export interface DataResearch {
  task_type: TaskType;
  target: string[];
  dataset_info: { file_path: string; format: string; notes: string[] };
  research_plan: string[];
  summary: string;
}

/** Plans the work on a data set. */
export function researchData({ fields }: Material): DataResearch {
  const told = readGoal(fields);
  const found = findTarget(told, fields.profile);
  const goal = { ...told, ...(found ? { task_type: found.task_type } : {}) };
  const target = found ? [...new Set([found.name, ...goal.target])] : goal.target;
  return {
    task_type: goal.task_type,
    target,
    dataset_info: {
      file_path: goal.dataset,
      format: goal.format,
      notes: found?.notes ?? notesOf(goal),
    },
    research_plan: STEPS[goal.task_type](targetOf({ ...goal, target }), goal.dataset),
    summary: `${goal.text}: a ${goal.task_type} task on ${goal.dataset}.`,
  };
}

function notesOf({ told_by, task_type, target }: Goal): string[] {
  const words = target.map((word) => `“${word}”`).join(" or ");
  const about = target.length === 0
    ? "The goal names no target column."
    : `The target is the first column whose name holds ${words}.`;
  return [
    told_by === ""
      ? `The goal names no kind of task: ${task_type} is assumed.`
      : `The goal speaks of “${told_by}”: a ${task_type} task.`,
    ...(task_type === "clustering" ? [] : [about]),
    "The offline model has not seen the data: the plan follows from the goal alone.",
  ];
}

function targetOf({ target }: Goal): string {
  return target[0] === undefined ? "the target" : `the target (“${target[0]}”)`;
}

const load = (dataset: string) =>
  `Load ${dataset} and check its size, column types, missing values and duplicate rows.`;

/** Each plan has five steps. */
const STEPS: Record<TaskType, (target: string, dataset: string) => string[]> = {
  classification: (target, dataset) => [
    load(dataset),
    `Explore ${target}: the balance of its classes and which columns tell them apart.`,
    "Prepare the features inside one pipeline: fill gaps, scale numbers, encode categories; drop identifiers.",
    "Hold out a stratified fifth of the rows, then train a model against a most-frequent-class baseline.",
    "Judge by ROC AUC, F1 and the confusion per class, and have the code and the figures reviewed.",
  ],
  regression: (target, dataset) => [
    load(dataset),
    `Explore ${target}: its distribution, its outliers and which columns go along with it.`,
    "Prepare the features inside one pipeline: fill gaps, scale numbers, encode categories; drop identifiers.",
    "Hold out a fifth of the rows, then train a model against a mean baseline.",
    "Judge by mean absolute error and R² on the held-out rows, and have the code and the figures reviewed.",
  ],
  clustering: (_target, dataset) => [
    load(dataset),
    "Explore the columns: their scales, their correlations and their outliers.",
    "Prepare the features: fill gaps, scale numbers, encode categories; drop identifiers.",
    "Fit k-means for 2 to 10 clusters with a fixed seed and keep the one with the best silhouette.",
    "Describe each cluster by its size and its typical values, and have the code and the figures reviewed.",
  ],
  forecast: (target, dataset) => [
    load(dataset),
    `Explore ${target} over time: its trend, its seasons, gaps in the dates and outliers.`,
    "Prepare the series: sort by date, fill gaps, add lags and calendar features that are known in advance.",
    "Hold out the last fifth in order of time, then train a model against a last-value baseline.",
    "Judge by mean absolute error on the held-out end, and have the code and the figures reviewed.",
  ],
};
