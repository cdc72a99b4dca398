"""Labelled sets from files (JSONL, JSONL.gz, Parquet): rlar's own shape and the public layouts, one converter each.

Layouts are told apart by their columns. Every row becomes an Item: an Example, completions, labels (higher is better,
None unknown) and the metric that its benchmark uses.

| layout | columns |
|---|---|
| labelled | prompt, responses, labels, subset?, meta? (`../shared/data/README.md`) |
| graded | responses, human_score, and prompt or source + src_lang + tgt_lang |
| rewardbench | prompt, chosen, rejected (texts), subset |
| rewardbench2 | prompt, chosen, rejected (lists), num_correct, subset; ids "ref:3" and "tied:3" in Ties |
| rm_bench | prompt, chosen (3 styles), rejected (3 styles), domain |
| judgebench | question, response_A, response_B, label ("A>B" or "B>A"), source |
| processbench | problem, steps, label (index of the first wrong step, or -1) |
| stepwise | prompt, completions, labels (one a step; TRL's layout) |
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from rlar.errors import DatasetError
from rlar.rows.read import ColumnMap, RejectedRow, read_objects, row_to_example
from rlar.types import Example, JsonObject

Metric = Literal["pairs", "best_of", "ties", "matrix", "pooled"]
META_REFERENCES = ("ground_truth", "reference", "reference_answer", "answer", "solution", "target")
"""Where labelled rows without a reference keep it, in `meta`, in this order."""
MAX_NUMBER = 1e300
"""Of labels; what is larger (or NaN) is a mistake."""
META_COLUMNS = ("test", "tests", "test_list", "entry_point", "test_cases", "unit_tests", "schema", "context")
"""What judging needs besides: taken from `meta` where the row has no such column."""


@dataclass(frozen=True)
class Item:
    """One labelled prompt."""

    example: Example
    responses: tuple[str, ...]
    labels: tuple[float | None, ...]
    subset: str
    metric: Metric = "pairs"
    correct: int = 0
    """Ties: so many of the first responses are correct."""


@dataclass(frozen=True)
class LabelledSet:
    """One file."""

    name: str
    layout: str
    items: tuple[Item, ...]
    path: str = ""
    sha256: str = ""
    rejected: tuple[str, ...] = field(default=())
    """The first reasons of rows that could not be used."""
    revision: str = ""
    """Commit of the Hub repository that it came from; empty for a local file."""

    @property
    def subsets(self) -> list[str]:
        """In order of appearance."""
        return list(dict.fromkeys(item.subset for item in self.items))


class _Bad(Exception):
    """Why a row is not an item."""


class _Row(dict[str, Any]):
    """A row whose missing columns are said."""

    def __missing__(self, name: str) -> Any:
        raise _Bad(f"no column `{name}`")


def load_files(
    files: Sequence[Path], *, name: str = "", path: str = "", reference: str | None = None, limit: int = 0
) -> LabelledSet:
    """A labelled set from one file, or from several that are parts of it.

    Args:
        name: of the set; empty: that of the first file.
        path: what a report says of where it is from; empty: the first file.
        reference: column of the expected answer, dots reach into objects ("meta.ground_truth"); None: the row's own
            reference, else the first of META_REFERENCES in its `meta`.
        limit: at most so many items, spread evenly over the file; 0: all.

    Raises:
        DatasetError: a file cannot be read, has an unknown layout, or no usable row.
    """
    file = files[0]
    items: list[Item] = []
    rejected: list[str] = []
    layout = ""
    for raw in read_objects(files):
        if isinstance(raw, RejectedRow):
            rejected.append(f"{raw.origin}: {raw.reason}")
            continue
        layout = layout or layout_of(raw.row, raw.origin)
        try:
            items.append(_CONVERTERS[layout](_Row(raw.row), raw.origin, reference))
        except _Bad as bad:
            rejected.append(f"{raw.origin}: {bad}")
    if not items:
        raise DatasetError(f"{file}: no usable labelled row" + (f"; the first: {rejected[0]}" if rejected else ""))
    if len(rejected) > max(10, len(items) // 10):
        raise DatasetError(f"{file}: {len(rejected):,} of {len(rejected) + len(items):,} rows are not usable; the first: {rejected[0]}")  # fmt: skip
    if limit and len(items) > limit:
        items = [items[index * len(items) // limit] for index in range(limit)]
    name = name or file.name.removesuffix(".gz").rsplit(".", 1)[0]
    return LabelledSet(name, layout, tuple(items), path or str(file), _sha256(files), tuple(rejected[:20]))


def _sha256(files: Sequence[Path]) -> str:
    """Of the one file; of several, of their hashes one after the other."""
    digests = []
    for file in files:
        with file.open("rb") as stream:
            digests.append(hashlib.file_digest(stream, "sha256").hexdigest())
    return digests[0] if len(digests) == 1 else hashlib.sha256("".join(digests).encode()).hexdigest()


def layout_of(row: JsonObject, origin: str = "") -> str:
    """Which layout a row has. Raises DatasetError where none fits."""
    chosen = row.get("chosen")
    if "responses" in row and "labels" in row:
        return "labelled"
    if "responses" in row and "human_score" in row:
        return "graded"
    if isinstance(chosen, list) and "num_correct" in row:
        return "rewardbench2"
    if isinstance(chosen, list) and "domain" in row:
        return "rm_bench"
    if isinstance(chosen, str) and isinstance(row.get("rejected"), str):
        return "rewardbench"
    if {"question", "response_A", "response_B", "label"} <= row.keys():
        return "judgebench"
    if {"problem", "steps", "label"} <= row.keys():
        return "processbench"
    if {"prompt", "completions", "labels"} <= row.keys():
        return "stepwise"
    raise DatasetError(
        f"{origin}: no labelled layout has the columns {', '.join(sorted(row)[:10])}; see docs/evals.md for the layouts"
    )


# ------------------------------------------------------------------------------------------ converters


def _labelled(row: JsonObject, origin: str, reference: str | None) -> Item:
    responses, labels = _texts(row["responses"], "responses"), _numbers(row["labels"], "labels")
    _same(responses, labels)
    return Item(
        _example(row, origin, reference), responses, labels, str(row.get("subset") or "all"), _metric(responses)
    )


def _graded(row: JsonObject, origin: str, reference: str | None) -> Item:
    responses, labels = _texts(row["responses"], "responses"), _numbers(row["human_score"], "human_score")
    _same(responses, labels)
    if "prompt" not in row:
        row = {**row, "prompt": f"Translate the following text from {row.get('src_lang')} to {row.get('tgt_lang')}.\n\n{row.get('source')}"}  # fmt: skip
    return Item(
        _example(row, origin, reference), responses, labels, str(row.get("subset") or "all"), _metric(responses)
    )


def _rewardbench(row: JsonObject, origin: str, reference: str | None) -> Item:
    responses = _texts([row["chosen"], row["rejected"]], "chosen and rejected")
    return Item(_example(row, origin, reference), responses, (1.0, 0.0), str(row.get("subset") or "all"))


def _rewardbench2(row: JsonObject, origin: str, reference: str | None) -> Item:
    chosen, rejected = _texts(row["chosen"], "chosen"), _texts(row["rejected"], "rejected")
    if not chosen or not rejected:
        raise _Bad("needs a chosen and a rejected completion")
    subset = str(row.get("subset") or "all")
    labels = (1.0,) * len(chosen) + (0.0,) * len(rejected)
    metric: Metric = "ties" if subset.casefold() == "ties" else "best_of"
    if metric == "ties" and str(row.get("id", "")).partition(":")[0] not in ("ref", "tied"):
        raise _Bad(f'the id of a Ties row is "ref:N" or "tied:N", not {row.get("id")!r}')
    return Item(_example(row, origin, reference), chosen + rejected, labels, subset, metric, len(chosen))


def _rm_bench(row: JsonObject, origin: str, reference: str | None) -> Item:
    chosen, rejected = _texts(row["chosen"], "chosen"), _texts(row["rejected"], "rejected")
    if not chosen or len(chosen) != len(rejected):
        raise _Bad(f"{len(chosen)} chosen and {len(rejected)} rejected styles")
    labels = (1.0,) * len(chosen) + (0.0,) * len(rejected)
    return Item(_example(row, origin, reference), chosen + rejected, labels, str(row.get("domain") or "all"), "matrix", len(chosen))  # fmt: skip


def _judgebench(row: JsonObject, origin: str, reference: str | None) -> Item:
    if row["label"] not in ("A>B", "B>A"):
        raise _Bad(f"`label` is {row['label']!r}; expected A>B or B>A")
    responses = _texts([row["response_A"], row["response_B"]], "response_A and response_B")
    given = {"id": row.get("pair_id"), "prompt": row["question"], "meta": row.get("meta") or {}}
    labels = (1.0, 0.0) if row["label"] == "A>B" else (0.0, 1.0)
    return Item(_example(given, origin, reference), responses, labels, str(row.get("source") or "all"))


def _processbench(row: JsonObject, origin: str, reference: str | None) -> Item:
    steps, first = _texts(row["steps"], "steps"), row["label"]
    if isinstance(first, bool) or not isinstance(first, int) or not -1 <= first < len(steps):
        raise _Bad(f"`label` is {first!r}; expected the index of a step, or -1")
    # What comes after the first error was not looked at by the annotators.
    labels = tuple(1.0 if first < 0 or at < first else 0.0 if at == first else None for at in range(len(steps)))
    given = {"id": row.get("id"), "prompt": row["problem"], "meta": row.get("meta") or {}}
    return Item(_example(given, origin, reference), _prefixes(steps), labels, str(row.get("generator") or "all"))


def _stepwise(row: JsonObject, origin: str, reference: str | None) -> Item:
    steps, labels = _texts(row["completions"], "completions"), _numbers(row["labels"], "labels")
    _same(steps, labels)
    return Item(_example(row, origin, reference), _prefixes(steps), labels, str(row.get("subset") or "all"))


_CONVERTERS: dict[str, Callable[[JsonObject, str, str | None], Item]] = {
    "labelled": _labelled,
    "graded": _graded,
    "rewardbench": _rewardbench,
    "rewardbench2": _rewardbench2,
    "rm_bench": _rm_bench,
    "judgebench": _judgebench,
    "processbench": _processbench,
    "stepwise": _stepwise,
}

_NOT_COLUMNS = frozenset(
    {"responses", "labels", "human_score", "chosen", "rejected", "completions", "completion", "meta", "license",
     "data_source", "subset", "num_correct", "num_rejected", "total_completions", "models", "domain", "chosen_model",
     "rejected_model", "additional_metadata"}
)  # fmt: skip
"""Columns that say something about the answers or the file, and that no tool may see."""


def _example(row: JsonObject, origin: str, reference: str | None) -> Example:
    meta = row.get("meta") or row.get("additional_metadata") or {}
    meta = meta if isinstance(meta, dict) else {}
    given = {name: value for name, value in row.items() if name not in _NOT_COLUMNS}
    if "labels" not in row and isinstance(given.get("label"), int | float):
        given.pop("label")
    if isinstance(meta.get("full_prompt"), str) and isinstance(given.get("prompt"), str):
        given["prompt"] = meta["full_prompt"]
    for name in META_COLUMNS:
        if name in meta and name not in given:
            given[name] = meta[name]
    if reference is not None:
        value: Any = row
        for part in reference.split("."):
            value = value.get(part) if isinstance(value, dict) else None
        if value is None:
            raise _Bad(f"no column `{reference}` (--reference)")
        given["reference"] = value
    elif given.get("reference") is None:
        named = next((meta[name] for name in META_REFERENCES if meta.get(name) not in (None, "", [])), None)
        if named is not None:
            given["reference"] = named
    example = row_to_example(given, origin, ColumnMap())
    if isinstance(example, RejectedRow):
        raise _Bad(example.reason)
    return example


def _metric(responses: Sequence[str]) -> Metric:
    return "pooled" if len(responses) == 1 else "pairs"


def _prefixes(steps: Sequence[str]) -> tuple[str, ...]:
    return tuple("\n\n".join(steps[: end + 1]) for end in range(len(steps)))


def _texts(values: Any, name: str) -> tuple[str, ...]:
    if not isinstance(values, list | tuple) or not all(isinstance(value, str) for value in values):
        raise _Bad(f"`{name}` is not a list of texts")
    if not all(value.isascii() or _encodes(value) for value in values):
        raise _Bad(f"`{name}` holds a lone surrogate")
    return tuple(values)


def _encodes(text: str) -> bool:
    return not any("\ud800" <= character <= "\udfff" for character in text)


def _numbers(values: Any, name: str) -> tuple[float | None, ...]:
    if not isinstance(values, list | tuple):
        raise _Bad(f"`{name}` is not a list")
    numbers: list[float | None] = []
    for value in values:
        if value is not None and (not isinstance(value, bool | int | float) or not abs(value) < MAX_NUMBER):
            raise _Bad(f"`{name}` holds {str(value)[:40]}; expected numbers or null")
        numbers.append(None if value is None else float(value))
    return tuple(numbers)


def _same(responses: Sequence[str], labels: Sequence[float | None]) -> None:
    if len(responses) != len(labels) or not responses:
        raise _Bad(f"{len(responses)} completions and {len(labels)} labels")
