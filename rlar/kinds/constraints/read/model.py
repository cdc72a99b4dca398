"""One verifiable constraint read from a prompt, and the list of kinds that exist."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from rlar.types import Frozen, JsonObject


class Constraint(Frozen):
    """One thing that the prompt asks of the response and that code can check."""

    kind: str
    """A key of KINDS."""
    params: JsonObject = Field(default_factory=dict)
    quote: str = ""
    """The words it was read from."""
    strength: Literal["hard", "soft"] = "hard"
    """hard: an explicit instruction about the form of the response, which decides right or wrong.
    soft: a mild or approximate mention ("a short list", "a 500-word essay", "give me 5 ideas"): never decides."""
    confidence: float = 1.0
    """In [0, 1]: how sure the parser is of this reading; under 0.5 nobody should decide by it."""


KINDS: dict[str, str] = {
    "count": "how many of a unit: {unit, min?, max?, around?, separator?, each?}",
    "letter_count": "how often one character occurs: {letter, min?, max?, cased?}",
    "keyword_count": "how often one word or phrase occurs: {keyword, min?, max?}",
    "include": "phrases that must occur: {phrases, any?}",
    "exclude": "phrases that must not occur: {phrases}",
    "no_characters": "characters that must not occur: {characters, name}",
    "characters": "characters that must occur: {characters, name, min?}",
    "case": "{case: upper | lower | title | sentence | upper_or_title}",
    "language": "the language of the response: {code}",
    "starts_with": "{phrases}: one of them opens the response",
    "ends_with": "{phrases}: one of them closes the response",
    "quoted": "the whole response stands in quotation marks: {mark}",
    "postscript": "a postscript: {marker}",
    "title": "a title in double angle brackets: {min?}",
    "sections": "sections with a numbered marker: {marker, min?, max?}",
    "parts": "parts divided by a separator: {separator, min?, max?, distinct?}",
    "paragraph_starts": "the n-th paragraph's first word: {paragraph, word, paragraphs?}",
    "one_of": "the response is, or contains, one of the options: {options, exact?}",
    "repeat": "the response opens with the request itself: {text, shortest}",
    "structured": "the whole response is one document: {format: json | xml | yaml | html | csv | code | python ..., keys?}",
    "contains_format": "a markdown element occurs: {element: table | code | heading | numbered_list | bullet_list | link}",
    "no_format": "a markdown element does not occur: {element: table | code | heading | numbered_list | bullet_list | markdown}",
    "each": "every part starts or ends alike: {unit, starts?, ends?}",
    "pattern": "a word-level property of the whole text: {name: unique_words | alliteration | palindrome | no_space ...}",
    "unsupported": "hard: a demand on the form that nothing here can check; soft: a tone, style or audience: {about}",
}
"""Kind -> what it says and the params it carries. Bounds are inclusive."""
