/** Two models and what both need, in Python of the standard library. @module */

/** What the program imports. */
export const IMPORTS = `import csv
import json
import math
import random
import statistics
import sys
from bisect import bisect_left
from collections import Counter

sys.path.insert(0, "/data")
import charts  # draws SVG files
`;

/** Features from columns: what is filled, scaled and encoded is learnt from the training rows only. */
export const FEATURES = `def usable(name):
    """False for what is different in (almost) every row: identifiers, free text, dates."""
    values = present(table[name])
    levels = len(set(values))
    if levels < 2:
        return False
    if name in numbers:
        return not (is_whole(values) and levels == len(values) == count)
    return levels <= max(20, 0.05 * len(values))


def learn_encoding(rows, names):
    """For each feature its column and, of a text column, the level that it stands for."""
    encoding = []
    for name in names:
        values = present([table[name][row] for row in rows])
        if name in numbers:
            middle = statistics.median(values) if values else 0.0
            spread = statistics.pstdev(values) if len(values) > 1 else 0.0
            encoding.append((name, None, middle, spread or 1.0))
        else:
            encoding += [(name, level, 0.0, 1.0) for level, _ in Counter(values).most_common(12)]
    return encoding


def encode(row, encoding):
    features = []
    for name, level, middle, spread in encoding:
        value = table[name][row]
        if level is not None:
            features.append(1.0 if value == level else 0.0)
        else:
            features.append(0.0 if value is None else (value - middle) / spread)
    return features
`;

/** Each `fit_…` gives a function from features to a number: a value, or the log-odds of a class. */
export const MODELS = `def sigmoid(value):
    return 1 / (1 + math.exp(-max(-30.0, min(30.0, value))))


def fit_linear(rows, goals, is_class):
    """Linear or logistic regression by stochastic gradient descent, averaged over its last half."""
    chance = random.Random(SEED)
    weights = [0.0] * (len(rows[0]) + 1)
    average = [0.0] * len(weights)
    order = list(range(len(rows)))
    epochs = max(10, min(100, 100_000 // len(rows)))
    for epoch in range(epochs):
        chance.shuffle(order)
        rate = 0.05 / (1 + epoch / 5) / math.sqrt(len(weights))
        for at in order:
            row = rows[at]
            guess = weights[-1] + sum(map(float.__mul__, weights, row))
            error = goals[at] - (sigmoid(guess) if is_class else guess)
            step = rate * max(-10.0, min(10.0, error))
            for i, value in enumerate(row):
                if value:
                    weights[i] += step * value
            weights[-1] += step
        if epoch >= epochs // 2:
            average = [a + w / (epochs - epochs // 2) for a, w in zip(average, weights)]
    return lambda row: average[-1] + sum(map(float.__mul__, average, row))


def fit_stumps(rows, goals, is_class, rounds=150, rate=0.2, sample=1500):
    """Gradient boosting of decisions on one feature each, on a new sample of the rows each round."""
    chance = random.Random(SEED)
    width = len(rows[0])
    cuts = [thresholds([row[i] for row in rows]) for i in range(width)]
    bins = [[bisect_left(cuts[i], value) for i, value in enumerate(row)] for row in rows]
    mean = statistics.fmean(goals)
    start = math.log((mean + 1e-6) / (1 - mean + 1e-6)) if is_class else mean
    guesses = [start] * len(rows)
    stumps = []
    for _ in range(rounds):
        chosen = chance.sample(range(len(rows)), min(sample, len(rows)))
        errors = {at: goals[at] - (sigmoid(guesses[at]) if is_class else guesses[at]) for at in chosen}
        best = best_split(chosen, errors, bins, cuts)
        if best is None:
            break
        i, cut, low, high = best
        # Log-odds move by the error over its variance, which is a quarter at most.
        factor = rate * (4 if is_class else 1)
        stumps.append((i, cuts[i][cut], low * factor, high * factor))
        for at, row in enumerate(bins):
            guesses[at] += (low if row[i] <= cut else high) * factor
    return lambda row: start + sum(low if row[i] <= cut else high for i, cut, low, high in stumps)


def thresholds(values):
    levels = sorted(set(values))
    if len(levels) <= 16:
        return [(a + b) / 2 for a, b in zip(levels, levels[1:])]
    return sorted(set(statistics.quantiles(values, n=16)))


def best_split(chosen, errors, bins, cuts):
    """Feature, cut and the mean errors on both sides that lower the squared error most."""
    total, many = sum(errors.values()), len(chosen)
    best, gain = None, 1e-12
    for i in range(len(cuts)):
        sums, counts = [0.0] * (len(cuts[i]) + 1), [0] * (len(cuts[i]) + 1)
        for at in chosen:
            sums[bins[at][i]] += errors[at]
            counts[bins[at][i]] += 1
        left, below = 0.0, 0
        for cut in range(len(cuts[i])):
            left, below = left + sums[cut], below + counts[cut]
            if below < 5 or many - below < 5:
                continue
            better = left ** 2 / below + (total - left) ** 2 / (many - below) - total ** 2 / many
            if better > gain:
                best, gain = (i, cut, left / below, (total - left) / (many - below)), better
    return best
`;

/** Metrics by name. */
export const METRICS = `def roc_auc(goals, scores):
    """How likely a row of the class has a higher score than one that is not of it."""
    ranked = sorted(zip(scores, goals))
    ranks, at = 0.0, 0
    while at < len(ranked):
        end = at
        while end < len(ranked) and ranked[end][0] == ranked[at][0]:
            end += 1
        ranks += sum(goal for _, goal in ranked[at:end]) * (at + end + 1) / 2
        at = end
    of_class = sum(goals)
    others = len(goals) - of_class
    return (ranks - of_class * (of_class + 1) / 2) / (of_class * others) if of_class and others else 0.5


def f1_score(actual, predicted):
    """The mean of the classes' F1."""
    scores = []
    for name in sorted(set(actual)):
        hits = sum(a == p == name for a, p in zip(actual, predicted))
        said = sum(p == name for p in predicted)
        scores.append(2 * hits / (said + sum(a == name for a in actual)))
    return statistics.fmean(scores)


def class_metrics(actual, predicted, scores):
    aucs = [roc_auc([float(a == name) for a in actual], [s[name] for s in scores]) for name in scores[0]]
    return {
        "accuracy": statistics.fmean(a == p for a, p in zip(actual, predicted)),
        "f1": f1_score(actual, predicted),
        "roc_auc": statistics.fmean(aucs),
    }


def value_metrics(actual, predicted):
    errors = [a - p for a, p in zip(actual, predicted)]
    mean = statistics.fmean(actual)
    spread = sum((a - mean) ** 2 for a in actual)
    return {
        "rmse": math.sqrt(statistics.fmean(error ** 2 for error in errors)),
        "mae": statistics.fmean(abs(error) for error in errors),
        "r2": 1 - sum(error ** 2 for error in errors) / spread if spread > 0 else 0.0,
    }


def rounded(figures):
    return {name: round(value, 4) for name, value in figures.items()}
`;
