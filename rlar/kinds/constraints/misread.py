"""Demands that readers are known to get wrong, with completions that break the demand but not the misreading.

Leaves out: the probes made of a row's own constraints (rlar.kinds.constraints.probes).
"""

from __future__ import annotations

from typing import NamedTuple

_PLAIN = "The wheel turns slowly. Water runs below it. Nobody is in a hurry today."
"""Has none of the words that are asked for below, and keeps what is kept besides."""


class Misread(NamedTuple):
    """A demand that readers are known to get wrong, and a completion that breaks it but not the misreading."""

    kind: str
    demand: str
    broken: str


MISREAD: tuple[Misread, ...] = (
    Misread("misread_inside_words", 'Include the word "art" in your response.', "Part of the cart is smart. It stands by the wall."),
    Misread("misread_position", 'Put the word "lantern" in the second sentence, as its third word.', f"The lantern is lit. {_PLAIN}"),
    Misread("misread_each", 'Each sentence must contain the word "lantern".', f"The lantern is lit. {_PLAIN}"),
    Misread("misread_part", "Use no commas in the last sentence. Use at least 5 words.", f"{_PLAIN} Grain, flour, bread."),
    Misread("misread_title", "The title must be in capital letters. Write at least 5 words.", f"The quiet mill\n\n{_PLAIN}"),
    Misread("misread_distant_not", 'Include the word "lantern" in a response that does not exceed 90 words.', _PLAIN),
    Misread("misread_at_all", "The word \"lantern\" doesn't appear at all in the response.", f"{_PLAIN} A lantern is lit."),
    Misread("misread_alternative", 'Use the word "lantern" or the word "anvil".', _PLAIN),
    Misread("misread_next_verb", "Include the words lantern, anvil, avoid the word gravel.", f"{_PLAIN} A lantern and an anvil lie in gravel."),
    Misread("misread_rest", "Write exactly 3 sentences. Every sentence must be a question.", _PLAIN),
    Misread("misread_qualifier", "Write three one-word sentences.", _PLAIN),
)  # fmt: skip
"""Written by hand, and asked in prompts of their own: a reader that fails here made its probes from the same misreading."""
