/**
 * The critic: checks the code and what came of running it, rule by rule. It reads; it runs nothing.
 *
 * @module
 */
import { type Material, record } from "../material.ts";
import { plural } from "../text.ts";
import { commentsOf, sectionsFor } from "./eda.ts";
import { type Remark, reviewFigures } from "./figures.ts";
import { type Goal, readGoal, type TaskType } from "./goal.ts";

/** What the critic says. `unverified`: nothing wrong was found, but the code has not run. */
export interface Critique {
  verdict: "approved" | "changes_requested" | "unverified";
  summary: string;
  feedback: Remark[];
}

/** What is checked. */
interface Work {
  goal: Goal;
  eda_code: string;
  ml_code: string;
  eda_result: unknown;
  ml_result: unknown;
  comments: string[];
}

/** Reviews the work on a data set. */
export function criticize({ fields }: Material): Critique {
  const work: Work = {
    goal: readGoal(fields),
    eda_code: text(fields.eda_code),
    ml_code: text(fields.ml_code),
    eda_result: fields.eda_result,
    ml_result: fields.ml_result,
    comments: commentsOf(fields.feedback),
  };
  const feedback = CHECKS.flatMap((check) => check(work));
  const ran = wasRun(work.eda_result) && wasRun(work.ml_result);
  const wrong = feedback.filter(({ severity }) => severity !== "info").length;
  const verdict = feedback.some(({ severity }) => severity === "major")
    ? "changes_requested"
    : ran
    ? "approved"
    : "unverified";
  return { verdict, summary: summary(wrong, ran), feedback };
}

function summary(wrong: number, ran: boolean): string {
  const found = wrong === 0 ? "No problem was found" : `${plural(wrong, "problem")} found`;
  return ran
    ? `${found} in the code and its results.`
    : `${found} by reading the code; not all of it was run, so its results are not known.`;
}

type Check = (work: Work) => Remark[];

const CHECKS: Check[] = [
  ({ eda_code, goal }) => code("eda_code", eda_code, goal),
  ({ eda_result }) => execution("eda_result", eda_result, "The exploration"),
  answersComments,
  ({ ml_code, goal }) => code("ml_code", ml_code, goal),
  split,
  leakage,
  metric,
  seed,
  baseline,
  ({ ml_result }) => execution("ml_result", ml_result, "The training"),
  figures,
];

function code(about: "eda_code" | "ml_code", source: string, goal: Goal): Remark[] {
  if (source.trim() === "") return [{ severity: "major", about, message: "There is no code." }];
  const remarks: Remark[] = [];
  const loads = source.includes(goal.dataset) || source.includes("/data/dataset.csv");
  if (goal.dataset !== "" && !loads) {
    remarks.push({
      severity: "major",
      about,
      message: `The code does not load ${goal.dataset}.`,
    });
  }
  const named = goal.target.some((word) => source.toLowerCase().includes(word.toLowerCase()));
  if (goal.target.length > 0 && goal.task_type !== "clustering" && !named) {
    remarks.push({
      severity: "minor",
      about,
      message: `The code names no target: the goal speaks of ${goal.target.join(", ")}.`,
    });
  }
  return remarks;
}

function execution(about: "eda_result" | "ml_result", result: unknown, what: string): Remark[] {
  const { embedded, error, exit_code, status, message } = record(result);
  if (embedded === true) {
    const why = text(message) || "no service is configured for it.";
    return [{ severity: "info", about, message: `${what} was not run: ${why}` }];
  }
  if (!wasRun(result)) return [{ severity: "info", about, message: `${what} was not run.` }];
  const failed = Boolean(error) || typeof exit_code === "number" && exit_code !== 0 ||
    ["failed", "error"].includes(text(status).toLowerCase());
  if (!failed) return [];
  const why = text(error) || text(record(error).message) || text(message) || text(status) ||
    `exit code ${exit_code}`;
  return [{ severity: "major", about, message: `${what} failed: ${why.slice(0, 500)}` }];
}

function wasRun(result: unknown): boolean {
  const { embedded, executed } = record(result);
  return result !== undefined && result !== null && embedded !== true && executed !== false;
}

/** A comment counts as heard when the code quotes it or speaks of the same thing. */
function answersComments({ comments, eda_code }: Work): Remark[] {
  return comments.flatMap((comment) => {
    const asked = sectionsFor(comment);
    if (asked.some(({ asked_by }) => asked_by.test(withoutComments(eda_code)))) return [];
    return [{
      severity: "minor" as const,
      about: "eda_code" as const,
      message: `The exploration does not show that it follows the comment “${comment}”.`,
    }];
  });
}

const HOLD_OUT =
  /\b(?:train_test_split|\w*KFold|\w*ShuffleSplit|TimeSeriesSplit|cross_val\w*|cross_validate|GridSearchCV|RandomizedSearchCV)\b|\.iloc\[\s*:|\.loc\[\s*:|\[:\s*cut\]|^(?:train, test|test, train) = /m;

function split({ ml_code, goal }: Work): Remark[] {
  if (ml_code.trim() === "" || goal.task_type === "clustering") return [];
  if (!HOLD_OUT.test(ml_code)) {
    return major("Nothing is held out: the figures would be those of the training rows.");
  }
  const shuffles = /\btrain_test_split\b/.test(ml_code) && !/shuffle\s*=\s*False/.test(ml_code);
  if (goal.task_type === "forecast" && shuffles) {
    return major("The rows are split at random, so the training sees the future: split by time.");
  }
  return [];
}

function leakage({ ml_code, goal }: Work): Remark[] {
  const fitted = ml_code.search(/\.fit_transform\(/);
  const held = ml_code.search(/\btrain_test_split\s*\(/);
  if (goal.task_type === "clustering" || fitted < 0 || held < fitted) return [];
  return major(
    "Something is fitted before the split, so the held-out rows leak into the training.",
  );
}

const METRICS: Record<TaskType, RegExp> = {
  classification:
    /\b(?:roc_auc\w*|f1\w*|precision\w*|recall\w*|log_loss|matthews\w*|balanced_accuracy\w*|average_precision\w*|classification_report|confusion_matrix)\b/,
  regression:
    /\b(?:mean_absolute\w*|mean_squared\w*|root_mean\w*|r2\w*|rmse|mae|median_absolute\w*)\b/i,
  clustering: /\b(?:silhouette\w*|davies_bouldin\w*|calinski\w*)\b/,
  forecast: /\b(?:mean_absolute\w*|mean_squared\w*|root_mean\w*|rmse|mae|smape|mase)\b/i,
};

function metric({ ml_code, goal: { task_type } }: Work): Remark[] {
  if (ml_code.trim() === "" || METRICS[task_type].test(ml_code)) return [];
  if (task_type === "classification" && /\baccuracy\w*\b/.test(ml_code)) {
    return minor("Accuracy alone misleads when the classes are imbalanced: add ROC AUC or F1.");
  }
  return major(`No metric fits a ${task_type} task.`);
}

function seed({ ml_code }: Work): Remark[] {
  const fixed =
    /random_state\s*=\s*(?!None)|\brandom\.seed\(|manual_seed\(|default_rng\(\s*\w|\bRandom\(\s*\w/;
  if (ml_code.trim() === "" || fixed.test(ml_code)) return [];
  return minor("No seed is fixed: another run gives other figures.");
}

function baseline({ ml_code, goal }: Work): Remark[] {
  if (ml_code.trim() === "" || goal.task_type === "clustering") return [];
  if (/baseline|Dummy(?:Classifier|Regressor)|naive/i.test(ml_code)) return [];
  return minor("There is no baseline to compare the figures with.");
}

function figures({ eda_result, ml_result }: Work): Remark[] {
  return reviewFigures(ml_result, eda_result);
}

function withoutComments(source: string): string {
  const body = source.replace(/^#.*$/gm, "");
  // Section titles are comments, too, but stand right above their code.
  const titles = [...source.matchAll(/^# ([^\n(]{1,60})\n(?!#)/gm)].map(([, title]) => title);
  return `${titles.join("\n")}\n${body}`;
}

function major(message: string): Remark[] {
  return [{ severity: "major", about: "ml_code", message }];
}

function minor(message: string): Remark[] {
  return [{ severity: "minor", about: "ml_code", message }];
}

function text(value: unknown): string {
  return typeof value === "string" ? value : "";
}
