"""`rlar eval policy`: a file of completions scored per task, pass@k, with a second registry or labels beside it.

A model's completions come from whatever generates them; this reads rows with `completions`.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import islice
from pathlib import Path

from rlar.errors import DatasetError
from rlar.evals.metrics import pass_at_k
from rlar.evals.record import make_record
from rlar.registry.registry import Registry
from rlar.rows.read import ColumnMap, RejectedRow, completions_of, read_objects, row_to_example
from rlar.scoring.scorer import RoutedSample, Scorer
from rlar.text.answer_format import searched_share
from rlar.types import Example, JsonObject, Reward

PASSED = 0.5
"""A completion passes from this reward on."""


def evaluate_policy(
    registry: str,
    path: str | Path,
    *,
    second: str | None = None,
    ks: Sequence[int] = (1, 2, 4, 8, 16),
    seed: int = 0,
    command: Sequence[str] = (),
) -> JsonObject:
    """Rewards of a file of completions by task.

    Args:
        path: rows with `completion` or `completions`; `labels` (1 good, 0 bad, null unknown) are compared if there.
        second: another registry, e.g. a held-out audit reward; its agreement with the first is reported.
        ks: pass@k for those k that every prompt of a task has scored completions for.

    Raises:
        DatasetError: the file cannot be used.
    """
    rows = _rows(path)
    rewards = _score(registry, rows)
    others = _score(second, rows) if second else None
    with Registry.open(registry, readonly=True) as opened:
        labels = {task.fingerprint: task.label for task in opened.tasks(with_examples=False)}
    groups: dict[str, list[int]] = {}
    for index, mine in enumerate(rewards):
        name = labels.get(mine[0].fingerprint or "", "unknown") if mine else "unknown"
        groups.setdefault(name, []).append(index)
    tasks = []
    for name in sorted(groups):
        values = [[reward.reward for reward in rewards[index]] for index in groups[name]]
        beside = [[reward.reward for reward in others[index]] for index in groups[name]] if others else None
        given = [rows[index][2] for index in groups[name]]
        searched = searched_share([text for index in groups[name] for text in rows[index][1]])
        tasks.append({**_task(name, values, beside, given, ks), "searched": searched})
    statuses: dict[str, int] = {}
    for reward in (reward for row in rewards for reward in row):
        statuses[reward.status] = statuses.get(reward.status, 0) + 1
    lines = [f"{len(rows)} prompts, {sum(len(row[1]) for row in rows)} completions; " + ", ".join(f"{count} {name}" for name, count in statuses.items()) + "."]  # fmt: skip
    lines.append("searched: share of completions in no agreed format, in which an answer has to be looked for.")
    if second:
        lines.append("second: mean reward of the second registry; agreement: share of completions on which both pass or both fail.")  # fmt: skip
    elif any(row[2] for row in rows):
        lines.append("second: mean of the rows' own labels; agreement: share on which reward and label both pass or both fail.")  # fmt: skip
    record = make_record("policy", command=command, seed=seed, registry=registry, data=[{"name": Path(path).name, "rows": len(rows)}])  # fmt: skip
    return {"record": record, "tasks": tasks, "lines": lines, "statuses": statuses}


_Row = tuple[Example, tuple[str, ...], tuple[float | None, ...]]


def _rows(path: str | Path) -> list[_Row]:
    rows: list[_Row] = []
    for raw in read_objects([path]):
        if isinstance(raw, RejectedRow):
            continue
        example = row_to_example({name: value for name, value in raw.row.items() if name != "labels"}, raw.origin, ColumnMap())  # fmt: skip
        if isinstance(example, RejectedRow):
            continue
        completions = completions_of(raw.row)
        labels = raw.row.get("labels")
        usable = isinstance(labels, list) and len(labels) == len(completions)
        numbers = tuple(float(each) if isinstance(each, bool | int | float) else None for each in labels) if usable and isinstance(labels, list) else ()  # fmt: skip
        rows.append((example, completions, numbers))
    if not rows:
        raise DatasetError(f"{path}: no usable row with completions")
    return rows


def _score(registry: str | None, rows: Sequence[_Row]) -> list[list[Reward]]:
    assert registry is not None, "called with a registry"
    samples = [RoutedSample(example=row[0], completion=text) for row in rows for text in row[1]]
    with Scorer(registry) as scorer:
        rewards = iter(scorer.score(samples))
    return [list(islice(rewards, len(row[1]))) for row in rows]


def _task(
    name: str,
    rewards: Sequence[Sequence[float | None]],
    others: Sequence[Sequence[float | None]] | None,
    labels: Sequence[Sequence[float | None]],
    ks: Sequence[int],
) -> JsonObject:
    flat = [value for row in rewards for value in row]
    scored = [value for value in flat if value is not None]
    beside = [value for row in others or () for value in row] if others else [value for row, own in zip(rewards, labels, strict=True) for value in (own or [None] * len(row))]  # fmt: skip
    numbers = [value for value in beside if value is not None]
    both = [(one, two) for one, two in zip(flat, beside, strict=True) if one is not None and two is not None]
    counts = [[value for value in row if value is not None] for row in rewards]
    counts = [row for row in counts if row]
    pass_at = {
        str(k): round(sum(pass_at_k(len(row), sum(value >= PASSED for value in row), k) for row in counts) / len(counts), 6)
        for k in ks
        if counts and all(len(row) >= k for row in counts)
    }  # fmt: skip
    return {
        "task": name,
        "prompts": len(rewards),
        "completions": len(flat),
        "mean": round(sum(scored) / len(scored), 6) if scored else None,
        "passed": round(sum(value >= PASSED for value in scored) / len(scored), 6) if scored else None,
        "coverage": round(len(scored) / max(1, len(flat)), 6),
        "second": round(sum(numbers) / len(numbers), 6) if numbers else None,
        "agreement": round(sum((one >= PASSED) == (two >= PASSED) for one, two in both) / len(both), 6) if both else None,
        "pass_at": pass_at,
    }  # fmt: skip
