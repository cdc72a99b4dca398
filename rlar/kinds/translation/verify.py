"""How good is a translation, against one reference and against its source?

chrF++ (rlar.kinds.prose.overlap), on a scale where unrelated texts are worth next to nothing. Then the source has its say:
numbers that the source and the reference agree on must be there, words may not be left untranslated. More than one and a
half times the reference's length and loops cost. Translations that people make or models honestly try hardly ever meet one
of these, so the order is chrF++'s. Texts are compared after folding tokenisation, quotes and width.

0.0 without looking further: nothing, the source copied, another language.
"""

from __future__ import annotations

import re
from functools import reduce
from operator import and_
from typing import Any, ClassVar

from rapidfuzz.distance import Levenshtein

from rlar.kinds.prose.demands import markup, read_demands
from rlar.kinds.prose.overlap import (
    MAX_COMPARED,
    above_chance,
    chrf,
    folded,
    length_fit,
    loops,
    mostly_unspaced,
    numbers,
    words,
    written_references,
)
from rlar.text.answers import body, visible_answer
from rlar.text.language import identify
from rlar.text.language_names import canonical_language, easily_confused
from rlar.tool import LibraryTool
from rlar.types import AnswerKind, Sample, Score, abstain, ok

_KANA = re.compile("[\u3040-\u30ff]")


def copied(text: str, source: str, reference: str) -> bool:
    """Is a text the source, rather than a translation that shares names with it?"""
    tokens, source_tokens = words(text[:MAX_COMPARED]), words(source[:MAX_COMPARED])
    if not tokens or text == reference:
        return False
    to_source = Levenshtein.normalized_similarity(tokens, source_tokens)
    wanted = words(reference[:MAX_COMPARED])
    # A line of names is nearly its own translation: then the reference is near the source as well.
    return to_source > max(
        0.8,
        Levenshtein.normalized_similarity(tokens, wanted),
        0.15 + Levenshtein.normalized_similarity(wanted, source_tokens),
    )


def numbers_kept(text: str, source: str, reference: str) -> float:
    """Share of the numbers that source and reference agree on which the text has too (at least one digit each)."""
    wanted = numbers(source) & numbers(reference) if source else numbers(reference)
    total = sum(wanted.values())
    if not total:
        return 1.0
    return sum((wanted & numbers(text)).values()) / total


def untranslated(text: str, source: str, reference: str) -> float:
    """Share of the text's longer words that stand in the source in lower case but not in the reference."""
    long_words = [word for word in re.findall(r"[^\W\d_]{5,}", text) if word.islower()]
    if not long_words or not source:
        return 0.0
    foreign = set(re.findall(r"[^\W\d_]{5,}", source)) - set(re.findall(r"[^\W\d_]{5,}", reference.lower()))
    return sum(word in foreign for word in long_words) / len(long_words)


def same_language(one: str, other: str) -> bool:
    """Equal codes ("zh-Hant" is "zh"), or languages that an identifier confuses on a sentence."""
    a, b = (canonical_language(re.split("[-_]", code.lower())[0]) for code in (one, other))
    return easily_confused(a, b)


def in_other_language(text: str, target: str, reference: str) -> bool:
    """Is a text surely in another language than wanted? False when it is too short, or the reference looks foreign too."""
    head = text[:800]
    if sum(character.isalpha() for character in head) < (20 if head.isascii() else 8):
        return False
    if mostly_unspaced(head) and mostly_unspaced(reference[:800]):
        # The identifier takes Chinese with Latin punctuation for English.
        return bool(_KANA.search(head)) != bool(_KANA.search(reference[:800])) and len(head) > 20
    guess = identify(text)
    if not guess.code or guess.confidence < 0.6:
        return False
    wanted = target or identify(reference).code
    if not wanted or same_language(guess.code, wanted):
        return False
    expected = identify(reference)
    return same_language(expected.code, wanted) and not same_language(expected.code, guess.code)


class TranslationQuality(LibraryTool):
    """Graded closeness to the reference translation, gated on being a translation at all."""

    name = "translation"
    answer_kinds: ClassVar[frozenset[AnswerKind]] = frozenset({AnswerKind.TRANSLATION})
    role = "quality"
    runs = "pool"
    summary = "chrF++ against the reference; numbers and untranslated words against the source, length and loops"

    def score_one(self, sample: Sample) -> Score:
        """Closeness to the nearest reference, in [0, 1]; 0.0 for a copy of the source or another language.

        Abstains without a reference, and where the prompt demands of the form what no rule reads.
        """
        references = written_references(sample)
        if not references:
            return abstain("no reference translation")
        raw = body(visible_answer(sample.answer, sample.prompt))[: 4 * MAX_COMPARED]
        text = folded(raw)
        source = folded(_text(sample.binding, "source"))
        if not text:
            return ok(0.0, "no translation")
        target = _text(sample.binding, "target_language")
        best, why = max((self._against(raw, text, one, source, target) for one in references), key=lambda pair: pair[0])
        raw_source = _text(sample.binding, "source")
        demands = read_demands(sample.prompt, raw_source)
        broken = ""
        if demands.keeps_markup:
            due = reduce(and_, map(markup, references), markup(raw_source))
            broken = "".join(f"keep {name}" for name in sorted(due - markup(raw))[:1])
        flag = self.spec.params.get("partial") == "flag"
        return demands.apply(ok(best, why), raw, references, flag=flag, broken=broken)

    def _against(self, raw: str, text: str, raw_reference: str, source: str, target: str) -> tuple[float, str]:
        reference = folded(raw_reference)
        if source and copied(text, source, reference):
            return 0.0, "the source is copied"
        plain = chrf(text, reference)
        if plain < 0.5 and in_other_language(raw, target, raw_reference):
            return 0.0, "written in another language"
        value = above_chance(plain, reference) * length_fit(text, reference, free=1.5)
        value *= 0.7 + 0.3 * numbers_kept(text, source, reference)
        value *= 1.0 - 0.5 * untranslated(text, source, reference)
        value *= 1.0 - loops(words(text), words(reference))
        return value, f"chrF++ {plain:.2f}"


def _text(binding: dict[str, Any], key: str) -> str:
    value = binding.get(key)
    return value if isinstance(value, str) else ""
