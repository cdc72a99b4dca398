"""One check per kind of constraint: params and a response in, a Verdict out.

A check answers True, False, or None where the reading of the constraint or of the response leaves it open.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal

from rlar.kinds.constraints.check import amounts, forms, patterns, wording
from rlar.kinds.constraints.check.verdict import Verdict
from rlar.types import JsonObject

CHECKS: dict[str, Callable[[JsonObject, str], Verdict]] = {
    "count": amounts.count, "letter_count": amounts.letter_count, "keyword_count": amounts.keyword_count, "include": amounts.include, "exclude": amounts.exclude,
    "no_characters": amounts.no_characters, "characters": amounts.characters, "case": wording.case, "language": wording.language, "starts_with": wording.starts_with,
    "ends_with": wording.ends_with, "quoted": wording.quoted, "postscript": wording.postscript, "title": forms.title, "sections": forms.sections, "parts": forms.parts,
    "paragraph_starts": forms.paragraph_starts, "one_of": forms.one_of, "repeat": forms.repeat, "structured": forms.structured,
    "contains_format": forms.contains_format, "no_format": forms.no_format, "each": patterns.each, "pattern": patterns.pattern,
}  # fmt: skip
"""Kind -> its check; a kind that is missing here cannot be checked."""


Keywords = Literal["whole", "inside"]
"""Whether a keyword is a whole word, or also a part of one (the official IFEval reading)."""


def check(kind: str, params: JsonObject, response: str, keywords: Keywords = "whole") -> Verdict:
    """Whether a response meets one constraint; None for a kind, unit or params that no check understands."""
    function = CHECKS.get(kind)
    if function is None:
        return Verdict(None, f"{kind} is not checkable")
    try:
        return function({**params, "inside": True} if keywords == "inside" else params, response)
    except (KeyError, TypeError, ValueError) as error:
        return Verdict(None, f"unusable params of {kind}: {type(error).__name__}")
