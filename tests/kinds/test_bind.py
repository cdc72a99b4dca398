"""What each row asks for, as JSON for its tool."""

from __future__ import annotations

import json
from typing import Any

from rlar.kinds.bind import bind
from rlar.kinds.contracts import OPTIONS, SUMMARY, contract_of, guesses, translation_into
from rlar.kinds.facts import describe
from rlar.rows.example import row_to_example
from rlar.types import AnswerKind, Example
from tests.fakes.generators import TYPES, rows_of


def example(prompt: str, reference: str | None = None, **columns: Any) -> Example:
    row = {"prompt": prompt, **({} if reference is None else {"reference": reference}), **columns}
    made = row_to_example(row, "test:1")
    assert isinstance(made, Example)
    return made


def test_translation_brings_its_source_and_both_languages() -> None:
    row = example("Translate from English to French.\n\nThe cat sleeps on the roof.", "Le chat dort sur le toit.")
    assert bind(row, translation_into("fr")) == {
        "source": "The cat sleeps on the roof.",
        "source_language": "en",
        "target_language": "fr",
    }


def test_options_are_bound_with_their_letters() -> None:
    row = example("Which is it?\nA) a cat\nB) a dog", "B")
    assert bind(row, OPTIONS) == {"options": {"A": "a cat", "B": "a dog"}, "labels": ["A", "B"]}


def test_a_label_too_rare_for_the_contract_is_still_the_rows_answer() -> None:
    contract = contract_of(AnswerKind.CHOICE, labels=("no", "yes"))
    assert bind(example("Is it?", "yes"), contract) == {"labels": ["no", "yes"]}
    assert bind(example("Is it?", "Maybe"), contract) == {"labels": ["maybe", "no", "yes"]}


def test_a_summary_brings_the_text() -> None:
    text = "One thing happened in the town. " * 20
    assert bind(example(f"Summarize:\n\n{text}", "A thing happened."), SUMMARY) == {"passage": text.strip()}


def test_constraints_and_suites_are_bound() -> None:
    row = example("Write a poem without commas. Do not use any commas.")
    assert bind(row, contract_of(AnswerKind.CONSTRAINTS, "constraints", has_reference=False))["constraints"]
    coded = example("Write f.\nassert f(1) == 2\nassert f(2) == 3", "def f(x): return x + 1")
    assert bind(coded, contract_of(AnswerKind.CODE_TESTS, "tests"))["suite"]


def test_every_binding_is_json_and_the_same_again() -> None:
    for _, row in rows_of(list(TYPES), 3, seed=1):
        made = row_to_example(row, "made")
        assert isinstance(made, Example)
        contract = guesses(describe(made))[0].contract
        binding = bind(made, contract)
        assert json.loads(json.dumps(binding)) == binding == bind(made, contract)


def test_a_row_without_what_the_contract_needs_binds_nothing() -> None:
    row = example("Hello there")
    assert bind(row, OPTIONS) == {}
    assert bind(row, contract_of(AnswerKind.CODE_TESTS, "tests")) == {}
    assert bind(row, contract_of(AnswerKind.SQL, "schema")) == {}
