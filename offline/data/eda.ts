/**
 * The data engineering agent: exploratory code in Python (pandas). Every section is one topic; what a
 * reviewer asks for adds the sections that its words name.
 *
 * @module
 */
import type { Material } from "../material.ts";
import { enumerate } from "../text.ts";
import { type Goal, readGoal, type TaskType } from "./goal.ts";
import { plainExploration } from "./plain/mod.ts";
import { comment, preamble } from "./python.ts";

/** Code with what it does. */
export interface DataCode {
  code: string;
  explanation: string;
}

/** One part of the exploration. */
interface Section {
  title: string;
  /** Words of a reviewer that ask for it. */
  asked_by: RegExp;
  /** Tasks whose exploration has it without being asked. */
  tasks: TaskType[];
  imports?: string[];
  code: string[];
}

const ALL: TaskType[] = ["classification", "regression", "clustering", "forecast"];

const SECTIONS: Section[] = [
  {
    title: "Size, types and values",
    asked_by: /\b(?:summar\w+|statistic\w*|overview|dtypes?|types?)\b/i,
    tasks: ALL,
    code: [
      'print(f"{len(frame)} rows, {frame.shape[1]} columns; target column: {target}")',
      "print(frame.dtypes)",
      'print(frame.describe(include="all").T)',
    ],
  },
  {
    title: "Missing values",
    asked_by: /\b(?:miss(?:ing|es)|nulls?|nans?|na values?|gaps?|imput\w+|empty)\b/i,
    tasks: ALL,
    code: [
      "missing = (frame.isna().mean() * 100).round(1)",
      'print("Missing values in %:", missing[missing > 0].sort_values(ascending=False).to_dict())',
      'print("Columns to drop, more than 60 % missing:", list(missing[missing > 60].index))',
      "filled = frame.copy()",
      'for column in filled.select_dtypes("number").columns:',
      "    filled[column] = filled[column].fillna(filled[column].median())",
      'for column in filled.select_dtypes(exclude="number").columns:',
      "    most = filled[column].mode(dropna=True)",
      "    if len(most) > 0:",
      "        filled[column] = filled[column].fillna(most.iloc[0])",
      'print("Missing after filling with median and mode:", int(filled.isna().sum().sum()))',
    ],
  },
  {
    title: "Duplicate rows",
    asked_by: /\bduplicat\w+\b/i,
    tasks: ALL,
    code: [
      'print("Duplicate rows:", int(frame.duplicated().sum()))',
      "frame = frame.drop_duplicates()",
    ],
  },
  {
    title: "Class balance",
    asked_by: /\b(?:balanc\w+|imbalanc\w+|class(?:es)?|distribution of the (?:target|label)s?)\b/i,
    tasks: ["classification"],
    code: [
      "if target is not None:",
      "    share = frame[target].value_counts(normalize=True, dropna=False).round(4)",
      '    print("Share of each class:", share.to_dict())',
      "    if share.min() < 0.2:",
      '        print("The classes are imbalanced: stratify, weight the classes, do not judge by accuracy")',
    ],
  },
  {
    title: "Distribution of the target",
    asked_by: /\b(?:distribution|histogram|skew\w*)\b/i,
    tasks: ["regression", "forecast"],
    code: [
      "if target is not None and pd.api.types.is_numeric_dtype(frame[target]):",
      "    print(frame[target].describe(percentiles=[0.01, 0.05, 0.5, 0.95, 0.99]))",
      '    print("Skew of the target:", round(float(frame[target].skew()), 3))',
    ],
  },
  {
    title: "Outliers",
    asked_by: /\b(?:outliers?|extreme|anomal\w+|iqr)\b/i,
    tasks: ["regression", "clustering"],
    code: [
      'numbers = frame.select_dtypes("number")',
      "low, high = numbers.quantile(0.25), numbers.quantile(0.75)",
      "reach = 1.5 * (high - low)",
      "outside = ((numbers < low - reach) | (numbers > high + reach)).sum()",
      'print("Values beyond 1.5 interquartile ranges:", outside[outside > 0].to_dict())',
    ],
  },
  {
    title: "Correlation",
    asked_by: /\b(?:correlat\w+|relation\w*|multicollinear\w*|depend\w*)\b/i,
    tasks: ["classification", "regression", "clustering"],
    code: [
      'coded = frame.select_dtypes(["number", "bool"]).astype(float)',
      "if target is not None and target not in coded.columns:",
      "    coded[target] = frame[target].astype(str).factorize()[0]",
      "correlation = coded.corr()",
      "if target is not None:",
      '    print("Correlation with the target:")',
      "    print(correlation[target].drop(target).sort_values(key=abs, ascending=False).head(20))",
      "else:",
      "    print(correlation.round(2))",
    ],
  },
  {
    title: "Dates",
    asked_by: /\b(?:dates?|times?|timestamps?|season\w*|trends?)\b/i,
    tasks: ["forecast"],
    code: [
      'for column in frame.select_dtypes(exclude=["number", "bool"]).columns:',
      '    dates = pd.to_datetime(frame[column], errors="coerce", format="mixed")',
      "    if dates.notna().mean() > 0.9:",
      "        steps = dates.dropna().sort_values().diff().value_counts().head(3)",
      '        print(f"{column}: {dates.min()} to {dates.max()}, steps {steps.to_dict()}")',
    ],
  },
  {
    title: "Categories",
    asked_by: /\b(?:categor\w+|cardinality|encod\w+|levels?)\b/i,
    tasks: [],
    code: [
      'for column in frame.select_dtypes(exclude="number").columns:',
      "    counts = frame[column].value_counts(dropna=False)",
      '    print(f"{column}: {len(counts)} values, most frequent {counts.head(5).to_dict()}")',
    ],
  },
  {
    title: "Plots",
    asked_by:
      /\b(?:plots?|charts?|figures?|visuali[sz]\w*|graphs?|draw\w*|histograms?|heat ?maps?)\b/i,
    tasks: [],
    imports: ["import matplotlib", "", 'matplotlib.use("Agg")', "import matplotlib.pyplot as plt"],
    code: [
      'numbers = frame.select_dtypes("number")',
      "if numbers.shape[1] > 0:",
      "    numbers.hist(figsize=(12, 8), bins=30)",
      "    plt.tight_layout()",
      '    plt.savefig("histograms.png")',
      "if target is not None:",
      "    plt.figure()",
      '    frame[target].value_counts(dropna=False).head(20).plot(kind="bar", title=str(target))',
      "    plt.tight_layout()",
      '    plt.savefig("target.png")',
      'print("Plots: histograms.png, target.png")',
    ],
  },
];

/** Writes the exploration; the reviewer's comments are requirements of the code. */
export function explore({ fields }: Material): DataCode {
  const goal = readGoal(fields);
  const requirements = commentsOf(fields.feedback).map((text) => ({
    text,
    sections: sectionsFor(text),
  }));
  const asked = new Set(requirements.flatMap(({ sections }) => sections));
  const sections = SECTIONS.filter((one) => one.tasks.includes(goal.task_type) || asked.has(one));
  return {
    code: goal.has_packages
      ? render(goal, sections, requirements.map(asComment))
      : plainExploration(
        goal,
        heading(goal, requirements.map(asComment)),
        sections.map(({ title }) => title),
      ),
    explanation: `Looks at ${enumerate(sections.map(({ title }) => title.toLowerCase()))}.` +
      explainComments(requirements),
  };
}

/** What reviewers said, oldest first: texts or `{message}`. */
export function commentsOf(feedback: unknown): string[] {
  const items = Array.isArray(feedback) ? feedback : feedback === undefined ? [] : [feedback];
  return items.slice(0, 50).flatMap((item) => {
    const text = typeof item === "string" ? item : (item as { message?: unknown } | null)?.message;
    return typeof text === "string" && text.trim() !== "" ? [text.trim()] : [];
  });
}

/** Whether a reviewer's words name something that the exploration can do. */
export function sectionsFor(text: string): Section[] {
  return SECTIONS.filter(({ asked_by }) => asked_by.test(text));
}

interface Requirement {
  text: string;
  sections: Section[];
}

function asComment({ text, sections }: Requirement, index: number): string {
  const how = sections.length > 0
    ? `see ${sections.map(({ title }) => title.toLowerCase()).join(", ")}`
    : "not understood by the offline model, to be done by hand";
  return comment(`${index + 1}. ${text.slice(0, 500)} (${how})`);
}

function explainComments(requirements: Requirement[]): string {
  if (requirements.length === 0) return "";
  const open = requirements.filter(({ sections }) => sections.length === 0).length;
  return ` Answers ${requirements.length - open} of ${requirements.length} review comments.`;
}

function heading(goal: Goal, requirements: string[]): string[] {
  return [
    comment(`Exploratory data analysis: ${goal.text}`),
    ...(requirements.length > 0 ? [comment("Asked for in review:"), ...requirements] : []),
  ];
}

function render(goal: Goal, sections: Section[], requirements: string[]): string {
  const imports = sections.flatMap((section) => section.imports ?? []);
  const lines = [
    ...heading(goal, requirements),
    ...(imports.length > 0 ? [...imports, "import pandas as pd"] : ["import pandas as pd"]),
    "",
    ...preamble(goal),
    ...sections.flatMap(({ title, code }) => ["", comment(title), ...code]),
  ];
  return lines.join("\n") + "\n";
}
