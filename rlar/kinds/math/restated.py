"""Is a claim only the problem's own expression in another spelling, or arithmetic that nobody carried out?

Both are equal to the reference in value, so no algebra can tell; what tells is how they are built.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from functools import lru_cache

Shape = tuple[object, ...]

_TOKEN = re.compile(r"\\[a-zA-Z]+|\\.|\d+(?:\.\d+)?|[^\s]")
_SIGNS_OF_PRODUCT = frozenset((r"\cdot", r"\times", "*", r"\,", r"\;", r"\!"))
_RELATIONS = frozenset(("=", "<", ">", ",", ";", r"\le", r"\ge", r"\ne", r"\in"))
_OPENING, _CLOSING = frozenset(("(", "{", "[")), frozenset((")", "}", "]"))
_MAX_TOKENS = 400
_MAX_DEPTH = 12
_ARITHMETIC = re.compile(
    r"\(?\d+(?:\.\d+)?\)?(?:(?:[-+*]|\\cdot|\\times|\\div|(?=\())\(?-?\d+(?:\.\d+)?\)?|/\d+(?=[-+*\\]))+"
)
_POWER_OF_TEN = re.compile(r"-?\d+(?:\.\d+)?(?:\\cdot|\\times|\*)10")


class _Reader:
    """Reads a squashed expression into nested sums and products whose parts are sorted; signs are left out."""

    def __init__(self, text: str) -> None:
        self._tokens = _TOKEN.findall(text)[:_MAX_TOKENS]
        self._at = 0

    def relation(self) -> Shape:
        sides, signs = [self.sum(0)], []
        while self._at < len(self._tokens):
            signs.append(self._tokens[self._at])
            self._at += 1
            sides.append(self.sum(0))
        return ("relation", *sorted(signs), *sorted(sides, key=repr)) if signs else sides[0]

    def sum(self, depth: int) -> Shape:
        terms: list[Shape] = []
        factors: list[Shape] = []
        inverse = False
        while self._at < len(self._tokens):
            token = self._tokens[self._at]
            if token in _CLOSING or token in _RELATIONS:
                break
            self._at += 1
            if token in ("+", "-"):
                if factors:
                    terms.append(_product(factors))
                factors, inverse = [], False
            elif token in ("/", r"\div"):
                inverse = True
            elif token not in _SIGNS_OF_PRODUCT:
                parts = self._factor(token, depth)
                factors += [("/", part) for part in parts] if inverse else parts
                inverse = False
        if factors:
            terms.append(_product(factors))
        return terms[0] if len(terms) == 1 else ("+", *sorted(terms, key=repr))

    def _factor(self, token: str, depth: int) -> list[Shape]:
        if token == r"\frac":
            top, bottom = self._group(depth), self._group(depth)
            return [*_factors(top), *(("/", part) for part in _factors(bottom))]
        if token in _OPENING and depth < _MAX_DEPTH:
            self._at -= 1
            base = _factors(self._group(depth))
        else:
            base = [(token,)]
        if self._at < len(self._tokens) and self._tokens[self._at] == "^":
            self._at += 1
            exponent = self._group(depth)
            count = str(exponent[0]) if len(exponent) == 1 else ""
            if count in ("2", "3", "4", "5", "6"):
                return base * int(count)
            return [("^", *base, exponent)]
        return base

    def _group(self, depth: int) -> Shape:
        """A bracketed group, or the one token that stands here."""
        if self._at >= len(self._tokens):
            return ("",)
        token = self._tokens[self._at]
        self._at += 1
        if token not in _OPENING or depth >= _MAX_DEPTH:
            return (token,)
        inside = self.sum(depth + 1)
        while self._at < len(self._tokens) and self._tokens[self._at] not in _CLOSING:
            self._at += 1
            inside = (*inside, self.sum(depth + 1))
        self._at += 1
        return inside


def _product(factors: list[Shape]) -> Shape:
    return factors[0] if len(factors) == 1 else ("*", *sorted(factors, key=repr))


def _factors(shape: Shape) -> list[Shape]:
    return [part for part in shape[1:] if isinstance(part, tuple)] if shape[:1] == ("*",) else [shape]


@lru_cache(maxsize=8192)
def shape(text: str) -> Shape:
    r"""How a squashed expression is built: equal for x^2-9 and -9+x\cdot x, for (x-1)(x+1) and (x+1)(x-1).

    Order, signs and the spelling of products and small powers do not count.
    """
    return _Reader(re.sub(r"^[a-zA-Z](?:\([a-zA-Z]\))?=", "", text)).relation()


def restates(claim: str, reference: str, problem: Iterable[str]) -> bool:
    """Is a claim built like an expression of the problem, and not like the reference?"""
    built = shape(claim)
    if len(built) < 2 or built == shape(reference):
        return False
    return any(built == shape(part) for part in problem)


def unfinished(claim: str) -> bool:
    r"""Is a claim a sum or a product of plain numbers ("17\cdot 23"), rather than a number?"""
    return _ARITHMETIC.fullmatch(claim) is not None and _POWER_OF_TEN.fullmatch(claim) is None
