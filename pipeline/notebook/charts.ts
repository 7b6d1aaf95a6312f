/**
 * The Python module `charts` that code finds beside its data: four kinds of plots as SVG files. It
 * is text in this program, so that it is in every build of it.
 *
 * @module
 */

/** Source of `/data/charts.py`. */
export const CHARTS = String.raw`"""Plots as SVG files: histogram, bars, scatter, line."""
import math
from html import escape

WIDTH, HEIGHT, LEFT, RIGHT, TOP, BOTTOM = 640, 400, 70, 20, 46, 44
BLUE, GREY = "#2f6fb2", "#8a8f98"


def histogram(path, title, values, bins=30):
    """How often values lie in each of some equal ranges."""
    low, high = min(values), max(values)
    width = (high - low) / bins or 1.0
    counts = [0] * bins
    for value in values:
        counts[min(bins - 1, int((value - low) / width))] += 1
    x, y = _scale(low, low + width * bins, LEFT, WIDTH - RIGHT), _scale(0, max(counts), HEIGHT - BOTTOM, TOP)
    shapes = [
        _rect(x(low + at * width), y(many), x(low + (at + 1) * width), y(0))
        for at, many in enumerate(counts)
    ]
    _write(path, title, _axes(x, y, low, low + width * bins, 0, max(counts)) + shapes)


def bars(path, title, numbers):
    """A bar for each name of a dict, in its order; at most 20."""
    items = list(numbers.items())[:20]
    values = [value for _, value in items]
    low, high = min(0, *values, 0), max(0, *values, 0)
    left = 60 + min(200, 7 * max(len(str(name)) for name, _ in items))
    x = _scale(low, high, left, WIDTH - 90)
    step = min(40, (HEIGHT - TOP - 16) / len(items))
    shapes = []
    for at, (name, value) in enumerate(items):
        top, middle = TOP + at * step, TOP + (at + 0.5) * step
        shapes.append(_rect(min(x(0), x(value)), top + step * 0.15, max(x(0), x(value)), top + step * 0.85))
        shapes.append(_text(left - 8, middle + 4, str(name)[:34], "end"))
        shapes.append(_text(max(x(0), x(value)) + 6, middle + 4, f"{value:.4g}", "start", GREY))
    _write(path, title, shapes, TOP + step * len(items) + 16)


def scatter(path, title, points, limit=2000, diagonal=False):
    """A dot for each (x, y), a regular sample when there are many; the diagonal is where they are equal."""
    points = points[:: max(1, math.ceil(len(points) / limit))]
    x, y, axes = _plane(points)
    if diagonal:
        low, high = max(map(min, zip(*points))), min(map(max, zip(*points)))
        axes.append(f'<path d="M{x(low):.1f} {y(low):.1f}L{x(high):.1f} {y(high):.1f}" stroke="{GREY}" stroke-dasharray="4 4"/>')
    dots = [
        f'<circle cx="{x(a):.1f}" cy="{y(b):.1f}" r="2.5" fill="{BLUE}" fill-opacity="0.5"/>'
        for a, b in points
    ]
    _write(path, title, axes + dots)


def line(path, title, points, limit=1000):
    """A line through each (x, y) in their order; a regular sample when there are many."""
    points = points[:: max(1, math.ceil(len(points) / limit))]
    x, y, axes = _plane(points)
    way = " ".join(f"{x(a):.1f},{y(b):.1f}" for a, b in points)
    _write(path, title, axes + [f'<polyline points="{way}" fill="none" stroke="{BLUE}" stroke-width="1.5"/>'])


def _plane(points):
    xs, ys = [a for a, _ in points], [b for _, b in points]
    x = _scale(min(xs), max(xs), LEFT, WIDTH - RIGHT)
    y = _scale(min(ys), max(ys), HEIGHT - BOTTOM, TOP)
    return x, y, _axes(x, y, min(xs), max(xs), min(ys), max(ys))


def _scale(low, high, start, end):
    span = (high - low) or 1.0
    return lambda value: start + (value - low) / span * (end - start)


def _axes(x, y, left, right, bottom, top):
    shapes = []
    for a in _ticks(left, right):
        shapes.append(_text(x(a), HEIGHT - BOTTOM + 18, f"{a:.5g}", "middle", GREY))
    for b in _ticks(bottom, top):
        shapes.append(f'<path d="M{LEFT} {y(b):.1f}H{WIDTH - RIGHT}" stroke="#e3e5e8"/>')
        shapes.append(_text(LEFT - 8, y(b) + 4, f"{b:.5g}", "end", GREY))
    return shapes


def _ticks(low, high):
    """Round numbers from low to high, three to eight."""
    if high <= low:
        return [low]
    power = 10.0 ** math.floor(math.log10(high - low))
    step = next(power * one for one in (1, 0.5, 0.2, 0.1) if (high - low) / (power * one) >= 3.5)
    first = math.ceil(low / step)
    return [at * step for at in range(first, first + 9) if at * step <= high]


def _rect(left, top, right, bottom):
    return f'<rect x="{left:.1f}" y="{top:.1f}" width="{right - left:.1f}" height="{bottom - top:.1f}" fill="{BLUE}" stroke="#fff" stroke-width="0.5"/>'


def _text(x, y, text, anchor="start", color="#24292f", size=12):
    return f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}" fill="{color}" font-size="{size}">{escape(text)}</text>'


def _write(path, title, shapes, height=HEIGHT):
    body = "\n".join([_text(20, 26, title, size=15), *shapes])
    with open(path, "w", encoding="utf-8") as file:
        file.write(
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height:.0f}" width="{WIDTH}" height="{height:.0f}" '
            f'font-family="system-ui, sans-serif"><rect width="100%" height="100%" fill="#fff"/>\n{body}\n</svg>\n'
        )
`;
