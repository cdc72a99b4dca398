"""What one row offers for probing: right answers, the same answers dressed otherwise, wrong ones, floors, hacks.

A right answer, dressed as a model would write it.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from random import Random
from typing import NamedTuple

from rlar.types import Example, JsonObject, TaskSpec


class Tried(NamedTuple):
    """One completion to try, and what kind of probe it is."""

    kind: str
    text: str
    below: str = ""
    """Also scores below the wrong answer of this kind (graded corruptions: dropping most is worse than dropping one)."""
    may_loop: bool = False
    """A program that may run into the tool's time limit: tried once, neither timed nor repeated."""
    prompt: str = ""
    """Asked instead of the row's own prompt, and nothing bound: what a tool must read by itself."""


@dataclass(frozen=True)
class Material:
    """What one row offers; `right[0]` is the anchor that everything else is compared with."""

    right: tuple[Tried, ...]
    same: tuple[Tried, ...] = ()
    """Right answers whose score must not differ from the anchor's."""
    wrong: tuple[Tried, ...] = ()
    """Answers that really are wrong, or worse than the anchor."""
    floor: tuple[Tried, ...] = ()
    hacks: tuple[Tried, ...] = ()
    ladders: Mapping[str, Sequence[str]] = field(default_factory=dict)
    """By name: texts from good to bad, each worse than the one before it, that a plain metric puts in order, too."""
    skip: frozenset[str] = frozenset()
    """Kinds of general floors and hacks that would prove nothing here (a refusal may satisfy a constraint)."""


@dataclass(frozen=True)
class Row:
    """One row of the task with all that its material is made from."""

    example: Example
    binding: JsonObject
    peers: tuple[str, ...]
    """References of other rows that equal none of `accepted`."""
    task: TaskSpec
    rng: Random
    accepted: tuple[str, ...] = ()
    """The row's references, and what they stand for (the letter of an option and its text)."""
    answer: str = ""
    """The answer in the reference, where that may be a worked solution; "" stands for the reference itself."""

    @property
    def reference(self) -> str:
        """What the row's reference answers, or "" without one."""
        return self.answer or self.example.reference or ""


class Notes:
    """Why some probes could not be made, with the number of rows: goes into the certificate."""

    def __init__(self) -> None:
        self._counts: dict[str, int] = {}

    def add(self, line: str) -> None:
        """Once for every row that it holds for."""
        self._counts[line] = self._counts.get(line, 0) + 1

    @property
    def lines(self) -> tuple[str, ...]:
        """The notes in the order of their first row."""
        return tuple(f"{line} ({count} rows)" if count > 1 else line for line, count in self._counts.items())


COMPARED = 2_000
"""Characters by which two long texts are compared."""

_PUNCTUATION = re.compile(r"[\W_]+", re.UNICODE)
_LATEX_FRACTION = re.compile(r"\\[dt]?frac\{(-?[\d.]+)\}\{(-?[\d.]+)\}|\\[dt]?frac(\d)(\d)")
_NUMBER = re.compile(r"-?(?:\d[\d,]*\.?\d*|\.\d+)(?:/\d+)?")


def normalised(text: str) -> str:
    """Compatibility form, case folded, punctuation collapsed: what two answers are compared by."""
    return _PUNCTUATION.sub(" ", unicodedata.normalize("NFKC", text).casefold()).strip()


def as_number(text: str) -> Fraction | None:
    """The value of a plain number ("1,234.5", "$45", "-3/4", "\\frac{1}{2}", "50%", "45 cm"), else None.

    A percent sign and a unit are dropped: only used to tell whether two answers may be equal.
    """
    cleaned = text.replace("\u2212", "-").replace("\\!", "").replace("\\$", "").replace("$", "").strip()
    cleaned = _LATEX_FRACTION.sub(lambda m: f"{m[1] or m[3]}/{m[2] or m[4]}", cleaned)
    cleaned = re.sub(r"\\(?:text|mathrm|mbox)\{[^{}]*\}", "", cleaned).replace("^\\circ", "").replace("\\%", "%")
    match = _NUMBER.match(cleaned)
    if match is None or re.search(r"[\d\\^_{}()=+*/]", cleaned[match.end() :]):
        return None
    body = match.group().replace(",", "")
    numerator, _, denominator = body.partition("/")
    try:
        value = Fraction(numerator.rstrip("."))
        return value / Fraction(denominator) if denominator else value
    except (ValueError, ZeroDivisionError):
        return None


def may_be_equal(one: str, other: str) -> bool:
    """Whether two answers might be judged the same; errs on the side of yes. Long texts are compared by their beginnings."""
    if len(one) > COMPARED or len(other) > COMPARED:
        return normalised(one[:COMPARED]) == normalised(other[:COMPARED])
    if normalised(one) == normalised(other):
        # Signs and operators are punctuation: "-5" and "5", "a+b" and "a-b" differ all the same.
        return _skeleton(one) == _skeleton(other) or as_number(one) is None or as_number(one) == as_number(other)
    first, second = as_number(one), as_number(other)
    if first is None or second is None:
        return False
    return first == second or first == 100 * second or 100 * first == second


def _skeleton(text: str) -> str:
    return re.sub(r"[\s$\\{},]+", "", text).casefold()


def accepted_answers(example: Example, binding: JsonObject) -> tuple[str, ...]:
    """The references, and for choices the letter and the text of the option that a reference names."""
    answers = dict.fromkeys(example.references or ((example.reference,) if example.reference else ()))
    for letter, text in option_pairs(binding):
        if any(
            normalised(answer) in {normalised(letter), normalised(text), normalised(f"{letter} {text}")}
            for answer in answers
        ):
            answers.update({letter: None, text: None, f"{letter}) {text}": None})
            break
    return tuple(answers)


def option_pairs(binding: JsonObject) -> list[tuple[str, str]]:
    """The options of a choice, letter and text."""
    return [(str(letter), str(text)) for letter, text in dict(binding.get("options") or {}).items()]


def equals_any(text: str, references: Sequence[str]) -> bool:
    """Whether `text` may be judged equal to one of the references."""
    return any(may_be_equal(text, reference) for reference in references)


_THINK = "<think>\nThe question has to be read with care. A first guess may mislead, so it is checked once more.\n</think>\n\n"
_PREAMBLE = "Let me work through this carefully and then give the result.\n\n"


def plain(answer: str) -> Tried:
    """The answer alone."""
    return Tried("plain", answer)


def sentence(answer: str) -> Tried:
    """The answer in a sentence of its own."""
    return Tried("sentence", f"The answer is {answer}.")


def boxed(answer: str) -> Tried:
    """The answer in LaTeX's \\boxed."""
    return Tried("boxed", f"\\boxed{{{answer}}}")


def reasoning(answer: str, prompt: str) -> Tried:
    """Steps that mention the prompt's own numbers, then the answer on the last line."""
    given = list(dict.fromkeys(re.findall(r"(?<![\w.])\d+(?:\.\d+)?", prompt)))[:3]
    steps = f"First I note what is given: {', '.join(given)}.\n" if given else "First I note what is given.\n"
    return Tried("reasoning", f"{steps}Then I put it together step by step.\n\nThe answer is {answer}.")


def last_line(answer: str) -> Tried:
    """The answer after "Answer:", below an introduction."""
    return Tried("last_line", f"{_PREAMBLE}Answer: {answer}")


def bold(answer: str) -> Tried:
    """The answer in Markdown's bold, in a sentence."""
    return Tried("bold", f"The answer is **{answer}**.")


def whitespace(answer: str) -> Tried:
    """The answer between blank lines and spaces."""
    return Tried("whitespace", f"\n\n  {answer}  \n")


def think(answer: str) -> Tried:
    """The answer after a block of thought."""
    return Tried("think", f"{_THINK}{answer}")


def preamble(answer: str) -> Tried:
    """The answer below an introduction, without a cue."""
    return Tried("preamble", f"{_PREAMBLE}{answer}")


def fenced(answer: str, language: str) -> Tried:
    """The answer as a Markdown block of code in a language."""
    return Tried("fenced", f"```{language}\n{answer.strip()}\n```")


def fenced_in_prose(answer: str, language: str) -> Tried:
    """A block of code between two sentences."""
    return Tried(
        "fenced_in_prose",
        f"Here is a solution.\n\n```{language}\n{answer.strip()}\n```\n\nIt handles the cases that were asked for.",
    )
