/** The target's column, where the data could be looked at. @module */
import { record } from "../material.ts";
import type { Goal, TaskType } from "./goal.ts";

/** A column that the goal speaks of. */
export interface Target {
  name: string;
  /** What the goal says, corrected where the column cannot be that. */
  task_type: TaskType;
  /** What is known now. */
  notes: string[];
}

interface Column {
  name: string;
  type: string;
  distinct: number;
}

/** More different numbers than this are no classes. */
const MAX_CLASSES = 20;

/** Finds the column that shares most with the goal's words; nothing when none shares any. */
export function findTarget(goal: Goal, profile: unknown): Target | undefined {
  const { rows, columns } = record(profile);
  if (!Array.isArray(columns) || goal.task_type === "clustering") return undefined;
  const known = columns.map((column) => record(column) as unknown as Column)
    .filter(({ name, type }) => typeof name === "string" && type !== "empty");
  const scored = known.map((column) => ({ column, score: likeness(column.name, goal) }));
  const best = scored.reduce((a, b) => b.score > a.score ? b : a, { column: known[0], score: 0 });
  if (!best.column || best.score === 0) return undefined;
  const { name, type, distinct } = best.column;
  const task_type = fitting(goal, best.column);
  const told = goal.told_by === "" || task_type !== goal.task_type
    ? `“${name}” holds ${type === "number" ? "numbers" : "texts"}: a ${task_type} task.`
    : `The goal speaks of “${goal.told_by}”: a ${task_type} task.`;
  return {
    name,
    task_type,
    notes: [
      told,
      `The target is the column “${name}” (${type}, ${distinct} different values).`,
      `The data set has ${rows} rows and ${columns.length} columns.`,
    ],
  };
}

/** Texts are classes; many different numbers are none. */
function fitting({ task_type, told_by }: Goal, { type, distinct }: Column): TaskType {
  if (task_type === "forecast") return type === "number" ? task_type : "classification";
  if (type !== "number") return "classification";
  if (task_type === "classification" && distinct > MAX_CLASSES) return "regression";
  return told_by === "" && distinct > MAX_CLASSES ? "regression" : task_type;
}

/** The goal's own words of the target count most, the rest of the goal a little. */
function likeness(name: string, { target, text }: Goal): number {
  const parts = wordsOf(name);
  const said = wordsOf(text);
  const named = target.reduce(
    (sum, word, at) => sum + (matches(word.toLowerCase(), parts) ? 4 / (at + 1) : 0),
    0,
  );
  const shared = parts.filter((part) => said.some((word) => same(word, part))).length;
  return named + shared / parts.length;
}

function matches(word: string, parts: string[]): boolean {
  return wordsOf(word).some((piece) => parts.some((part) => same(piece, part)));
}

function same(a: string, b: string): boolean {
  if (a === b) return true;
  const [short, long] = a.length < b.length ? [a, b] : [b, a];
  return short.length >= 4 && long.startsWith(short);
}

/** `Miles_per_Gallon`, `milesPerGallon` and `miles per gallon` have the same words. */
function wordsOf(text: string): string[] {
  const words = text.replace(/(\p{Ll})(\p{Lu})/gu, "$1 $2").toLowerCase()
    .match(/[\p{L}\p{N}]{2,}/gu) ?? [];
  return words.filter((word) => !["per", "the", "of", "in", "to", "and"].includes(word));
}
