"""Whole files through a registry: `rlar tasks assign` and `rlar score`. Rows stream; the output appears whole or not at all."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

from rlar.config import read_sandbox_tier
from rlar.errors import DatasetError, NothingScored
from rlar.rows.read import (
    ColumnMap,
    RawRow,
    RejectedRow,
    completions_of,
    read_objects,
    row_to_example,
    write_jsonl_atomic,
)
from rlar.scoring.scorer import RoutedSample, Scorer
from rlar.tool import Resources, sandbox_factory
from rlar.types import Assignment, Example, JsonObject, Reward

CHUNK = 500
"""Rows scored or assigned at a time."""

UNKNOWN = "unknown"
NO_ASSIGNMENT = Assignment(fingerprint=None, confidence=0.0)


def assign_file(
    registry: str, source: Path, target: Path, *, prompt: str | None = None, reference: str | None = None
) -> str:
    """Write every row back, in order, with `fingerprint` (or "unknown"), `task` and `confidence`; returns what to tell.

    A row that cannot be read keeps its place as {"fingerprint": "unknown", "error": "file:line: reason"}.

    Raises:
        DatasetError: the file cannot be used, or none of its rows.
        RegistryError: the registry cannot be used.
    """
    columns = ColumnMap(prompt=prompt, reference=reference)
    counts: Counter[str] = Counter()
    with Scorer(registry) as scorer:
        labels = {task.fingerprint: task.label for task in scorer.tasks()}

        def rows() -> Iterator[JsonObject]:
            for chunk in _chunks(source, columns, scored=False):
                assigned = iter(scorer.assign([row.example for row in chunk if row.example is not None]))
                for row in chunk:
                    counts["read"] += 1
                    assignment = NO_ASSIGNMENT if row.example is None else next(assigned)
                    counts["bad" if row.error else "unknown"] += assignment.fingerprint is None
                    yield {**row.raw, **_assigned(assignment, labels), **({"error": row.error} if row.error else {})}

        write_jsonl_atomic(target, _not_all_bad(rows(), counts, source))
    known = counts["read"] - counts["unknown"] - counts["bad"]
    return f"{counts['read']:,} rows -> {target}: {known:,} assigned, {counts['unknown']:,} unknown" + _rejects(counts)


def score_file(
    registry: str,
    source: Path,
    target: Path,
    *,
    prompt: str | None = None,
    reference: str | None = None,
    sandbox_tier: str = "auto",
    accept_unsafe: bool = False,
) -> str:
    """Score every completion of a file, one output row per input row, in order; returns what to tell.

    Output: {"id", "fingerprint", "task", "rewards": [{"reward", "status", "scores": [...]}, ...]}, one entry per
    completion. A row that cannot be used has no rewards and an "error".

    Raises:
        ConfigError: no such sandbox tier.
        NothingScored: the output was written, but no completion got a reward and tools that broke are why.
        DatasetError: the file cannot be used, or none of its rows.
        RegistryError: the registry cannot be used.
    """
    columns = ColumnMap(prompt=prompt, reference=reference)
    counts: Counter[str] = Counter()
    tier = read_sandbox_tier(sandbox_tier)
    first_failure: list[str] = []

    with Resources(sandbox_factory(tier, accept_unsafe)) as resources, Scorer(registry, resources=resources) as scorer:
        labels = {task.fingerprint: task.label for task in scorer.tasks()}

        def rows() -> Iterator[JsonObject]:
            for chunk in _chunks(source, columns, scored=True):
                for row in _scored(chunk, scorer, labels, counts):
                    if not first_failure:
                        first_failure.extend(_failures(row))
                    yield row

        write_jsonl_atomic(target, _not_all_bad(rows(), counts, source))
    statuses = ", ".join(f"{counts[name]:,} {name}" for name in STATUSES if counts[name])
    summary = f"{counts['read']:,} rows -> {target}: {counts['completions']:,} completions: {statuses or 'none'}"
    if not counts["ok"] and first_failure:
        raise NothingScored(f"{summary}; no completion got a reward. The first that failed: {first_failure[0]}")
    return summary + _rejects(counts)


BROKEN = frozenset({"failed", "timeout"})
STATUSES = ("ok", "abstain", "failed", "timeout", "unknown", "uncovered")


def _scored(chunk: list[_Row], scorer: Scorer, labels: dict[str, str], counts: Counter[str]) -> Iterator[JsonObject]:
    samples = [
        RoutedSample(example=row.example, completion=text)
        for row in chunk
        if row.example is not None
        for text in row.completions
    ]
    rewards = iter(scorer.score(samples))
    for row in chunk:
        counts["read"] += 1
        mine = list(islice(rewards, len(row.completions)))
        counts["completions"] += len(mine)
        counts.update(reward.status for reward in mine)
        if mine:
            fingerprint = mine[0].fingerprint
        else:
            fingerprint = scorer.assign([row.example])[0].fingerprint if row.example else None
        line: JsonObject = {
            "id": row.example.id if row.example else row.raw.get("id"),
            "fingerprint": fingerprint or UNKNOWN,
            "task": labels.get(fingerprint or ""),
            "rewards": [reward_row(reward) for reward in mine],
        }
        if row.error:
            counts["bad"] += 1
            line["error"] = row.error
        yield line


def _failures(row: JsonObject) -> Iterator[str]:
    """What the tools that broke say, for each completion without a reward that they are why of."""
    for reward in row["rewards"]:
        if reward["status"] in BROKEN:
            broken = [score for score in reward["scores"] if score["status"] in BROKEN]
            yield (
                "; ".join(f"{score['tool']}: {score['explanation']}"[:300] for score in broken[:2]) or reward["status"]
            )


def reward_row(reward: Reward) -> JsonObject:
    """A Reward in the output format of `rlar score`."""
    scores = []
    for score in reward.scores:
        row: JsonObject = {
            "tool": score.tool,
            "value": score.value,
            "status": score.status,
            "explanation": score.explanation,
        }
        if score.details:
            row["details"] = score.details
        scores.append(row)
    return {"reward": reward.reward, "status": reward.status, "scores": scores}


@dataclass(frozen=True, slots=True)
class _Row:
    """One input row: as it was, as an Example where it can be one, else with the error."""

    raw: JsonObject
    example: Example | None
    error: str | None = None
    completions: tuple[str, ...] = ()


def _chunks(source: Path, columns: ColumnMap, *, scored: bool) -> Iterator[list[_Row]]:
    objects = read_objects([source])
    while chunk := list(islice(objects, CHUNK)):
        yield [_row(item, columns, scored) for item in chunk]


def _row(item: RawRow | RejectedRow, columns: ColumnMap, scored: bool) -> _Row:
    if isinstance(item, RejectedRow):
        return _Row({}, None, f"{item.origin}: {item.reason}")
    example = row_to_example(item.row, item.origin, columns)
    if isinstance(example, RejectedRow):
        return _Row(item.row, None, f"{example.origin}: {example.reason}")
    if not scored:
        return _Row(item.row, example)
    try:
        return _Row(item.row, example, completions=completions_of(item.row))
    except DatasetError as error:
        return _Row(item.row, example, f"{item.origin}: {error}")


def _assigned(assignment: Assignment, labels: dict[str, str]) -> JsonObject:
    fingerprint = assignment.fingerprint
    return {
        "fingerprint": fingerprint or UNKNOWN,
        "task": labels.get(fingerprint or ""),
        "confidence": round(assignment.confidence, 4),
    }


def _not_all_bad(rows: Iterator[JsonObject], counts: Counter[str], source: Path) -> Iterator[JsonObject]:
    """The rows; DatasetError at the end (so that nothing is written) when none of them could be used."""
    first_error = None
    for row in rows:
        first_error = first_error or row.get("error")
        yield row
    if counts["read"] == counts["bad"]:
        raise DatasetError(f"{source}: no usable row" + (f"; the first: {first_error}" if first_error else ""))


def _rejects(counts: Counter[str]) -> str:
    return f'; {counts["bad"]:,} rows could not be used (see their "error")' if counts["bad"] else ""
