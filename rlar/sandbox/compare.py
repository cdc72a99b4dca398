"""Comparing what a program printed with what was expected, outside the jail."""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from typing import Literal

Compare = Literal["exact", "lines", "tokens", "numbers"] | Callable[[str, str], bool]

_MAX_NUMBER = 400
"""Longer tokens are compared as text."""
_INTEGER = re.compile(r"[+-]?+[0-9]++")
_FLOAT = re.compile(
    r"[+-]?+(?:(?:[0-9]++(?:\.[0-9]*+)?+|\.[0-9]++)(?:e[+-]?+[0-9]++)?+|inf(?:inity)?+|nan)", re.IGNORECASE | re.ASCII
)
_PADDED = re.compile(r"[+-]?+0[0-9]")
"""Digits that are no number to their author: the zeros of "0101" are part of the answer."""


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
    if max(len(printed), len(expected)) > _MAX_NUMBER or _PADDED.match(expected):
        return False
    ours, theirs = _number(printed), _number(expected)
    return ours is not None and theirs is not None and same_number(ours, theirs)


def _number(token: str) -> int | float | None:
    """The value of a token; None for what is no number in the usual notation (`1_000` and other scripts' digits are none)."""
    if _INTEGER.fullmatch(token):
        return int(token)
    return float(token) if _FLOAT.fullmatch(token) else None


def same_number(ours: int | float, expected: int | float, *, smallest: float = 1e-6) -> bool:
    """Whether a number is the expected one: a float within 1e-6 of its size (or `smallest`), an integer within `smallest`.

    NaN is NaN and an infinity itself; never raises.
    """
    if ours == expected:
        return True
    if isinstance(ours, int) and isinstance(expected, int):
        return False
    try:
        one, other = float(ours), float(expected)
    except OverflowError:
        return False
    if not (math.isfinite(one) and math.isfinite(other)):
        return math.isnan(one) and math.isnan(other)
    # An integer is met, not neared: 12345678.0 is not 12345677.
    return math.isclose(one, other, rel_tol=0.0 if isinstance(expected, int) else 1e-6, abs_tol=smallest)
