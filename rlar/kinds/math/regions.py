"""Sets of real numbers as text: inequalities, intervals, set builders and their unions, each as a list of pieces.

Nothing is computed: the ends of a piece are texts, and two regions are compared piece by piece.
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import NamedTuple


class Piece(NamedTuple):
    """An interval between two ends, or a point (both ends the same, in closed brackets)."""

    brackets: str
    low: str
    high: str


class Region(NamedTuple):
    """A union of pieces, in the order of the text; or everything but these points."""

    pieces: tuple[Piece, ...]
    complement: bool = False
    is_plain: bool = False
    """One interval with two finite ends: "(1, 2)" may be a point as well."""


_RELATION = re.compile(r"\\le(?![a-z])|\\ge(?![a-z])|<|>")
_UNEQUAL = re.compile(r"\\ne(?![a-z])")
_FLIPPED = {"<": ">", ">": "<", "\\le": "\\ge", "\\ge": "\\le"}
_VARIABLE = re.compile(r"[a-zA-Z]|\\(?:alpha|beta|gamma|theta|lambda|phi)")
_LETTER = re.compile(r"(?<![a-zA-Z\\])(?![eπ](?![a-zA-Z]))[a-zA-Z](?![a-zA-Z])")
_REALS = re.compile(
    r"(?:\\mathbb\s*\{?\s*R\s*\}?|\\R|ℝ|(?:the )?(?:set of )?(?:all )?(?:the )?real (?:numbers?|values)(?: of [a-z]| [a-z])?|all reals|every real number|R)",
    re.I,
)
_BUILDER = re.compile(
    r"\\\{ ?([a-zA-Z]) ?(?:\\in ?(?:\\mathbb ?\{? ?R ?\}?|R) ?)?(?:\\mid(?![a-z])|\||:|\\vert(?![a-z]))((?:[^\\]|\\(?!\}))+)\\\}"
)
_MEMBER = re.compile(r"\s*[a-zA-Z]\s*(?:\\in(?![a-z])|=|:)\s*")
_JOIN = re.compile(r"\\cup(?![a-z])|\\lor(?![a-z])|\\vee(?![a-z])|\bor\b|\bunion\b|或")
_MEET = re.compile(r"\\land(?![a-z])|\\wedge(?![a-z])|\\cap(?![a-z])|\band\b|且|和")
_WITHOUT = re.compile(
    r"\\setminus(?![a-z])|\\backslash(?![a-z])|\bexcept(?: for)?\b|\bother than\b|(?<=\})\s*-\s*(?=\\\{)"
)
_MAX_PIECES = 8


def interval_of(text: str) -> str | None:
    """An inequality in one variable as an interval: "x \\ge 46" is [46,\\infty), "0 < x \\le 4" is (0,4]."""
    signs = _RELATION.findall(text)
    if not signs or len(signs) > 2:
        return None
    sides = [side.strip() for side in _RELATION.split(text)]
    if not all(sides):
        return None
    if len(sides) == 2:
        if _VARIABLE.fullmatch(sides[1]) and not _VARIABLE.fullmatch(sides[0]):
            sides, signs = sides[::-1], [_FLIPPED[signs[0]]]
        if not _VARIABLE.fullmatch(sides[0]) or _LETTER.search(sides[1]):
            return None
        closed = signs[0] in ("\\le", "\\ge")
        if signs[0] in ("<", "\\le"):
            return "(-\\infty," + sides[1] + ("]" if closed else ")")
        return ("[" if closed else "(") + sides[1] + ",\\infty)"
    low = [sign in ("<", "\\le") for sign in signs]
    if not _VARIABLE.fullmatch(sides[1]) or low[0] != low[1]:
        return None
    if not low[0]:
        sides, signs = sides[::-1], signs[::-1]
    open_, close = ("[" if signs[0] in ("\\le", "\\ge") else "("), ("]" if signs[1] in ("\\le", "\\ge") else ")")
    return f"{open_}{sides[0]},{sides[2]}{close}"


@lru_cache(maxsize=4096)
def region_of(text: str) -> Region | None:
    """The region that a canonical text describes; None for any other text."""
    text = text.strip().strip(".").strip()
    if not re.search(r"\\infty|[<>]|\\[lg]e|\\ne|\\cup|real|\bR\b|\\R|\\in(?![a-z])|^[(\[\]]", text) or len(text) > 400:
        return None
    if match := _BUILDER.fullmatch(text):
        text = match[2].strip()
    text = _MEMBER.sub("", text, count=1) if not _RELATION.search(text) and not _UNEQUAL.search(text) else text
    return _reals(text) or _union(text)


_HALVES = (
    (re.compile(r"(?:\\mathbb ?\{? ?R ?\}?|R)(?:\^\{?\+\}?|_\{?\+\}?|_\{? ?> ?0\}?)|(?:all )?(?:the )?positive (?:reals?|real numbers)", re.I), "()", "0", "\\infty"),
    (re.compile(r"(?:\\mathbb ?\{? ?R ?\}?|R)_\{? ?\\ge ?0\}?|(?:all )?(?:the )?non-?negative (?:reals?|real numbers)", re.I), "[)", "0", "\\infty"),
    (re.compile(r"(?:\\mathbb ?\{? ?R ?\}?|R)(?:\^\{?-\}?|_\{?-\}?|_\{? ?< ?0\}?)|(?:all )?(?:the )?negative (?:reals?|real numbers)", re.I), "()", "-\\infty", "0"),
)  # fmt: skip


def _reals(text: str) -> Region | None:
    for pattern, brackets, low, high in _HALVES:
        if pattern.fullmatch(text):
            return Region((Piece(brackets, low, high),))
    if _REALS.fullmatch(text) or re.fullmatch(r"\(-\\infty\s?[,;]\s?\+?\\infty\s?\)", text):
        return Region((), complement=True)
    parts = _WITHOUT.split(text)
    if len(parts) == 2 and _REALS.fullmatch(parts[0].strip().rstrip(",").strip()):
        points = re.sub(r"^\\\{|\\\}$", "", parts[1].strip()).strip()
        points = _MEMBER.sub("", points, count=1)
        return _without([point.strip() for point in re.split(r",|\band\b", points) if point.strip()])
    if _UNEQUAL.search(text) and not _RELATION.search(text):
        excluded_points: list[str] = []
        for part in re.split(_MEET.pattern + r"|,(?=\s*[a-zA-Z]\s*\\ne)", text):
            sides = [side.strip() for side in _UNEQUAL.split(part)]
            if len(sides) != 2 or not _VARIABLE.fullmatch(sides[0]):
                return None
            excluded_points += [one.strip() for one in sides[1].split(",") if one.strip()]
        return _without(excluded_points)
    return None


def _without(points: list[str]) -> Region | None:
    return Region(tuple(Piece("[]", point, point) for point in points), complement=True) if points else None


def _union(text: str) -> Region | None:
    parts = [part.strip() for part in _JOIN.split(text)]
    if len(parts) == 1 and _RELATION.search(text):
        listed = [part.strip() for part in text.split(",")]
        if len(listed) > 1 and all(_RELATION.search(part) for part in listed):
            # "x < -2, x > 3" lists two parts; "x > 0, x < 4" bounds one.
            return _union(" or ".join(listed)) if _apart(listed) else None
    pieces: list[Piece] = []
    for part in parts[: _MAX_PIECES + 1]:
        part = part.strip(" ,")
        intervals = _pieces(part)
        if intervals is None:
            return None
        pieces += intervals
    if len(pieces) > _MAX_PIECES:
        return None
    if missing := _gaps(pieces):
        return _without(missing)
    plain = len(pieces) == 1 and not _RELATION.search(text) and "\\infty" not in text and text.strip()[0] == "("
    plain = plain and text.strip()[-1] == ")"
    return Region(tuple(pieces), is_plain=plain)


def _gaps(pieces: list[Piece]) -> list[str]:
    r"""The points between open intervals that cover the rest of the line, (-\infty, a), (a, b), (b, \infty); else []."""
    if len(pieces) < 2 or {piece.brackets for piece in pieces} != {"()"}:
        return []
    follows = {piece.low.replace(" ", ""): piece for piece in pieces}
    points: list[str] = []
    piece = follows.get("-\\infty")
    while piece is not None and not _is_high(piece.high) and len(points) < len(pieces):
        points.append(piece.high)
        piece = follows.get(piece.high.replace(" ", ""))
    return points if piece is not None and _is_high(piece.high) and len(points) == len(pieces) - 1 else []


def _is_low(end: str) -> bool:
    return end.replace(" ", "") == "-\\infty"


def _is_high(end: str) -> bool:
    return end.replace(" ", "") in ("\\infty", "+\\infty")


def _apart(parts: list[str]) -> bool:
    """Do two inequalities look away from each other: the upper bound is lower than the lower bound?"""
    intervals = [interval_of(part) for part in parts]
    ends = [_ends(interval) for interval in intervals if interval]
    if len(ends) != len(parts) or None in ends or len(parts) != 2:
        return False
    left, right = sorted((end for end in ends if end), key=lambda piece: not _is_low(piece.low))
    try:
        return _is_low(left.low) and _is_high(right.high) and float(left.high) <= float(right.low)
    except ValueError:
        return False


def _pieces(part: str) -> list[Piece] | None:
    if match := _BUILDER.fullmatch(part):
        part = match[2].strip()
    if not _RELATION.search(part):
        part = _MEMBER.sub("", part, count=1) if "\\in" in part else part
        if match := re.fullmatch(r"\\\{(.+)\\\}", part):
            return [Piece("[]", point.strip(), point.strip()) for point in match[1].split(",")]
        if match := re.fullmatch(r"[a-zA-Z]\s*=\s*(.+)", part):
            return [Piece("[]", match[1].strip(), match[1].strip())]
        piece = _ends(part)
        return [piece] if piece is not None else None
    both = [one.strip() for one in _MEET.split(part)]
    if len(both) == 1:
        interval = interval_of(part)
        piece = _ends(interval) if interval else None
        return [piece] if piece is not None else None
    if len(both) != 2:
        return None
    bounds = [_ends(interval) for one in both if (interval := interval_of(one))]
    if len(bounds) != 2 or None in bounds:
        return None
    below, above = sorted((one for one in bounds if one), key=lambda piece: _is_low(piece.low))
    if _is_high(below.high) and _is_low(above.low):
        return [Piece(below.brackets[0] + above.brackets[1], below.low, above.high)]
    return None


def _ends(text: str) -> Piece | None:
    """An interval in its own notation, also ]0, 1[; None for anything else."""
    text = text.strip()
    if len(text) < 5 or text[0] not in "([]" or text[-1] not in ")[]":
        return None
    inside, depth, cuts = text[1:-1], 0, []
    for at, character in enumerate(inside):
        depth += (character in "([{") - (character in ")]}")
        if character in ",;" and depth == 0:
            cuts.append(at)
    if len(cuts) != 1 or depth:
        return None
    low, high = inside[: cuts[0]].strip(), inside[cuts[0] + 1 :].strip().removeprefix("+").strip()
    opening, closing = text[0].replace("]", "("), text[-1].replace("[", ")")
    return Piece(opening + closing, low.removeprefix("+"), high) if low and high else None
