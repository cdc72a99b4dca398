"""A fingerprint is a hash of the contract; these values are kept in registries and must never change."""

from __future__ import annotations

from rlar.discover.fingerprint import fingerprint, task_description, task_label
from rlar.kinds.contracts import NUMBER, OPEN_ENDED, contract_of, translation_into
from rlar.types import AnswerKind, Contract


def test_known_fingerprints_stay() -> None:
    assert fingerprint(NUMBER) == "f1-090ff03ec010"
    assert fingerprint(OPEN_ENDED) == "f1-b271967cc722"
    assert fingerprint(translation_into("de")) == "f1-336b9d95b416"


def test_order_of_labels_and_carries_does_not_matter() -> None:
    one = Contract(answer_kind=AnswerKind.CHOICE, has_reference=True, labels=("b", "a"), carries=("y", "x"))
    two = Contract(answer_kind=AnswerKind.CHOICE, has_reference=True, labels=("a", "b"), carries=("x", "y"))
    assert fingerprint(one) == fingerprint(two)


def test_everything_that_changes_judging_changes_it() -> None:
    contracts = [
        contract_of(AnswerKind.SHORT_TEXT),
        contract_of(AnswerKind.SHORT_TEXT, "passage"),
        contract_of(AnswerKind.SHORT_TEXT, has_reference=False),
        contract_of(AnswerKind.CHOICE, labels=("no", "yes")),
        contract_of(AnswerKind.CHOICE, labels=("maybe", "no", "yes")),
        translation_into("fr"),
        translation_into("fr", has_reference=False),
        translation_into("it"),
    ]
    assert len({fingerprint(contract) for contract in contracts}) == len(contracts)


def test_labels_for_people() -> None:
    assert task_label(translation_into("fr")) == "translation to French"
    assert task_label(contract_of(AnswerKind.CHOICE, labels=("yes", "no"))) == "label (no, yes)"
    assert task_label(translation_into("fr", has_reference=False)) == "translation to French, no reference"
    assert "closed set no, yes" in task_description(contract_of(AnswerKind.CHOICE, labels=("yes", "no")))
