"""What the constraint parser reads, in many wordings, and what it must leave alone."""

from __future__ import annotations

import time
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rlar.kinds.constraints.read import KINDS, Constraint, has_constraint_words, parse_constraints
from tests.fakes.constraint_prompts import PROMPTS, UNCONSTRAINED
from tests.fakes.examples import examples


def hard(prompt: str) -> list[Constraint]:
    return [c for c in parse_constraints(prompt) if c.strength == "hard"]


def fits(expected: tuple[str, dict[str, Any]], got: Constraint) -> bool:
    kind, params = expected
    return got.kind == kind and all(fold(got.params.get(key)) == fold(value) for key, value in params.items())


def fold(value: Any) -> Any:
    if isinstance(value, list):
        return [fold(item) for item in value]
    return value.casefold() if isinstance(value, str) else value


@pytest.mark.parametrize(("prompt", "expected"), PROMPTS, ids=[prompt[:60] for prompt, _ in PROMPTS])
def test_reads_what_a_careful_reader_finds_and_nothing_else(prompt, expected):
    got = hard(prompt)
    assert [e for e in expected if not any(fits(e, c) for c in got)] == []
    assert [c for c in got if not any(fits(e, c) for e in expected)] == []


@pytest.mark.parametrize("prompt", UNCONSTRAINED)
def test_prompts_without_an_instruction_on_form_have_no_hard_constraint(prompt):
    assert hard(prompt) == []


def test_every_kind_that_is_read_is_documented():
    assert {c.kind for prompt, _ in PROMPTS for c in parse_constraints(prompt)} <= set(KINDS)


def test_the_quote_names_the_words_it_was_read_from():
    (constraint,) = hard("Tell me about owls. Use no commas, please. Thanks a lot.")
    assert "no commas" in constraint.quote and "owls" not in constraint.quote


def test_quoted_instructions_are_material_not_instructions():
    assert hard('Rewrite "Do not use any commas and write at least 300 words" in a polite tone.') == []


def test_an_approximate_length_is_soft():
    (constraint,) = parse_constraints("Write a 500-word essay on whales.")
    assert (constraint.strength, constraint.params["around"]) == ("soft", True)


def test_an_amount_of_content_is_soft():
    (constraint,) = parse_constraints("Give me 5 tips for sleeping well.")
    assert (constraint.kind, constraint.strength) == ("count", "soft")


def test_contradicting_bounds_are_not_trusted():
    prompt = "Use at least 90 words. Your response should have fewer than 20 words."
    assert all(c.confidence < 0.5 for c in hard(prompt))


def test_translation_prompts_carry_no_language_constraint():
    assert hard("Translate the following sentence to French.\n\nThe ship sails in German waters.") == []


def test_the_request_to_repeat_ends_where_the_talk_about_repeating_begins():
    prompt = "Name two seas. Use no commas.\n\nFirst repeat the request word for word, then answer. Do not say anything before."
    (repeat,) = [c for c in hard(prompt) if c.kind == "repeat"]
    assert repeat.params["text"] == "Name two seas. Use no commas."


def test_a_template_shows_how_many_parts_there_are():
    prompt = "Give three hints. Use the exact format below:\n\nhint 1 ...\n***\nhint 2 ...\n***\nhint 3 ..."
    (parts,) = [c for c in hard(prompt) if c.kind == "parts"]
    assert parts.params == {"separator": "***", "min": 3, "max": 3}


@settings(max_examples=examples(150), deadline=None)
@given(st.text(max_size=400))
def test_never_raises_on_any_text(prompt):
    assert isinstance(parse_constraints(prompt), tuple)


_WORDS = ["at least", "300", "words", "no", "commas", '"', "'", "***", "letter", "e", "\n", ".", "the", "word", "end with", ":", "(", "]", "repeat", "request", "P.S.", "in", "French", "2 or 3", "paragraphs", "not", "must"]  # fmt: skip


@settings(max_examples=examples(200), deadline=None)
@given(st.lists(st.sampled_from(_WORDS), max_size=60))
def test_never_raises_on_instruction_shaped_noise(words):
    for constraint in parse_constraints(" ".join(words)):
        assert constraint.kind in KINDS
        assert 0.0 <= constraint.confidence <= 1.0


@pytest.mark.parametrize(
    "unit",
    ['"', "'", "at least ", "not ", "words ", "the word a, ", "1 ", "*** ", "repeat the request ", "(", "end with ", "\n", "a b ", "and ", "letter ", "section X ", "<<", "`"],
)  # fmt: skip
def test_long_hostile_prompts_are_read_in_linear_time(unit):
    prompt = (unit * 200_000)[:200_000]
    started = time.process_time()
    parse_constraints(prompt)
    assert time.process_time() - started < 3.0


def test_the_pre_filter_is_cheap():
    prompts = [f"Why did ship number {i} sail past the old harbour before noon that day?" for i in range(5_000)]
    started = time.process_time()
    assert not any(has_constraint_words(prompt) or parse_constraints(prompt) for prompt in prompts)
    assert time.process_time() - started < 2.0  # 10,000 a second would be 0.5 s; this leaves room for a slow machine
