"""Verdicts do not depend on how an answer is dressed, whatever the kind: the tables of `tests.fakes.dressings` applied."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rlar.kinds import library_class
from rlar.tool import Resources, score_checked
from rlar.tools.library import library_spec
from rlar.types import Sample
from tests.fakes.dressings import DENIALS, DRESSES, SEVERAL, THOUGHTS, UNCLOSED_THOUGHTS, WRAPPERS

OPTIONS = {"A": "copper", "B": "zinc", "C": "iron", "D": "lead"}
ROWS = {
    "choice": ({"options": OPTIONS}, "C", ("C", "iron", "C) iron"), ("A", "zinc", "C) lead")),
    "choice labels": ({"labels": ["yes", "no"]}, "yes", ("yes", "Yes."), ("no", "No.")),
    "short_text": ({}, "Ada Lovelace", ("Ada Lovelace", "It was Ada Lovelace."), ("Charles Babbage", "It was Babbage.")),
    "short_text place": ({}, "St. Gallen", ("St. Gallen", "It is in St. Gallen."), ("Bern", "St. Moritz")),
    "number": ({}, "56", ("56", "The answer is 56."), ("54", "The answer is -56.")),
    "math": ({}, "\\frac{3}{4}", ("\\frac{3}{4}", "$0.75$"), ("\\frac{4}{3}", "0.57")),
}  # fmt: skip
"""Name of a verifier (and which row): binding, reference, right answers, wrong ones."""
KINDS = sorted(ROWS)
_RESOURCES = Resources()
_TOOLS = {name.split()[0]: library_class(name.split()[0])(library_spec(name.split()[0]), _RESOURCES) for name in ROWS}


def scored(kind: str, completion: str) -> float | None:
    binding, reference, _, _ = ROWS[kind]
    sample = Sample(
        prompt="Which one is it?", completion=completion, reference=reference, references=(reference,), binding=binding
    )
    return score_checked(_TOOLS[kind.split()[0]], [sample])[0].value


def _answers(right: bool) -> st.SearchStrategy[tuple[str, str]]:
    return st.sampled_from(KINDS).flatmap(
        lambda kind: st.tuples(st.just(kind), st.sampled_from(ROWS[kind][2 if right else 3]))
    )


dresses = st.lists(st.sampled_from(sorted(DRESSES)), max_size=1)
wrappers = st.lists(st.sampled_from(sorted(WRAPPERS)), max_size=1)
thoughts = st.lists(st.tuples(st.sampled_from(sorted(THOUGHTS)), st.booleans()), max_size=1)


def dressed(kind: str, answer: str, dress: list[str], wrapper: list[str], thought: list[tuple[str, bool]]) -> str:
    for name in dress:
        answer = DRESSES[name](answer)
    for name in wrapper:
        answer = WRAPPERS[name](answer)
    for name, of_right in thought:
        answer = THOUGHTS[name](f"Perhaps the answer is {ROWS[kind][2 if of_right else 3][0]}.", answer)
    return answer


@given(_answers(True), dresses, wrappers, thoughts)
def test_a_right_answer_is_right_in_any_dress(given, dress, wrapper, thought):
    kind, answer = given
    assert scored(kind, dressed(kind, answer, dress, wrapper, thought)) == 1.0


@given(_answers(False), dresses, wrappers, thoughts)
def test_a_wrong_answer_is_wrong_in_any_dress(given, dress, wrapper, thought):
    kind, answer = given
    assert scored(kind, dressed(kind, answer, dress, wrapper, thought)) == 0.0


@given(_answers(True), st.sampled_from(sorted(UNCLOSED_THOUGHTS)))
def test_a_right_answer_in_a_thought_that_never_ends_is_none(given, name):
    kind, answer = given
    assert scored(kind, UNCLOSED_THOUGHTS[name](answer)) == 0.0


@pytest.mark.parametrize("kind", [kind for kind in KINDS if kind.split()[0] in {"choice", "short_text"}])
@pytest.mark.parametrize("name", sorted(DENIALS))
def test_a_denied_answer_is_none(kind, name):
    assert scored(kind, DENIALS[name](ROWS[kind][2][0])) in {0.0, None}


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("name", sorted(SEVERAL))
@pytest.mark.parametrize("right_first", [True, False])
def test_several_answers_are_none(kind, name, right_first):
    answers = ROWS[kind][2][0], ROWS[kind][3][0]
    assert scored(kind, SEVERAL[name](*(answers if right_first else answers[::-1]))) in {0.0, None}
