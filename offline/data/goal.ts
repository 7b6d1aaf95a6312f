/**
 * What a data-science goal asks for, as far as its words tell: the kind of task, the words that name
 * the target column, and how to read the data set.
 *
 * @module
 */
import { record } from "../material.ts";
import { clip } from "../text.ts";

/** What kind of model a goal needs. */
export type TaskType = "classification" | "regression" | "clustering" | "forecast";

/** A goal with its data set. */
export interface Goal {
  text: string;
  task_type: TaskType;
  /** The words of the goal that revealed the task's type; empty if it was assumed. */
  told_by: string;
  /** Words to look for in column names, the most telling one first. */
  target: string[];
  dataset: string;
  format: "csv" | "tsv" | "json" | "parquet" | "excel";
  /** False where code runs with the standard library only. */
  has_packages: boolean;
}

const TASK_TYPES: TaskType[] = ["classification", "regression", "clustering", "forecast"];

/** Words that name the task come before words that only hint at it. */
const SIGNS: [TaskType, RegExp][] = [
  [
    "forecast",
    /\b(?:forecast\w*|time[- ]series|(?:next|coming) (?:day|week|month|quarter|year)s?)\b/i,
  ],
  [
    "clustering",
    /\b(?:cluster\w*|segment\w*|unsupervised|personas?|group(?:s|ing)?\b.{0,20}\bsimilar\b.*)\b/i,
  ],
  ["classification", /\b(?:classif\w+|detect\w*|whether|which (?:class|category)|binary)\b/i],
  ["regression", /\b(?:regress\w+|how (?:much|many|long))\b/i],
  [
    "classification",
    /\b(?:churn\w*|fraud\w*|spam|default(?:s|ing)?|attrition|sentiment|diagnos\w+|labels?|categor\w+|approv\w+|conver(?:t|ts|sion)|surviv\w+|fail(?:s|ure)?|disease|risk|click\w*)\b/i,
  ],
  [
    "regression",
    /\b(?:prices?|pricing|costs?|revenue|amounts?|values?|salar(?:y|ies)|income|temperature|consumption|usage|sales|scores?|duration|demand|ratings?|age|quantit(?:y|ies)|yield|load)\b/i,
  ],
];

/** Words that say nothing about what is predicted. */
const COMMON = new Set(
  ("a an the of for from in on at to with by and or our my your their its this that these those is are be will would can could should we i you it " +
    "build make create train develop design write need want please find get show do use using based given data dataset datasets set csv file table " +
    "model models predictor prediction predictions predict predicting predictive forecast forecasts forecasting classify classification classifier " +
    "detect detection detector estimate estimation estimating regression cluster clusters clustering segment segments segmentation group groups grouping " +
    "learning machine deep ml ai analysis analyse analyze analytics system tool pipeline project whether which who what when how much many long if " +
    "next coming day days week weeks month months quarter quarters year years each every new best good accurate probability likelihood rate into similar")
    .split(" "),
);

/** Words around the target: `X prediction`, `predict X`, `forecast X`. */
const BEFORE_NOUN =
  /([\p{L}\p{N}_ -]{2,60}?)\s+(?:prediction|predictor|forecast(?:ing)?|classification|classifier|detection|detector|estimation|regression)\b/iu;
const AFTER_VERB =
  /\b(?:predict|forecast|estimate|classify|detect|model|explain)(?:s|ing)?\s+([\p{L}\p{N}_ -]{2,60})/iu;

/** Reads the goal from a request's fields; what the research step decided goes before the words. */
export function readGoal(fields: Record<string, unknown>): Goal {
  const text = clip(textOf(fields.user_goal), 2_000).replace(/[\p{C}\s]+/gu, " ").trim();
  const research = record(fields.research);
  const told = SIGNS.map(([task, sign]) => ({ task, word: sign.exec(text)?.[0] }))
    .find(({ word }) => word !== undefined);
  const decided = TASK_TYPES.find((type) => type === research.task_type);
  const target = Array.isArray(research.target) ? research.target.filter(isText) : [];
  const dataset = clip(textOf(fields.dataset_url), 2_000);
  return {
    text,
    task_type: decided ?? told?.task ?? "classification",
    told_by: told?.word ?? "",
    target: target.length > 0 ? target : targetWords(text),
    dataset,
    format: formatOf(dataset),
    has_packages: record(fields.environment).has_packages !== false,
  };
}

function textOf(value: unknown): string {
  return isText(value) ? value : "";
}

function isText(value: unknown): value is string {
  return typeof value === "string";
}

/** The last word of the target's phrase tells most: `customer churn` is about churn. */
function targetWords(text: string): string[] {
  const phrase = BEFORE_NOUN.exec(text)?.[1] ?? AFTER_VERB.exec(text)?.[1]?.split(
    /\b(?:from|of|for|based|using|with|by|given|in|on|at|per)\b/i,
  )[0];
  const words = telling(phrase ?? "").toReversed();
  return [...new Set(words.length > 0 ? words : telling(text))].slice(0, 5);
}

function telling(text: string): string[] {
  return (text.toLowerCase().match(/[\p{L}\p{N}_]{2,40}/gu) ?? [])
    .filter((word) => !COMMON.has(word) && !/^\d+$/.test(word)).map(singular);
}

/** Column names are mostly singular. */
function singular(word: string): string {
  return word.length > 4 && /[^s]s$/.test(word)
    ? word.replace(/ies$/, "y").replace(/s$/, "")
    : word;
}

const FORMATS: [Goal["format"], RegExp][] = [
  ["tsv", /\.tsv(?:\.gz)?$/i],
  ["json", /\.(?:json|ndjson|jsonl)(?:\.gz)?$/i],
  ["parquet", /\.(?:parquet|pq)$/i],
  ["excel", /\.xlsx?$/i],
];

function formatOf(dataset: string): Goal["format"] {
  const path = dataset.replace(/[?#].*$/s, "");
  return FORMATS.find(([, ending]) => ending.test(path))?.[0] ?? "csv";
}
