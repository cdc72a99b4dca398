"""The user's labelled pairs, sorted by task: the best evidence there is for a judge or a reward model."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from rlar.discover.row_router import RowRouter
from rlar.errors import DatasetError
from rlar.kinds.bind import bind
from rlar.registry.registry import Registry
from rlar.rows.read import RejectedRow, read_objects, row_to_example
from rlar.types import Example, LabelledPair, TaskSpec

MAX_LABEL = 1e300
"""A label beyond this, or NaN, is refused."""
MOST_PAIRS_A_ROW = 3
"""Pairs made of one row with several graded responses: best against worst first."""
Labelled = Mapping[str, tuple[LabelledPair, ...]]
"""Pairs by the fingerprint of their task; "" for those of no known task."""


def labelled_pairs(path: str, router: RowRouter, tasks: Sequence[TaskSpec]) -> dict[str, tuple[LabelledPair, ...]]:
    """The pairs of a file by task.

    A row is {"prompt", "better", "worse", "reference"?} (also "chosen" and "rejected", texts or messages), or
    {"prompt", "responses", "labels"} where a higher label is better and null is unknown.

    Raises:
        DatasetError: the file cannot be read, or a row is no pair (with file and line).
    """
    pairs_by_task: dict[str, list[LabelledPair]] = {}
    contracts = {task.fingerprint: task.contract for task in tasks}
    rows = list(_rows(path))
    if not rows:
        raise DatasetError(f"{path}: no labelled pair in it")
    for (example, pairs), assignment in zip(rows, router.assign([row[0] for row in rows]), strict=True):
        name = assignment.fingerprint or ""
        binding = bind(example, contracts[name]) if name in contracts else {}
        for better, worse in pairs:
            pairs_by_task.setdefault(name, []).append(
                LabelledPair(
                    prompt=example.text,
                    better=better,
                    worse=worse,
                    reference=example.reference,
                    references=example.references,
                    binding=binding,
                )
            )
    return {name: tuple(pairs) for name, pairs in pairs_by_task.items()}


def stored_pairs(registry: Registry, path: str) -> dict[str, tuple[LabelledPair, ...]]:
    """The pairs of a file by task, as a registry's router sorts them. Raises as `labelled_pairs`."""
    tasks = registry.tasks(with_examples=False)
    router = RowRouter.from_arrays(registry.router_arrays(), tuple(tasks), source=registry.name)
    return labelled_pairs(path, router, tasks)


def _rows(path: str) -> Iterator[tuple[Example, list[tuple[str, str]]]]:
    for item in read_objects([path]):
        if isinstance(item, RejectedRow):
            raise DatasetError(f"{item.origin}: {item.reason}")
        row = item.row
        pairs = _pairs(row, item.origin)
        kept = {key: value for key, value in row.items() if key not in _ANSWERS}
        example = row_to_example(kept, item.origin)
        if isinstance(example, RejectedRow):
            raise DatasetError(f"{example.origin}: {example.reason}")
        yield example, pairs


_ANSWERS = frozenset({"better", "worse", "chosen", "rejected", "responses", "labels", "completion", "completions"})


def _pairs(row: Mapping[str, Any], origin: str) -> list[tuple[str, str]]:
    for better, worse in (("better", "worse"), ("chosen", "rejected")):
        if better in row and worse in row:
            return [(_text(row[better], origin, better), _text(row[worse], origin, worse))]
    responses, labels = row.get("responses"), row.get("labels")
    if not isinstance(responses, list) or not isinstance(labels, list) or len(responses) != len(labels):
        raise DatasetError(
            f'{origin}: no labelled pair; expected "better" and "worse", "chosen" and "rejected", or as many "labels" '
            'as "responses"'
        )
    graded = [
        (float(label), _text(response, origin, "responses"))
        for response, label in zip(responses, labels, strict=True)
        if isinstance(label, int | float) and abs(label) < MAX_LABEL
    ]
    graded.sort(key=lambda item: -item[0])
    made = [
        (high[1], low[1])
        for place, low in enumerate(reversed(graded))
        for high in graded[: len(graded) - 1 - place]
        if high[0] > low[0]
    ]
    return made[:MOST_PAIRS_A_ROW]


def _text(value: Any, origin: str, column: str) -> str:
    """A completion: a text, or the last message of a conversation."""
    if isinstance(value, str):
        return value
    if isinstance(value, list) and value and isinstance(value[-1], dict):
        content = value[-1].get("content")
        if isinstance(content, str):
            return content
    raise DatasetError(f"{origin}: {column} is neither a text nor a list of messages")
