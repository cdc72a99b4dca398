"""The few statistics behind a certificate: bootstrap intervals over rows, scales and calibration."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence

import numpy as np

from rlar.types import Calibration


def interval(by_row: Mapping[int, Sequence[float]], *, resamples: int, seed: int) -> tuple[float, float] | None:
    """95% percentile bootstrap interval of the mean over all values, resampling whole rows; None without values.

    Probes of one row are not independent, so rows are drawn, not probes (cluster bootstrap).
    """
    rows = [values for values in by_row.values() if len(values)]
    if not rows:
        return None
    sums = np.array([float(np.sum(values)) for values in rows])
    counts = np.array([len(values) for values in rows], dtype=float)
    draws = np.random.default_rng(seed).integers(0, len(rows), size=(resamples, len(rows)))
    means = sums[draws].sum(axis=1) / counts[draws].sum(axis=1)
    low, high = np.quantile(means, (0.025, 0.975))
    return round(float(low), 6), round(float(high), 6)


def share_interval(count: int, total: int) -> tuple[float, float]:
    """95% interval of a share (Wilson score): unlike the bootstrap's it has a width where nothing or everything was found."""
    if not total:
        return 0.0, 1.0
    z2 = 1.959964**2
    middle = (count + z2 / 2) / (total + z2)
    half = 1.959964 / (total + z2) * (count * (total - count) / total + z2 / 4) ** 0.5
    return round(max(0.0, middle - half), 6), round(min(1.0, middle + half), 6)


def quantile(values: Sequence[float], share: float) -> float:
    """Linear-interpolated quantile."""
    return float(np.quantile(np.asarray(values, dtype=float), share))


def own_scale(values: Sequence[float]) -> Callable[[float], float]:
    """A map of raw scores to [0, 1] by the tool's own range (2nd to 98th percentile): for scores without a known range."""
    low, high = quantile(values, 0.02), quantile(values, 0.98)
    if high - low < 1e-12:
        return lambda value: 0.5
    return lambda value: min(1.0, max(0.0, (value - low) / (high - low)))


def row_offsets(cells: Sequence[tuple[int, str, float]], *, rounds: int = 30) -> dict[int, float]:
    """By how much the scores of each row lie above the others', whatever is tried: row -> offset.

    Scores (row, kind of probe, value) are fitted as row + kind. A reward model that learnt from comparisons of answers to
    one prompt leaves the level of each prompt open (Bradley-Terry), and group-relative advantages do not see it.
    """
    offsets = dict.fromkeys((row for row, _kind, _value in cells), 0.0)
    for _ in range(rounds):
        by_kind: dict[str, list[float]] = defaultdict(list)
        for row, kind, value in cells:
            by_kind[kind].append(value - offsets[row])
        levels = {kind: float(np.mean(values)) for kind, values in by_kind.items()}
        by_row: dict[int, list[float]] = defaultdict(list)
        for row, kind, value in cells:
            by_row[row].append(value - levels[kind])
        offsets = {row: float(np.mean(values)) for row, values in by_row.items()}
    middle = float(np.mean(list(offsets.values()))) if offsets else 0.0
    return {row: offset - middle for row, offset in offsets.items()}


def fit_calibration(high: Sequence[float], low: Sequence[float], *, bounded: bool) -> Calibration:
    """Monotone map: the median floor goes to 0.05, the median oracle to 0.95, strictly rising around them.

    Strictly rising, so that two completions that a tool tells apart stay apart; beyond the probes' range there is half
    the margin's room on either side, or [0, 1] for tools bounded by it. Identity where the medians do not allow a map.
    """
    if not high or not low:
        return Calibration()
    top, bottom = quantile(high, 0.5), quantile(low, 0.5)
    span = top - bottom
    if span <= 1e-9:
        return Calibration()
    start = 0.0 if bounded else min(min(low), bottom - 0.5 * span)
    end = 1.0 if bounded else max(max(high), top + 0.5 * span)
    knots: list[tuple[float, float]] = [(start, 0.0)]
    if bottom > start + 1e-9:
        knots.append((bottom, 0.05))
    if top < end - 1e-9:
        knots.append((top, 0.95))
    knots.append((end, 1.0))
    return Calibration(x=tuple(round(x, 9) for x, _ in knots), y=tuple(y for _, y in knots))
