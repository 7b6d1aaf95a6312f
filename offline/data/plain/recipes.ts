/** From the table to `result`: what each kind of task does, in Python of the standard library. @module */
import type { TaskType } from "../goal.ts";
import { FEATURES, METRICS, MODELS } from "./models.ts";

/** One kind of task. */
interface Recipe {
  explanation: string;
  body: string[];
}

const NEED_TARGET = `if target is None:
    raise SystemExit(f"No column matches {TARGET_WORDS}: set target to one of {list(table)}")
known = [row for row in range(count) if table[target][row] is not None]
names = [name for name in table if name != target and usable(name)]
if len(known) < 20 or not names:
    raise SystemExit(f"{len(known)} rows and the columns {names} are too little to learn from")
`;

/** Both models are tried on a part of the training rows; the better one learns from all of them. */
const CHOOSE = `def prepare(rows):
    encoding = learn_encoding(rows, names)
    return encoding, [encode(row, encoding) for row in rows]


cut = int(0.75 * len(train))
results = {}
for name, fit in {"linear model": fit_linear, "boosted stumps": fit_stumps}.items():
    judge = train_model(train[:cut], fit)
    results[name] = loss(judge, train[cut:])
best = min(results, key=results.get)
print("Loss on the last quarter of the training rows:", rounded(results))
model = train_model(train, fit_linear if best == "linear model" else fit_stumps)
`;

const IMPORTANCE = `def importance(metric):
    """How much the error grows when one column of the test rows is shuffled."""
    chance = random.Random(SEED)
    rows = test[:1000]
    before = metric(rows)
    grown = {}
    for name in names:
        original = table[name]
        mixed = [original[row] for row in rows]
        chance.shuffle(mixed)
        table[name] = list(original)
        for row, value in zip(rows, mixed):
            table[name][row] = value
        grown[name] = round(metric(rows) - before, 4)
        table[name] = original
    return dict(sorted(grown.items(), key=lambda item: -item[1]))


worth = importance(lambda rows: loss(model, rows))
print("Importance, by how much the loss grows:", worth)
charts.bars("/out/importance.svg", "Importance of the columns", worth)
`;

const VALUES = `def train_model(rows, fit):
    """A function from a row to a value; the target is scaled while it is learnt."""
    encoding, features = prepare(rows)
    goals = [table[target][row] for row in rows]
    mean, spread = statistics.fmean(goals), statistics.pstdev(goals) or 1.0
    guess = fit(features, [(goal - mean) / spread for goal in goals], False)
    return lambda row: mean + spread * guess(encode(row, encoding))


def loss(guess, rows):
    return math.sqrt(statistics.fmean((table[target][row] - guess(row)) ** 2 for row in rows))
`;

const VALUE_FIGURES = `def figures(rows, guess):
    return value_metrics([table[target][row] for row in rows], [guess(row) for row in rows])
`;

const CLASSIFICATION = `labels = {row: str(table[target][row]) for row in known}
classes = [name for name, many in Counter(labels.values()).most_common(20) if many >= 5]
known = [row for row in known if labels[row] in classes]
if len(classes) < 2:
    raise SystemExit(f"{target} has fewer than two classes of at least five rows")

# A fifth of each class is held out before anything is learnt.
chance = random.Random(SEED)
train, test = [], []
for name in classes:
    rows = [row for row in known if labels[row] == name]
    chance.shuffle(rows)
    test += rows[: max(1, len(rows) // 5)]
    train += rows[max(1, len(rows) // 5):]
chance.shuffle(train)
chance.shuffle(test)


def train_model(rows, fit):
    """A function from a row to the chance of each class: one model for each, against the others."""
    encoding, features = prepare(rows)
    one_of_two = classes[-1:] if len(classes) == 2 else classes
    guesses = {
        name: fit(features, [float(labels[row] == name) for row in rows], True) for name in one_of_two
    }

    def chances(row):
        values = encode(row, encoding)
        found = {name: sigmoid(guess(values)) for name, guess in guesses.items()}
        if len(classes) == 2:
            found[classes[0]] = 1 - found[classes[1]]
        total = sum(found.values())
        return {name: found[name] / total for name in classes}

    return chances


def loss(chances, rows):
    return -statistics.fmean(math.log(max(1e-9, chances(row)[labels[row]])) for row in rows)
`;

const CLASS_RESULT = `def figures(rows):
    scores = [model(row) for row in rows]
    return class_metrics([labels[row] for row in rows], [max(s, key=s.get) for s in scores], scores)


most = classes[0]
actual = [labels[row] for row in test]
always = class_metrics(actual, [most] * len(test), [dict.fromkeys(classes, 0.0)] * len(test))
predicted = {row: max(model(row).items(), key=lambda item: item[1])[0] for row in test}
for name in classes:
    said = Counter(predicted[row] for row in test if labels[row] == name)
    print(f"{name} was taken for", dict(said))
if len(classes) == 2:
    ranked = sorted(test, key=lambda row: -model(row)[classes[1]])
    hits, points = 0, [(0.0, 0.0)]
    of_class = sum(labels[row] == classes[1] for row in test)
    for at, row in enumerate(ranked):
        hits += labels[row] == classes[1]
        points.append(((at + 1 - hits) / (len(test) - of_class), hits / of_class))
    charts.line("/out/roc.svg", f"ROC curve for {classes[1]}", points)
result = {
    "task": "classification",
    "target": target,
    "model": best,
    "rows": len(known),
    "train_rows": len(train),
    "test_rows": len(test),
    "classes": {name: round(sum(labels[row] == name for row in known) / len(known), 4) for name in classes},
    "metrics": rounded(figures(test)),
    "train_metrics": rounded(figures(train)),
    "baseline": rounded(always),
    "importance": worth,
}
`;

const REGRESSION_SPLIT = `if target not in numbers:
    raise SystemExit(f"{target} holds texts: a regression needs numbers")

# A fifth is held out before anything is learnt.
random.Random(SEED).shuffle(known)
test, train = known[: len(known) // 5], known[len(known) // 5:]
`;

const REGRESSION_RESULT = `mean = statistics.fmean(table[target][row] for row in train)
charts.scatter(
    "/out/predictions.svg",
    f"{target}: predicted by actual, rows that were held out",
    [(table[target][row], model(row)) for row in test],
    diagonal=True,
)
result = {
    "task": "regression",
    "target": target,
    "model": best,
    "rows": len(known),
    "train_rows": len(train),
    "test_rows": len(test),
    "metrics": rounded(figures(test, model)),
    "train_metrics": rounded(figures(train, model)),
    "baseline": rounded(figures(test, lambda row: mean)),
    "importance": worth,
}
`;

const FORECAST = `from datetime import datetime

if target is None or target not in numbers:
    raise SystemExit(f"No column of numbers matches {TARGET_WORDS}: set target to one of {numbers}")


def as_date(text):
    try:
        return datetime.fromisoformat(text.replace("/", "-").replace("Z", "")).date()
    except ValueError:
        return None


days = None
for name in texts:
    dates = [None if text is None else as_date(text) for text in table[name]]
    if len(present(dates)) > 0.9 * count:
        days = dates
        break
if days is None:
    raise SystemExit(f"No column holds dates such as 2026-01-31: {texts}")
sums = Counter()
for day, value in zip(days, table[target]):
    if day is not None and value is not None:
        sums[day] += value
series = sorted(sums.items())
LAGS = (1, 2, 3, 7, 14)
if len(series) < 40:
    raise SystemExit(f"{len(series)} days are too few for a forecast")

# The table is rebuilt: a row for each day, with what is known the day before.
first = max(LAGS)
table = {f"lag_{lag}": [series[at - lag][1] for at in range(first, len(series))] for lag in LAGS}
table["last_week"] = [statistics.fmean(v for _, v in series[at - 7:at]) for at in range(first, len(series))]
table["weekday"] = [day.strftime("%A") for day, _ in series[first:]]
table["month"] = [day.strftime("%B") for day, _ in series[first:]]
table[target] = [float(value) for _, value in series[first:]]
count, names = len(series) - first, [name for name in table if name != target]
numbers = [name for name in names if is_number(table[name])] + [target]

# In order of time: nothing of the future gets into the training.
cut_day = int(0.8 * count)
train, test = list(range(cut_day)), list(range(cut_day, count))
`;

const FORECAST_RESULT =
  `charts.line("/out/series.svg", f"{target} over time", [(at, table[target][at]) for at in range(count)])
charts.line("/out/forecast.svg", f"{target}: forecast of the days that were held out", [(at, model(at)) for at in test])
result = {
    "task": "forecast",
    "target": target,
    "model": best,
    "rows": len(series),
    "train_rows": len(train),
    "test_rows": len(test),
    "metrics": rounded(figures(test, model)),
    "train_metrics": rounded(figures(train, model)),
    "baseline": rounded(figures(test, lambda row: table["lag_1"][row])),
    "importance": worth,
}
`;

const CLUSTERING = `names = [name for name in table if usable(name)]
if count < 20 or not names:
    raise SystemExit(f"{count} rows and the columns {names} are too little to learn from")
rows = list(range(count))
chance = random.Random(SEED)
chance.shuffle(rows)
rows = rows[:2000]  # a sample that stands for all of them
encoding = learn_encoding(rows, names)
points = [encode(row, encoding) for row in rows]


def k_means(points, clusters):
    """Lloyd's algorithm from centers that are far from each other."""
    chance = random.Random(SEED)
    centers = [chance.choice(points)]
    while len(centers) < clusters:
        far = [min(math.dist(point, center) for center in centers) ** 2 for point in points]
        centers.append(chance.choices(points, weights=far)[0])
    for _ in range(15):
        nearest = [min(range(clusters), key=lambda at: math.dist(point, centers[at])) for point in points]
        for at in range(clusters):
            members = [point for point, own in zip(points, nearest) if own == at]
            if members:
                centers[at] = [statistics.fmean(values) for values in zip(*members)]
    return nearest


def silhouette(points, nearest):
    """How much nearer points are to their own cluster than to the next one, from -1 to 1."""
    groups = {at: [p for p, own in zip(points, nearest) if own == at] for at in set(nearest)}
    scores = []
    for point, own in zip(points, nearest):
        means = {at: statistics.fmean(math.dist(point, other) for other in g) for at, g in groups.items()}
        inside = means.pop(own)
        outside = min(means.values(), default=inside)
        scores.append((outside - inside) / max(inside, outside, 1e-12))
    return statistics.fmean(scores)


scores = {}
for clusters in range(2, min(7, len(set(map(tuple, points))) + 1)):
    scores[clusters] = silhouette(points[:300], k_means(points, clusters)[:300])
best = max(scores, key=scores.get)
nearest = k_means(points, best)
print("Silhouette by number of clusters:", rounded(scores))
for at in range(best):
    members = [row for row, own in zip(rows, nearest) if own == at]
    for name in names:
        values = present([table[name][row] for row in members])
        typical = f"mean {statistics.fmean(values):.4g}" if name in numbers and values else Counter(values).most_common(2)
        print(f"Cluster {at + 1}, {len(members)} rows: {name} {typical}")
charts.bars("/out/clusters.svg", "Rows in each cluster", {f"cluster {at + 1}": nearest.count(at) for at in range(best)})
result = {
    "task": "clustering",
    "model": "k-means",
    "rows": count,
    "metrics": {"silhouette": round(scores[best], 4), "clusters": best},
    "sizes": [nearest.count(at) for at in range(best)],
}
`;

const [SUPERVISED, CLUSTERED] = [[FEATURES, MODELS, METRICS], [FEATURES, METRICS]];

/** What each kind of task does. */
export const PLAIN_RECIPES: Record<TaskType, Recipe> = {
  classification: {
    explanation:
      "Tries logistic regression and boosted stumps on a part of the training rows and trains the better one; compares it with the most frequent class by F1 and ROC AUC on a held-out fifth.",
    body: [...SUPERVISED, NEED_TARGET + CLASSIFICATION, CHOOSE, IMPORTANCE, CLASS_RESULT],
  },
  regression: {
    explanation:
      "Tries linear regression and boosted stumps on a part of the training rows and trains the better one; compares it with the mean by RMSE, mean absolute error and R² on a held-out fifth.",
    body: [
      ...SUPERVISED,
      NEED_TARGET + REGRESSION_SPLIT,
      VALUES,
      CHOOSE,
      VALUE_FIGURES,
      IMPORTANCE,
      REGRESSION_RESULT,
    ],
  },
  clustering: {
    explanation:
      "Fits k-means for two to six clusters and keeps the number with the best silhouette; each cluster is described by its size and its typical values.",
    body: [...CLUSTERED, CLUSTERING],
  },
  forecast: {
    explanation:
      "Learns from the last days and the calendar with linear regression or boosted stumps, whichever is better on a part of the training days; compares it with the last known value on the last fifth.",
    body: [
      ...SUPERVISED,
      FORECAST,
      VALUES,
      CHOOSE,
      VALUE_FIGURES,
      IMPORTANCE,
      FORECAST_RESULT,
    ],
  },
};
