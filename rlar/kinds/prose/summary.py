"""How good is a summary, against a reference summary and the passage?

Closeness to the reference (chrF++, rlar.kinds.prose.overlap) times faithfulness to the passage: phrases, and above all
numbers and names, that neither the passage nor the reference holds cost. An extract may be a good summary, and people rate
faithful extracts highly, so copying as such costs nothing; what costs is to copy (nearly) the whole passage, to run on
beyond three times the reference's length, and to loop.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from itertools import pairwise
from typing import ClassVar

from rlar.kinds.prose.demands import read_demands
from rlar.kinds.prose.overlap import above_chance, chrf, folded, length_fit, loops, numbers, words, written_references
from rlar.text.answers import body, visible_answer
from rlar.tool import LibraryTool
from rlar.types import AnswerKind, Sample, Score, abstain, ok

MAX_PASSAGE = 60_000
_NAME = re.compile(r"(?<=[\w,;:)\"'] )[^\W\d_a-zß-öø-ÿ][^\W\d_]{2,}")
"""Capitalised words inside a sentence (scripts without capitals have none)."""


def unsupported_facts(text: str, sources: Sequence[str]) -> float:
    """Share of the numbers and names in a text that no source holds."""
    mine = {*numbers(text), *(name.lower() for name in _NAME.findall(text))}
    if not mine:
        return 0.0
    known = {fact for source in sources for fact in (*numbers(source), *words(source))}
    return sum(not (fact in known or fact.removesuffix("s") in known) for fact in mine) / len(mine)


def supported(said: Sequence[str], sources: Sequence[Sequence[str]]) -> float:
    """Share of the text's pairs of neighbouring words that stand in a source, too."""
    mine = list(pairwise(said))
    if not mine:
        return 1.0
    known = {pair for source in sources for pair in pairwise(source)}
    return sum(pair in known for pair in mine) / len(mine)


def covered(said: Sequence[str], passage: Sequence[str]) -> float:
    """Share of the passage's words that the text has, too, each as often: 1 when it is copied whole, in any order."""
    return sum((Counter(said) & Counter(passage)).values()) / max(1, len(passage))


def compression(said: Sequence[str], wanted: Sequence[str], passage: Sequence[str]) -> float:
    """1.0 for a text that leaves a good part of the passage out, 0.0 for one that copies it, unless the reference does."""
    free = max(0.6, 1.3 * covered(wanted, passage))
    return min(1.0, max(0.0, 1.0 - (covered(said, passage) - free) / 0.25))


class SummaryQuality(LibraryTool):
    """Graded closeness to the reference summary times faithfulness to the passage, in [0, 1]."""

    name = "summary"
    answer_kinds: ClassVar[frozenset[AnswerKind]] = frozenset({AnswerKind.SUMMARY})
    role = "quality"
    runs = "pool"
    summary = "chrF++ against the reference, faithfulness to the passage; copying the whole passage and loops lose"

    def score_one(self, sample: Sample) -> Score:
        """Closeness to the nearest reference times faithfulness to the passage, in [0, 1], less what unmet demands cost.

        Abstains without a reference, and where the prompt demands of the form what no rule reads.
        """
        references = written_references(sample)
        if not references:
            return abstain("no reference summary")
        raw = body(visible_answer(sample.answer, sample.prompt))
        text = folded(raw)
        if not any(character.isalnum() for character in text):
            return ok(0.0, "no text")
        bound = sample.binding.get("passage")
        passage = folded((bound if isinstance(bound, str) and bound.strip() else sample.prompt)[:MAX_PASSAGE])
        best = max(self._against(raw, text, folded(one), passage) for one in references)
        score = ok(best, "closeness to the reference, faithfulness to the passage")
        demands = read_demands(sample.prompt, bound if isinstance(bound, str) else "")
        return demands.apply(score, raw, references, flag=self.spec.params.get("partial") == "flag")

    def _against(self, raw: str, text: str, reference: str, passage: str) -> float:
        tokens, wanted, source = words(text), words(reference), words(passage)
        value = above_chance(chrf(text, reference), reference) * length_fit(text, reference, free=3.0)
        value *= 1.0 - loops(tokens, wanted)
        # A prompt that only names what to sum up has nothing to be faithful to.
        if len(source) > 1.5 * len(wanted):
            value *= 0.6 + 0.4 * supported(tokens, (source, wanted))
            value *= 1.0 - 0.5 * unsupported_facts(raw, (passage, reference))
            value *= compression(tokens, wanted, source)
        return value
