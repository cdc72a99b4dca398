"""How close is a free text to the reference's, in content?

chrF++ (rlar.kinds.prose.overlap), and three ways of raising it without saying more cost: text that is only pasted from the
prompt, loops, and more than twice the reference's length. Overlap with one reference is a weak view of quality; it says
little about style.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

from rlar.kinds.prose.overlap import above_chance, chrf, folded, length_fit, loops, words, written_references
from rlar.text.answers import body, visible_answer
from rlar.tool import LibraryTool
from rlar.types import AnswerKind, Sample, Score, abstain, ok

MIN_REFERENCE_WORDS = 5


def pasted(said: Sequence[str], prompt: Sequence[str], wanted: Sequence[str], *, size: int = 5) -> float:
    """Share of the text's word n-grams that stand in the prompt but not in the reference."""
    grams = [tuple(said[at : at + size]) for at in range(len(said) - size + 1)]
    if not grams:
        return 0.0
    source = {tuple(prompt[at : at + size]) for at in range(len(prompt) - size + 1)}
    source -= {tuple(wanted[at : at + size]) for at in range(len(wanted) - size + 1)}
    return sum(gram in source for gram in grams) / len(grams)


class LongTextQuality(LibraryTool):
    """Graded closeness of content to the nearest reference, in [0, 1]."""

    name = "long_text"
    answer_kinds: ClassVar[frozenset[AnswerKind]] = frozenset({AnswerKind.LONG_TEXT})
    role = "quality"
    runs = "pool"
    summary = "chrF++ against the reference; padding, pasting the prompt and loops cost"

    def score_one(self, sample: Sample) -> Score:
        """Closeness to the nearest reference, in [0, 1]; abstain where none has MIN_REFERENCE_WORDS words."""
        references = written_references(sample)
        if not references or max(len(words(one)) for one in references) < MIN_REFERENCE_WORDS:
            return abstain("no reference long enough to be compared with")
        text = folded(body(visible_answer(sample.completion, sample.prompt)))
        if not any(character.isalnum() for character in text):
            return ok(0.0, "no text")
        tokens, prompt = words(text), words(folded(sample.prompt[:100_000]))
        best = max(self._against(text, tokens, folded(one), prompt) for one in references)
        return ok(best, "closeness to the reference")

    def _against(self, text: str, tokens: list[str], reference: str, prompt: list[str]) -> float:
        wanted = words(reference)
        value = above_chance(chrf(text, reference), reference) * length_fit(text, reference, free=2.0)
        return value * (1.0 - 0.8 * pasted(tokens, prompt, wanted)) * (1.0 - loops(tokens, wanted))
