"""Facts of one row -> the contracts that they fit, with how well.

Rows inside and outside of the build that knew their task are read by the same rules.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import cache
from operator import attrgetter
from typing import NamedTuple

from rlar.kinds import KINDS
from rlar.kinds.facts import Facts, normal_label
from rlar.text.language_names import easily_confused
from rlar.text.shapes import BOOLEAN_PAIRS, Shape, option_letter
from rlar.tool import named
from rlar.types import AnswerKind, Contract

FIRM = 0.8
"""From this fit on the evidence decides alone; below, the rows around it are asked."""


class Guess(NamedTuple):
    """A contract that a row's evidence suggests."""

    contract: Contract
    fit: float
    """In [0, 1]."""
    settles: bool = False
    """No kind that stands later in KINDS is asked, and what earlier ones said does not count. True of all or none of
    the guesses of one kind."""


_FIT = attrgetter("fit")

Guesser = Callable[[Facts, Sequence[Guess]], Sequence[Guess]]


def guesses(facts: Facts) -> tuple[Guess, ...]:
    """Contracts that the row suggests by itself, best first; never empty."""
    candidates: list[Guess] = []
    for guess in _guessers():
        suggested = guess(facts, candidates)
        if not suggested:
            continue
        if suggested[0].settles:
            candidates = list(suggested)
            break
        candidates += suggested
    return tuple(sorted(candidates, key=_FIT, reverse=True))


@cache
def _guessers() -> tuple[Guesser, ...]:
    return tuple(named(kind.guess) for kind in KINDS.values() if kind.guess)


def same_task(guess: Guess, known: Contract) -> float:
    """How far a known contract is the one guessed: 1 the same, 0 another, between when only a detail differs.

    Details are what rows carry, and a language that sentences are easily mistaken for. Whether rows bring a reference
    does not matter here: a training host may have dropped it.
    """
    own = guess.contract
    if own.answer_kind is not known.answer_kind or own.labels != known.labels:
        return 0.0
    if own.programming_language != known.programming_language:
        # A row that asks for no language may come without the reference that told it.
        return 0.0 if own.programming_language else 0.95
    if own.target_language != known.target_language:
        near = (
            guess.fit < FIRM
            and own.target_language
            and known.target_language
            and easily_confused(own.target_language, known.target_language)
        )
        return 0.8 if near else 0.0
    if own.carries == known.carries:
        return 1.0
    return 0.0 if KINDS[known.answer_kind].carries_separate else 0.75


def label_of(facts: Facts) -> str:
    """The row's answer as a label; an option letter loses its brackets."""
    if facts.shape is Shape.LETTER:
        letter = option_letter(facts.answer)
        if letter:
            return letter.casefold()
    return normal_label(facts.answer)


def contract_of(
    kind: AnswerKind,
    *carries: str,
    has_reference: bool = True,
    target_language: str | None = None,
    labels: tuple[str, ...] = (),
) -> Contract:
    """A contract in canonical form: carries and labels sorted."""
    return Contract(
        answer_kind=kind,
        has_reference=has_reference,
        target_language=target_language,
        labels=tuple(sorted(labels)),
        carries=tuple(sorted(carries)),
    )


NUMBER = contract_of(AnswerKind.NUMBER)
MATH = contract_of(AnswerKind.MATH)
OPTIONS = contract_of(AnswerKind.CHOICE, "options")
SHORT = contract_of(AnswerKind.SHORT_TEXT)
SHORT_FROM_PASSAGE = contract_of(AnswerKind.SHORT_TEXT, "passage")
LONG = contract_of(AnswerKind.LONG_TEXT)
REWRITE = contract_of(AnswerKind.LONG_TEXT, "source")
SUMMARY = contract_of(AnswerKind.SUMMARY, "passage")
TESTS = contract_of(AnswerKind.CODE_TESTS, "tests")
STDIO = contract_of(AnswerKind.CODE_STDIO, "tests")
PROGRAM = contract_of(AnswerKind.CODE_REFERENCE)
SQL = contract_of(AnswerKind.SQL)
SQL_WITH_SCHEMA = contract_of(AnswerKind.SQL, "schema")
JSON = contract_of(AnswerKind.JSON)
JSON_WITH_SCHEMA = contract_of(AnswerKind.JSON, "schema")
CONSTRAINTS = contract_of(AnswerKind.CONSTRAINTS, "constraints", has_reference=False)
OPEN_ENDED = contract_of(AnswerKind.OPEN_ENDED, has_reference=False)
BOOLEANS = {pair: contract_of(AnswerKind.CHOICE, labels=pair) for pair in set(BOOLEAN_PAIRS.values())}


@cache
def translation_into(language: str, *, has_reference: bool = True) -> Contract:
    """The contract of translating into a language; from which one is a matter of the row."""
    return contract_of(AnswerKind.TRANSLATION, "source", has_reference=has_reference, target_language=language)


def one_of(labels: tuple[str, ...]) -> Contract:
    """The contract of answering with one of a closed set of labels."""
    return contract_of(AnswerKind.CHOICE, labels=labels)
