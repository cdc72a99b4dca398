"""Small charts as inline SVG: no script, no network, colours from `templates/page.css` (light and dark)."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from html import escape

Point = tuple[float, float]
WIDTH = 640
COLOURS = 8
"""Classes c0 to c7 of the style sheet."""
MOST_DOTS = 40
"""A curve of more points is drawn without dots."""
MOST_LABELS = 10
"""On the x axis."""


def intervals(
    title: str, rows: Sequence[tuple[str, float, float | None, float | None, str]], *, mark: float | None = 0.5
) -> str:
    """One dot with its interval a row: (name, value, low, high, class). `mark`: a vertical line, e.g. chance."""
    if not rows:
        return ""
    lows = [low if low is not None else value for _n, value, low, _h, _c in rows]
    highs = [high if high is not None else value for _n, value, _l, high, _c in rows]
    left, right = min(*lows, mark if mark is not None else 1.0, 0.4), max(*highs, 1.0)
    top, line = 14, 22
    height = top + line * len(rows) + 26

    def x(value: float) -> float:
        return 250 + (WIDTH - 270) * (value - left) / ((right - left) or 1.0)

    parts = []
    for tick in _ticks(left, right):
        parts.append(f'<line class="grid" x1="{x(tick):.1f}" x2="{x(tick):.1f}" y1="{top - 6}" y2="{height - 20}"/>')
        parts.append(f'<text class="tick" x="{x(tick):.1f}" y="{height - 5}" text-anchor="middle">{tick:g}</text>')
    if mark is not None:
        parts.append(f'<line class="mark" x1="{x(mark):.1f}" x2="{x(mark):.1f}" y1="{top - 6}" y2="{height - 20}"/>')
    for number, (name, value, low, high, kind) in enumerate(rows):
        y = top + line * number + line / 2
        parts.append(f'<text class="name {escape(kind)}" x="244" y="{y + 4:.1f}" text-anchor="end">{escape(_short(name, 38))}</text>')  # fmt: skip
        if low is not None and high is not None:
            parts.append(f'<line class="bar {escape(kind)}" x1="{x(low):.1f}" x2="{x(high):.1f}" y1="{y:.1f}" y2="{y:.1f}"/>')  # fmt: skip
        parts.append(f'<circle class="dot {escape(kind)}" cx="{x(value):.1f}" cy="{y:.1f}" r="5"><title>{escape(name)}: {value:.3f}</title></circle>')  # fmt: skip
    return _svg(title, height, parts)


def lines(
    title: str,
    curves: Mapping[str, Sequence[Point]],
    *,
    x_name: str,
    y_name: str = "",
    low: float | None = None,
    high: float | None = None,
    log_x: bool = False,
    last: bool = False,
) -> str:
    """Curves with a legend; empty text where there is nothing to draw.

    Args:
        low: lower end of the y axis; None: the lowest value. `high` likewise.
        last: the legend says each curve's last value.
    """
    curves = {name: curve for name, curve in curves.items() if curve}
    points = [point for curve in curves.values() for point in curve]
    if not points:
        return ""
    xs, ys = [math.log(x) if log_x else x for x, _ in points], [y for _, y in points]
    left, right = min(xs), max(xs)
    bottom, top = min(ys) if low is None else low, max(ys) if high is None else high
    top = top if top > bottom else bottom + 1.0
    height, floor = 254, 226

    def place(point: Point) -> tuple[float, float]:
        at = math.log(point[0]) if log_x else point[0]
        across = 56 + (WIDTH - 76) * (at - left) / ((right - left) or 1.0)
        return across, floor - (floor - 14) * (min(max(point[1], bottom), top) - bottom) / (top - bottom)

    parts, legend = [], []
    for tick in _ticks(bottom, top):
        y = place((points[0][0], tick))[1]
        parts.append(f'<line class="grid" x1="56" x2="{WIDTH - 20}" y1="{y:.1f}" y2="{y:.1f}"/>')
        parts.append(f'<text class="tick" x="50" y="{y + 4:.1f}" text-anchor="end">{tick:.3g}</text>')
    values = sorted({x for x, _ in points})
    for value in values[:: math.ceil(len(values) / MOST_LABELS)]:
        across = place((value, bottom))[0]
        parts.append(f'<text class="tick" x="{across:.1f}" y="{floor + 15}" text-anchor="middle">{value:g}</text>')
    for number, (name, curve) in enumerate(curves.items()):
        colour, where = f"c{number % COLOURS}", [place(point) for point in curve]
        path = " ".join(f"{x:.1f},{y:.1f}" for x, y in where)
        parts.append(f'<polyline class="curve {colour}" points="{path}"/>')
        if len(curve) <= MOST_DOTS:
            parts += [f'<circle class="point {colour}" cx="{x:.1f}" cy="{y:.1f}" r="3"><title>{escape(name)}: {p[1]:.4g} at {p[0]:g}</title></circle>'
                      for (x, y), p in zip(where, curve, strict=True)]  # fmt: skip
        ending = f" {curve[-1][1]:.3g}" if last else ""
        legend.append(f'<span class="{colour}"><i></i>{escape(name)}{ending}</span>')
    parts.append(f'<text class="tick" x="{WIDTH - 20}" y="{floor + 27}" text-anchor="end">{escape(x_name)}</text>')
    parts.append(f'<text class="tick" x="56" y="9">{escape(y_name)}</text>')
    return _svg(title, height, parts, f'<div class="legend">{"".join(legend)}</div>')


def bars(title: str, rows: Sequence[tuple[str, float]], *, top: float | None = None, digits: int = 3) -> str:
    """One horizontal bar a row."""
    if not rows:
        return ""
    most = top or max((value for _, value in rows), default=1.0) or 1.0
    parts = []
    for number, (name, value) in enumerate(rows):
        y = 8 + 22 * number
        width = (WIDTH - 320) * min(1.0, max(0.0, value / most))
        parts.append(f'<text class="name" x="244" y="{y + 13}" text-anchor="end">{escape(_short(name, 38))}</text>')
        parts.append(f'<rect class="block" x="250" y="{y}" width="{width:.1f}" height="16"/>')
        parts.append(f'<text class="tick" x="{256 + width:.1f}" y="{y + 13}">{value:.{digits}g}</text>')
    return _svg(title, 16 + 22 * len(rows), parts)


def heat(title: str, rows: Sequence[str], columns: Sequence[str], cells: Sequence[Sequence[float | None]]) -> str:
    """A table of shares in [0, 1], darker for more."""
    side = min(90, (WIDTH - 260) // max(1, len(columns)))
    parts = []
    for j, name in enumerate(columns):
        parts.append(f'<text class="tick" x="{250 + side * j + side / 2:.0f}" y="14" text-anchor="middle">{escape(_short(name, max(5, side // 7)))}</text>')  # fmt: skip
    for i, name in enumerate(rows):
        y = 20 + 28 * i
        parts.append(f'<text class="name" x="244" y="{y + 18}" text-anchor="end">{escape(_short(name, 38))}</text>')
        for j, value in enumerate(cells[i]):
            if value is not None:
                parts.append(f'<rect class="block" x="{250 + side * j}" y="{y}" width="{side - 2}" height="26" opacity="{0.08 + 0.92 * min(1.0, max(0.0, value)):.2f}"/>')  # fmt: skip
                parts.append(f'<text class="cell" x="{250 + side * j + side / 2:.0f}" y="{y + 18}" text-anchor="middle">{value:.2g}</text>')  # fmt: skip
    return _svg(title, 26 + 28 * len(rows), parts)


def _svg(title: str, height: float, parts: Sequence[str], below: str = "") -> str:
    return (
        f'<figure><figcaption>{escape(title)}</figcaption><svg viewBox="0 0 {WIDTH} {height:.0f}" role="img" '
        f'aria-label="{escape(title)}">{"".join(parts)}</svg>{below}</figure>'
    )


def _ticks(low: float, high: float) -> list[float]:
    span = (high - low) or 1.0
    step = 10 ** math.floor(math.log10(span / 4))
    step *= next(factor for factor in (1, 2, 5, 10) if span / (step * factor) <= 6)
    first = math.ceil(low / step - 1e-9)
    return [round(step * number, 10) for number in range(first, math.floor(high / step + 1e-9) + 1)]


def _short(text: str, most: int) -> str:
    return text if len(text) <= most else text[: most - 1] + "…"
