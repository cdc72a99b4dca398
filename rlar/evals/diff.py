"""`rlar eval diff`: two results of the same kind, number by number."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from rlar.errors import DatasetError
from rlar.evals.record import read_result
from rlar.report.table import Listing
from rlar.types import JsonObject

_NAMES = ("set", "system", "tool", "task", "name", "change", "rows", "mutant")
"""What tells the entries of a list apart, where they have it."""
_NOT_RESULTS = frozenset({"record", "seconds", "ms_per_completion", "notes", "lines", "mutants", "low", "high"})
"""What differs between runs without any news in it, or is an interval of another number."""


def compare_results(old: str | Path, new: str | Path, *, tolerance: float = 0.0) -> Listing:
    """What changed from one result to another. Raises DatasetError for files that are no results, or of two kinds."""
    before, after = read_result(old), read_result(new)
    kinds = before["record"].get("kind"), after["record"].get("kind")
    if kinds[0] != kinds[1]:
        raise DatasetError(f"{old} measured {kinds[0]}, {new} measured {kinds[1]}: nothing to compare")
    heading = list(_conditions(before["record"], after["record"]))
    one, other = dict(_numbers(before, ())), dict(_numbers(after, ()))
    rows: list[tuple[str, str, str, str]] = []
    for key in dict.fromkeys((*one, *other)):
        mine, theirs = one.get(key), other.get(key)
        if mine is None or theirs is None:
            rows.append((key, _shown(mine), _shown(theirs), "gone" if theirs is None else "new"))
        elif abs(mine - theirs) > tolerance:
            rows.append((key, _shown(mine), _shown(theirs), f"{theirs - mine:+.4f}"))
    data = {
        "conditions": heading,
        "changes": [{"what": what, "old": old_, "new": new_, "change": change} for what, old_, new_, change in rows],
    }
    foot = [f"{len(rows)} of {len(set(one) | set(other))} numbers changed"]
    return Listing(data, ("what", "old", "new", "change"), rows, heading=heading, footing=foot, changed=bool(rows))


def _conditions(before: JsonObject, after: JsonObject) -> Iterator[str]:
    for name, path in (("registry", ("registry", "lock_digest")), ("seed", ("seed",)), ("rlar", ("rlar",))):
        mine, theirs = _at(before, path), _at(after, path)
        if mine != theirs:
            yield f"another {name}: {mine} -> {theirs}"
    hashes = [{each["name"]: each.get("sha256") for each in record["data"]} for record in (before, after)]
    for name in sorted(set(hashes[0]) | set(hashes[1])):
        if hashes[0].get(name) != hashes[1].get(name):
            yield f"not the same data: {name}"


def _at(value: Any, path: tuple[str, ...]) -> Any:
    for name in path:
        value = value.get(name) if isinstance(value, dict) else None
    return value


def _numbers(value: Any, path: tuple[str, ...]) -> Iterator[tuple[str, float]]:
    if isinstance(value, int | float):
        # A JSON integer may be larger than every float.
        yield " / ".join(path), float(max(-1e308, min(1e308, value)))
    elif isinstance(value, dict):
        for name, inner in value.items():
            if name not in _NOT_RESULTS:
                yield from _numbers(inner, (*path, str(name)))
    elif isinstance(value, list):
        for index, inner in enumerate(value):
            names = [str(inner[name]) for name in _NAMES if isinstance(inner, dict) and name in inner]
            yield from _numbers(inner, (*path, ", ".join(names[:2]) or str(index)))


def _shown(value: float | None) -> str:
    return "-" if value is None else f"{value:.4f}"
