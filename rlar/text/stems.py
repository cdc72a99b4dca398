"""Pieces of words that must stand in a text before a pattern is worth trying on it."""

from __future__ import annotations


class Stems:
    """A quick no: one of these stands in every text that a slower search would find something in.

    A handful of `in` tests costs a tenth of one regular expression with as many branches. What is not ASCII is only
    looked for in texts that are not.
    """

    __slots__ = ("_all", "_ascii")

    def __init__(self, *stems: str) -> None:
        self._all = stems
        self._ascii = tuple(stem for stem in stems if stem.isascii())

    def stand_in(self, text: str) -> bool:
        """Whether one of them is part of the text, in the case in which it was given."""
        for stem in self._ascii if text.isascii() else self._all:  # noqa: SIM110 (any() takes twice as long)
            if stem in text:
                return True
        return False
