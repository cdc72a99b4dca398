"""Is an answer broken, whatever was asked? A guard says 0.0, or that it has no objection (abstains); never more.

Broken: nothing visible, the prompt pasted back, a loop, another language than the
prompt's where the prompt asks for none, nothing but words to a judge. Refusals are left alone: a refusal can be right.
"""

from __future__ import annotations

import re
import zlib
from functools import lru_cache
from typing import ClassVar

from rlar.kinds.prose.overlap import folded, repetition, words
from rlar.text.answers import clean, visible_answer, without_prompt
from rlar.text.language import identify
from rlar.text.language_names import LANGUAGE_OF_NAME, UNSPACED_NAMES, canonical_language, easily_confused
from rlar.tool import LibraryTool
from rlar.types import AnswerKind, Sample, Score, abstain, ok
from rlar.visible import is_visible

MIN_WORDS_FOR_LOOPS = 40
MAX_REPEATED = 0.7
"""Share of 4-grams that are copies; long honest texts with refrains stay below 0.5."""
MIN_COMPRESSION = 0.06
"""zlib size over size, of at least 1,500 bytes; prose is at 0.35 to 0.6, tables and code above 0.1."""

_WORD = re.compile(r"[^\W\d_]+(?:-[^\W\d_]+)?")
_CODE = re.compile(r"```.*?(?:```|\Z)|`[^`\n]*`|https?://\S+", re.S)
_ASKS_REPETITION = re.compile(
    r"\b(?:repeat|repetiti|times|refrain|chorus|loop|copy|verbatim|word for word|poem|song|lyrics|ascii|pattern|table|list)",
    re.I,
)
_ASKS_LANGUAGE = re.compile(
    r"translat|language|traduc|traduis|übersetz|перевед|翻译|翻譯|翻訳|번역|\brewrite .{1,40} in\b", re.I
)


@lru_cache(maxsize=4096)
def expected_language(prompt: str) -> str:
    """The language an answer to this prompt is in; "" when the prompt may want another, or it cannot be told."""
    head = prompt[:6000]
    if _ASKS_LANGUAGE.search(head) or any(name in head for name in UNSPACED_NAMES):
        return ""
    if any(word.lower() in LANGUAGE_OF_NAME for word in _WORD.findall(head)):
        return ""
    text = _CODE.sub(" ", head)
    language = identify(text)
    # Both ends must be of the language: a prompt may carry an instruction in one and a text in another.
    end = identify(text[-300:])
    if language.confidence < 0.8 or end.code != language.code or len(_WORD.findall(text)) < 5:
        return ""
    return canonical_language(language.code)


def loops(text: str) -> bool:
    """Does the text go round in circles?"""
    tokens = words(folded(text))
    if len(tokens) < MIN_WORDS_FOR_LOOPS:
        runs = re.search(r"(.{1,20}?)\1{40,}", text[-4000:], re.S)
        return bool(runs) and bool(runs and runs[1].strip(" -=_*#.|\n~+"))
    if repetition(tokens) > MAX_REPEATED or repetition(tokens[-200:]) > 0.85:
        return True
    data = text.encode("utf-8", "replace")
    return len(data) >= 1500 and len(zlib.compress(data, 6)) < MIN_COMPRESSION * len(data)


class Guards(LibraryTool):
    """0.0 for an answer that is broken whatever was asked; abstains otherwise."""

    name = "guards"
    answer_kinds: ClassVar[frozenset[AnswerKind]] = frozenset(
        {AnswerKind.OPEN_ENDED, AnswerKind.LONG_TEXT, AnswerKind.SUMMARY, AnswerKind.CONSTRAINTS}
    )
    role = "guard"
    runs = "pool"
    summary = "0 for empty, looping, echoed or wrong-language answers; no opinion on others"

    def score_one(self, sample: Sample) -> Score:
        """0.0 with the objection to an answer of any task (empty, echoed, a loop, another language); else abstain: never above 0."""
        reason = self._objection(sample)
        return ok(0.0, reason) if reason else abstain("no objection")

    def _objection(self, sample: Sample) -> str:
        text = clean(sample.completion)
        if not any(character.isalnum() for character in text):
            return "nothing but signs" if is_visible(text) else sample.missing or "empty"
        asked_again = bool(_ASKS_REPETITION.search(sample.prompt))
        if not asked_again and not without_prompt(text, sample.prompt).strip():
            return "the prompt, echoed"
        if not visible_answer(sample.completion, sample.prompt) and not asked_again:
            return "nothing but words to a judge"
        if not asked_again and loops(text[:200_000]):
            return "a loop"
        return self._language(sample, text)

    def _language(self, sample: Sample, text: str) -> str:
        named = sample.binding.get("language") or sample.binding.get("target_language")
        wanted = canonical_language(named) if isinstance(named, str) and named else expected_language(sample.prompt)
        body = _CODE.sub(" ", text[:6000])
        if not wanted or sum(character.isalpha() for character in body) < 60:
            return ""
        language = identify(body)
        tail = identify(body[-400:])
        code = canonical_language(language.code)
        if language.confidence >= 0.8 and tail.code == language.code and not easily_confused(code, wanted):
            return f"written in {code}, not {wanted}"
        return ""
