"""How close is a free text to the reference's, in content?

Character n-grams (chrF), the longest common word sequence (ROUGE-L) and the overlap of content words, averaged and taken
above what unrelated texts share. Numbers of the reference that are missing, text that is only pasted from the prompt,
padding and repetition cost. Overlap with one reference is a weak view of quality; it says little about style.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import ClassVar

from rapidfuzz.distance import LCSseq

from rlar.kinds.prose.overlap import (
    MAX_COMPARED,
    chrf,
    folded,
    length_fit,
    mostly_unspaced,
    numbers,
    repetition,
    words,
)
from rlar.text.answers import body, refuses, visible_answer
from rlar.tool import LibraryTool
from rlar.types import AnswerKind, Sample, Score, abstain, ok

MAX_WORDS = 1500
MIN_REFERENCE_WORDS = 5
CHANCE = 0.16
CHANCE_UNSPACED = 0.10
"""Closeness of unrelated texts of one language: about the 90th and the 95th percentile of shuffled references."""


def rouge_l(said: Sequence[str], wanted: Sequence[str]) -> float:
    """F1 of the longest common subsequence of words."""
    if not said or not wanted:
        return 0.0
    return 2.0 * float(LCSseq.similarity(said, wanted)) / (len(said) + len(wanted))


def content_overlap(said: Sequence[str], wanted: Sequence[str]) -> float:
    """F1 over words, each weighted by its length in characters above two: function words are short in most languages."""
    mine, theirs = Counter(said), Counter(wanted)

    def weight(bag: Counter[str]) -> float:
        return sum(count * max(0.2, len(word) - 2.0 if word.isascii() else len(word)) for word, count in bag.items())

    total = weight(mine) + weight(theirs)
    return 2.0 * weight(mine & theirs) / total if total else 0.0


def closeness(text: str, reference: str) -> float:
    """Mean of the three views, in [0, 1]; both texts folded."""
    said, wanted = words(text)[:MAX_WORDS], words(reference)[:MAX_WORDS]
    return (
        chrf(text[:MAX_COMPARED], reference[:MAX_COMPARED]) + rouge_l(said, wanted) + content_overlap(said, wanted)
    ) / 3.0


def above_chance(value: float, reference: str) -> float:
    chance = CHANCE_UNSPACED if mostly_unspaced(reference) else CHANCE
    return max(0.0, (value - chance) / (1.0 - chance))


def pasted(said: Sequence[str], prompt: Sequence[str], wanted: Sequence[str], *, size: int = 5) -> float:
    """Share of the text's word n-grams that stand in the prompt but not in the reference."""
    grams = [tuple(said[at : at + size]) for at in range(len(said) - size + 1)]
    if not grams:
        return 0.0
    source = {tuple(prompt[at : at + size]) for at in range(len(prompt) - size + 1)}
    source -= {tuple(wanted[at : at + size]) for at in range(len(wanted) - size + 1)}
    return sum(gram in source for gram in grams) / len(grams)


def missing_numbers(text: str, reference: str) -> float:
    """Share of the reference's numbers that the text lacks."""
    wanted = numbers(reference)
    total = sum(wanted.values())
    return 1.0 - sum((wanted & numbers(text)).values()) / total if total else 0.0


class LongTextQuality(LibraryTool):
    """Graded closeness of content to the nearest reference, in [0, 1]."""

    name = "long_text"
    answer_kinds: ClassVar[frozenset[AnswerKind]] = frozenset({AnswerKind.LONG_TEXT})
    role = "quality"
    runs = "pool"
    summary = "chrF, ROUGE-L and content words against the reference; padding, pasting the prompt and loops cost"

    def score_one(self, sample: Sample) -> Score:
        references = [
            one for one in sample.references or ((sample.reference,) if sample.reference else ()) if one.strip()
        ]
        if not references or max(len(words(one)) for one in references) < MIN_REFERENCE_WORDS:
            return abstain("no reference long enough to be compared with")
        raw = body(visible_answer(sample.completion, sample.prompt))
        text = folded(raw)
        if not any(character.isalnum() for character in text):
            return ok(0.0, "no text")
        if refuses(raw) and not any(refuses(one) for one in references):
            return ok(0.0, "a refusal")
        said, prompt = words(text), words(folded(sample.prompt[:100_000]))
        best = max(self._against(text, said, folded(one), prompt) for one in references[:8])
        return ok(best, "closeness to the reference")

    def _against(self, text: str, said: list[str], reference: str, prompt: list[str]) -> float:
        wanted = words(reference)
        value = above_chance(closeness(text, reference), reference) * length_fit(text, reference)
        value *= 1.0 - 0.8 * pasted(said, prompt, wanted)
        value *= 1.0 - 0.3 * missing_numbers(text, reference)
        value *= 1.0 - max(0.0, repetition(said) - repetition(wanted) - 0.1)
        return min(1.0, max(0.0, value))
