"""Who is measured: baselines that need no tool, every tool as a static reward, the router, its ablations and its bounds."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from random import Random
from typing import Any

from rlar.evals.measure import credits_of
from rlar.evals.sets import Item, LabelledSet
from rlar.registry.records import RegistrySnapshot
from rlar.scoring.combine import calibrate, combine, tool_score
from rlar.types import Calibration, Reward, Score, ToolKind, digest

Table = list[list[float | None]]
"""Scores of one system on one set: per item, per response."""


@dataclass
class Scored:
    """One system on one set."""

    table: Table
    failed: float = 0.0
    """Share of completions on which a tool broke."""
    seconds: float = 0.0
    tokens: int = 0
    note: str = ""


@dataclass
class Raw:
    """What the tools said: raw scores of every tool on every response, and what the router made of them."""

    rewards: list[list[Reward]]
    tools: dict[str, list[list[Score | None]]]
    """By tool id; None: not asked (a rejected tool outside its task)."""
    router_seconds: float
    tool_seconds: dict[str, float] = field(default_factory=dict)


# ------------------------------------------------------------------------------------------ without a tool


def random_scores(data: LabelledSet, seed: int) -> Table:
    """A number drawn from the seed and the completion's content, so that a second run draws the same."""
    return [
        [Random(digest(str(seed), item.example.id, text)).random() for text in item.responses] for item in data.items
    ]


def longest(data: LabelledSet) -> Table:
    """The longer, the better: characters."""
    return [[float(len(text)) for text in item.responses] for item in data.items]


def shortest(data: LabelledSet) -> Table:
    """The shorter, the better."""
    return [[-float(len(text)) for text in item.responses] for item in data.items]


@cache
def _chrf() -> Any:
    from sacrebleu.metrics.chrf import CHRF

    return CHRF()


def overlap(data: LabelledSet) -> Table:
    """chrF (sacrebleu's defaults) with the reference, over 100; None without a reference."""
    return [
        [
            _chrf().sentence_score(text[:20_000], list(item.example.references)).score / 100
            if item.example.references
            else None
            for text in item.responses
        ]
        for item in data.items
    ]


# ------------------------------------------------------------------------------------------ from the tools' scores


def router(raw: Raw) -> Scored:
    """The rewards as a trainer gets them."""
    return Scored(
        [[reward.reward for reward in row] for row in raw.rewards],
        _share([reward.status in ("failed", "timeout") for row in raw.rewards for reward in row]),
        raw.router_seconds,
        sum(_tokens(score.details) for row in raw.rewards for reward in row for score in reward.scores),
    )


def static(raw: Raw, tool_id: str) -> Scored:
    """One tool on everything, as a static reward."""
    rows = raw.tools[tool_id]
    return Scored(
        [[None if score is None else score.value for score in row] for row in rows],
        _share([score is not None and score.status in ("failed", "timeout") for row in rows for score in row]),
        raw.tool_seconds.get(tool_id, 0.0),
        sum(_tokens(score.details) for row in rows for score in row if score is not None),
    )


def ensemble(raw: Raw, tool_ids: Sequence[str], calibrations: Mapping[str, Calibration]) -> Scored:
    """Always on: the mean of every tool that can tell, each on its calibrated scale."""
    seconds = sum(raw.tool_seconds.get(tool, 0.0) for tool in tool_ids)
    table: Table = []
    for at in range(len(raw.rewards)):
        row: list[float | None] = []
        for place in range(len(raw.rewards[at])):
            values = [
                calibrate(calibrations.get(tool, Calibration()), score.value)
                for tool in tool_ids
                if (score := raw.tools[tool][at][place]) is not None and score.value is not None
            ]
            row.append(sum(values) / len(values) if values else None)
        table.append(row)
    return Scored(table, seconds=seconds)


def best_static_per_subset(data: LabelledSet, accuracies: Mapping[str, Mapping[str, float]], raw: Raw) -> Scored:
    """Oracle router: in every subset the tool that turned out best there. Knows the labels; a bound, not a system."""
    chosen: dict[str, str] = {}
    for subset in data.subsets:
        ranked = sorted((-by_subset[subset], tool) for tool, by_subset in accuracies.items() if subset in by_subset)
        if ranked:
            chosen[subset] = ranked[0][1]
    rows: Table = []
    for at, item in enumerate(data.items):
        tool = chosen.get(item.subset)
        rows.append(
            [None] * len(item.responses)
            if tool is None
            else [None if score is None else score.value for score in raw.tools[tool][at]]
        )
    return Scored(rows, note="; ".join(f"{subset}: {tool}" for subset, tool in list(chosen.items())[:8]))


def item_bound(data: LabelledSet, raw: Raw, tool_ids: Sequence[str]) -> Scored | None:
    """For every item the tool with the most credit. None where the metric needs several items at once."""
    rows: Table = []
    for at, item in enumerate(data.items):
        options = [[None if score is None else score.value for score in raw.tools[tool][at]] for tool in tool_ids]
        options.append([None] * len(item.responses))
        credits = [credits_of(item, option) for option in options]
        if item.metric in ("ties", "pooled"):
            return None
        best = max(range(len(options)), key=lambda index: (credits[index] or (0.0, 0.0))[0])
        rows.append(options[best])
    return Scored(rows)


# ------------------------------------------------------------------------------------------ ablations


def without_kinds(raw: Raw, snapshot: RegistrySnapshot, kinds: frozenset[ToolKind]) -> Scored:
    """The recipes without the tools of some kinds; a recipe left empty gives nothing."""

    def reward(given: Reward, _at: int, _place: int) -> float | None:
        recipe = snapshot.recipes.get(given.fingerprint or "")
        if recipe is None or given.recipe_version is None:
            return None
        keep = [tool for tool in snapshot.tools if snapshot.tools[tool].kind not in kinds]
        gates = tuple(tool for tool in recipe.gates if tool in keep)
        qualities = tuple((tool, weight) for tool, weight in recipe.qualities if tool in keep)
        if not qualities and not gates:
            return None
        left = recipe.model_copy(update={"gates": gates, "qualities": qualities})
        return combine(left, {score.tool: score for score in given.scores}).reward

    return _again(raw, reward)


def without_calibration(raw: Raw, snapshot: RegistrySnapshot) -> Scored:
    """The recipes on raw scores."""

    def reward(given: Reward, _at: int, _place: int) -> float | None:
        recipe = snapshot.recipes.get(given.fingerprint or "")
        if recipe is None or given.recipe_version is None:
            return None
        scores = {
            score.tool: score if score.raw is None else score.model_copy(update={"value": score.raw})
            for score in given.scores
        }
        return combine(recipe, scores).reward

    return _again(raw, reward)


def without_gate(raw: Raw, snapshot: RegistrySnapshot) -> Scored:
    """Everything that was tried for the row's task is believed: the mean of admitted and rejected tools and guards."""

    def reward(given: Reward, at: int, place: int) -> float | None:
        values = []
        for tool in snapshot.certificates.get(given.fingerprint or "", {}):
            score = raw.tools[tool][at][place] if tool in raw.tools else None
            if score is not None and score.value is not None:
                item = tool_score(tool, score, snapshot.calibration(given.fingerprint or "", tool))
                values.append(item.value if item.value is not None else 0.5)
        return sum(values) / len(values) if values else None

    return _again(raw, reward)


def random_router(data: LabelledSet, raw: Raw, tool_ids: Sequence[str], seed: int) -> Scored:
    """A tool drawn at random for every prompt instead of the routed one."""
    rows: Table = []
    for at, item in enumerate(data.items):
        tool = Random(digest(str(seed), "route", item.example.key)).choice(sorted(tool_ids)) if tool_ids else None
        rows.append([None if tool is None or (score := raw.tools[tool][at][place]) is None else score.value
                     for place in range(len(item.responses))])  # fmt: skip
    return Scored(rows)


def _again(raw: Raw, reward: Callable[[Reward, int, int], float | None]) -> Scored:
    return Scored(
        [[reward(given, at, place) for place, given in enumerate(row)] for at, row in enumerate(raw.rewards)],
        seconds=raw.router_seconds,
    )


def _share(flags: Sequence[bool]) -> float:
    return sum(flags) / len(flags) if flags else 0.0


def _tokens(details: Mapping[str, Any]) -> int:
    tokens = details.get("tokens", 0)
    return int(tokens) if isinstance(tokens, int | float) else 0


class Stopwatch:
    """Seconds of a block."""

    def __enter__(self) -> Stopwatch:
        self._started = time.perf_counter()
        self.seconds = 0.0
        return self

    def __exit__(self, *_exc: object) -> None:
        self.seconds = time.perf_counter() - self._started


def flat(items: Sequence[Item]) -> list[tuple[int, int]]:
    """(item, response) of every completion, in order."""
    return [(at, place) for at, item in enumerate(items) for place in range(len(item.responses))]
