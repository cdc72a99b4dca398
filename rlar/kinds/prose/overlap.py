"""How alike are two texts? The measures that the graded tools share; all in [0, 1], linear or nearly so in the length.

Texts are folded first: one spelling of width, quotes and spacing, no spaces between Chinese or Japanese characters.
"""

from __future__ import annotations

import re
import unicodedata
from collections import Counter
from collections.abc import Sequence
from functools import lru_cache

from rlar.text.answers import clean
from rlar.types import Sample

MAX_COMPARED = 6_000
"""Longer texts are compared on their first so many characters, and by their full lengths."""
MOST_REFERENCES = 8

_CJK = "\u2e80-\u312f\u3190-\u9fff\uf900-\ufaff\uff00-\uffef"
"""Scripts that put no spaces between words; Korean does."""
_UNSPACED = "\u2e80-\u312f\u3190-\u9fff\uf900-\ufaff\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff"
_DOUBLE_QUOTES = re.compile("[„“”«»‟「」『』《》〈〉]|''|``")
_SINGLE_QUOTES = re.compile("[‘’‚‛`´]")
_SPACE = re.compile(r"\s+")
_CJK_SPACE = re.compile(rf"(?<=[{_CJK}]) | (?=[{_CJK}])")
_AROUND_PUNCTUATION = re.compile(r"(?:(?<!\s)\s++)?([,.;:!?%/\"'()\[\]{}·…–—-])\s*+")
_IDEOGRAPHS = "\u2e80-\u2fdf\u3005-\u3007\u3041-\u312f\u3190-\u9fff\uf900-\ufaff"
_IDEOGRAPH = re.compile(rf"[{_IDEOGRAPHS}]")
_OWN_WORD = re.compile(rf"[{_IDEOGRAPHS}]|[^\w\s]")
_UNSPACED_CHARACTER = re.compile(rf"[{_UNSPACED}]")
_WORD = re.compile(rf"[{_UNSPACED}]|[^\W_{_UNSPACED}]+")
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
    """The words of a text in lower case, in order; of scripts without spaces every character is one."""
    return _WORD.findall(text.lower())


def numbers(text: str) -> Counter[str]:
    """The numerals of a text, without separators, so that 1,234.5 and 1.234,5 are one."""
    text = "".join(str(unicodedata.decimal(one)) if not one.isascii() and one.isdecimal() else one for one in text)
    return Counter(re.sub(r"\D", "", one) for one in _NUMBER.findall(text))


class _Chrf:
    """sacrebleu's chrF++; made once, because importing sacrebleu takes longer than a thousand scores."""

    def __init__(self) -> None:
        from sacrebleu.metrics.chrf import CHRF

        self._spaced = CHRF(word_order=2)
        # An ideograph says about what three letters say: of six in a row hardly any are shared by two good translations.
        self._ideographic = CHRF(char_order=3, word_order=2)

    def __call__(self, text: str, reference: str) -> float:
        metric = self._ideographic if mostly_ideographic(reference) else self._spaced
        return float(metric.sentence_score(_tokenised(text), [_tokenised(reference)]).score) / 100.0


@lru_cache(maxsize=1)
def _chrf() -> _Chrf:
    return _Chrf()


def _tokenised(text: str) -> str:
    """A text with spaces around what counts as a word of its own: punctuation, ideographs, kana."""
    return _OWN_WORD.sub(r" \g<0> ", text)


def chrf(text: str, reference: str) -> float:
    """chrF++ (characters up to 6, words up to 2, beta 2: sacrebleu's defaults) of two folded texts, in [0, 1].

    Chinese and Japanese have no spaces: each of their characters counts as a word, and characters count up to 3. That
    ranks translations into Chinese better than chrF and chrF++ of the unsegmented text do (benchmarks/graded.py).
    Only the first MAX_COMPARED characters are compared.
    """
    return _chrf()(text[:MAX_COMPARED], reference[:MAX_COMPARED])


def plain_metric(text: str, references: Sequence[str]) -> float:
    """chrF++ with the nearest reference, in [0, 1]: what every graded tool has to be worth at least."""
    return max((chrf(folded(text), folded(one)) for one in references[:MOST_REFERENCES]), default=0.0)


CHANCE = 0.2
CHANCE_IDEOGRAPHIC = 0.08
"""chrF++ of two unrelated sentences of one language: about the 95th percentile of shuffled references in nine pairs of
languages (0.17 to 0.25)."""
WORTH_OF_CHANCE = 0.05


def above_chance(value: float, reference: str) -> float:
    """A chrF++ on a scale where unrelated texts are worth next to nothing, in [0, 1].

    Strictly rising, so that it ranks as chrF++ does: among weak texts the better one stays the better one.
    """
    chance = CHANCE_IDEOGRAPHIC if mostly_ideographic(reference) else CHANCE
    if value <= chance:
        return WORTH_OF_CHANCE * value / chance
    return WORTH_OF_CHANCE + (1.0 - WORTH_OF_CHANCE) * (value - chance) / (1.0 - chance)


def mostly_ideographic(text: str) -> bool:
    """Whether more than half of the letters and digits are ideographs, kana or bopomofo."""
    return len(_IDEOGRAPH.findall(text)) * 2 > sum(character.isalnum() for character in text)


def mostly_unspaced(text: str) -> bool:
    """Whether more than half of the letters and digits are of scripts that put no spaces between words."""
    return len(_UNSPACED_CHARACTER.findall(text)) * 2 > sum(character.isalnum() for character in text)


def length_fit(text: str, reference: str, free: float) -> float:
    """1.0 up to `free` times the reference's length, then falling as the text grows. Shortness costs by itself."""
    return min(1.0, free * (len(reference) + 8) / (len(text) + 8))


def loops(text: Sequence[str], reference: Sequence[str]) -> float:
    """By how much a text repeats itself more than its reference does and a fifth, in [0, 1]; both as words."""
    return max(0.0, repetition(text) - repetition(reference) - 0.2)


def repetition(found: Sequence[str]) -> float:
    """Share of 4-grams that are copies of an earlier one."""
    grams = [tuple(found[at : at + 4]) for at in range(len(found) - 3)]
    return 1.0 - len(set(grams)) / len(grams) if grams else 0.0


def written_references(sample: Sample) -> list[str]:
    """The references that say something, MOST_REFERENCES at most."""
    known = sample.references or ((sample.reference,) if sample.reference else ())
    return [one for one in known if one.strip()][:MOST_REFERENCES]
