"""The fixture `rlar_check`: a reward function is checked as a test, one sub-result per check of every task.

def test_reward(rlar_check):
    rlar_check(accuracy_reward, rows="rows.jsonl")
"""

from __future__ import annotations

import inspect
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from rlar.check.card import Card

RlarCheck = Callable[..., "Card"]


@pytest.fixture
def rlar_check(request: pytest.FixtureRequest) -> RlarCheck:
    """A function that checks a reward function on rows and returns the card; see `check`."""
    subtests = request.getfixturevalue("subtests") if hasattr(pytest, "Subtests") else None  # since pytest 9

    def check(function: Callable[..., Any] | str, rows: str | Path, **settings: Any) -> Card:
        """Fail for every mandatory check that does not hold.

        Args:
            function: of a module (it is imported anew in a process of its own), or "file.py:name".
            rows: the dataset; a path that is not absolute is taken from the test's folder.
            settings: fields of `rlar.check.check.Settings` (shape, role, scale, seconds, search, ...).
        """
        from rlar.check.card import lines_of
        from rlar.check.check import Settings, check_reward

        path = request.path.parent / rows
        card, _ = check_reward(_address(function), [path], Settings(**settings))
        report = "\n".join(lines_of(card))
        if subtests is None or card.problem:
            if card.failing():
                pytest.fail(report, pytrace=False)
            return card
        for task in card.tasks:
            for line in task.checks:
                with subtests.test(msg=f"{task.label}: {line.name}"):
                    if line.mandatory and line.passed is not True:
                        pytest.fail(f"{task.label}: {line.name} {line.note}\n{report}", pytrace=False)
        return card

    return check


def _address(function: Callable[..., Any] | str) -> str:
    if isinstance(function, str):
        return function
    file, name = inspect.getsourcefile(function), getattr(function, "__qualname__", "")
    if file is None or not name or "<" in name:
        raise pytest.UsageError(f"{function!r} is not a function of a module; it is imported anew in another process")
    return f"{file}:{name}"
