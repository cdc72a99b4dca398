"""The rows of a run: which are trained on, which are held out, and in what order; the same for a given seed."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Protocol

import numpy as np

from rlar.errors import DatasetError
from rlar.rows.read import RowStats, usable_rows
from rlar.scoring.scorer import Scorer
from rlar.types import Example, digest


@dataclass(frozen=True)
class TrainRow:
    """One row with its task and its prompt as tokens."""

    example: Example
    fingerprint: str | None
    prompt_ids: tuple[int, ...]
    has_tools: bool = True
    """Whether its task has a recipe; without one it is there because `unknown = "train"`."""


class PromptSource(Protocol):
    """Where the rows of a step come from: a function of step, seed and what the source wrote down before."""

    def batch(self, step: int, prompts: int, seed: int) -> list[TrainRow]:
        """So many rows, the same for the same step whoever asks and how often."""
        ...


@dataclass(frozen=True)
class TrainData:
    """Rows to train on and rows held out, and what was left out."""

    train: tuple[TrainRow, ...]
    held_out: tuple[TrainRow, ...]
    left_out: dict[str, int]
    """Counts by reason: rejected, unknown, uncovered, too_long."""
    unrouted: tuple[Example, ...]
    """Rows of unknown tasks (at most UNROUTED_KEPT), for the agent."""

    def batch(self, step: int, prompts: int, seed: int) -> list[TrainRow]:
        """The prompts of a step: a seeded permutation of the rows a pass, so a resumed run sees what it would have seen."""
        size, chosen = len(self.train), []
        for position in range(step * prompts, (step + 1) * prompts):
            order = permutation(size, seed, position // size)
            chosen.append(self.train[order[position % size]])
        return chosen


UNROUTED_KEPT = 2_000


@lru_cache(maxsize=2)
def permutation(size: int, seed: int, epoch: int) -> np.ndarray:
    """A seeded order of so many rows, another in every pass."""
    return np.random.default_rng([seed, epoch]).permutation(size)


def load_rows(
    paths: Sequence[str],
    scorer: Scorer,
    encode: Callable[[Example], list[int]],
    *,
    held_out: int,
    max_prompt_tokens: int,
    seed: int,
    strict: bool,
    without_tools: bool = False,
    unjudged: str | None = None,
) -> TrainData:
    """Read, route and encode the rows; hold out a share of each task.

    Args:
        unjudged: the task of rows that no tool of the registry judges, where something else does; None leaves them out.
        strict: a row of an unknown or uncovered task is an error instead of left out.
        without_tools: such a row is kept, to be trained on and never held out.

    Raises:
        DatasetError: nothing is left to train on, or (strict) a row has no reward.
    """
    stats = RowStats()
    examples = list(usable_rows(paths, stats))
    left_out: Counter[str] = Counter(rejected=stats.rejected)
    rows: list[TrainRow] = []
    unrouted: list[Example] = []
    asked = scorer.formatted(examples)
    for example, as_asked, assignment in zip(examples, asked, scorer.assign(examples), strict=True):
        fingerprint = assignment.fingerprint
        recipe = scorer.standing(fingerprint).recipe if fingerprint is not None else None
        if fingerprint is None and not strict and len(unrouted) < UNROUTED_KEPT:
            unrouted.append(example)
        if recipe is None and not without_tools and unjudged is None:
            reason = "unknown" if fingerprint is None else "uncovered"
            if strict:
                raise DatasetError(
                    f"{example.origin}: {reason} task; build its tools first, or train with unknown = 'skip'"
                )
            left_out[reason] += 1
            continue
        ids = tuple(encode(as_asked))
        if not 0 < len(ids) <= max_prompt_tokens:
            left_out["too_long"] += 1
            continue
        has_tools = recipe is not None or unjudged is not None
        rows.append(TrainRow(example, fingerprint or unjudged, ids, has_tools))
    if not rows:
        counts = ", ".join(f"{count:,} {reason}" for reason, count in left_out.items() if count)
        ways = ["`rlar tasks list` says what is covered and why the rest is not"]
        if left_out["unknown"]:
            ways = [f"build their tools with `rlar agent build-tools --dataset {paths[0]}`", *ways]
        if left_out["too_long"]:
            ways = [
                f"prompts may have {max_prompt_tokens:,} tokens: lower max_new_tokens or raise max_prompt_tokens",
                *ways,
            ]
        raise DatasetError(f"no row to train on ({counts or 'the dataset is empty'}); {'; '.join(ways)}")
    held = _hold_out(rows, held_out, seed)
    train = tuple(row for index, row in enumerate(rows) if index not in held)
    return TrainData(train, tuple(rows[index] for index in sorted(held)), dict(left_out), tuple(unrouted))


def _hold_out(rows: Sequence[TrainRow], wanted: int, seed: int) -> set[int]:
    """Indices to hold out: `wanted` spread evenly over the tasks, never more than a fifth of a task.

    All rows of a prompt go together, and which prompts go does not depend on what other rows there are.
    """
    by_task: dict[str | None, dict[str, list[int]]] = {}
    without_tools = {row.example.prompt_key for row in rows if not row.has_tools}
    for index, row in enumerate(rows):
        if row.example.prompt_key not in without_tools:
            by_task.setdefault(row.fingerprint, {}).setdefault(row.example.prompt_key, []).append(index)
    held: set[int] = set()
    each = -(-wanted // len(by_task)) if wanted and by_task else 0
    for prompts in by_task.values():
        room = min(each, sum(map(len, prompts.values())) // 5)
        for key in sorted(prompts, key=lambda key: digest(str(seed), key)):
            if len(prompts[key]) <= room:
                held.update(prompts[key])
                room -= len(prompts[key])
    return held
