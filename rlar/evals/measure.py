"""A system's scores on a labelled set -> one number with an interval, per subset and whole."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from rlar.evals import metrics
from rlar.evals.metrics import Floats, Scores
from rlar.evals.sets import Item, LabelledSet

ROUNDS = 400
"""Bootstrap resamples of the items of a subset."""
MOST_POOLED = 1500
"""Completions of a pooled subset whose pairs are counted: an even spread of them."""


@dataclass(frozen=True)
class Measure:
    """One system on one labelled set."""

    value: float | None
    """Accuracy as the set's benchmark defines it; None where nothing can be compared."""
    low: float | None = None
    high: float | None = None
    """95% bootstrap interval over items."""
    coverage: float = 0.0
    """Share of completions that got a number."""
    failed: float = 0.0
    """Share of completions on which a tool broke."""
    subsets: dict[str, float] = field(default_factory=dict)
    extras: dict[str, float] = field(default_factory=dict)
    """Further numbers of the set's kind: Spearman, Kendall, easy/normal/hard, sections, parts of Ties."""
    pairs: int = 0
    """Comparisons (or prompts, for best-of-n) behind the value."""
    draws: Floats = field(default_factory=lambda: np.empty(0), repr=False, compare=False)
    """The value in every bootstrap resample of the items."""


@dataclass(frozen=True)
class _Part:
    """One subset: the statistic of the sample (first) and of every resample, with what it weighs."""

    values: Floats
    weights: Floats


def measure(data: LabelledSet, scores: Sequence[Scores], *, failed: float = 0.0, seed: int = 0) -> Measure:
    """The set's own accuracy of a system.

    Labelled pairs: micro average over pairs. RewardBench: mean of the sections. RewardBench 2 and RM-Bench: mean of the
    subsets. One completion a row: pairs are made across the rows of a subset.

    Args:
        scores: one list per item, one score or None per response.
        failed: share of completions on which a tool broke; only passed through.
    """
    groups: dict[str, list[int]] = {}
    for index, item in enumerate(data.items):
        groups.setdefault(item.subset, []).append(index)
    parts: dict[str, _Part] = {}
    extras: dict[str, float] = {}
    for number, (subset, indices) in enumerate(groups.items()):
        items, mine = [data.items[index] for index in indices], [scores[index] for index in indices]
        part = _part(items, mine, seed + number)
        if part is not None:
            parts[subset] = part
        extras |= _extras(subset, items, mine)
    flat = [score for row in scores for score in row]
    coverage = sum(score is not None for score in flat) / max(1, len(flat))
    if not parts:
        return Measure(None, coverage=coverage, failed=failed, extras=extras)
    subsets = {name: float(part.values[0]) for name, part in parts.items()}
    draws = _whole(data.layout, parts)
    if data.layout == "rewardbench":
        counts = {name: len(groups[name]) for name in subsets}
        extras |= {f"section {name}": value for name, value in metrics.section_scores(subsets, counts).items()}
    low, high = metrics.interval(draws[1:])
    pairs = int(sum(part.weights[0] for part in parts.values()))
    return Measure(float(draws[0]), low, high, coverage, failed, subsets, extras, pairs, draws[1:])


def credits_of(item: Item, scores: Scores) -> tuple[float, float] | None:
    """Credit and weight of one item by itself; None for metrics that need several items."""
    if item.metric == "pairs":
        pairs = metrics.pairs_of(item.labels, scores)
        return (pairs.credit, float(pairs.pairs)) if pairs.pairs else None
    if item.metric == "best_of":
        return metrics.best_of(scores), 1.0
    if item.metric == "matrix":
        return metrics.style_matrix(scores[: item.correct], scores[item.correct :]).average, 1.0
    return None


def _part(items: Sequence[Item], scores: Sequence[Scores], seed: int) -> _Part | None:
    metric = Counter(item.metric for item in items).most_common(1)[0][0]
    if metric == "pooled":
        return _pooled(items, scores, seed)
    if metric == "ties":
        return _ties(items, scores, seed)
    credits = [credit for item, row in zip(items, scores, strict=True) if (credit := credits_of(item, row)) is not None]
    if not credits:
        return None
    table = np.asarray(credits)
    drawn = metrics.resamples(len(table), ROUNDS, seed)
    credit, weight = table[:, 0][drawn].sum(axis=1), table[:, 1][drawn].sum(axis=1)
    return _Part(credit / weight, weight)


def _pooled(items: Sequence[Item], scores: Sequence[Scores], seed: int) -> _Part | None:
    known = [
        (label, np.nan if score is None else score)
        for item, row in zip(items, scores, strict=True)
        for label, score in zip(item.labels, row, strict=True)
        if label is not None
    ]
    if len(known) > MOST_POOLED:
        known = [known[index * len(known) // MOST_POOLED] for index in range(MOST_POOLED)]
    if not known or len({label for label, _ in known}) < 2:
        return None
    labels, values = np.asarray(known, dtype=float).T
    accuracy = metrics.pooled_accuracy(labels, values)
    draws = [accuracy]
    for indices in metrics.resamples(len(labels), ROUNDS // 4, seed)[1:]:
        draws.append(metrics.pooled_accuracy(labels[indices], values[indices]))
    out = np.asarray([accuracy if draw is None else draw for draw in draws], dtype=float)
    pairs = float((labels[:, None] > labels[None, :]).sum())
    return _Part(out, np.full(len(out), pairs))


def _ties(items: Sequence[Item], scores: Sequence[Scores], seed: int) -> _Part | None:
    rows = _ties_rows(items, scores)
    prompts = list(dict.fromkeys(row.prompt for row in rows))
    by_prompt = {prompt: [row for row in rows if row.prompt == prompt] for prompt in prompts}
    draws = []
    for indices in metrics.resamples(len(prompts), ROUNDS // 4, seed):
        drawn = [
            row._replace(prompt=f"{place}/{row.prompt}")
            for place, index in enumerate(indices)
            for row in by_prompt[prompts[index]]
        ]
        draws.append(metrics.ties_score(drawn).score)
    return _Part(np.asarray(draws), np.full(len(draws), float(len(rows))))


def _ties_rows(items: Sequence[Item], scores: Sequence[Scores]) -> list[metrics.TiesRow]:
    rows = []
    for item, row in zip(items, scores, strict=True):
        kind, _, prompt = item.example.id.partition(":")
        rows.append(metrics.TiesRow(kind, prompt, row, item.correct))
    return rows


def _whole(layout: str, parts: Mapping[str, _Part]) -> Floats:
    size = max(len(part.values) for part in parts.values())

    def even(draws: Floats) -> Floats:
        """As many draws in every subset; those with fewer are repeated."""
        return np.concatenate([draws[:1], np.resize(draws[1:], size - 1)])

    values = {name: even(part.values) for name, part in parts.items()}
    if layout in ("rewardbench2", "rm_bench"):
        return np.asarray(np.mean(np.stack(list(values.values())), axis=0))
    if layout == "rewardbench":
        counts = {name: int(part.weights[0]) for name, part in parts.items()}
        names = [name for names in metrics.SECTIONS.values() for name in names if name in values]
        if len(names) == len(values):
            rows = zip(*(values[name] for name in names), strict=True)
            sections = [metrics.section_scores(dict(zip(names, row, strict=True)), counts) for row in rows]
            return np.asarray([sum(each.values()) / len(each) for each in sections])
    weights = {name: even(part.weights) for name, part in parts.items()}
    total = np.sum(np.stack(list(weights.values())), axis=0)
    return np.asarray(np.sum(np.stack([values[name] * weights[name] for name in values]), axis=0) / total)


def _extras(subset: str, items: Sequence[Item], scores: Sequence[Scores]) -> dict[str, float]:
    metric = items[0].metric
    extras: dict[str, float | None] = {}
    if metric == "matrix":
        grids = [metrics.style_matrix(row[: item.correct], row[item.correct :]) for item, row in zip(items, scores, strict=True)]  # fmt: skip
        for name in ("easy", "normal", "hard"):
            extras[f"{name} {subset}"] = sum(getattr(grid, name) for grid in grids) / len(grids)
        size = len(grids[0].cells)
        for i in range(size):
            for j in range(size):
                extras[f"style {i}x{j} {subset}"] = sum(grid.cells[i][j] for grid in grids) / len(grids)
    elif metric == "ties":
        score = metrics.ties_score(_ties_rows(items, scores))
        extras = {f"ties {name}": value for name, value in score._asdict().items()}
    elif metric == "pooled":
        known = [
            (label, score)
            for item, row in zip(items, scores, strict=True)
            for label, score in zip(item.labels, row, strict=True)
            if label is not None
        ]
        labels, values = [label for label, _ in known], [score for _, score in known]
        if len(set(labels)) > 2:
            extras[f"Spearman {subset}"] = metrics.spearman(labels, values)
            extras[f"Kendall {subset}"] = metrics.kendall(labels, values)
    return {name: value for name, value in extras.items() if value is not None}
