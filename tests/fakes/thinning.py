"""Tables of cases of which the fast part of the suite runs a few, and the slow part all."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import pytest


def thinned(cases: Iterable[Any], *, every: int) -> list[Any]:
    """For `pytest.mark.parametrize`: the first case and each `every`-th after it run always, the others are slow."""
    return [
        case
        if number % every == 0
        else pytest.param(*(case if isinstance(case, tuple) else [case]), marks=pytest.mark.slow)
        for number, case in enumerate(cases)
    ]
