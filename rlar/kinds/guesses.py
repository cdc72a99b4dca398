"""What the facts of a row suggest, kind by kind: the rows of `rlar.kinds.KINDS` point here.

A guess of a kind may depend on what kinds before it in KINDS have suggested. Fits were set on mixed public datasets.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache

from rlar.kinds import contracts
from rlar.kinds.contracts import Guess, label_of, translation_into
from rlar.kinds.facts import Facts
from rlar.text.shapes import BOOLEAN_PAIRS, Shape
from rlar.types import Contract

Guesses = Sequence[Guess]


def _by_reference(facts: Facts) -> bool:
    return facts.has_reference and facts.shape is not Shape.NONE


def _by_prompt(facts: Facts) -> bool:
    return not _by_reference(facts)


# ------------------------------------------------------------------------------------------ what settles a row


def code_tests(facts: Facts, others: Guesses) -> Guesses:
    """Tests in the row; the task of a function without its body, where there is one."""
    if facts.suite:
        return [_suite(contracts.TESTS, facts)] if facts.suite != "stdio" else []
    return [Guess(contracts.TESTS, 0.58)] if facts.unfinished and _by_prompt(facts) else []


def code_stdio(facts: Facts, others: Guesses) -> Guesses:
    """Pairs of input and output in the row."""
    return [_suite(contracts.STDIO, facts)] if facts.suite == "stdio" else []


def _suite(contract: Contract, facts: Facts) -> Guess:
    return Guess(_in_language(contract, facts), 0.97 if facts.has_reference else 0.95, settles=True)


def _in_language(contract: Contract, facts: Facts) -> Contract:
    return _written_in(contract, facts.programming_language) if facts.programming_language else contract


@cache
def _written_in(contract: Contract, language: str) -> Contract:
    return contract.model_copy(update={"programming_language": language})


def sql(facts: Facts, others: Guesses) -> Guesses:
    """A query as the reference; tables in a prompt without one."""
    if facts.sql and facts.has_reference:
        return [Guess(contracts.SQL_WITH_SCHEMA if facts.sql_schema else contracts.SQL, 0.96, settles=True)]
    return [Guess(contracts.SQL_WITH_SCHEMA, 0.8)] if facts.sql_schema and _by_prompt(facts) else []


def code_reference(facts: Facts, others: Guesses) -> Guesses:
    """A program as the reference, which may be an odd row of a task with tests; a function to be completed."""
    if facts.program and facts.has_reference:
        program = Guess(_in_language(contracts.PROGRAM, facts), 0.92, settles=True)
        return [program, Guess(_in_language(contracts.TESTS, facts), 0.3, settles=True)]
    return [Guess(contracts.PROGRAM, 0.6)] if facts.unfinished and _by_prompt(facts) else []


def constraints(facts: Facts, others: Guesses) -> Guesses:
    """Demands that code can check: all there is without a reference, one reading of a long text's prompt."""
    if facts.constraints and _by_prompt(facts) and not _names_option(facts):
        return [Guess(contracts.CONSTRAINTS, 0.9, settles=True), Guess(contracts.OPEN_ENDED, 0.3, settles=True)]
    if facts.form_asked and _by_prompt(facts) and not facts.unfinished:
        return [Guess(contracts.CONSTRAINTS, 0.82, settles=True), Guess(contracts.OPEN_ENDED, 0.4, settles=True)]
    if len(facts.constraints) >= 2 and _by_reference(facts) and facts.shape is Shape.LONG:
        return [Guess(contracts.CONSTRAINTS, 0.78)]
    return []


def choice(facts: Facts, others: Guesses) -> Guesses:
    """Listed options, one of which the reference names; one of two booleans."""
    if _names_option(facts):
        return [Guess(contracts.OPTIONS, 0.97, settles=True)]
    if _by_prompt(facts):
        return [Guess(contracts.OPTIONS, 0.72)] if facts.options else []
    if facts.shape is Shape.BOOLEAN:
        return [Guess(contracts.BOOLEANS[BOOLEAN_PAIRS[label_of(facts)]], 0.93)]
    if facts.shape is Shape.LETTER:
        return [Guess(contracts.OPTIONS, 0.4)]
    # Options are listed, but the reference names none of them as written.
    return [Guess(contracts.OPTIONS, 0.5)] if facts.options and facts.shape is Shape.SHORT else []


def _names_option(facts: Facts) -> bool:
    return facts.has_reference and bool(facts.options) and facts.answers_option


# ------------------------------------------------------------------------------------------ what competes


def translation(facts: Facts, others: Guesses) -> Guesses:
    """A text and another language to say it in."""
    if facts.translation is None or (_by_reference(facts) and facts.shape not in (Shape.SHORT, Shape.LONG)):
        return []
    return [Guess(translation_into(facts.translation.target_language), facts.translation.confidence)]


def json_answer(facts: Facts, others: Guesses) -> Guesses:
    """A JSON document as the reference, or asked for."""
    contract = contracts.JSON_WITH_SCHEMA if facts.json_schema else contracts.JSON
    if _by_reference(facts):
        return [Guess(contract, 0.95)] if facts.shape is Shape.JSON else []
    if not (facts.json_schema or facts.json_asked):
        return []
    return [Guess(contract, 0.75 if facts.json_schema else 0.65)]


def number(facts: Facts, others: Guesses) -> Guesses:
    """A number as the reference."""
    if _by_prompt(facts):
        return []
    if facts.shape is Shape.NUMBER:
        return [Guess(contracts.NUMBER, 0.6 if facts.latex else 0.95)]
    if facts.shape is Shape.MATH:
        return [Guess(contracts.NUMBER, 0.3)]
    if facts.holds_number:
        # "about 5 of them": an odd row of a task that asks for numbers.
        return [Guess(contracts.NUMBER, 0.4)]
    return []


def mathematics(facts: Facts, others: Guesses) -> Guesses:
    """An expression as the reference; LaTeX in the prompt."""
    if _by_prompt(facts):
        fit = 0.7 if facts.latex else 0.0
    elif facts.shape is Shape.NUMBER:
        fit = 0.95 if facts.latex else 0.6
    elif facts.shape is Shape.MATH:
        fit = 0.97 if facts.latex or "\\" in facts.answer else 0.82
    elif facts.shape is Shape.LETTER:
        fit = 0.7 if facts.latex else 0.1
    elif facts.shape is Shape.SHORT:
        fit = 0.7 if facts.latex else 0.0
    elif facts.shape is Shape.LONG:
        fit = (0.5 if facts.reference_words <= 30 else 0.2) if facts.latex else 0.0
    else:
        fit = 0.0
    return [Guess(contracts.MATH, fit)] if fit else []


def short_text(facts: Facts, others: Guesses) -> Guesses:
    """A few words as the reference."""
    if _by_prompt(facts):
        return []
    own, other = contracts.SHORT, contracts.SHORT_FROM_PASSAGE
    if facts.passage:
        own, other = other, own
    match facts.shape:
        case Shape.JSON:
            return [Guess(contracts.SHORT, 0.2)]
        case Shape.MATH:
            return [Guess(contracts.SHORT, 0.1 if facts.latex or "\\" in facts.answer else 0.4)]
        case Shape.BOOLEAN:
            return [Guess(contracts.SHORT, 0.3)]
        case Shape.LETTER:
            return [Guess(contracts.SHORT, 0.5)]
        case Shape.SHORT:
            return [Guess(own, 0.75), Guess(other, 0.55)]
        case Shape.LONG if facts.reference_words <= 20:
            return [Guess(own, 0.62 if facts.verbatim and facts.passage else 0.3)]
    return []


def long_text(facts: Facts, others: Guesses) -> Guesses:
    """Running text as the reference."""
    if _by_prompt(facts):
        return []
    if facts.shape is Shape.SHORT:
        return [Guess(contracts.LONG, 0.3)]
    if facts.shape is not Shape.LONG:
        return []
    rewrites = facts.overlap >= 0.5 and _shrinks(facts) >= 0.4 and not facts.verbatim
    own, other = (contracts.REWRITE, contracts.LONG) if rewrites else (contracts.LONG, contracts.REWRITE)
    return [Guess(own, 0.75), Guess(other, 0.5)]


def summary(facts: Facts, others: Guesses) -> Guesses:
    """A reference that shortens the prompt's text."""
    fit = 0.0
    if _by_prompt(facts) or facts.shape is Shape.SHORT:
        if facts.summary_asked and facts.passage:
            short = 0.7 if facts.reference_words >= 4 and not facts.verbatim else 0.4
            fit = short if _by_reference(facts) else 0.72
    elif facts.shape is Shape.LONG and facts.prompt_words >= 40 and _shrinks(facts) <= 0.6:
        if facts.summary_asked:
            fit = 0.9 if facts.overlap >= 0.45 and facts.passage else 0.6
        elif _shrinks(facts) <= 0.4 and facts.overlap >= 0.6 and facts.prompt_words >= 80 and not facts.asks:
            fit = 0.7
    return [Guess(contracts.SUMMARY, fit)] if fit else []


def _shrinks(facts: Facts) -> float:
    return facts.reference_words / max(1, facts.prompt_words)


def open_ended(facts: Facts, others: Guesses) -> Guesses:
    """What remains without a reference."""
    return [Guess(contracts.OPEN_ENDED, 0.45 if others else 0.7)] if _by_prompt(facts) else []


# ------------------------------------------------------------------------------------------ prompts without their reference


def any_prompt(contract: Contract, facts: Facts) -> bool:
    """The prompt need not show anything."""
    return True


def says_number(contract: Contract, facts: Facts) -> bool:
    """A number stands in it."""
    return facts.has_number


def says_formula_or_number(contract: Contract, facts: Facts) -> bool:
    """A formula or a number stands in it."""
    return facts.latex or facts.has_number


def has_passage(contract: Contract, facts: Facts) -> bool:
    """It brings a text."""
    return facts.passage


def has_passage_if_asked(contract: Contract, facts: Facts) -> bool:
    """It brings a text, where the task's prompts do."""
    return facts.passage or "passage" not in contract.carries


def describes_tables(contract: Contract, facts: Facts) -> bool:
    """It defines the tables of a query."""
    return facts.sql_schema


def asks_for_document(contract: Contract, facts: Facts) -> bool:
    """It asks for JSON."""
    return facts.json_asked or facts.json_schema


def has_labels_or_options(contract: Contract, facts: Facts) -> bool:
    """There is a closed set to choose from."""
    return bool(contract.labels) or bool(facts.options)
