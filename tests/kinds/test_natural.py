"""Texts as chat models write them are read rightly or not at all; see tests.kinds.natural."""

from __future__ import annotations

from collections import Counter

import pytest

from tests.kinds import natural
from tests.kinds.conftest import Scored

READ = {"number": 0.85, "math": 0.95, "choice": 0.9, "short_text": 0.95}
"""The share of the forms that each tool must read where they give the reference."""


@pytest.mark.parametrize("seed", [11, pytest.param(12, marks=pytest.mark.slow), pytest.param(13, marks=pytest.mark.slow)])  # fmt: skip
def test_natural_texts_are_read_rightly_or_not_at_all(scored: Scored, seed: int) -> None:
    wrong: list[tuple[str, str]] = []
    read: Counter[tuple[str, bool]] = Counter()
    for case in natural.cases(seed):
        value = scored(case.tool, case.completion, case.gives, prompt=case.prompt, **case.binding).value
        read[case.tool, value is not None] += 1
        if value == 0.0:
            wrong.append((case.gives, case.completion))
        wrong += [
            (f"not {other}", case.completion)
            for other in case.mentions
            if scored(case.tool, case.completion, other, prompt=case.prompt, **case.binding).value == 1.0
        ]
    assert not wrong
    shares = {tool: read[tool, True] / (read[tool, True] + read[tool, False]) for tool in READ}
    assert all(shares[tool] >= share for tool, share in READ.items()), shares
