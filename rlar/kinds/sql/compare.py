"""Whether two results are the same: as multisets of rows, in order only where the gold query sorts.

Columns stand in order, or by name where both queries name the same ones; numbers are equal within 1e-6. What graders of SQL
decide differently (Spider's test suites, BIRD's execution accuracy) is neither right nor wrong: see `Verdict.debatable`.
"""

from __future__ import annotations

import math
import re
from collections import Counter
from itertools import permutations
from typing import Any, NamedTuple

MAX_PERMUTED = 5
"""Columns that are tried in other orders."""
_NUMBER = re.compile(r"[+-]?\d{1,15}(?:\.\d{1,15})?\Z")
_MIDNIGHT = re.compile(r"(\d{4}-\d{2}-\d{2})[ T]00:00:00(?:\.0+)?\Z")

Answer = dict[str, Any]
"""{"columns": [...], "rows": [[...], ...]} or {"error": text}"""


class Verdict(NamedTuple):
    """What differs between a result and the gold query's."""

    difference: str
    """In a few words; "" for equal results."""
    debatable: bool = False
    """Some graders let this difference pass: no number can be given."""


SAME = Verdict("")


def compare(
    mine: Answer, gold: Answer, *, ordered: bool, order_asked: bool = True, repeats_count: bool = True
) -> Verdict:
    """What differs.

    Args:
        ordered: whether the gold query sorts, and so that its rows have one order.
        order_asked: whether the prompt asks for it; an order that only the gold query has is debatable.
        repeats_count: False where the gold query repeats rows because it joins: then their number is debatable.
    """
    if "error" in mine:
        return Verdict(str(mine["error"])[:200])
    if "error" in gold:
        return Verdict("the gold query failed here")
    rows, expected = mine["rows"], gold["rows"]
    if len(mine["columns"]) != len(gold["columns"]):
        return Verdict(f"{len(mine['columns'])} columns instead of {len(gold['columns'])}")
    if len(rows) != len(expected):
        repeated = not repeats_count and _distinct(rows) == _distinct(expected)
        return Verdict(f"{len(rows)} rows instead of {len(expected)}", debatable=repeated)
    if _same_rows(rows, expected, ordered):
        return SAME
    order = _by_name(mine["columns"], gold["columns"])
    if order is not None and _same_rows(_reordered(rows, order), expected, ordered):
        return SAME
    if ordered and _same_rows(rows, expected, False):
        return Verdict("another order of rows", debatable=not order_asked)
    if _same_rows(_plain(rows), _plain(expected), ordered):
        return Verdict("numbers or dates in another form", debatable=True)
    if _same_in_other_columns(rows, expected, ordered):
        return Verdict("another order of columns", debatable=True)
    return Verdict("other values")


def _by_name(mine: list[str], gold: list[str]) -> list[int] | None:
    one, other = [name.lower() for name in mine], [name.lower() for name in gold]
    if one == other or sorted(one) != sorted(other) or len(set(one)) != len(one):
        return None
    return [one.index(name) for name in other]


def _reordered(rows: list[list[Any]], order: tuple[int, ...] | list[int]) -> list[list[Any]]:
    return [[row[index] for index in order] for row in rows]


def _same_in_other_columns(rows: list[list[Any]], expected: list[list[Any]], ordered: bool) -> bool:
    """Whether the columns only stand in another order, and anybody could tell which is which by their values."""
    width = len(expected[0]) if expected else 0
    if not 2 <= width <= MAX_PERMUTED:
        return False
    values = [{_cell_key(row[index]) for row in expected} for index in range(width)]
    if any(values[one] & values[other] for one in range(width) for other in range(one)):
        return False
    return any(
        all({_cell_key(row[index]) for row in rows} == values[place] for place, index in enumerate(order))
        and _same_rows(_reordered(rows, order), expected, ordered)
        for order in permutations(range(width))
    )


def _plain(rows: list[list[Any]]) -> list[list[Any]]:
    """Numbers that are written as texts as numbers, and midnights as days."""
    return [[_plain_cell(cell) for cell in row] for row in rows]


def _plain_cell(cell: Any) -> Any:
    if not isinstance(cell, str):
        return cell
    if _NUMBER.match(cell):
        return float(cell)
    midnight = _MIDNIGHT.match(cell)
    return midnight[1] if midnight is not None else cell


def _distinct(rows: list[list[Any]]) -> set[tuple[tuple[int, Any], ...]]:
    return {_row_key(row) for row in rows}


def _same_rows(one: list[list[Any]], other: list[list[Any]], ordered: bool) -> bool:
    if not ordered:
        if Counter(map(repr, one)) == Counter(map(repr, other)):
            return True
        one, other = sorted(one, key=_row_key), sorted(other, key=_row_key)
    return all(
        len(a) == len(b) and all(_same(x, y) for x, y in zip(a, b, strict=True))
        for a, b in zip(one, other, strict=True)
    )


def _row_key(row: list[Any]) -> tuple[tuple[int, Any], ...]:
    return tuple(_cell_key(cell) for cell in row)


def _cell_key(cell: Any) -> tuple[int, Any]:
    if cell is None:
        return (0, 0)
    if isinstance(cell, int | float):
        return (1, round(float(cell), 6))
    return (2, str(cell))


def _same(one: Any, other: Any) -> bool:
    if isinstance(one, int | float) and isinstance(other, int | float):
        return math.isclose(one, other, rel_tol=1e-6, abs_tol=1e-6)
    return type(one) is type(other) and one == other
