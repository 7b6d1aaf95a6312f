/**
 * The ML agent: training code in Python (scikit-learn) that fits the kind of task. It prints its
 * figures as one line of JSON, so that a program can read them.
 *
 * @module
 */
import type { Material } from "../material.ts";
import type { DataCode } from "./eda.ts";
import { type Goal, readGoal, type TaskType } from "./goal.ts";
import { plainTraining } from "./plain/mod.ts";
import { comment, preamble } from "./python.ts";

/** What the code of one kind of task is made of. */
interface Recipe {
  imports: string[];
  /** From `frame` and `target` to `result`. */
  body: string[];
  explanation: string;
}

/** Writes the training code. */
export function train({ fields }: Material): DataCode {
  const goal = readGoal(fields);
  if (!goal.has_packages) return plainTraining(goal);
  const recipe = RECIPES[goal.task_type];
  return { code: render(goal, recipe), explanation: recipe.explanation };
}

function render(goal: Goal, { imports, body }: Recipe): string {
  return [
    comment(`Model training (${goal.task_type}): ${goal.text}`),
    "import json",
    "",
    "import pandas as pd",
    ...imports,
    "",
    "SEED = 42",
    ...preamble(goal),
    ...body,
    "print(json.dumps(result))",
    "",
  ].join("\n");
}

const NEED_TARGET = [
  "if target is None:",
  '    raise ValueError(f"no column matches {TARGET_WORDS}: set target to one of {list(frame.columns)}")',
];

/** A text or whole number that is different in every row tells nothing about others. */
const FEATURES = [
  "identifiers = [",
  "    column",
  "    for column in features.columns",
  "    if features[column].nunique() == len(features) and not pd.api.types.is_float_dtype(features[column])",
  "]",
  "features = features.drop(columns=identifiers)",
  'numeric = list(features.select_dtypes("number").columns)',
  "other = [column for column in features.columns if column not in numeric]",
  "features[other] = features[other].astype(object)",
  "prepare = ColumnTransformer([",
  '    ("numbers", make_pipeline(SimpleImputer(strategy="median"), StandardScaler()), numeric),',
  '    ("categories", make_pipeline(',
  '        SimpleImputer(strategy="most_frequent"),',
  '        OneHotEncoder(handle_unknown="ignore", max_categories=20),',
  "    ), other),",
  "])",
];

const PREPARING = [
  "from sklearn.compose import ColumnTransformer",
  "from sklearn.impute import SimpleImputer",
  "from sklearn.pipeline import make_pipeline",
  "from sklearn.preprocessing import OneHotEncoder, StandardScaler",
];

const SUPERVISED = [
  ...NEED_TARGET,
  "frame = frame.drop_duplicates().dropna(subset=[target])",
  "features = frame.drop(columns=[target])",
  ...FEATURES,
];

const RECIPES: Record<TaskType, Recipe> = {
  classification: {
    explanation:
      "Trains a random forest with weighted classes on four fifths of the rows and compares it with the most frequent class by ROC AUC and F1.",
    imports: [
      ...PREPARING,
      "from sklearn.dummy import DummyClassifier",
      "from sklearn.ensemble import RandomForestClassifier",
      "from sklearn.metrics import classification_report, f1_score, roc_auc_score",
      "from sklearn.model_selection import train_test_split",
    ],
    body: [
      ...SUPERVISED,
      "labels = frame[target].astype(str)",
      "stratify = labels if labels.value_counts().min() > 1 else None",
      "train_x, test_x, train_y, test_y = train_test_split(",
      "    features, labels, test_size=0.2, random_state=SEED, stratify=stratify",
      ")",
      "",
      'baseline = DummyClassifier(strategy="most_frequent").fit(train_x, train_y)',
      "model = make_pipeline(",
      "    prepare,",
      '    RandomForestClassifier(n_estimators=300, class_weight="balanced", random_state=SEED),',
      ").fit(train_x, train_y)",
      "",
      "predicted = model.predict(test_x)",
      "chances = model.predict_proba(test_x)",
      "if chances.shape[1] == 2:",
      "    auc = roc_auc_score(test_y, chances[:, 1])",
      "else:",
      '    auc = roc_auc_score(test_y, chances, multi_class="ovr", labels=model.classes_)',
      "print(classification_report(test_y, predicted, zero_division=0))",
      "result = {",
      '    "task": "classification",',
      '    "target": str(target),',
      '    "rows": len(frame),',
      '    "metrics": {"roc_auc": float(auc), "f1": float(f1_score(test_y, predicted, average="macro"))},',
      '    "baseline": {"f1": float(f1_score(test_y, baseline.predict(test_x), average="macro"))},',
      "}",
    ],
  },
  regression: {
    explanation:
      "Trains a random forest on four fifths of the rows and compares it with the mean by mean absolute error and R².",
    imports: [
      ...PREPARING,
      "from sklearn.dummy import DummyRegressor",
      "from sklearn.ensemble import RandomForestRegressor",
      "from sklearn.metrics import mean_absolute_error, r2_score",
      "from sklearn.model_selection import train_test_split",
    ],
    body: [
      ...SUPERVISED,
      "values = frame[target].astype(float)",
      "train_x, test_x, train_y, test_y = train_test_split(",
      "    features, values, test_size=0.2, random_state=SEED",
      ")",
      "",
      'baseline = DummyRegressor(strategy="mean").fit(train_x, train_y)',
      "model = make_pipeline(",
      "    prepare,",
      "    RandomForestRegressor(n_estimators=300, random_state=SEED),",
      ").fit(train_x, train_y)",
      "",
      "predicted = model.predict(test_x)",
      "result = {",
      '    "task": "regression",',
      '    "target": str(target),',
      '    "rows": len(frame),',
      '    "metrics": {',
      '        "mae": float(mean_absolute_error(test_y, predicted)),',
      '        "r2": float(r2_score(test_y, predicted)),',
      "    },",
      '    "baseline": {"mae": float(mean_absolute_error(test_y, baseline.predict(test_x)))},',
      "}",
    ],
  },
  clustering: {
    explanation:
      "Fits k-means for 2 to 10 clusters and keeps the number with the best silhouette; every cluster is described by its size and its means.",
    imports: [
      ...PREPARING,
      "from sklearn.cluster import KMeans",
      "from sklearn.metrics import silhouette_score",
    ],
    body: [
      "frame = frame.drop_duplicates()",
      "features = frame.copy()",
      ...FEATURES,
      "points = prepare.fit_transform(features)",
      "scores = {}",
      "for count in range(2, min(10, len(frame) - 1) + 1):",
      "    model = KMeans(n_clusters=count, n_init=10, random_state=SEED).fit(points)",
      "    scores[count] = silhouette_score(",
      "        points, model.labels_, sample_size=min(5000, len(frame)), random_state=SEED",
      "    )",
      "best = max(scores, key=scores.get)",
      "model = KMeans(n_clusters=best, n_init=10, random_state=SEED).fit(points)",
      "if len(numeric) > 0:",
      "    print(features[numeric].groupby(model.labels_).mean().round(2))",
      "result = {",
      '    "task": "clustering",',
      '    "rows": len(frame),',
      '    "metrics": {"silhouette": float(scores[best]), "clusters": int(best)},',
      '    "sizes": pd.Series(model.labels_).value_counts().sort_index().tolist(),',
      "}",
    ],
  },
  forecast: {
    explanation:
      "Trains gradient boosting on lags and calendar features of the first four fifths in time and compares it with the last known value by mean absolute error.",
    imports: [
      "from sklearn.ensemble import HistGradientBoostingRegressor",
      "from sklearn.metrics import mean_absolute_error",
    ],
    body: [
      ...NEED_TARGET,
      "moments = None",
      "for column in frame.columns.drop(target):",
      "    if pd.api.types.is_numeric_dtype(frame[column]):",
      "        continue",
      '    dates = pd.to_datetime(frame[column], errors="coerce", format="mixed")',
      "    if dates.notna().mean() > 0.9:",
      "        moments = dates",
      "        break",
      "if moments is None:",
      '    raise ValueError(f"no column holds dates: {list(frame.columns)}")',
      "series = pd.Series(frame[target].astype(float).values, index=moments)",
      "series = series[series.index.notna()].groupby(level=0).sum().sort_index()",
      'table = pd.DataFrame({f"lag_{lag}": series.shift(lag) for lag in (1, 2, 3, 7, 14)})',
      'table["weekday"] = series.index.dayofweek',
      'table["month"] = series.index.month',
      'table = table[table["lag_1"].notna()]',
      "values = series.loc[table.index]",
      "",
      "# In order of time: nothing of the future gets into the training.",
      "cut = int(len(table) * 0.8)",
      "train_x, test_x = table.iloc[:cut], table.iloc[cut:]",
      "train_y, test_y = values.iloc[:cut], values.iloc[cut:]",
      "model = HistGradientBoostingRegressor(random_state=SEED).fit(train_x, train_y)",
      'baseline = test_x["lag_1"]',
      "result = {",
      '    "task": "forecast",',
      '    "target": str(target),',
      '    "rows": len(series),',
      '    "metrics": {"mae": float(mean_absolute_error(test_y, model.predict(test_x)))},',
      '    "baseline": {"mae": float(mean_absolute_error(test_y, baseline))},',
      "}",
    ],
  },
};
