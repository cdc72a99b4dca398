"""Mathematical answers as text: one spelling for what LaTeX spells in many ways, and what can be decided from it.

`decide` answers without a computer algebra system: equal texts, numbers, words, lists, tuples, sets, intervals, units,
number bases. It says None where only algebra can tell.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from fractions import Fraction
from functools import lru_cache

from rlar.kinds.math.regions import Region, region_of
from rlar.kinds.number import Number, compare_numbers, read_reference
from rlar.kinds.units import ratio, read_unit
from rlar.text.answers import tidy

Algebra = Callable[[str, str], bool | None]
"""reference, claim -> equal? None when the reference cannot be read."""

MAX_ELEMENTS = 32

_UNICODE = str.maketrans({
    "π": r"\pi ", "∞": r"\infty ", "≤": r"\le ", "≥": r"\ge ", "⩽": r"\le ", "⩾": r"\ge ", "≠": r"\ne ", "×": r"\times ",
    "·": r"\cdot ", "−": "-", "–": "-", "∪": r"\cup ", "∩": r"\cap ", "∈": r"\in ", "±": r"\pm ", "θ": r"\theta ",
    "α": r"\alpha ", "β": r"\beta ", "γ": r"\gamma ", "λ": r"\lambda ", "ℝ": r"\mathbb{R}", "∅": r"\emptyset ", "÷": "/",
    "²": "^2", "³": "^3", "⁴": "^4", "°": r"\degree ", "≈": r"\approx ", "（": "(", "）": ")", "，": ",", "√": r"\sqrt ",
})  # fmt: skip
_SPACING = re.compile(
    r"\\(?:left|right|displaystyle|textstyle|big|Big|bigg|Bigg|limits|quad|qquad|phantom)(?![a-zA-Z])|(?<!\\)\\[,;:! ]|~|\\hspace\{[^{}]*\}"
)
_DEGREE = re.compile(r"\^\s*+(?:\{\s*+)?\\circ\s*+\}?|\\degree(?![a-zA-Z])|(?<=\d)\s*degrees?\b")
_UNIT = re.compile(
    r"(?<=[\d}\)a-z])((?:\\?\s)*+)\\(?:text|mathrm|textrm|mbox|hbox|textit|rm)\s*+\{\s*+([^\W\d_][^{}\\$=<>+*]*)\}((?:\s*+\^\s*+(?:\{\s*+)?-?\d\s*+\}?)?)"
)
_JOINING = frozenset(
    [
        "and",
        "or",
        "und",
        "oder",
        "et",
        "ou",
        "y",
        "o",
        "e",
        "и",
        "или",
        "和",
        "或",
        "if",
        "for",
        "when",
        "where",
        "with",
        "to",
        "by",
    ]
)
_PLAIN_UNIT = re.compile(
    r"(?:(?<=[\d}\)])|(?<=\\pi)(?=\s+[a-z]{2}))\s*+(?:(?<=\s)|(?=°|mm|cm|km|kg|ml))((?:[a-zA-Z°.]{1,12}|[\u3040-\u9fff]{1,6})(?:[ /^][a-zA-Z0-9.{}²³^]{1,12}){0,3})$"
)
_NOUN = re.compile(r"[a-z]{3,16}(?: [a-z]{3,16}){0,2}|[ap]\.?m\.?")
_NO_NOUN = re.compile(
    r"\b(?:sqrt|sin|cos|tan|cot|sec|csc|log|exp|pi|mod|and|or|to|if|for|the|infty|infinity|max|min|base)\b"
)
_TEMPERATURE = re.compile(
    r"(?:\^\s*+(?:\{\s*+)?\\circ\s*+\}?|\\degree\s*+)\s*+(?:\\(?:text|mathrm)\s*+\{\s*+)?([CF])(?![a-zA-Z])\s*+\}?"
)
_COLON = re.compile(r"\s*(?:\{\s*:\s*\}|\\colon(?![a-zA-Z]))\s*")
_TEXT = re.compile(
    r"\\(?:text|textbf|textit|textrm|mathrm|mathbf|mathit|mathsf|mbox|hbox|operatorname|boldsymbol|bf|rm)\s*\{([^{}]*)\}"
)
_FRACTION = re.compile(r"\\[dtc]frac(?![a-zA-Z])")
_SHORT_FRACTION = re.compile(r"\\frac\s*(?:(\d)\s*(\d)|(\d)\s*(\{)|(\{[^{}]*\})\s*(\d|[a-z](?![a-z])))")
_SHORT_ROOT = re.compile(r"\\sqrt\s*(\d+|[a-zA-Z])(?![a-zA-Z{])")
_ROUND_ROOT = re.compile(r"\\sqrt ?\(([^(){}]{1,40})\)")
_PLAIN_ROOT = re.compile(r"(?<![a-zA-Z\\])sqrt\s*\(([^()]*)\)|(?<![a-zA-Z\\])sqrt\s*(\d+)")
_PLAIN_FUNCTION = re.compile(r"(?<![a-zA-Z\\])(sin|cos|tan|log|ln|pi|infty|exp)(?![a-zA-Z])")
_ONE_CHARACTER = re.compile(r"([\^_])\{\s*([\w])\s*\}")
_RELATIONS = (
    (r"\\leqslant|\\leq|\\le(?![a-z])|<=", r"\\le "),
    (r"\\geqslant|\\geq|\\ge(?![a-z])|>=", r"\\ge "),
    (r"\\neq", r"\\ne "),
)
_MATRIX = re.compile(r"\\(begin|end)\{[bpvB]?matrix\}|\\(begin|end)\{(?:small)?(?:array)\}(?:\{[lcr|]*\})?")
_COMMAND_SPACE = re.compile(r"(\\[a-zA-Z]+)\s+(?=[a-zA-Z])|(\d)\s+(?=\d)|\s+")


@lru_cache(maxsize=16384)
def canonical(text: str) -> str:
    """One spelling of a LaTeX or plain expression; still LaTeX that a grammar can read."""
    text = tidy(text).translate(_UNICODE)
    text = text.replace("\\$", "").replace("{,}", ",").replace("$", "").replace("\\\\%", "%").replace("\\%", "%")
    text = text.replace("**", "^").replace("\\{", "\\lbrace ").replace("\\}", "\\rbrace ")
    text = _SPACING.sub("", text)
    text = text.replace("\\lbrace", "\\{").replace("\\rbrace", "\\}")
    text = _COLON.sub(":", text) if ":" in text or "\\colon" in text else text
    if "\\circ" in text or "\\degree" in text:
        text = _TEMPERATURE.sub(lambda match: "\\unit{°" + match[1].lower() + "}", text)
    text = _UNIT.sub(_marked_unit, _DEGREE.sub("", text))
    text = _TEXT.sub(r" \1 ", text)
    text = _FRACTION.sub(r"\\frac", text)
    text = _SHORT_FRACTION.sub(_spell_fraction, text)
    text = _ROUND_ROOT.sub(r"\\sqrt{\1}", text)
    text = _PLAIN_ROOT.sub(lambda match: "\\sqrt{" + (match[1] or match[2]) + "}", text)
    text = _SHORT_ROOT.sub(r"\\sqrt{\1}", text)
    text = _PLAIN_FUNCTION.sub(r"\\\1 ", text)
    text = _ONE_CHARACTER.sub(r"\1\2", text)
    for pattern, spelled in _RELATIONS:
        text = re.sub(pattern, spelled, text)
    text = _MATRIX.sub(lambda match: f"\\{match[1] or match[2]}{{pmatrix}}", text)
    text = _PLAIN_UNIT.sub(_plain_unit, re.sub(r"\s+", " ", text).strip())
    while len(text) > 2 and text[0] == "{" and _closes(text) == len(text) - 1:
        text = text[1:-1].strip()
    return tidy(text)


def _marked_unit(match: re.Match[str]) -> str:
    r"""What stands in \\text{} after a value: a word that joins two values, or its unit, kept as \\unit{...}."""
    inside = match[2].strip().rstrip(",").strip()
    words = inside.casefold().split()
    if words in (["i"], ["e"]):
        return inside
    if not words or words[0] in _JOINING or words[-1] in _JOINING:
        return f" {inside} "
    power = re.sub(r"[\s{}]", "", match[3])
    return f"\\unit{{{inside}{power}}}"


def _plain_unit(match: re.Match[str]) -> str:
    """The same for a unit or a noun that ends a text in plain letters: "10 cm", "14 even"."""
    words = match[1].strip()
    if read_unit(words) is not None:
        return f"\\unit{{{words}}}"
    if (
        _NOUN.fullmatch(words)
        and not _NO_NOUN.search(words)
        and match.string[match.start() : match.start() + 1].isspace()
    ):
        return f"\\unit{{{words}}}"
    return f"\\unit{{{words}}}" if words[0] >= "\u3040" else match.group()


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


@lru_cache(maxsize=16384)
def squashed(text: str) -> str:
    """The canonical text without spaces, except where one ends a command or stands between two numbers."""
    return (
        _COMMAND_SPACE.sub(lambda match: f"{match[1] or match[2]} " if match[1] or match[2] else "", text)
        if " " in text
        else text
    )


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
    pieces = [piece.strip() for part in parts for piece in re.split(r"\s(?:and|or)\s|^(?:and|or)\s", part)]
    return [_PLAIN_UNIT.sub(_plain_unit, piece) if piece[-1:].isalpha() else piece for piece in pieces if piece]


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
_RELATION = re.compile(r"\\le(?![a-z])|\\ge(?![a-z])|<|>|\\ne(?![a-z])")
AMBIGUOUS_COMMA = re.compile(r"-?\d{1,9},\d{1,2}")
_NUMERAL = re.compile(r"-?\d{1,3}(?:,\d{3})+(?:\.\d+)?")


_LEFT_SIDE = re.compile(
    r"[A-Za-z]'{0,3}\s?\([^()=]{1,40}\)|[a-zA-Z]'{1,3}|\\frac\s?\{(?:d|\\partial ?)[^{}]{0,8}\}\{(?:d|\\partial ?)[^{}]{1,8}\}.{0,80}|\\(?:int|sum|prod|lim|angle|overline|mathbb\{?P\}?|Pr)(?![a-z]).{0,120}"
    r"|\|[A-Z]{2}\||[A-Z]{2,3}|[a-zA-Z]_\{[^{}]{1,20}\}|m\\angle.{1,12}|\[[^\[\]]{1,12}\]"
)


def without_assignment(text: str) -> str:
    """ "x = 5", "f'(x) = 5", "x \\in [0, 1]" and "(x-1)(x+1) = x^2-1" as what is right of the sign; equations unchanged."""
    if _RELATION.search(text):
        return text
    match = _ASSIGNMENT.match(text)
    if match is not None and "=" not in text[match.end() :]:
        return text[match.end() :]
    left, sign, right = text.rpartition("=")
    left, right = left.strip(), right.strip()
    if not sign or not left or not right:
        return text
    if _LEFT_SIDE.fullmatch(left):
        return right
    # An identity: no unknown stands on the left alone, and something is computed there.
    sides = left.split("=")
    if _variables(sides[-1]) <= _variables(right) and re.search(r"[-+*/^(\\]", sides[-1]) and right != "0":
        return right
    return text


_APPROXIMATELY = re.compile(r"\\(?:approx|simeq|sim)(?![a-zA-Z])")


def exactly(text: str) -> str:
    """Without the decimal that follows an exact value: "2\\sqrt{3} \\approx 3.46"."""
    parts = [part.strip() for part in _APPROXIMATELY.split(text)]
    if len(parts) == 1:
        return text
    values = [part for part in parts if part and not re.fullmatch(r"[a-zA-Z]", part)]
    return values[0] if values else text


def decide(reference: str, claim: str, algebra: Algebra) -> bool | None:
    """Is the claim the reference's value? `algebra` is asked where text cannot tell.

    None where the reference cannot be read, or where the claim may be the same or not: named values without their names
    in another order, a number of other things.
    """
    return _decide(exactly(canonical(reference)), exactly(canonical(claim)), algebra, depth=0)


def _decide(ref: str, claim: str, algebra: Algebra, depth: int) -> bool | None:
    if not claim:
        return False
    if squashed(ref) == squashed(claim):
        return True
    if depth > 3:
        return False
    if (clocks := _same_clock(ref, claim)) != "neither":
        return clocks  # type: ignore[return-value]
    left_region, right_region = region_of(ref), region_of(claim)
    if left_region and right_region and not (left_region.is_plain and right_region.is_plain):  # (1, 2) may be a point
        return _same_region(left_region, right_region, algebra, depth)
    if (named := _same_names(ref, claim, algebra, depth)) != "unnamed":
        return named  # type: ignore[return-value]
    if "=" in claim and "=" not in ref:
        claim = without_assignment(claim)
    if "=" in ref and "=" not in claim:
        ref = without_assignment(ref)
    elif (
        "=" in ref
        and "=" in claim
        and (bare_ref := without_assignment(ref)) != ref
        and (bare_said := without_assignment(claim)) != claim
    ):
        return _decide(bare_ref, bare_said, algebra, depth + 1)
    if "\\in" in claim or "\\in" in ref:
        ref, claim = without_assignment(ref), without_assignment(claim)
    if squashed(ref) == squashed(claim):
        return True
    if (based := _same_in_base(ref, claim)) is not None:
        return based
    if _NUMERAL.fullmatch(ref) and _NUMERAL.fullmatch(claim) and sorted(ref.split(",")) == sorted(claim.split(",")):
        return None  # 300,200,100 for 100,200,300: two numbers, or two lists of the same
    left, right = container(ref), container(claim)
    if AMBIGUOUS_COMMA.fullmatch(ref) and right is None:
        # 2,5 may be two numbers, or two and a half
        claimed, decimal = read_reference(_spoken(claim)), read_reference(ref.replace(",", "."))
        return None if claimed is not None and decimal is not None and compare_numbers(claimed, decimal) else False
    if left is None and right is None and "=" not in ref + claim:
        wanted, got = read_reference(_spoken(ref)), read_reference(_spoken(claim))
        if wanted is not None and got is not None:
            return compare_numbers(got, wanted)
    if left is None and right is None and "\\unit" in ref + claim:
        return _same_quantity(ref, claim, algebra, depth)
    if WORDS_ONLY.fullmatch(ref):
        return _letters(ref) == _letters(claim)
    if left is not None and right is None and _NUMERAL.fullmatch(claim):
        right = ("", claim.split(","))  # 300,200,100 beside a list is a list
    if left and right and "\\cup" not in ref and "matrix" not in ref:
        return _same_elements(left, right, algebra, depth)
    elements = (left or right or ("", []))[1]
    if len(elements) > 1 and not (left and right) and not re.search(r"\\cup|matrix|\\in(?![a-z])", ref + claim):
        return False  # one value against several
    if _variables(ref) != _variables(claim):
        claim = _same_constant(ref, claim)
        if _variables(ref) != _variables(claim):
            return False
    return algebra(ref, claim)


_CONSTANT = re.compile(r"\+\s*([CcKk])(?:_\w)?$|\+\s*(?:\\unit\{)?const(?:ant)?\.?\}?$")


def _same_constant(ref: str, claim: str) -> str:
    """The claim with the reference's name for the constant of integration."""
    constant = _CONSTANT.search(ref)
    return _CONSTANT.sub(lambda _: constant.group(), claim) if constant is not None else claim


def _spoken(text: str) -> str:
    """A canonical text with its units as plain words."""
    return (
        text.replace("\\unit{", " ").replace("}", "")
        if "\\unit{" in text and "\\frac" not in text
        else text.replace("\\unit", "\\text")
    )


def _same_region(left: Region, right: Region, algebra: Algebra, depth: int) -> bool | None:
    """Two unions of intervals and points: the same pieces, in any order."""
    if left.complement != right.complement or len(left.pieces) != len(right.pieces):
        return False
    rest = list(right.pieces)
    for piece in left.pieces:
        for index, other in enumerate(rest):
            if piece.brackets != other.brackets:
                continue
            ends = [
                _decide(one, two, algebra, depth + 1) for one, two in ((piece.low, other.low), (piece.high, other.high))
            ]
            if None in ends:
                return None
            if all(ends):
                del rest[index]
                break
        else:
            return False
    return True


_CLOCK = re.compile(
    r"(\d{1,2})(?::([0-5]\d))?(?::([0-5]\d))? ?(?:\\unit\{)? ?(?:([aApP])\.? ?[mM]\.?|(?:o'?clock|h|uhr|Uhr)|(noon|midnight))? ?\}?"
)
_RATIO = re.compile(r"\d{1,9}(?:\.\d{1,9})?(?: ?(?::|\bto\b) ?\d{1,9}(?:\.\d{1,9})?)+")


def _same_clock(ref: str, claim: str) -> bool | str | None:
    """Two times of day, or two ratios; "neither" where the texts are something else."""
    claim = re.sub(r"^(?:at|bei|um|a las)\s+", "", claim)
    left, right = _clock(ref), _clock(claim)
    if left is not None and right is not None:
        (wanted, half), (got, said_half) = left, right
        if (half and said_half) or not half:
            # 7:45 is met by 7:45 p.m. too: which half of the day it is goes without saying.
            return wanted == got if half else got == wanted or (bool(said_half) and (got - wanted) % 43200 == 0)
        # "9:00" is nine in the morning; for nine in the evening it leaves the half open.
        return True if wanted == got else None if (wanted - got) % 43200 == 0 else False
    if _RATIO.fullmatch(ref) and _RATIO.fullmatch(claim):
        wanted_terms, got_terms = (
            [Fraction(term) for term in re.split(r" ?(?::|\bto\b) ?", text)] for text in (ref, claim)
        )
        if len(wanted_terms) != len(got_terms):
            return False
        return all(a * got_terms[0] == b * wanted_terms[0] for a, b in zip(wanted_terms, got_terms, strict=True))
    return "neither"


def _clock(text: str) -> tuple[int, str] | None:
    """Seconds since midnight, and "a" or "p" where the text says which half of the day; None for no time of day."""
    if text in ("noon", "midnight"):
        return (43200, "p") if text == "noon" else (0, "a")
    match = _CLOCK.fullmatch(text)
    if match is None or not (match[2] or match[4] or match[5]) or int(match[1]) > 24:
        return None
    hours, half = int(match[1]), (match[4] or {"noon": "p", "midnight": "a"}.get(match[5] or "", "")).lower()
    if half:
        hours = hours % 12 + 12 * (half == "p")
    elif hours > 12:
        half = "p"
    return (hours % 24) * 3600 + int(match[2] or 0) * 60 + int(match[3] or 0), half


_NAMED = re.compile(
    r"(?P<name>\\?[a-zA-Z]+(?:_(?:\w|\{\w{1,4}\}))?'?|[a-zA-Z]\(-?\w{1,4}\)|\\angle\s?\w+|[A-Za-z]{2,20}(?: [a-z]{2,20}){0,3})\s*(?:=|:|\bis\b)\s*(?P<value>[^=:<>]+)"
)
_TUPLE_OF_NAMES = re.compile(r"\(([^()=]{1,60})\)\s*=\s*([(\[].{1,300}[)\]])")
_COUNTED = re.compile(r"(?P<value>.+?)\s*\\unit\{(?P<name>[^{}]{3,40})\}")


def _names(text: str) -> list[tuple[str, str]] | None:
    """("x", "1"), ("y", "2") of "x=1, y=2", of "(x,y)=(1,2)" and of "1 boy and 2 girls"; None where not every part has a name."""
    if match := _TUPLE_OF_NAMES.fullmatch(text):
        names, values = split(match[1]), split(match[2][1:-1])
        return list(zip(names, values, strict=True)) if len(names) == len(values) > 1 else None
    if "=" not in text and "\\unit" not in text and ":" not in text:
        return None
    inside = text[1:-1] if text[:1] == "(" and _closes(text) == len(text) - 1 else text
    parts = split(inside)
    if len(parts) < 2 or len(parts) > MAX_ELEMENTS:
        return None
    matches = [_NAMED.fullmatch(part) for part in parts]
    if not all(matches):
        matches = [_COUNTED.fullmatch(part) for part in parts]
        if not all(match is not None and read_unit(match["name"]) is None for match in matches):
            return None
    return [(re.sub(r"[\s{}]", "", match["name"]), match["value"].strip()) for match in matches if match is not None]


def _same_names(ref: str, claim: str, algebra: Algebra, depth: int) -> bool | str | None:
    """Named values: each name has its value, in any order. "unnamed" where names decide nothing."""
    wanted, got = _names(ref), _names(claim)
    if wanted is None and got is None:
        return "unnamed"

    def agree(pairs: Sequence[tuple[str, str]]) -> bool | None:
        verdicts = [_decide(one, other, algebra, depth + 1) for one, other in pairs]
        return False if False in verdicts else None if None in verdicts else True

    def roots(pairs: list[tuple[str, str]]) -> bool:
        return len({name.split("_")[0] for name, _ in pairs}) == 1 and len(pairs) > 1

    def values(pairs: list[tuple[str, str]]) -> tuple[str, list[str]]:
        return "", [value for _, value in pairs]

    if wanted is not None and got is not None:
        if roots(wanted) and roots(got):
            return _same_elements(values(wanted), values(got), algebra, depth)
        if len(wanted) != len(got):
            return False
        by_name, said_by_name = dict(wanted), dict(got)
        if len(by_name) == len(wanted) and len(said_by_name) == len(got):
            if set(by_name) != set(said_by_name):
                return agree([(one, other) for (_, one), (_, other) in zip(wanted, got, strict=True)])
            return agree([(value, said_by_name[name]) for name, value in wanted])
        groups, said_groups = _solutions(wanted), _solutions(got)
        if groups is None or said_groups is None or len(groups) != len(said_groups):
            return None
        return _same_elements(("", groups), ("", said_groups), algebra, depth)
    pairs, other = (wanted, claim) if wanted is not None else (got or [], ref)
    if roots(pairs):
        several = container(without_assignment(other)) or ("", [other])
        sides = (values(pairs), several) if wanted is not None else (several, values(pairs))
        return _same_elements(*sides, algebra, depth)
    listed = container(without_assignment(other))
    if listed is None or len(listed[1]) != len(pairs) or len(dict(pairs)) != len(pairs):
        return "unnamed" if listed is None and wanted is None else False
    orders = [pairs, sorted(pairs)]
    as_given, by_alphabet = (
        agree(
            [
                (value, one) if wanted is not None else (one, value)
                for (_, value), one in zip(order, listed[1], strict=True)
            ]
        )
        for order in orders
    )
    if by_alphabet or (as_given and wanted is not None):
        return True
    if listed[0] in ("()", "[]") and wanted is not None and as_given is False:
        return False
    # In another order: perhaps the right values, perhaps swapped.
    plain = _same_elements(("", [value for _, value in pairs]), ("", listed[1]), algebra, depth)
    return None if plain else plain


def _solutions(pairs: list[tuple[str, str]]) -> list[str] | None:
    """ "x=1,y=2,x=2,y=1" as two solutions, each in the order of its names; None where they do not come in rounds."""
    names = list(dict.fromkeys(name for name, _ in pairs))
    rounds = [sorted(pairs[at : at + len(names)]) for at in range(0, len(pairs), len(names))]
    if any([name for name, _ in one] != sorted(names) for one in rounds):
        return None
    return ["(" + ",".join(value for _, value in one) + ")" for one in rounds]


_UNIT_MARK = re.compile(r"\\unit\{([^{}]*)\} ?(?:and|,)? ?")


def _same_quantity(ref: str, claim: str, algebra: Algebra, depth: int) -> bool | None:
    """Values with units: in the same unit, or in another one of the same kind where both values are numbers."""
    wanted, got = _quantity(ref), _quantity(claim)
    if wanted is None or got is None:
        return None
    if len(wanted) == len(got) == 1:
        (value, unit), (said_value, said_unit) = wanted[0], got[0]
        if not unit or not said_unit:
            return _decide(value, said_value, algebra, depth + 1)
        one, other = read_unit(unit), read_unit(said_unit)
        if one is None or other is None:
            same = _decide(value, said_value, algebra, depth + 1)
            nouns = compare_numbers(
                _NOTHING._replace(noun=said_unit.casefold()), _NOTHING._replace(noun=unit.casefold())
            )
            return False if same is False or nouns is False else None if None in (same, nouns) else True
        conversion = ratio(other, one)
        if conversion is None:
            return False
        if conversion == 1:
            return _decide(value, said_value, algebra, depth + 1)
    total, said_total = _total(wanted), _total(got)
    if total is None or said_total is None:
        return None if len(wanted) > 1 or len(got) > 1 else False
    return compare_numbers(said_total, total)


_NOTHING = Number((Fraction(0),), 0)


def _quantity(text: str) -> list[tuple[str, str]] | None:
    """The values of a text with their units: "5 feet 3 inches" has two; "" for no unit; None where a value is missing."""
    if "\\unit{" not in text:
        return [(text, "")]
    parts: list[tuple[str, str]] = []
    position = 0
    for match in _UNIT_MARK.finditer(text):
        value = text[position : match.start()].strip()
        if not value:
            return None
        parts.append((value, match[1]))
        position = match.end()
    return parts if position == len(text) else None


def _total(parts: list[tuple[str, str]]) -> Number | None:
    """The sum of quantities of one dimension, in the first one's unit; None where it cannot be told."""
    first = read_unit(parts[0][1])
    if len(parts) == 1 and not parts[0][1]:
        return read_reference(parts[0][0])
    if first is None:
        return None
    total = Fraction(0)
    for value, name in parts:
        number, unit = read_reference(value), read_unit(name)
        conversion = ratio(unit, first) if unit is not None else None
        if number is None or conversion is None or not number.values:
            return None
        total += number.values[0] * conversion
    return Number((total,), 0, first)


_NOT_VARIABLES = re.compile(
    r"\\(?!alpha|beta|gamma|delta|theta|lambda|mu|omega|phi|rho|sigma|varphi)[a-zA-Z]+|[^a-zA-Z\\]"
)


def _variables(text: str) -> frozenset[str]:
    """The letters of an expression, without commands and the constants e and i."""
    return frozenset(_NOT_VARIABLES.sub("", text)) - {"e", "i", "\\"}


def _letters(text: str) -> str:
    return re.sub(r"[\W_]", "", text).casefold()


def _same_in_base(ref: str, claim: str) -> bool | None:
    """Numbers with a base as subscript; a claim without the subscript is taken in the reference's base."""
    left, right = _BASE.fullmatch(ref.replace(" ", "")), _BASE.fullmatch(claim.replace(" ", ""))
    if left is None or not any(character.isdigit() for character in left[1]):
        return None
    base = left[2] or left[3] or left[4]
    if right is not None:
        return left[1].upper() == right[1].upper() and base == (right[2] or right[3] or right[4])
    bare = re.sub(r"[\s,]|base\w+", "", claim)
    return left[1].upper() == bare.upper() if re.fullmatch(r"\w+", bare) else False


def _same_elements(
    left: tuple[str, list[str]], right: tuple[str, list[str]], algebra: Algebra, depth: int
) -> bool | None:
    (kind, wanted), (said_kind, claims) = left, right
    if len(wanted) != len(claims) or len(wanted) > MAX_ELEMENTS:
        return False
    ordered = kind not in ("", "{}")
    if ordered and said_kind not in (kind, ""):
        return False
    if not ordered and said_kind not in ("", "{}"):
        ordered = True  # (2, -1) for the list 2, -1: accepted as it stands
        if said_kind != "()":
            return False
    if ordered:
        verdicts = [_decide(ref, claim, algebra, depth + 1) for ref, claim in zip(wanted, claims, strict=True)]
        return None if None in verdicts else all(verdicts)
    rest = list(claims)
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
