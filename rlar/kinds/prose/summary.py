"""How good is a summary, against a reference summary and the passage?

Closeness to the reference times faithfulness to the passage: numbers and names that neither the passage nor the
reference holds, and content words without support, cost. A summary must compress: the passage pasted, its first
sentences, or a text much longer than the reference loses, unless the reference itself is such an extract.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import ClassVar

from rlar.kinds.prose.long_text import above_chance, closeness, missing_numbers
from rlar.kinds.prose.overlap import folded, length_fit, numbers, repetition, words
from rlar.text.answers import body, refuses, visible_answer
from rlar.tool import LibraryTool
from rlar.types import AnswerKind, Sample, Score, abstain, ok

MAX_PASSAGE = 60_000
_NAME = re.compile(r"(?<=[\w,;:)\"'] )[^\W\d_a-zß-öø-ÿ][^\W\d_]{2,}")
"""Capitalised words inside a sentence (scripts without capitals have none)."""


def unsupported_numbers(text: str, sources: Sequence[str]) -> float:
    """Share of the text's numbers that no source holds."""
    mine = numbers(text)
    if not mine:
        return 0.0
    known = {number for source in sources for number in numbers(source)}
    return sum(number not in known for number in mine) / len(mine)


def unsupported_names(text: str, sources: Sequence[str]) -> float:
    """Share of the names in a text whose word no source holds."""
    mine = {name.lower() for name in _NAME.findall(text)}
    if not mine:
        return 0.0
    known = {word for source in sources for word in words(source)}
    return sum(not (name in known or name.removesuffix("s") in known) for name in mine) / len(mine)


def unsupported_words(said: Sequence[str], known: set[str]) -> float:
    """Share of the longer words that share no five-letter beginning with a word of the sources."""
    longer = [word for word in said if len(word) > 4]
    if not longer:
        return 0.0
    stems = {word[:5] for word in known}
    return sum(word[:5] not in stems for word in longer) / len(longer)


def extracted(said: Sequence[str], passage: Sequence[str], size: int = 8) -> float:
    """Share of the text's word 8-grams that are copied from the passage."""
    if len(said) < size:
        return 0.0
    source = {tuple(passage[at : at + size]) for at in range(len(passage) - size + 1)}
    grams = [tuple(said[at : at + size]) for at in range(len(said) - size + 1)]
    return sum(gram in source for gram in grams) / len(grams)


class SummaryQuality(LibraryTool):
    """Graded closeness to the reference summary times faithfulness to the passage, in [0, 1]."""

    name = "summary"
    answer_kinds: ClassVar[frozenset[AnswerKind]] = frozenset({AnswerKind.SUMMARY})
    role = "quality"
    runs = "pool"
    summary = "closeness to the reference, faithfulness to the passage, compression; copying the passage loses"

    def score_one(self, sample: Sample) -> Score:
        references = [
            one for one in sample.references or ((sample.reference,) if sample.reference else ()) if one.strip()
        ]
        if not references:
            return abstain("no reference summary")
        raw = body(visible_answer(sample.answer, sample.prompt))
        text = folded(raw)
        if not any(character.isalnum() for character in text):
            return ok(0.0, "no text")
        if refuses(raw) and not any(refuses(one) for one in references):
            return ok(0.0, "a refusal")
        bound = sample.binding.get("passage")
        passage = folded((bound if isinstance(bound, str) and bound.strip() else sample.prompt)[:MAX_PASSAGE])
        best = max(self._against(raw, text, one, passage) for one in references[:8])
        return ok(best, "closeness to the reference, faithfulness to the passage")

    def _against(self, raw: str, text: str, raw_reference: str, passage: str) -> float:
        reference = folded(raw_reference)
        said, wanted, source = words(text), words(reference), words(passage)
        value = above_chance(closeness(text, reference), reference) * length_fit(text, reference)
        sources = (passage, reference)
        value *= 1.0 - 0.5 * unsupported_numbers(text, sources)
        value *= 1.0 - 0.4 * unsupported_names(raw, sources)
        value *= 1.0 - 0.3 * unsupported_words(said, {*source, *wanted})
        value *= 1.0 - 0.3 * missing_numbers(text, reference)
        # Extracts may be what is asked for: only what goes beyond the reference's own copying counts.
        value *= 1.0 - 0.7 * max(0.0, extracted(said, source) - extracted(wanted, source))
        if len(source) > 2 * len(wanted) and len(said) > 0.8 * len(source):
            value = 0.0
        value *= 1.0 - max(0.0, repetition(said) - repetition(wanted) - 0.1)
        return min(1.0, max(0.0, value))
