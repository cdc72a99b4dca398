"""What a check says, and what several checks share."""

from __future__ import annotations

from typing import NamedTuple

from rlar.types import JsonObject

EDGE = " \t\n\r\"'“”«»*_`"
"""What may stand around the first and last words of a response."""


class Verdict(NamedTuple):
    """Whether a constraint is met (None: cannot tell) and what was seen."""

    met: bool | None
    seen: str = ""


def within(n: int, params: JsonObject, *, slack: float = 0.0) -> bool:
    """Whether n lies within `min` and `max`, both inclusive, each widened by a share of `slack`."""
    low, high = params.get("min"), params.get("max")
    if low is not None and n < int(low) * (1 - slack):
        return False
    return not (high is not None and n > int(high) * (1 + slack))


def opens(head: str, phrase: str) -> bool:
    """Whether a text opens with a phrase that ends there as a word."""
    return head.startswith(phrase) and not (phrase[-1:].isalnum() and head[len(phrase) : len(phrase) + 1].isalnum())
