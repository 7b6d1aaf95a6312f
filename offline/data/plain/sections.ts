/**
 * The exploration's sections in Python of the standard library, by title. Each one prints what it
 * finds and adds it to `result`; plots go to /out.
 *
 * @module
 */

/** What sections import besides what all of them do. */
export const IMPORTS = `import csv
import math
import statistics
import sys
from collections import Counter

sys.path.insert(0, "/data")
import charts  # draws SVG files
`;

/** Python by the title of the section. */
export const PLAIN_SECTIONS: Record<string, string> = {
  "Size, types and values": `print(f"{count} rows, {len(table)} columns; target column: {target}")
result = {"rows": count, "columns": len(table), "target": target}
for name in numbers:
    values = present(table[name])
    middle = statistics.median(values)
    print(f"{name}: {min(values):g} to {max(values):g}, mean {statistics.fmean(values):.4g}, median {middle:g}")
for name in texts:
    levels = Counter(present(table[name]))
    print(f"{name}: {len(levels)} different texts, most of them {levels.most_common(3)}")
`,
  "Missing values":
    `missing = {name: sum(value is None for value in values) for name, values in table.items()}
result["missing"] = {name: many for name, many in missing.items() if many > 0}
print("Missing values:", result["missing"] or "none")
print("Columns to drop, more than 60 % missing:", [name for name in missing if missing[name] > 0.6 * count])
`,
  "Duplicate rows": `result["duplicates"] = count - len(set(zip(*table.values())))
print("Duplicate rows:", result["duplicates"])
`,
  "Class balance": `if target is not None and 0 < len(set(present(table[target]))) <= 50:
    classes = Counter(str(value) for value in present(table[target]))
    share = {name: round(many / classes.total(), 4) for name, many in classes.most_common()}
    result["classes"] = share
    print("Share of each class:", share)
    if min(share.values()) < 0.2:
        print("The classes are imbalanced: stratify, weight the classes, do not judge by accuracy")
    charts.bars("/out/classes.svg", f"Rows by {target}", dict(classes.most_common(20)))
`,
  "Distribution of the target": `if target in numbers and len(present(table[target])) > 1:
    values = present(table[target])
    mean, spread = statistics.fmean(values), statistics.pstdev(values)
    cuts = statistics.quantiles(values, n=20, method="inclusive")
    skew = statistics.fmean(((value - mean) / spread) ** 3 for value in values) if spread > 0 else 0.0
    result["target_mean"] = round(mean, 6)
    print(f"{target}: mean {mean:.4g}, standard deviation {spread:.4g}, skew {skew:.3f}")
    print(f"{target}: 5 % below {cuts[0]:g}, 5 % above {cuts[-1]:g}")
    charts.histogram("/out/target.svg", f"Distribution of {target}", values)
`,
  "Outliers": `outside = {}
for name in numbers:
    values = present(table[name])
    if len(values) < 4:
        continue
    low, _, high = statistics.quantiles(values, n=4, method="inclusive")
    reach = 1.5 * (high - low)
    many = sum(value < low - reach or value > high + reach for value in values)
    if many > 0:
        outside[name] = many
result["outliers"] = outside
print("Values beyond 1.5 interquartile ranges:", outside or "none")
`,
  "Correlation": `def correlate(left, right):
    """Pearson's correlation of the rows where both are known."""
    pairs = [pair for pair in zip(left, right) if None not in pair]
    if len(pairs) < 3 or len(set(x for x, _ in pairs)) < 2 or len(set(y for _, y in pairs)) < 2:
        return None
    return statistics.correlation(*zip(*pairs))


if target is not None:
    levels = sorted(set(str(value) for value in present(table[target])))
    codes = {level: float(at) for at, level in enumerate(levels)}
    goal = table[target] if target in numbers else [
        None if value is None else codes[value] for value in table[target]
    ]
    found = {name: correlate(table[name], goal) for name in numbers if name != target}
    found = {name: round(value, 4) for name, value in found.items() if value is not None}
    if target in numbers or len(levels) == 2:
        result["correlation"] = dict(sorted(found.items(), key=lambda item: -abs(item[1])))
        print("Correlation with the target:", result["correlation"])
        if found:
            charts.bars("/out/correlation.svg", f"Correlation with {target}", result["correlation"])
            strongest = next(iter(result["correlation"]))
            pairs = [pair for pair in zip(table[strongest], goal) if None not in pair]
            charts.scatter("/out/strongest.svg", f"{target} by {strongest}", pairs)
    for name in texts:
        groups = {}
        for level, value in zip(table[name], goal):
            if level is not None and value is not None:
                groups.setdefault(level, []).append(value)
        if target in numbers and 1 < len(groups) <= 20:
            means = {level: round(statistics.fmean(values), 4) for level, values in groups.items()}
            print(f"Mean {target} by {name}:", means)
    for name in numbers:
        groups = {}
        for level, value in zip(table[target], table[name]):
            if level is not None and value is not None:
                groups.setdefault(level, []).append(value)
        if target not in numbers and 1 < len(groups) <= 20:
            means = {level: round(statistics.fmean(values), 4) for level, values in groups.items()}
            print(f"Mean {name} by {target}:", means)
else:
    for at, name in enumerate(numbers):
        for other in numbers[at + 1:]:
            value = correlate(table[name], table[other])
            if value is not None and abs(value) > 0.5:
                print(f"{name} and {other} correlate: {value:.3f}")
`,
  "Dates": `from datetime import datetime


def as_date(text):
    try:
        return datetime.fromisoformat(text.replace("/", "-").replace("Z", "")).date()
    except ValueError:
        return None


for name in texts:
    dates = [as_date(text) for text in present(table[name])]
    days = sorted(present(dates))
    if len(days) > 1 and len(days) > 0.9 * len(dates):
        steps = Counter((later - earlier).days for earlier, later in zip(days, days[1:]))
        print(f"{name}: {days[0]} to {days[-1]}, steps in days {dict(steps.most_common(3))}")
        if target in numbers:
            parsed = [None if text is None else as_date(text) for text in table[name]]
            points = sorted(
                (day.toordinal(), value)
                for day, value in zip(parsed, table[target])
                if day is not None and value is not None
            )
            charts.line("/out/over_time.svg", f"{target} over {name}, in days", points)
`,
  "Categories": `for name in texts:
    levels = Counter(present(table[name]))
    share = sum(many for _, many in levels.most_common(10)) / max(1, levels.total())
    print(f"{name}: {len(levels)} categories, the ten most frequent cover {share:.0%}")
`,
  "Plots": `for at, name in enumerate(numbers[:12]):
    charts.histogram(f"/out/histogram_{at + 1}.svg", name, present(table[name]))
for at, name in enumerate(texts[:6]):
    levels = Counter(present(table[name]))
    if 1 < len(levels) < count:
        charts.bars(f"/out/categories_{at + 1}.svg", name, dict(levels.most_common(20)))
print("Plots: one file for each column")
`,
};
