"""Cheap facts of one row: what its reference looks like, what its prompt brings and asks for.

Facts are evidence, not decisions: `infer` reads a contract from them. About 10,000 rows a second a core: every
detector starts with a test that most rows fail, and nothing is parsed twice.
"""
# ruff: noqa: SIM905 (lists of words read better as text)

from __future__ import annotations

import re
from typing import TYPE_CHECKING, NamedTuple

from rlar.kinds.carries import asks_for_json, asks_for_summary
from rlar.kinds.parsed import Parsed, asked_text
from rlar.kinds.translation.rows import Translation
from rlar.text.shapes import Shape, final_answer, has_latex, option_letter, prose_shape, shape_of
from rlar.types import Example

if TYPE_CHECKING:
    from rlar.kinds.programs.rows import TestSuite

__all__ = ["Facts", "answers_option", "asked_text", "describe", "normal_label"]

LETTER_CHARACTERS = 10
"""An answer up to this long can be nothing but an option letter: "Option (B)"."""
_LETTERS = re.compile(r"[^\W\d_]{3,}")
_DIGIT = re.compile(r"\d")
_QUERY = re.compile(
    r"\s*+(?:```\w*+\s*+)?(?:SELECT\b[\s\S]+\bFROM\b|WITH\s++\w++[\s\S]*\bAS\s*+\(|INSERT\s+INTO\b|UPDATE\s+\S+\s+SET\b|DELETE\s+FROM\b)",
    re.IGNORECASE,
)
_QUERY_WORD = re.compile(r"\b(?:sql|query|select|database|tables)\b", re.IGNORECASE)
_SPACE = re.compile(r"\s+")
_COUNT = re.compile(r"\s*+[-+−]?\d[\d.,'\u00a0\u202f ]{0,20}+(?P<noun>[^\W\d_][^\W\d_·-]{0,30}\.?)\s*+")
_COUNTER = re.compile(r"[\u3040-\u30ff\u3400-\u9fff\uac00-\ud7a3]{1,2}")
_PIECES = frozenset(
    "piece pieces pc pcs item items unit units dozen people persons times stück stk mal шт штук штуки раз pièces unités fois "
    "piezas unidades veces pezzi unità volte peças vezes stuks sztuk styck adet".split()
)
"""What only counts, in whatever sentence."""
_WHEN = frozenset(
    "am pm uhr ad bc bce ce th st nd rd st. h 年 月 日 号 號 時 时 点 點 分 時間前 年代 世紀 世纪 시 년 월 일 세기 年生 月份 路 版 代".split()
)
"""After a number these say when, or which: no number of anything."""


class Facts(NamedTuple):
    """The evidence of one row."""

    has_reference: bool
    shape: Shape
    """Form of the reference's final answer; NONE without a reference."""
    answer: str
    """The reference's final answer: without the worked solution before it."""
    prompt_words: int
    reference_words: int
    suite: str
    """ "tests", "stdio" or "": what `programs.find_suite` found."""
    program: bool
    """The reference is a program."""
    sql: bool
    """The reference is a SQL query."""
    sql_schema: bool
    """The prompt or a column carries the tables of a SQL task."""
    latex: bool
    """The prompt is written with LaTeX mathematics."""
    options: tuple[tuple[str, str], ...]
    """Answer options listed in the prompt or a column: (letter, text)."""
    answers_option: bool
    """The reference names or repeats one of the options."""
    json_asked: bool
    json_schema: bool
    constraints: tuple[str, ...]
    """Kinds of the verifiable instructions in the prompt; only read where they could decide (see `describe`)."""
    form_asked: bool
    """The prompt demands something of the answer's form; only read where there is no reference, nor a constraint read."""
    unfinished: bool
    """The prompt ends in a function without its body; only read where there is no reference."""
    translation: Translation | None
    summary_asked: bool
    passage: bool
    overlap: float
    """Share of the reference's words that stand in the prompt, [0, 1]."""
    verbatim: bool
    """The reference stands in the prompt as it is."""
    has_number: bool
    """A number stands in the prompt's first 1,000 characters."""
    asks: bool
    """The prompt ends with, or contains, a question mark."""
    programming_language: str = ""
    """What the row's programs are written in, where that is not Python."""
    holds_number: bool = False
    """The reference is a few words around one number that the number's verifier reads."""


def describe(example: Example, parsed: Parsed | None = None) -> Facts:
    """The evidence of one row. Pure: the same row gives the same facts in any process.

    Args:
        parsed: the row's readings, for a caller who has another use for them.
    """
    if parsed is None:
        parsed = Parsed(example)
    text = example.text
    reference = example.reference
    answer = final_answer(reference) if reference is not None else ""
    shape = shape_of(answer) if reference is not None else Shape.NONE
    if shape is Shape.LETTER and len(answer) > LETTER_CHARACTERS and not parsed.options:
        shape = prose_shape(answer)  # "B. Smith, The Quarter of Rome" names no option where none are listed
    holds_number = shape is Shape.SHORT and _reads_as_number(answer)
    if holds_number and _counts(answer, text):
        shape = Shape.NUMBER
    suite = parsed.suite
    prose = shape in (Shape.SHORT, Shape.LONG)
    wordy = prose or shape is Shape.NONE
    program = parsed.program if suite is None and prose else None
    sql = parsed.sql if suite is None and program is None and prose else None
    query = sql is not None or (suite is None and program is None and prose and _is_query(answer))
    coded = suite is not None or program is not None or query
    options = () if coded else tuple(parsed.options.items())
    translation = None if coded or not wordy else parsed.translation
    plain = wordy and not coded
    overlap, verbatim = (0.0, False) if not prose or coded else _copied(answer, text)
    # A few words or a translation are judged by the reference, whatever the prompt says about form.
    reads_constraints = plain and (shape is Shape.NONE or (shape is Shape.LONG and translation is None))
    constraints = _constraint_kinds(parsed) if reads_constraints else ()
    unanswered = plain and shape is Shape.NONE
    return Facts(
        has_reference=reference is not None,
        shape=shape,
        answer=answer,
        prompt_words=text.count(" ") + 1,
        reference_words=0 if reference is None else answer.count(" ") + 1,
        suite="" if suite is None else ("stdio" if suite.kind == "stdio" else "tests"),
        program=program is not None,
        sql=query,
        sql_schema=sql is not None or (not coded and reference is None and _has_tables(text)),
        latex=has_latex(text),
        options=options,
        answers_option=bool(options) and answers_option(answer, shape, options),
        json_asked=(plain or shape is Shape.JSON) and asks_for_json(text),
        json_schema=(plain or shape is Shape.JSON) and parsed.schema is not None,
        constraints=constraints,
        form_asked=unanswered and not constraints and _asks_for_form(parsed),
        unfinished=unanswered and "def " in text and _is_unfinished(text),
        translation=translation,
        summary_asked=plain and asks_for_summary(text if len(text) < 2000 else text[:1000] + "\n" + text[-1000:]),
        passage=wordy and parsed.passage is not None,
        overlap=overlap,
        verbatim=verbatim,
        has_number=_DIGIT.search(text, 0, 1000) is not None,
        asks="?" in text or "？" in text,
        programming_language=_foreign_language(suite, program),
        holds_number=holds_number,
    )


def _foreign_language(suite: TestSuite | None, program: str | None) -> str:
    language = (suite.language or suite.hint) if suite is not None else program or ""
    return "" if language == "python" else language


def _is_unfinished(prompt: str) -> bool:
    from rlar.kinds.programs.rows import prompt_header

    return bool(prompt_header(prompt, None))


def _reads_as_number(answer: str) -> bool:
    if not any(character.isdigit() for character in answer):
        return False
    from rlar.kinds.number import read_reference

    return read_reference(answer) is not None


def _counts(answer: str, prompt: str) -> bool:
    """Whether an answer is a number of something: of a unit, with a counter, or of what the prompt speaks of.

    "12 apples" is one where the prompt has apples; "50 Cent" and "3 Doors Down" are names, "1945年" and "7 Uhr" say when.
    """
    match = _COUNT.fullmatch(answer)
    if match is None:
        return False
    noun = match["noun"].rstrip(".").casefold()
    if noun in _WHEN:
        return False
    if _COUNTER.fullmatch(noun) or noun in _PIECES:
        return True
    from rlar.kinds.units import read_unit

    # A plural and the singular after "how many", or a case ending, share their beginning.
    stem = noun if len(noun) < 4 else noun[: max(3, len(noun) - 2)]
    spoken = re.search(rf"(?<![^\W\d_]){re.escape(stem)}", prompt.casefold()) is not None
    spoken = spoken or (
        not noun.isascii() and len(noun) > 2 and _COUNTER.match(noun) is not None and noun[1:] in prompt
    )
    return spoken or read_unit(noun) is not None


def answers_option(answer: str, shape: Shape, options: tuple[tuple[str, str], ...]) -> bool:
    """Whether an answer names an option by its letter or number, or repeats its text."""
    names = {name.upper() for name, _ in options}
    if shape is Shape.LETTER and option_letter(answer) in names:
        return True
    plain = normal_label(answer)
    if plain in {normal_label(text) for _, text in options}:
        return True
    return plain.upper() in names


def normal_label(text: str) -> str:
    """A short answer as a label: case, white space and surrounding punctuation do not matter."""
    return _SPACE.sub(" ", text).strip(" \t\n.\"'`*:;,!()[]").casefold()


def _has_tables(text: str) -> bool:
    """Whether a prompt defines the tables of a query that it asks for."""
    return ("CREATE TABLE" in text or "create table" in text or "Create Table" in text) and bool(
        _QUERY_WORD.search(text)
    )


def _is_query(answer: str) -> bool:
    """Whether a reference is a SQL query although its tables are nowhere described."""
    from rlar.kinds.sql.rows import gold_queries, tree_of

    queries = gold_queries([answer]) if _QUERY.match(answer) else ()
    return bool(queries) and all(tree_of(query) is not None for query in queries)


def _copied(answer: str, prompt: str) -> tuple[float, bool]:
    head = answer[:1200]
    lowered = prompt.casefold()
    words = _LETTERS.findall(head.casefold())
    verbatim = head.strip().casefold() in lowered
    if not words:
        return (1.0 if verbatim else 0.0), verbatim
    known = set(_LETTERS.findall(lowered[:20000]))
    return round(sum(word in known for word in words) / len(words), 3), verbatim


def _constraint_kinds(parsed: Parsed) -> tuple[str, ...]:
    """Kinds of what the prompt demands of the answer: explicit, sure, and something that code can check."""
    return tuple(
        constraint.kind
        for constraint in parsed.constraints
        if constraint.strength == "hard" and constraint.confidence >= 0.5 and constraint.kind != "unsupported"
    )


def _asks_for_form(parsed: Parsed) -> bool:
    """Whether there is a demand on the answer's form that no rule reads."""
    from rlar.kinds.constraints.read.coverage import asks_for_form

    unread = any(each.strength == "hard" and each.kind == "unsupported" for each in parsed.constraints)
    return unread or asks_for_form(parsed.example.text)
