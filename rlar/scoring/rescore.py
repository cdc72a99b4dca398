"""Stored rollouts under two registries or lock files: which rewards changed, and why."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from typing import Any

from rlar.errors import DatasetError, RegistryError
from rlar.registry.records import tool_ids
from rlar.report.table import Listing
from rlar.rows.read import RejectedRow, completions_of, read_objects, row_to_example
from rlar.scoring.lock_file import is_lock_file, recipe_text
from rlar.scoring.scorer import RoutedSample, Scorer, load
from rlar.tool import Resources
from rlar.types import Recipe, Reward

CHUNK = 500
"""Rows scored at a time."""
SAME = 1e-9
"""Rewards this near are equal: sums in another order differ in their last digits."""
KEPT = 1000
"""Changes that are listed one by one; all are counted."""
SHOWN = 20


@dataclass
class _Tally:
    """What is known of one task so far."""

    label: str
    completions: int = 0
    changed: int = 0
    shift: float = 0.0
    """Sum of (new - old) where both are numbers."""
    both: int = 0
    without: int = 0
    """Completions that neither side gives a reward."""
    reasons: Counter[str] = field(default_factory=Counter)


def rescore(old: str, new: str, rollouts: Path, *, registry: str | None = None, **settings: Any) -> Listing:
    """Every completion of the rollouts, scored under both; `changed` when any reward or status differs.

    Args:
        old, new: registries (paths, URLs) or lock files.
        rollouts: rows with `completion` or `completions`, as for `rlar score`.
        registry: the registry of the lock files; by default the one of the two that is a registry.
        settings: of both scorers.

    Raises:
        RegistryError: one of them cannot be used, or a lock file has no registry.
        DatasetError: the file cannot be used, or no row of it.
    """
    tallies: dict[str, _Tally] = {}
    changes: list[dict[str, Any]] = []
    rejected: list[str] = []
    with ExitStack() as stack:
        resources = stack.enter_context(Resources())
        before, after = (
            stack.enter_context(_opened(address, other, registry, resources=resources, **settings))
            for address, other in ((old, new), (new, old))
        )
        reasons = _Reasons(before, after)
        labels = {task.fingerprint: task.label for scorer in (before, after) for task in scorer.tasks()}
        for samples in _samples(rollouts, rejected):
            pairs = zip(samples, before.score([sample for _name, sample in samples]),
                       after.score([sample for _name, sample in samples]), strict=True)  # fmt: skip
            for (name, _sample), one, other in pairs:
                fingerprint = other.fingerprint or one.fingerprint or "unknown"
                tally = tallies.setdefault(fingerprint, _Tally(labels.get(fingerprint, "")))
                why = _count(tally, one, other, reasons)
                if why and len(changes) < KEPT:
                    changes.append(
                        {
                            "row": name[0],
                            "completion": name[1],
                            "fingerprint": fingerprint,
                            "old": {"reward": one.reward, "status": one.status},
                            "new": {"reward": other.reward, "status": other.status},
                            "why": why,
                        }
                    )
    if not tallies:
        raise DatasetError(f"{rollouts}: no usable row" + (f"; the first: {rejected[0]}" if rejected else ""))
    return _listing(tallies, changes, rejected)


def _opened(address: str, other: str, registry: str | None, **settings: Any) -> Scorer:
    if not is_lock_file(address):
        return load(address, **settings)
    beside = registry if registry is not None else None if is_lock_file(other) else other
    if beside is None:
        raise RegistryError(f"{address} and {other} are lock files: name the registry with their rows (--registry)")
    return load(address, registry=beside, **settings)


def _samples(path: Path, rejected: list[str]) -> Iterator[list[tuple[tuple[str, int], RoutedSample]]]:
    """The completions of CHUNK rows after the other, each with the row's id and its number in it."""
    rows = read_objects([path])
    while chunk := list(islice(rows, CHUNK)):
        samples: list[tuple[tuple[str, int], RoutedSample]] = []
        for item in chunk:
            example = item if isinstance(item, RejectedRow) else row_to_example(item.row, item.origin)
            if isinstance(example, RejectedRow):
                rejected.append(f"{example.origin}: {example.reason}")
                continue
            assert not isinstance(item, RejectedRow)
            try:
                completions = completions_of(item.row)
            except DatasetError as error:
                rejected.append(f"{item.origin}: {error}")
                continue
            samples += [
                ((example.id, number), RoutedSample(example=example, completion=text))
                for number, text in enumerate(completions, start=1)
            ]
        if samples:
            yield samples


def _count(tally: _Tally, one: Reward, other: Reward, reasons: _Reasons) -> list[str]:
    """Take note of a completion; why its reward changed, empty where it did not."""
    tally.completions += 1
    if one.reward is not None and other.reward is not None:
        tally.both += 1
        tally.shift += other.reward - one.reward
        if abs(other.reward - one.reward) <= SAME:
            return []
    elif one.reward is None and other.reward is None:
        tally.without += 1
        if one.status == other.status:
            return []
    tally.changed += 1
    why = reasons.of(one, other)
    tally.reasons.update(why)
    return why


class _Reasons:
    """Why two scorers disagree; what concerns a whole task is found out once."""

    def __init__(self, before: Scorer, after: Scorer) -> None:
        self._before = before
        self._after = after
        self._tasks: dict[tuple[str | None, str | None], list[str]] = {}

    def of(self, one: Reward, other: Reward) -> list[str]:
        """One line a reason."""
        if one.fingerprint != other.fingerprint:
            return [f"task: {one.fingerprint or 'unknown'} -> {other.fingerprint or 'unknown'}"]
        reasons = list(self._of_task(one.fingerprint))
        scores = {score.tool: score for score in one.scores}
        for score in other.scores:
            was = scores.get(score.tool)
            if was is None:
                continue
            if was.status != score.status:
                reasons.append(f"status of {score.tool}: {was.status} -> {score.status}")
            elif was.raw != score.raw:
                reasons.append(f"score of {score.tool}: the same tool says something else now")
        if not reasons:
            reasons.append(f"status: {one.status} -> {other.status}")
        return reasons

    def _of_task(self, fingerprint: str | None) -> list[str]:
        key = (fingerprint, fingerprint)
        if key not in self._tasks:
            self._tasks[key] = self._difference(fingerprint) if fingerprint is not None else []
        return self._tasks[key]

    def _difference(self, fingerprint: str) -> list[str]:
        was, now = self._before.standing(fingerprint), self._after.standing(fingerprint)
        if was.recipe is None or now.recipe is None:
            if was.recipe is now.recipe:
                return []
            return [
                f"no longer served: {now.reason}" if now.recipe is None else f"served now; before: {was.reason}",
            ]
        return _recipe_difference(was.recipe, now.recipe)


def _recipe_difference(was: Recipe, now: Recipe) -> list[str]:
    old, new = tool_ids(was), tool_ids(now)
    differences: list[str] = []
    by_name = {_name(tool): tool for tool in new if tool not in old}
    renamed = {tool: by_name[_name(tool)] for tool in old if tool not in new and _name(tool) in by_name}
    differences += [f"tool changed: {tool} -> {then}" for tool, then in renamed.items()]
    as_new = [renamed.get(tool, tool) for tool in old]
    weights = [(renamed.get(tool, tool), weight) for tool, weight in was.qualities]
    gates = [renamed.get(tool, tool) for tool in was.gates]
    if (gates, weights) != (list(now.gates), list(now.qualities)):
        differences.append(f"recipe changed: {recipe_text(was)} -> {recipe_text(now)}")
    differences += [
        f"calibration changed: {tool}"
        for tool, then in zip(old, as_new, strict=True)
        if then in new and was.calibrations.get(tool) != now.calibrations.get(then)
    ]
    return differences


def _name(tool_id: str) -> str:
    return tool_id.rpartition("-")[0]


def _listing(tallies: dict[str, _Tally], changes: Sequence[dict[str, Any]], rejected: Sequence[str]) -> Listing:
    completions = sum(tally.completions for tally in tallies.values())
    changed = sum(tally.changed for tally in tallies.values())
    order = sorted(tallies.items(), key=lambda item: (-item[1].changed, -item[1].completions, item[0]))
    data = {
        "completions": completions,
        "changed": changed,
        "rejected_rows": len(rejected),
        "tasks": [
            {
                "fingerprint": fingerprint,
                "task": tally.label,
                "completions": tally.completions,
                "changed": tally.changed,
                "mean_shift": tally.shift / tally.both if tally.both else None,
                "without_reward": tally.without,
                "reasons": dict(tally.reasons.most_common()),
            }
            for fingerprint, tally in order
        ],
        "changes": list(changes),
    }
    rows = [
        (
            tally.label or fingerprint,
            f"{tally.completions:,}",
            f"{tally.changed:,}",
            f"{tally.shift / tally.both:+.3f}" if tally.both else "",
            "; ".join(f"{reason} ({count:,})" for reason, count in tally.reasons.most_common(4)),
        )
        for fingerprint, tally in order
    ]
    footing = [
        f"{changed:,} of {completions:,} rewards changed" if changed else f"no reward of {completions:,} changed"
    ]
    without = sum(tally.without for tally in tallies.values())
    if without:
        footing.append(f"{without:,} completions have no reward on either side")
    if rejected:
        footing.append(f"{len(rejected):,} rows could not be used; the first: {rejected[0]}")
    listing = Listing(
        data, ("task", "completions", "changed", "mean shift", "why"), rows, footing=footing, changed=bool(changed)
    )
    if changes:
        listing.more.append(
            Listing(
                None,
                ("row", "completion", "old", "new", "why"),
                [
                    (
                        item["row"],
                        str(item["completion"]),
                        _shown_side(item["old"]),
                        _shown_side(item["new"]),
                        "; ".join(item["why"]),
                    )
                    for item in changes[:SHOWN]
                ],
                footing=[f"... and {changed - SHOWN:,} more (--json lists up to {KEPT:,})"] if changed > SHOWN else [],
            )
        )
    return listing


def _shown_side(side: dict[str, Any]) -> str:
    return f"{side['reward']:.3f}" if side["reward"] is not None else str(side["status"])
