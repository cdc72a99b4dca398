"""Facts of one row -> the contracts that they fit, with how well.

Rows inside and outside of the build that knew their task are read by the same rules.
"""

from __future__ import annotations

from functools import cache
from typing import NamedTuple

from rlar.kinds.facts import Facts, normal_label
from rlar.text.language_names import easily_confused
from rlar.text.shapes import BOOLEAN_PAIRS, Shape, option_letter
from rlar.types import AnswerKind, Contract

FIRM = 0.8
"""From this fit on the evidence decides alone; below, the rows around it are asked."""


class Guess(NamedTuple):
    """A contract that a row's evidence suggests."""

    contract: Contract
    fit: float
    """In [0, 1]."""


def guesses(facts: Facts) -> tuple[Guess, ...]:
    """Contracts that the row suggests by itself, best first; never empty."""
    found = _with_reference(facts) if facts.has_reference else _without_reference(facts)
    return tuple(sorted(found, key=lambda guess: -guess.fit))


def same_task(guess: Guess, known: Contract) -> float:
    """How far a known contract is the one guessed: 1 the same, 0 another, between when only a detail differs.

    Details are what rows carry, and a language that sentences are easily mistaken for. Whether rows bring a reference
    does not matter here: a training host may have dropped it.
    """
    own = guess.contract
    if own.answer_kind is not known.answer_kind or own.labels != known.labels:
        return 0.0
    if own.target_language != known.target_language:
        near = (
            own.target_language
            and known.target_language
            and easily_confused(own.target_language, known.target_language)
        )
        return 0.8 if near and guess.fit < FIRM else 0.0
    if own.carries == known.carries:
        return 1.0
    return 0.0 if known.answer_kind is AnswerKind.CHOICE else 0.75


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


def _with_reference(facts: Facts) -> list[Guess]:
    if facts.suite:
        return [Guess(STDIO if facts.suite == "stdio" else TESTS, 0.97)]
    if facts.sql:
        return [Guess(SQL_WITH_SCHEMA if facts.sql_schema else SQL, 0.96)]
    if facts.program:
        return [Guess(PROGRAM, 0.92)]
    if facts.options and facts.answers_option:
        return [Guess(OPTIONS, 0.97)]
    if facts.shape is Shape.NUMBER:
        return [Guess(MATH, 0.95), Guess(NUMBER, 0.6)] if facts.latex else [Guess(NUMBER, 0.95), Guess(MATH, 0.6)]
    if facts.shape is Shape.JSON:
        return [Guess(JSON_WITH_SCHEMA if facts.json_schema else JSON, 0.95), Guess(SHORT, 0.2)]
    if facts.shape is Shape.MATH:
        latex = facts.latex or "\\" in facts.answer
        return [Guess(MATH, 0.97 if latex else 0.82), Guess(NUMBER, 0.3), Guess(SHORT, 0.1 if latex else 0.4)]
    if facts.shape is Shape.BOOLEAN:
        return [Guess(BOOLEANS[BOOLEAN_PAIRS[label_of(facts)]], 0.93), Guess(SHORT, 0.3)]
    if facts.shape is Shape.LETTER:
        return [Guess(SHORT, 0.5), Guess(OPTIONS, 0.4), Guess(MATH, 0.7 if facts.latex else 0.1)]
    if facts.shape is Shape.NONE:
        return _without_reference(facts)
    return [*_translation(facts), *(_short(facts) if facts.shape is Shape.SHORT else _long(facts))]


def _translation(facts: Facts) -> list[Guess]:
    if facts.translation is None:
        return []
    return [Guess(translation_into(facts.translation.target_language), facts.translation.confidence)]


def _short(facts: Facts) -> list[Guess]:
    own, other = (SHORT_FROM_PASSAGE, SHORT) if facts.passage else (SHORT, SHORT_FROM_PASSAGE)
    found = [Guess(own, 0.75), Guess(other, 0.55), Guess(LONG, 0.3)]
    if facts.latex:
        found.append(Guess(MATH, 0.7))
    if any(character.isdigit() for character in facts.answer):
        # "5 apples", "3 and 4": an odd row of a task that asks for numbers.
        found.append(Guess(NUMBER, 0.4))
    if facts.options:
        # Options are listed, but the reference names none of them as written.
        found.append(Guess(OPTIONS, 0.5))
    if facts.summary_asked and facts.passage:
        found.append(Guess(SUMMARY, 0.7 if facts.reference_words >= 4 and not facts.verbatim else 0.4))
    return found


def _long(facts: Facts) -> list[Guess]:
    shrinks = facts.reference_words / max(1, facts.prompt_words)
    rewrites = facts.overlap >= 0.5 and shrinks >= 0.4 and not facts.verbatim
    found = [Guess(REWRITE if rewrites else LONG, 0.75), Guess(LONG if rewrites else REWRITE, 0.5)]
    if facts.reference_words <= 20:
        found.append(
            Guess(SHORT_FROM_PASSAGE if facts.passage else SHORT, 0.62 if facts.verbatim and facts.passage else 0.3)
        )
    if facts.prompt_words >= 40 and shrinks <= 0.6:
        if facts.summary_asked:
            found.append(Guess(SUMMARY, 0.9 if facts.overlap >= 0.45 and facts.passage else 0.6))
        elif shrinks <= 0.4 and facts.overlap >= 0.6 and facts.prompt_words >= 80 and not facts.asks:
            found.append(Guess(SUMMARY, 0.7))
    if facts.latex:
        found.append(Guess(MATH, 0.5 if facts.reference_words <= 30 else 0.2))
    if len(facts.constraints) >= 2:
        found.append(Guess(CONSTRAINTS, 0.78))
    return found


def _without_reference(facts: Facts) -> list[Guess]:
    if facts.suite:
        return [Guess(STDIO if facts.suite == "stdio" else TESTS, 0.95)]
    if facts.constraints:
        return [Guess(CONSTRAINTS, 0.9), Guess(OPEN_ENDED, 0.3)]
    found = []
    if facts.translation is not None:
        found.append(Guess(translation_into(facts.translation.target_language), facts.translation.confidence))
    if facts.options:
        found.append(Guess(OPTIONS, 0.72))
    if facts.sql_schema:
        found.append(Guess(SQL_WITH_SCHEMA, 0.8))
    if facts.json_schema or facts.json_asked:
        found.append(Guess(JSON_WITH_SCHEMA if facts.json_schema else JSON, 0.75 if facts.json_schema else 0.65))
    if facts.summary_asked and facts.passage:
        found.append(Guess(SUMMARY, 0.72))
    if facts.latex:
        found.append(Guess(MATH, 0.7))
    return [*found, Guess(OPEN_ENDED, 0.45 if found else 0.7)]
