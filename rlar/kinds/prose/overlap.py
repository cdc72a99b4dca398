"""How alike are two texts? The measures that the graded tools share; all in [0, 1], linear or nearly so in the length.

Texts are folded first: one spelling of width, quotes and spacing, no spaces between Chinese or Japanese characters.
"""

from __future__ import annotations

import math
import re
import unicodedata
from collections import Counter
from collections.abc import Sequence
from functools import lru_cache
from typing import NamedTuple

from rapidfuzz.distance import Indel, Levenshtein

from rlar.text.answers import clean

MAX_COMPARED = 6_000
"""Longer texts are compared on their first so many characters, and by their full lengths."""

_CJK = "\u1100-\u11ff\u2e80-\u9fff\uac00-\ud7af\uf900-\ufaff\uff00-\uffef\u3000-\u303f"
_UNSPACED = "\u2e80-\u312f\u3190-\u9fff\uf900-\ufaff\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff"
_DOUBLE_QUOTES = re.compile("[„“”«»‟「」『』《》〈〉]|''|``")
_SINGLE_QUOTES = re.compile("[‘’‚‛`´]")
_SPACE = re.compile(r"\s+")
_CJK_SPACE = re.compile(rf"(?<=[{_CJK}]) | (?=[{_CJK}])")
_AROUND_PUNCTUATION = re.compile(r"(?:(?<!\s)\s++)?([,.;:!?%/\"'()\[\]{}·…–—-])\s*+")
_UNSPACED_CHARACTER = re.compile(rf"[{_UNSPACED}]")
_WORD = re.compile(rf"[{_UNSPACED}]|[^\W_{_UNSPACED}]+")
_TOKEN = re.compile(rf"[{_UNSPACED}]|[^\W_{_UNSPACED}]+|[^\w\s]")
_NUMBER = re.compile(r"\d+(?:[.,'\u00a0 ]\d{3})*(?:[.,]\d+)?")


@lru_cache(maxsize=4096)
def folded(text: str) -> str:
    """One way of writing width, quotes and spaces around punctuation; spaces between CJK characters go."""
    text = unicodedata.normalize("NFKC", clean(text))
    if not text.isascii():
        text = _DOUBLE_QUOTES.sub('"', _SINGLE_QUOTES.sub("'", text))
        text = text.replace("。", ".").replace("、", ",").replace("，", ",")
    text = _SPACE.sub(" ", text).strip()
    text = _CJK_SPACE.sub("", text)
    return _AROUND_PUNCTUATION.sub(r"\1", text)


def words(text: str) -> list[str]:
    return _WORD.findall(text.lower())


def numbers(text: str) -> Counter[str]:
    """The numerals of a text, without separators, so that 1,234.5 and 1.234,5 are one."""
    text = "".join(str(unicodedata.decimal(one)) if not one.isascii() and one.isdecimal() else one for one in text)
    return Counter(re.sub(r"\D", "", one) for one in _NUMBER.findall(text))


class _Chrf:
    """sacrebleu's chrF with beta 1; made once, because importing sacrebleu takes longer than a thousand scores."""

    def __init__(self) -> None:
        from sacrebleu.metrics.chrf import CHRF

        self._metric = CHRF(word_order=0, beta=1, eps_smoothing=True)

    def __call__(self, hypothesis: str, reference: str) -> float:
        return float(self._metric.sentence_score(hypothesis, [reference]).score) / 100.0


@lru_cache(maxsize=1)
def _chrf() -> _Chrf:
    return _Chrf()


def chrf(hypothesis: str, reference: str) -> float:
    """chrF (characters only, beta 1), in [0, 1]."""
    return _chrf()(hypothesis, reference)


class Views(NamedTuple):
    """Similarities in [0, 1] of one text to a reference."""

    edits: float
    word_edits: float
    ngrams: float

    @property
    def mean(self) -> float:
        return (self.edits + self.word_edits + self.ngrams) / 3


def similarity(text: str, reference: str) -> Views:
    """Both texts already folded."""
    a, b = text[:MAX_COMPARED], reference[:MAX_COMPARED]
    tokens_a, tokens_b = _TOKEN.findall(a.lower()), _TOKEN.findall(b.lower())
    return Views(
        edits=float(Indel.normalized_similarity(a, b)),
        word_edits=max(0.0, 1.0 - Levenshtein.distance(tokens_a, tokens_b) / max(1, len(tokens_b))),
        ngrams=chrf(a, b),
    )


CHANCE = 0.24
CHANCE_UNSPACED = 0.08
"""Mean view of two unrelated sentences of one language, for alphabetic and for unspaced scripts: the 95th percentile of
shuffled references in eight pairs of languages (0.22 to 0.27; the mean is 0.16 to 0.21)."""


def above_chance(mean: float, reference: str) -> float:
    """The part of a similarity that unrelated texts do not have, in [0, 1]."""
    chance = CHANCE_UNSPACED if mostly_unspaced(reference) else CHANCE
    return max(0.0, (mean - chance) / (1.0 - chance))


def mostly_unspaced(text: str) -> bool:
    return len(_UNSPACED_CHARACTER.findall(text)) * 2 > sum(character.isalnum() for character in text)


def length_fit(text: str, reference: str) -> float:
    """1.0 for lengths within a factor 1.5, falling with the square of what is beyond."""
    ratio = abs(math.log((len(text) + 4) / (len(reference) + 4)))
    return math.exp(-2.0 * max(0.0, ratio - math.log(1.5)) ** 2 - max(0.0, ratio - math.log(2.0)))


def repetition(found: Sequence[str]) -> float:
    """Share of 4-grams that are copies of an earlier one."""
    grams = [tuple(found[at : at + 4]) for at in range(len(found) - 3)]
    return 1.0 - len(set(grams)) / len(grams) if grams else 0.0
