"""What a reference looks like on its own: a number, a formula, an option letter, a few words, JSON, long text.

Cheap string tests, no parser that can be slow or raise. Code and SQL are recognised by `programs` and `sql_rows`.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from enum import StrEnum
from functools import lru_cache


class Shape(StrEnum):
    """The form of a reference answer."""

    NONE = "none"
    NUMBER = "number"
    MATH = "math"
    LETTER = "letter"
    """An option letter: "B", "(B)", "B. Paris"."""
    BOOLEAN = "boolean"
    SHORT = "short"
    """Up to SHORT_WORDS words on one line."""
    JSON = "json"
    LONG = "long"


SHORT_WORDS = 8
SHORT_CHARACTERS = 80

BOOLEAN_PAIRS: dict[str, tuple[str, str]] = {word: pair for pair in (("no", "yes"), ("false", "true")) for word in pair}
"""A boolean word -> its pair, sorted."""

# The marker some datasets put between the worked solution and its result, or what a solution ends with.
_FINAL = re.compile(
    r"(?:^|\n)[^\S\n]*+####\s*+(?P<hash>[^\n]+)\s*$"
    r"|(?:the\s+(?:final\s+)?answer\s+is|(?:^|\n)[^\S\n]*+(?:final\s++)?answer\s*+:|(?:^|\n)[^\S\n]*+A\s*+:)\s*+(?P<words>[^\n]{1,60})\s*$",
    re.IGNORECASE,
)
_UNITS = (
    r"%|‰|percent|°|°C|°F|degrees?|cm|mm|km|m|ft|in|inches|miles?|mph|km/h|kg|g|mg|lbs?|oz|l|ml|s|sec|seconds?|min|minutes?"
    r"|h|hrs?|hours?|days?|weeks?|months?|years?|dollars?|cents?|euros?|pounds?|usd|eur|meters?|feet|units?|square \w+"
    r"|(?:cm|mm|km|m|in|ft)\^?[23²³]"
)
_NUMBER = re.compile(
    r"[~≈]?\s*+(?:USD|EUR|Rs\.?)?\s*+[$€£¥₹]?\s*+[-+−–]?\s*+[$€£¥₹]?\s*+"
    r"(?:\d{1,3}(?:[,  ' ]\d{3})+(?:\.\d+)?|\d+(?:[.,]\d+)?|\.\d+)(?:[eE][-+]?\d+)?"
    rf"\s*+[$€£¥₹]?\s*+(?:{_UNITS})?\.?",
    re.IGNORECASE,
)
_LETTER = re.compile(
    r"(?:option\s++|answer\s*+(?::\s*+)?|choice\s++)?[\(\[]?\*{0,2}([A-Ja-j])\*{0,2}[\)\]]?[.:]?", re.IGNORECASE
)
_LETTER_AND_TEXT = re.compile(r"[\(\[]?([A-J])(?:[\)\]][.:]?|[.:])\s+[\w\"'($-]")
_DATE_OR_CODE = re.compile(
    r"\d{1,4}[-/.]\d{1,2}[-/.]\d{1,4}|\d{4}-\d{4}|\d{1,2}:\d{2}(?::\d{2})?\s*(?:[ap]\.?m\.?)?|\+?\d[\d ]*(?:-\d{2,})+|v?\d+\.\d+\.\d+\S*",
    re.IGNORECASE,
)

# Commands that only mathematics uses. Not \boxed: "put your answer in \boxed{}" is said of any question;
# "\d" of a regular expression or "\n" of a string must not count.
_LATEX_COMMANDS = (
    "frac dfrac tfrac sqrt pi theta alpha beta gamma delta omega sigma lambda mu phi epsilon infty cdot times div pm mp le leq ge geq "
    "ne neq approx equiv sum prod int lim log ln sin cos tan cot sec csc arcsin arccos arctan text mathrm mathbb mathbf mathcal "
    "operatorname begin end left right overline underline overrightarrow vec hat bar angle triangle circ degree cup cap in notin "
    "subset subseteq subsetneq emptyset binom dbinom choose ldots dots cdots quad to infinity lfloor rfloor lceil rceil "
    "displaystyle mbox parallel perp sim cong pmod bmod mod gcd max min therefore mid forall exists nabla partial textbf"
)
_LATEX_COMMAND = re.compile(
    r"\\(?:" + "|".join(sorted(_LATEX_COMMANDS.split(), key=len, reverse=True)) + r")(?![a-z])|\\[\[\(](?=.*\\[\]\)])",
    re.DOTALL,
)
_FORMULA_SIGN = re.compile(r"[\\^_={}<>+*/|()a-zA-Z]")
_FORMULA_REACH = 200
"""Characters that a formula between two dollar signs may have on either side of its sign."""
_PLAIN_MONEY = re.compile(r"\$\d[\d,.]*(?:\s|[^\w\s\\^_={}])")
_LATEX_SPACE = re.compile(r"\\[!,;: ]\s*|(?<=\d)\{(?=,\})|(?<=\{,)\}")
# A regular expression is full of operators too.
_PATTERN = re.compile(r"\[[^\]\s\[]*\w-\w[^\]\[]*\]|\\[dwsbDWSB](?![a-z])|\(\?|\.\*|\.\+|\[\^|^\^.*\$$")
_FUNCTIONS = r"sin|cos|tan|log|ln|exp|sqrt|pi|inf|infinity|and|or|mod|i"
_PLAIN_MATH = re.compile(
    rf"(?:(?:{_FUNCTIONS})(?![a-z])|(?<![a-zA-Z])[a-zA-Z](?![a-zA-Z])|[\d\s+\-−*/^=<>().,\[\]{{}}|!πθ√∞≤≥≠±·×÷²³∪∩∈\\_])+"
)
_OPERATOR = re.compile(
    r"\d_\{?\d|[+*/^=<>√∞≤≥≠±·×÷²³π]|\d\s*[-−]\s*[\da-z(]|[a-z)]\s*[-−]\s*[\da-z(]|\d[a-z]\b|^[(\[][^\n,]*,.*[)\]]$|,\s*[-\d]"
)


def final_answer(reference: str) -> str:
    r"""The answer inside a reference: what follows "####", stands in the last \boxed{}, or closes a worked solution."""
    text = reference.strip()
    if "\\boxed" in text:
        boxed = _last_boxed(text)
        if boxed:
            return boxed
    # Only the end matters, and a regular expression that scans a whole essay is slow.
    tail = text[-200:]
    if "####" in tail or "nswer" in tail or "\nA:" in tail or "NSWER" in tail:
        match = _FINAL.search(tail)
        if match:
            return (match["hash"] or match["words"]).strip()
    return text


def shape_of(answer: str) -> Shape:
    """The form of a final answer (see `final_answer`); never code or SQL, which have detectors of their own."""
    text = answer.strip()
    if not text:
        return Shape.NONE
    if len(text) <= 120 and "\n" not in text:
        return _shape_of_line(text)
    return Shape.JSON if is_json(text) else Shape.LONG


@lru_cache(maxsize=4096)
def _shape_of_line(text: str) -> Shape:
    bare = strip_math_delimiters(text)
    if len(bare) <= 40 and _NUMBER.fullmatch(
        _LATEX_SPACE.sub("", bare).replace("\\%", "%").replace("\\$", "$").strip()
    ):
        return Shape.NUMBER
    if text.strip(".").casefold() in BOOLEAN_PAIRS:
        return Shape.BOOLEAN
    if _LETTER.fullmatch(text) or _LETTER_AND_TEXT.match(text):
        return Shape.LETTER
    if is_json(text):
        return Shape.JSON
    if is_math_expression(text):
        return Shape.MATH
    return prose_shape(text)


def prose_shape(text: str) -> Shape:
    """SHORT or LONG, by length alone."""
    short = count_words(text) <= SHORT_WORDS and len(text) <= SHORT_CHARACTERS and "\n" not in text
    return Shape.SHORT if short else Shape.LONG


def option_letter(answer: str) -> str | None:
    """The upper-case letter of an answer that names an option ("b", "(B)", "B. Paris"); None when it does not."""
    text = answer.strip()
    match = _LETTER.fullmatch(text) or _LETTER_AND_TEXT.match(text)
    return match[1].upper() if match else None


def is_json(text: str) -> bool:
    """Whether a text is a JSON object, or an array that holds a string or an object (a bare list of numbers is not)."""
    text = strip_fence(text)
    if not (text.startswith("{") and text.endswith("}")) and not (text.startswith("[") and text.endswith("]")):
        return False
    try:
        value = json.loads(text)
    except (ValueError, RecursionError):
        return False
    if isinstance(value, dict):
        return True
    return isinstance(value, list) and any(isinstance(item, (str, dict, list)) for item in value)


def strip_fence(text: str) -> str:
    """The inside of a single markdown code fence, or the text."""
    text = text.strip()
    if text.startswith("```") and text.endswith("```") and "\n" in text:
        return text[text.index("\n") + 1 : -3].strip()
    return text


def is_math_expression(text: str) -> bool:
    """Whether a short answer is a formula, interval, tuple or LaTeX: what a symbolic verifier can compare."""
    if "\\" in text and _LATEX_COMMAND.search(text):
        return True
    text = strip_math_delimiters(text)
    if _PATTERN.search(text):
        return False
    if _DATE_OR_CODE.fullmatch(text) or text.casefold() in {"n/a", "a/c", "w/o"}:
        return False
    return bool(
        _PLAIN_MATH.fullmatch(text) and _OPERATOR.search(text) and any(c.isdigit() or c in "xyznkπ∞√" for c in text)
    )


def has_latex(text: str) -> bool:
    """Whether a prompt is written with LaTeX mathematics; prices in dollars are not."""
    if "\\" in text and _LATEX_COMMAND.search(text):
        return True
    for start, end in _between_dollars(text):
        inside = text[start:end]
        formula = any(c in inside for c in "\\^_={}")
        # A price opens with a digit and a blank follows; a whole phrase between two signs is prose between two prices.
        if formula or (not _PLAIN_MONEY.match(text, start - 1, end + 1) and count_words(inside) <= 6):
            return True
    return False


def _between_dollars(text: str) -> Iterator[tuple[int, int]]:
    """Where $...$ on one line may be mathematics: a letter or sign that formulas have; "$40 and $50" has none."""
    opening = text.find("$")
    while opening >= 0:
        closing = text.find("$", opening + 1)
        if closing < 0:
            return
        start = opening + 1
        touches = closing > start and not text[start].isspace() and not text[closing - 1].isspace()
        if touches and not text[closing + 1 : closing + 2].isdecimal() and text.find("\n", start, closing) < 0:
            near = max(start, closing - 1 - _FORMULA_REACH), min(closing, start + 1 + _FORMULA_REACH)
            if _FORMULA_SIGN.search(text, *near):
                yield start, closing
        opening = closing


def strip_math_delimiters(text: str) -> str:
    r"""Without one surrounding pair of $, $$, \( \) or \[ \]."""
    text = text.strip()
    for opening, closing in (("$$", "$$"), ("\\(", "\\)"), ("\\[", "\\]"), ("$", "$")):
        if text.startswith(opening) and text.endswith(closing) and len(text) > len(opening) + len(closing):
            return text[len(opening) : -len(closing)].strip()
    return text


def count_words(text: str) -> int:
    """Words of a text; a run of n characters of a script without spaces counts as n / 2 words."""
    words = len(text.split())
    if text.isascii():
        return words
    return words + sum(1 for c in text if "぀" <= c <= "鿿" or "฀" <= c <= "๿") // 2


def _last_boxed(text: str) -> str:
    start = text.rfind("\\boxed{")
    if start < 0:
        return ""
    depth = 0
    for position in range(start + 6, len(text)):
        if text[position] == "{":
            depth += 1
        elif text[position] == "}":
            depth -= 1
            if depth == 0:
                return text[start + 7 : position].strip()
    return ""
