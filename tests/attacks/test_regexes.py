"""No expression of the package takes exponential time, or worse than quadratic, on a text made to slow it down.

The attacks are built from each expression itself (`regex_attacks`), so that the next slow one fails here.
"""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path

import pytest

import rlar
from rlar.kinds.sql import rows as sql_rows
from tests.fakes import regex_attacks

PACKAGE = Path(rlar.__file__).parent

GIVEN_WHEN_CALLED = {
    "kinds/constraints/check/wording.py",
    "kinds/math/forms.py",
    "kinds/programs/probes.py",
    "kinds/short_text.py",
}
"""Files with a call whose pattern is a variable: one of a few constants beside it, or escaped words with at most so many signs between two."""


@lru_cache(maxsize=1)
def surveyed() -> tuple[list[regex_attacks.Found], list[str]]:
    return regex_attacks.survey(PACKAGE, "rlar")


def machine_factor() -> float:
    """How much slower than the machine on which the limits were set: what one known quadratic search takes."""
    quadratic = regex_attacks.found(r"\s*x")
    return max(1.0, min(regex_attacks.seconds(quadratic, " " * 2048) for _ in range(3)) / 0.010)


def test_the_survey_sees_every_expression():
    found, open_places = surveyed()
    assert len(found) > 500
    assert {place.split(":")[0] for place in open_places} == GIVEN_WHEN_CALLED
    assert any(r"[^\W\d_]{2,}+" in each.pattern.pattern for each in found), "math's WORDS_ONLY"


@pytest.mark.parametrize(
    "pattern",
    [r"(?:[^\W\d_]{2,}[\s.'-]*)+", r"(a+)+$", r"(a|a)*b", r"(?:\s*--[^\n]*\n|\s*/\*.*?\*/)*\s*x", r"(\w+\s?)*:",
     r"(?:the\s+|a\s+|\w+\s+)*word", r"x\s*\s*\s*\s*\s*y"],
)  # fmt: skip
def test_the_attacks_find_expressions_that_are_known_to_be_slow(pattern: str):
    assert regex_attacks.slowest(regex_attacks.found(pattern), last=256, limit_seconds=0.005) is not None


@pytest.mark.parametrize("pattern", [r"[^\W\d_]++", r"(?:[^\W\d_]{2,}+[\s.'-]*+)++", r"\d{1,3}(?:,\d{3}){1,6}"])
def test_the_attacks_leave_quick_expressions_alone(pattern: str):
    assert regex_attacks.slowest(regex_attacks.found(pattern), last=2048, limit_seconds=0.02) is None


def _slow_ones(last: int, limit_seconds: float) -> list[str]:
    limit = limit_seconds * machine_factor()
    slow = [(each, regex_attacks.slowest(each, last=last, limit_seconds=limit)) for each in surveyed()[0]]
    return [
        f"{each.place}: {attack.seconds:.3f} s on {attack.length} characters of {attack.attack!r}"
        for each, attack in slow
        if attack is not None
    ]


@pytest.mark.slow
def test_no_expression_is_worse_than_quadratic():
    # 5 ms for 256 characters: a quadratic one takes about 0.1 ms, a cubic one over 10 ms, an exponential one for ever.
    assert _slow_ones(256, 0.005) == []


@pytest.mark.slow
def test_quadratic_expressions_are_cheap_on_the_longest_texts_they_get():
    # 40 ms for 2,048 characters are 4 s for the 20,000 to which prompts and completions are cut.
    assert _slow_ones(2048, 0.04) == []


def test_a_reference_too_long_for_a_query_is_not_parsed(monkeypatch: pytest.MonkeyPatch) -> None:
    """200,000 parentheses cost every dialect seconds, in this process."""
    monkeypatch.setattr(sql_rows, "parse_sql", lambda *_: pytest.fail("parsed"))
    assert sql_rows.read_query("(" * 200_000) is None
