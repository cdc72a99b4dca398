"""Comparing what a program printed with what was expected, outside the jail."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Literal

Compare = Literal["exact", "lines", "tokens", "numbers"] | Callable[[str, str], bool]


def same_output(printed: str, expected: str, compare: Compare) -> bool:
    """Whether two outputs count as equal."""
    if callable(compare):
        return bool(compare(printed, expected))
    if compare == "exact":
        return printed == expected
    if compare == "lines":
        return _lines(printed) == _lines(expected)
    if compare == "tokens":
        return printed.split() == expected.split()
    ours, theirs = printed.split(), expected.split()
    return len(ours) == len(theirs) and all(map(_same_token, ours, theirs))


def _lines(text: str) -> list[str]:
    lines = [line.rstrip() for line in text.splitlines()]
    while lines and not lines[-1]:
        lines.pop()
    return lines


def _same_token(printed: str, expected: str) -> bool:
    if printed == expected:
        return True
    if max(len(printed), len(expected)) > 400:
        return False
    try:
        ours, theirs = float(printed), float(expected)
    except ValueError:
        return False
    if not (math.isfinite(ours) and math.isfinite(theirs)):
        return ours == theirs or (math.isnan(ours) and math.isnan(theirs))
    if "." not in printed + expected and "e" not in (printed + expected).lower():
        return int(printed) == int(expected)
    return math.isclose(ours, theirs, rel_tol=1e-6, abs_tol=1e-6)
