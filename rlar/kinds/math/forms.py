"""Mathematical answers as text: one spelling for what LaTeX spells in many ways, and what can be decided from it.

`decide` answers without a computer algebra system: equal texts, numbers, words, lists, tuples, sets, intervals, units,
number bases. It says None where only algebra can tell.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import lru_cache

from rlar.kinds.number import read_reference, same_number
from rlar.text.answers import tidy

Algebra = Callable[[str, str], bool | None]
"""reference, claim -> equal? None when the reference cannot be read."""

MAX_ELEMENTS = 32

_UNICODE = str.maketrans({
    "π": r"\pi ", "∞": r"\infty ", "≤": r"\le ", "≥": r"\ge ", "⩽": r"\le ", "⩾": r"\ge ", "≠": r"\ne ", "×": r"\times ",
    "·": r"\cdot ", "−": "-", "–": "-", "∪": r"\cup ", "∩": r"\cap ", "∈": r"\in ", "±": r"\pm ", "θ": r"\theta ",
    "α": r"\alpha ", "β": r"\beta ", "γ": r"\gamma ", "λ": r"\lambda ", "ℝ": r"\mathbb{R}", "∅": r"\emptyset ", "÷": "/",
    "²": "^2", "³": "^3", "⁴": "^4", "°": "", "（": "(", "）": ")", "，": ",", "√": r"\sqrt ",
})  # fmt: skip
_SPACING = re.compile(
    r"\\(?:left|right|displaystyle|textstyle|big|Big|bigg|Bigg|limits|quad|qquad|phantom)(?![a-zA-Z])|(?<!\\)\\[,;:! ]|~|\\hspace\{[^{}]*\}"
)
_DEGREE = re.compile(r"\^\s*+(?:\{\s*+)?\\circ\s*+\}?|\\degree(?![a-zA-Z])|(?<=\d)\s*degrees?\b")
_UNIT = re.compile(
    r"(?<=[\d}\)a-z])(?:\\?\s)*+\\(?:text|mathrm|textrm|mbox|hbox)\s*+\{\s*+([a-zA-Z][a-zA-Z. /^\d]*)\}(?:\s*+\^\s*+(?:\{\s*+)?-?\d\s*+\}?)?"
)
_PLAIN_UNIT = re.compile(
    r"(?<=[\d}\)])\s+(?:square\s+|cubic\s+|sq\.?\s+)?(?:mm|cm|dm|km|m|ft|in|kg|g|units?|inch(?:es)?|feet|foot|met(?:er|re)s?|miles?|yards?"
    r"|(?:kilo|centi|milli)met(?:er|re)s?|dollars?|cents?|euros?|hours?|minutes?|seconds?|days?|years?)(?:\s*\^\s*\{?\d\}?)?\.?$"
)
_TEXT = re.compile(
    r"\\(?:text|textbf|textit|textrm|mathrm|mathbf|mathit|mathsf|mbox|hbox|operatorname|boldsymbol|bf|rm)\s*\{([^{}]*)\}"
)
_FRACTION = re.compile(r"\\[dtc]frac(?![a-zA-Z])")
_SHORT_FRACTION = re.compile(r"\\frac\s*(?:(\d)\s*(\d)|(\d)\s*(\{)|(\{[^{}]*\})\s*(\d|[a-z](?![a-z])))")
_SHORT_ROOT = re.compile(r"\\sqrt\s*(\d+|[a-zA-Z])(?![a-zA-Z{])")
_PLAIN_ROOT = re.compile(r"(?<![a-zA-Z\\])sqrt\s*\(([^()]*)\)|(?<![a-zA-Z\\])sqrt\s*(\d+)")
_PLAIN_FUNCTION = re.compile(r"(?<![a-zA-Z\\])(sin|cos|tan|log|ln|pi|infty|exp)(?![a-zA-Z])")
_ONE_CHARACTER = re.compile(r"([\^_])\{\s*([\w])\s*\}")
_RELATIONS = (
    (r"\\leqslant|\\leq|\\le(?![a-z])|<=", r"\\le "),
    (r"\\geqslant|\\geq|\\ge(?![a-z])|>=", r"\\ge "),
    (r"\\neq", r"\\ne "),
)
_MATRIX = re.compile(r"\\(begin|end)\{[bpvB]?matrix\}|\\(begin|end)\{(?:small)?(?:array)\}(?:\{[lcr|]*\})?")
_COMMAND_SPACE = re.compile(r"(\\[a-zA-Z]+)\s+(?![a-zA-Z])")


@lru_cache(maxsize=16384)
def canonical(text: str) -> str:
    """One spelling of a LaTeX or plain expression; still LaTeX that a grammar can read."""
    text = tidy(text).translate(_UNICODE)
    text = text.replace("\\$", "").replace("{,}", ",").replace("$", "").replace("\\\\%", "%").replace("\\%", "%")
    text = text.replace("**", "^").replace("\\{", "\\lbrace ").replace("\\}", "\\rbrace ")
    text = _SPACING.sub("", text)
    text = text.replace("\\lbrace", "\\{").replace("\\rbrace", "\\}")
    text = _UNIT.sub("", _DEGREE.sub("", text))
    text = _TEXT.sub(r" \1 ", text)
    text = _FRACTION.sub(r"\\frac", text)
    text = _SHORT_FRACTION.sub(_spell_fraction, text)
    text = _PLAIN_ROOT.sub(lambda match: "\\sqrt{" + (match[1] or match[2]) + "}", text)
    text = _SHORT_ROOT.sub(r"\\sqrt{\1}", text)
    text = _PLAIN_FUNCTION.sub(r"\\\1 ", text)
    text = _ONE_CHARACTER.sub(r"\1\2", text)
    for pattern, spelled in _RELATIONS:
        text = re.sub(pattern, spelled, text)
    text = _MATRIX.sub(lambda match: f"\\{match[1] or match[2]}{{pmatrix}}", text)
    text = _PLAIN_UNIT.sub("", re.sub(r"\s+", " ", text).strip())
    while len(text) > 2 and text[0] == "{" and _closes(text) == len(text) - 1:
        text = text[1:-1].strip()
    return tidy(text)


def _spell_fraction(match: re.Match[str]) -> str:
    a, b, c, d, e, f = match.groups()
    if a:
        return f"\\frac{{{a}}}{{{b}}}"
    return "\\frac{" + c + "}" + d if c else "\\frac" + e + "{" + f + "}"


def _closes(text: str) -> int:
    """Where the bracket that opens `text` closes (brackets of all kinds count alike, as in [0, 1)); -1 if nowhere."""
    depth = 0
    for at, character in enumerate(text):
        if character in "([{":
            depth += 1
        elif character in ")]}":
            depth -= 1
            if depth == 0:
                return at
    return -1


def squashed(text: str) -> str:
    """The canonical text without spaces, except where one ends a command."""
    return _COMMAND_SPACE.sub(r"\1", text).replace(" ", "") if " " in text else text


def split(text: str, separators: str = ",;") -> list[str]:
    """The parts between top-level separators; also the words "and" and "or"."""
    parts, depth, start = [], 0, 0
    for at, character in enumerate(text):
        if character in "([{":
            depth += 1
        elif character in ")]}":
            depth -= 1
        elif depth == 0 and character in separators:
            parts.append(text[start:at])
            start = at + 1
    parts.append(text[start:])
    found = [piece.strip() for part in parts for piece in re.split(r"\s(?:and|or)\s|^(?:and|or)\s", part)]
    return [piece for piece in found if piece]


def container(text: str) -> tuple[str, list[str]] | None:
    """The outer brackets ("()", "[)", "{}", ... or "" for a bare list) and the elements; None for one expression."""
    if text.startswith("\\{") and text.endswith("\\}") and _closes(text[1:]) == len(text) - 2:
        return "{}", split(text[2:-2])
    if len(text) > 2 and text[0] in "([" and text[-1] in ")]" and _closes(text) == len(text) - 1:
        inside = split(text[1:-1])
        return (text[0] + text[-1], inside) if len(inside) > 1 else None
    # 1,234 is a number, not a list.
    if re.fullmatch(r"-?\d{1,3}(?:,\d{3})+(?:\.\d+)?", text):
        return None
    parts = split(text)
    if len(parts) == 1 and "\\pm" in text and text.count("\\pm") == 1:
        return "", [text.replace("\\pm", "+").lstrip("+ "), text.replace("\\pm", "-")]
    return ("", parts) if len(parts) > 1 else None


_BASE = re.compile(r"([0-9A-Za-z]+)_(?:\{(\d+)\}|(\d+)|\{\s*(\w+)\s*\})")
WORDS_ONLY = re.compile(r"(?:[^\W\d_]{2,}+[\s.'-]*+)++|\(?[A-Za-z]\)")
_ASSIGNMENT = re.compile(
    r"\s*(?:[a-zA-Z]|\\[a-zA-Z]+|[a-zA-Z]_\w|[a-zA-Z]\([a-zA-Z](?:,[a-zA-Z])*\)|[A-Za-z]{3,20}(?:\s[a-z]{1,20}){0,4})\s*(?:=|\\in(?![a-z])|:)\s*(?=\S)"
)
_RELATION = re.compile(r"\\le(?![a-z])|\\ge(?![a-z])|<|>")


def without_assignment(text: str) -> str:
    """ "x = 5" and "f(x) = 5" and "x \\in [0, 1]" as what is right of the sign; other texts unchanged."""
    match = _ASSIGNMENT.match(text)
    if match is None or "=" in text[match.end() :] or _RELATION.search(text):
        return text
    return text[match.end() :]


def interval_of(text: str) -> str | None:
    """An inequality in one variable as an interval: "x \\ge 46" is [46,\\infty), "0 < x \\le 4" is (0,4]."""
    signs = _RELATION.findall(text)
    if not signs or len(signs) > 2:
        return None
    sides = [side.strip() for side in _RELATION.split(text)]
    if len(sides) == 2:
        if re.fullmatch(r"[a-zA-Z]", sides[1]) and not re.fullmatch(r"[a-zA-Z]", sides[0]):
            sides, signs = sides[::-1], [{"<": ">", ">": "<", "\\le": "\\ge", "\\ge": "\\le"}[signs[0]]]
        if not re.fullmatch(r"[a-zA-Z]", sides[0]):
            return None
        closed = signs[0] in ("\\le", "\\ge")
        if signs[0] in ("<", "\\le"):
            return "(-\\infty," + sides[1] + ("]" if closed else ")")
        return ("[" if closed else "(") + sides[1] + ",\\infty)"
    low = [sign in ("<", "\\le") for sign in signs]
    if not re.fullmatch(r"[a-zA-Z]", sides[1]) or low[0] != low[1]:
        return None
    if not low[0]:
        sides, signs = sides[::-1], signs[::-1]
    open_, close = ("[" if signs[0] in ("\\le", "\\ge") else "("), ("]" if signs[1] in ("\\le", "\\ge") else ")")
    return f"{open_}{sides[0]},{sides[2]}{close}"


def decide(reference: str, claim: str, algebra: Algebra) -> bool | None:
    """Is the claim the reference's value? None when the reference cannot be read. `algebra` is asked where text cannot tell."""
    return _decide(canonical(reference), canonical(claim), algebra, depth=0)


def _decide(ref: str, said: str, algebra: Algebra, depth: int) -> bool | None:
    if not said:
        return False
    if squashed(ref) == squashed(said):
        return True
    if depth > 3:
        return False
    if "=" in said and "=" not in ref:
        said = without_assignment(said)
    if "=" in ref and "=" not in said:
        ref = without_assignment(ref)
    elif (
        "=" in ref
        and "=" in said
        and (bare_ref := without_assignment(ref)) != ref
        and (bare_said := without_assignment(said)) != said
    ):
        return _decide(bare_ref, bare_said, algebra, depth + 1)
    if "\\in" in said or "\\in" in ref:
        ref, said = without_assignment(ref), without_assignment(said)
    if squashed(ref) == squashed(said):
        return True
    if (based := _same_in_base(ref, said)) is not None:
        return based
    left, right = container(ref), container(said)
    if left is None and right is None and "=" not in ref + said:
        wanted, got = read_reference(ref), read_reference(said)
        if wanted is not None and got is not None:
            return same_number(got, wanted)
    if WORDS_ONLY.fullmatch(ref):
        return _letters(ref) == _letters(said)
    if _RELATION.search(ref) or _RELATION.search(said):
        ref_interval, said_interval = interval_of(ref) or ref, interval_of(said) or said
        if (ref_interval, said_interval) != (ref, said) and not (
            _RELATION.search(ref_interval) or _RELATION.search(said_interval)
        ):
            return _decide(ref_interval, said_interval, algebra, depth + 1)
    if left and right and "\\cup" not in ref and "matrix" not in ref:
        return _same_elements(left, right, algebra, depth)
    elements = (left or right or ("", []))[1]
    if len(elements) > 1 and not (left and right) and not re.search(r"\\cup|matrix|\\in(?![a-z])", ref + said):
        return False  # one value against several
    if _variables(ref) != _variables(said):
        return False
    return algebra(ref, said)


_NOT_VARIABLES = re.compile(
    r"\\(?!alpha|beta|gamma|delta|theta|lambda|mu|omega|phi|rho|sigma|varphi)[a-zA-Z]+|[^a-zA-Z\\]"
)


def _variables(text: str) -> frozenset[str]:
    """The letters of an expression, without commands and the constants e and i."""
    return frozenset(_NOT_VARIABLES.sub("", text)) - {"e", "i", "\\"}


def _letters(text: str) -> str:
    return re.sub(r"[\W_]", "", text).casefold()


def _same_in_base(ref: str, said: str) -> bool | None:
    """Numbers with a base as subscript; a claim without the subscript is taken in the reference's base."""
    left, right = _BASE.fullmatch(ref.replace(" ", "")), _BASE.fullmatch(said.replace(" ", ""))
    if left is None or not any(character.isdigit() for character in left[1]):
        return None
    base = left[2] or left[3] or left[4]
    if right is not None:
        return left[1].upper() == right[1].upper() and base == (right[2] or right[3] or right[4])
    bare = re.sub(r"[\s,]|base\w+", "", said)
    return left[1].upper() == bare.upper() if re.fullmatch(r"\w+", bare) else False


def _same_elements(
    left: tuple[str, list[str]], right: tuple[str, list[str]], algebra: Algebra, depth: int
) -> bool | None:
    (kind, wanted), (said_kind, said) = left, right
    if len(wanted) != len(said) or len(wanted) > MAX_ELEMENTS:
        return False
    ordered = kind not in ("", "{}")
    if ordered and said_kind not in (kind, ""):
        return False
    if not ordered and said_kind not in ("", "{}"):
        ordered = True  # (2, -1) for the list 2, -1: accepted as it stands
        if said_kind != "()":
            return False
    if ordered:
        verdicts = [_decide(ref, claim, algebra, depth + 1) for ref, claim in zip(wanted, said, strict=True)]
        return None if None in verdicts else all(verdicts)
    rest = list(said)
    for ref in sorted(wanted, key=lambda one: one not in rest):
        for index, claim in enumerate(rest):
            verdict = _decide(ref, claim, algebra, depth + 1)
            if verdict is None:
                return None
            if verdict:
                del rest[index]
                break
        else:
            return False
    return True


_POWER = re.compile(r"\^\s*+(?:\{([^{}]*+(?:\{[^{}]*+\}[^{}]*+)*+)\}|(\w))")


def explosive(text: str) -> bool:
    """Would evaluating it be dear whatever it is compared with: towers of powers, huge exponents and factorials?"""
    if len(text) > 1000 or text.count("\\frac") > 24 or text.count("^") > 24:
        return True
    for match in _POWER.finditer(text):
        exponent = match[1] or match[2] or ""
        if "^" in exponent or "!" in exponent or re.search(r"\d{5}", exponent):
            return True
    if re.search(r"\^\s*+\w\s*+\^|\^\s*+\{[^{}]*+\}\s*+\^|\d{4}\s*+!|!\s*+(?:\)\s*+)?!|\d{80}", text):
        return True
    if re.search(r"\\binom\s*\{\s*\d{5}|\\(?:sum|prod|int|lim)(?![a-z])", text):
        return True
    depth = deepest = 0
    for character in text:
        depth += (character in "([{") - (character in ")]}")
        deepest = max(deepest, depth)
    return deepest > 12
