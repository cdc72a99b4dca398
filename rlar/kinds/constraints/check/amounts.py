"""Checks of amounts: units, letters, keywords."""

from __future__ import annotations

import re

from rlar.kinds.constraints.check import text as t
from rlar.kinds.constraints.check.verdict import Verdict, within
from rlar.types import JsonObject

AROUND = 0.3
"""About 300 words are met by 210 to 390."""


def _amount(unit: str, text: str, params: JsonObject) -> int | None:
    match unit:
        case "word":
            return len(t.words(text))
        case "sentence":
            return len(t.sentences(text))
        case "paragraph" | "stanza":
            return len(t.paragraphs(text, str(params.get("separator") or "\n\n")))
        case "line":
            return len(t.lines(text))
        case "bullet":
            return len(t.bullets(text))
        case "numbered":
            return t.numbered_items(text)
        case "character":
            return t.visible_characters(text)
        case "letter":
            return sum(1 for character in text if character.isalpha())
        case "placeholder":
            return t.placeholders(text)
        case "highlight":
            n = t.highlights(text, params.get("style"))
            return max(n, t.underscored(text)) if params.get("style") is None else n
        case "capital_word":
            return t.capital_words(text)
        case "hashtag":
            return t.hashtags(text)
        case "emoji":
            return t.emojis(text)
        case "heading":
            return len(t.headings(text))
        case "question":
            return text.count("?") + text.count("？")
        case "exclamation":
            return text.count("!") + text.count("！")
        case "comma":
            return text.count(",")
        case "link":
            return t.links(text)
        case "item":
            return len(t.bullets(text)) or t.numbered_items(text) or None
        case "digit":
            return sum(1 for character in text if character.isdigit())
    return None


def divide(unit: str, text: str) -> list[str] | None:
    """The units of a text (sentences, paragraphs, lines, bullets or words); None for a unit that is not divided into."""
    match unit:
        case "sentence":
            return t.sentences(text)
        case "paragraph":
            return t.paragraphs(text)
        case "line":
            return t.lines(text)
        case "bullet":
            return t.bullets(text) or [line for line in t.lines(text) if re.match(r"\d+[.)]\s", line)]
        case "word":
            return t.words(text)
    return None


def count(params: JsonObject, text: str) -> Verdict:
    """How many of a unit there are, in the whole text, in each unit (`each`) or in each part between dividers."""
    unit = str(params["unit"])
    each = params.get("each")
    if each is not None:
        divider = params.get("separator")
        pieces = t.split_parts(text, str(divider)) if each == "part" and divider else divide(str(each), text)
        if pieces is None:
            return Verdict(None, f"each {each} is not checkable")
        if not pieces:
            return Verdict(False, f"no {each}")
        alone = {key: value for key, value in params.items() if key in ("unit", "min", "max")}
        verdicts = [count(alone, piece).met for piece in pieces]
        wrong = sum(met is False for met in verdicts)
        if not wrong and None in verdicts:
            return Verdict(None, f"{unit} per {each} is not checkable")
        return Verdict(not wrong, f"{wrong} of {len(pieces)} off" if wrong else "")
    n = _amount(unit, text, params)
    if unit == "sentence" and n is not None and within(n, params) != within(n - t.fragments(text), params):
        return Verdict(None, f"{n} sentences, {t.fragments(text)} of them a bare word")
    if n is None and unit in ("section", "part"):
        return _loose_sections(params, text)
    if n is None:
        return Verdict(None, f"{unit} is not checkable")
    if unit == "word" and within(n, params) != within(t.joined_words(text), params):
        return Verdict(None, f"{n} words, or {t.joined_words(text)} with hyphens and apostrophes inside words")
    if unit == "paragraph" and "separator" not in params and not within(n, params):
        # Without a word on how paragraphs are set apart, single line breaks will do.
        by_line = len(t.lines(text))
        if within(by_line, params):
            return Verdict(None if n > 1 else True, f"{n} blocks, {by_line} lines")
    return Verdict(within(n, params, slack=AROUND if params.get("around") else 0.0), f"{n}")


def _loose_sections(params: JsonObject, text: str) -> Verdict:
    if not t.words(text):
        return Verdict(False, "no text")
    candidates = {
        len(t.headings(text)),
        len(
            re.findall(
                r"^[^\S\n]*+(?:\*{1,2}[^*\n]{1,80}\*{1,2}:?|[A-Z][\w ]{1,40}:|(?:section|part|chapter)\s+\S{1,6}.{0,60})[^\S\n]*+$",
                text,
                re.MULTILINE | re.IGNORECASE,
            )
        ),
        len(t.split_parts(text, "***")),
        len(re.findall(r"\b(?:section|part)\s+(?:\d+|[ivx]+)\b", text, re.IGNORECASE)),
    }
    hits = [n for n in candidates if n > 0]
    if any(within(n, params) for n in hits):
        return Verdict(True)
    blocks = len(t.paragraphs(text))
    return Verdict(
        False if blocks < int(params.get("min", 1)) else None, f"{sorted(hits)} sections by different readings"
    )


def letter_count(params: JsonObject, text: str) -> Verdict:
    """How often one character occurs, upper or lower case."""
    n = text.lower().count(str(params["letter"]).lower())
    return Verdict(within(n, params), f"{n} x {params['letter']}")


def keyword_count(params: JsonObject, text: str) -> Verdict:
    """How often a word or phrase occurs; open where the verdict hangs on its other forms."""
    keyword, folded, inside = str(params["keyword"]), t.plain(text), bool(params.get("inside"))
    n = t.occurrences(keyword, folded, inside=inside)
    forms = 0 if inside else t.inflections(keyword, folded)
    loosely = within(t.occurrences(keyword, folded, inside=True), params)
    if within(n, params) != within(n + forms, params) == loosely:
        return Verdict(None, f"{n} x {keyword}, {forms} more in other forms of the word")
    return Verdict(within(n, params), f"{n} x {keyword}")


def include(params: JsonObject, text: str) -> Verdict:
    """Whether all phrases (or any, with `any`) occur; open where one does in another form of the word only."""
    folded, inside = t.plain(text), bool(params.get("inside"))
    missing = [p for p in params["phrases"] if not t.occurrences(str(p), folded, inside=inside)]
    if params.get("any") and len(missing) < len(params["phrases"]):
        return Verdict(True)
    inflected = [] if inside else [p for p in missing if t.inflections(str(p), folded)]
    if inflected and (params.get("any") or len(inflected) == len(missing)):
        return Verdict(None, f"{inflected[0]} only in another form of the word")
    if params.get("any"):
        return Verdict(False, "none of " + ", ".join(params["phrases"]))
    return Verdict(not missing, "missing " + ", ".join(missing) if missing else "")


def exclude(params: JsonObject, text: str) -> Verdict:
    """Whether none of the phrases occurs as whole words."""
    folded = t.plain(text)
    present = [p for p in params["phrases"] if t.occurrences(str(p), folded)]
    return Verdict(not present, "has " + ", ".join(present) if present else "")


def no_characters(params: JsonObject, text: str) -> Verdict:
    """Whether none of the characters occurs."""
    present = [c for c in str(params["characters"]) if c in text]
    return Verdict(not present, f"has {present[0]!r}" if present else "")


def characters(params: JsonObject, text: str) -> Verdict:
    """Whether the characters occur at least `min` times together (1 by default)."""
    n = sum(text.count(c) for c in str(params["characters"]))
    return Verdict(n >= int(params.get("min", 1)), f"{n}")
