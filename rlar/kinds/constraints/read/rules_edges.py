"""How the response, its sentences or one of its paragraphs start and end."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from rlar.kinds.constraints.read.items import following_lines, read_items
from rlar.kinds.constraints.read.lexicon import (
    NUMBER,
    ORDINALS,
    number,
)
from rlar.kinds.constraints.read.model import Constraint
from rlar.kinds.constraints.read.reading import FILL, Clause, Doc, constraint_of

_END = r"(?:end(?:s|ing)?|sign(?:s|ing)?[\s-]off|finish(?:es|ing)?|conclud(?:e|es|ing)|clos(?:e|es|ing)|beend\w+|ende[nt]?|abschließen|termin\w+|acab\w+|final(?:iza|izar|ice)|concludi|finisc\w+)"
_START = r"(?:start(?:s|ing)?|begin(?:s|ning)?|open(?:s|ing)?|beginn\w*|fang\w*|empie\w+|empez\w+|comien\w+|comenz\w+|commenc\w+|début\w+|inizi\w+|cominci\w+|comec\w+|começ\w+)"
_PHRASE_LEAD = (
    r"(?:(?:with|by|using|mit|con|par|avec|com|saying|as|reads?|be)\s++)?(?:(?:the|this|these|an?|exact|exactly|following|same|very|single|simple|word|words|phrase|phrases|sentence|sentences|question|line|statement|greeting|text|quote|letter|"
    r"dem|der|den|das|satz|wort|worten|wörtern|la|el|frase|palabra|le|mot|les|mots|expression|saying|of|like|in|message|closing|sign-off|literal|string|that\s++says|which\s++says|exclamation)(?:\s++|(?=\s?:))){0,8}"
)
_END_WITH = re.compile(
    rf"\b{_END}\b(?P<what>[^.;:\"]{{0,50}}?)\b(?:with|by\s++saying|mit|con|par|avec|com|in)\b\s*+{_PHRASE_LEAD}(?P<colon>:?\s*+)(?P<at>(?=[\"'`«「\w{FILL}]))"
)
_START_WITH = re.compile(
    rf"\b{_START}\b(?P<what>[^.;:\"]{{0,50}}?)\b(?:with|by\s++saying|mit|con|par|avec|com)\b\s*+{_PHRASE_LEAD}(?P<colon>:?\s*+)(?P<at>(?=[\"'`«「\w{FILL}]))"
)
_LAST_IS = re.compile(
    rf"\b(?:(?:very\s++)?(?:last|final|closing|ending)\s++(?P<what>word|words|sentence|line|phrase|part|statement|thing|letztes?\s++\w+)|(?:very\s++)?end|letzte[rsn]?\s++(?:wort|satz)|última\s++(?:palabra|frase)|dernier(?:\s++mot|e\s++phrase))\b[^.;:\"]{{0,50}}?\b"
    rf"(?:is|be|are|reads?|say|as|sein|lauten|ser|être|should\s++read|exactly)\b\s*+{_PHRASE_LEAD}(?P<colon>:?\s*+)(?P<at>(?=[\"'`«「\w{FILL}]))"
)
_FIRST_IS = re.compile(
    rf"\b(?:(?:very\s++)?(?:first|opening)\s++(?P<what>word|words|sentence|line|phrase)|erste[rsn]?\s++(?:wort|satz)|primera\s++(?:palabra|frase)|premier\s++mot)\b(?P<of>[^.;:\"]{{0,50}}?)\b"
    rf"(?:is|be|are|reads?|sein|lauten|ser|être)\b\s*+{_PHRASE_LEAD}(?P<colon>:?\s*+)(?P<at>(?=[\"'`«「\w{FILL}]))"
)
_CLOSING_MARK = re.compile(
    r"\b(?:with|in)\s++(?:an?|the)\s++(?P<mark>question(?:\s++mark)?|exclamation\s++(?:mark|point)|period|full\s++stop|colon)(?=[\s.,;!?]|$)(?!\s*+:)"
)
_END_BELOW = re.compile(rf"\b{_END}\b[^.;:\"]{{0,60}}\b(?:with|by\s++saying|mit|con|par|com)\b[^.;\"]{{0,50}}:\s*+$")
_START_BELOW = re.compile(
    rf"\b{_START}\b[^.;:\"]{{0,60}}\b(?:with|by\s++saying|mit|con|par|com)\b[^.;\"]{{0,50}}:\s*+$"
)
_OF_PART = re.compile(
    r"\b(?:each|every|all|paragraphs?|sentences?|lines?|stanzas?|bullets?|sections?|note|postscript|p\ue001|it|them|items?|title|section|words?)\b"
)
_WHOLE = re.compile(
    r"\b(?:response|answer|reply|output|everything|whole|entire|your|letter|email|essay|poem|story|text|tweet|song|post|limerick|article|it|speech|message|blog)\b"
)


def openings(doc: Doc, clause: Clause) -> Iterator[Constraint]:
    """How the response must start and end."""
    if not clause.directive:
        return
    text = clause.text
    read: set[str] = set()
    for pattern, kind in (
        (_END_WITH, "ends_with"),
        (_LAST_IS, "ends_with"),
        (_START_WITH, "starts_with"),
        (_FIRST_IS, "starts_with"),
    ):
        below = re.search(r":\s*+$", text)
        if below is not None and pattern in (_END_WITH, _START_WITH):
            # "Finish the song with:" and the phrase on the next line.
            lead = (_END_BELOW if kind == "ends_with" else _START_BELOW).search(text)
            lines = following_lines(doc, clause.end, max_words=40) if lead is not None else []
            if lines and not clause.negated_before(lead.start() if lead else 0, 25):
                yield constraint_of(doc, clause, kind, phrases=lines[:1])
                continue
        match = pattern.search(text)
        if match is not None and kind not in read:
            for constraint in _opening(doc, clause, match, kind, pattern):
                read.add(kind)
                yield constraint


def _opening(
    doc: Doc, clause: Clause, match: re.Match[str], kind: str, pattern: re.Pattern[str]
) -> Iterator[Constraint]:
    text = clause.text
    groups = match.groupdict()
    what = (groups.get("what") or "") + " " + (groups.get("of") or "")
    before = text[: match.start()]
    at = clause.start + match.end()
    quoted = doc.quote_at(at)
    lead = match.group().lower()
    said_exact = (
        re.search(
            r"\b(?:exact|phrase|word|words|sentence|following|question|saying|exactly|like|satz|wort|frase|palabra|mot)\b",
            lead[len(groups.get("what") or "") :],
        )
        is not None
    )
    nth = re.search(
        rf"\b(?:{'|'.join(ORDINALS)})\s++(?:paragraph|sentence|line|section|stanza|bullet|absatz)\b|\bparagraphs?\s++\d",
        before[-40:] + " " + what,
    )
    if nth is not None and pattern not in (_LAST_IS,) and not (pattern is _FIRST_IS and "paragraph" not in what):
        return
    subject = before[-40:] + " " + what
    if re.search(
        r"\b(?:each|every|all)\s++(?:\w+\s++)?(?:sentence|line|paragraph|bullet|word|stanza|item|section|point)s?\b",
        subject,
    ):
        yield from _each(doc, clause, match, kind, subject, quoted)
        return
    if (
        re.search(r"p\ue001\s?s|postscript|note\b|title|section|bullet|line\b|lines\b", subject)
        and not re.search(r"\b(?:response|answer|reply|output)\b", what)
        and pattern in (_START_WITH, _END_WITH)
    ):
        return
    if clause.negated_before(match.start(), 25):
        if quoted is not None:
            yield constraint_of(doc, clause, "unsupported", about="must not open or close with", confidence=0.45)
        return
    phrase: str | None = None
    confidence = 1.0
    mark = _CLOSING_MARK.search(text, match.start())
    if quoted is None and mark is not None:
        if kind == "ends_with":
            yield constraint_of(
                doc,
                clause,
                kind,
                phrases=[
                    next(
                        value
                        for key, value in (("q", "?"), ("e", "!"), ("p", "."), ("f", "."), ("c", ":"))
                        if mark.group("mark").startswith(key)
                    )
                ],
            )
        return
    if quoted is not None:
        phrase = quoted
        if re.match(r"[\"'`»」]?\s*+(?:or|oder|o|ou)\s*+(?=[\"'`«「])", text[match.end() + len(quoted) + 1 :]):
            items, _ = read_items(doc, at, clause.end)
            if len(items) > 1:
                yield constraint_of(doc, clause, kind, phrases=items)
                return
    elif ":" in (groups.get("colon") or "") or said_exact:
        phrase = _rest_of_line(doc, at, clause, colon=":" in (groups.get("colon") or ""))
        confidence = 0.9 if (phrase and "exact" in lead) or ":" in (groups.get("colon") or "") else 0.7
        if phrase and (
            re.match(r"(?:that|of|to|which|a|an|the|your|in|about|and|where)\b", phrase.lower())
            and ":" not in (groups.get("colon") or "")
            and "exact" not in lead
        ):
            return
    if not phrase or len(phrase) > 400 or not any(c.isalnum() or c in "?!." for c in phrase):
        if (
            quoted is None
            and re.search(r"\ba\s++question(?:\s++mark)?\b", text[match.start() :])
            and kind == "ends_with"
        ):
            yield constraint_of(doc, clause, "ends_with", phrases=["?"])
        return
    phrases = [phrase.strip()]
    if quoted is None and ":" not in (groups.get("colon") or "") and phrases[0].endswith("."):
        # The full stop may be the prompt's own.
        phrases.append(phrases[0].rstrip("."))
    yield constraint_of(doc, clause, kind, phrases=phrases, confidence=confidence)


def _rest_of_line(doc: Doc, at: int, clause: Clause, *, colon: bool) -> str:
    """The unquoted phrase: to the end of the line after a colon or "exact phrase", else the next word or clause."""
    line_end = doc.original.find("\n", at)
    rest = doc.original[at : len(doc.original) if line_end < 0 else line_end].strip()
    if colon:
        cut = re.search(
            r"(?<=[.!?])\s++(?=(?:No\s++other|Do\s++not|Don't|Nothing|Make\s++sure|Please|Your\s|Also|In\s++addition|The\s++response|Use\s|Include\s))",
            rest,
        )
        return rest[: cut.start()] if cut else rest
    end = clause.end - at
    words = rest[: max(0, end)].strip()
    stop = re.search(
        r"\s++(?:and|in|at|or|for|then|somewhere)\s++(?:do|the|your|make|include|use|no|avoid|write)\b|,\s", words
    )
    return words[: stop.start()] if stop else words


def _each(
    doc: Doc, clause: Clause, match: re.Match[str], kind: str, subject: str, quoted: str | None
) -> Iterator[Constraint]:
    unit_match = re.findall(r"\b(sentence|line|paragraph|bullet|stanza|word|item|section|point)s?\b", subject)
    unit = {"item": "bullet", "point": "bullet", "stanza": "paragraph"}.get(unit_match[-1], unit_match[-1])
    phrase = quoted
    if phrase is None:
        bare = re.match(r"\s*+(?:letter\s++)?([^\W\d_][\w'-]*)", clause.text[match.end() :])
        lead = match.group()
        if bare and (len(bare.group(1)) == 1 or re.search(r"\b(?:word|letter)\s*+:?\s*+$", lead)):
            phrase = bare.group(1)
        elif re.search(r"exclamation\s++(?:mark|point)", clause.text[match.start() :]):
            phrase = "!"
        elif re.search(r"question\s++mark", clause.text[match.start() :]):
            phrase = "?"
        elif re.search(r"\bemojis?\b", clause.text[match.start() :]):
            phrase = "<emoji>"
        elif re.search(r"\bcapital|upper", clause.text[match.start() :]):
            return
    if phrase is None:
        if re.search(r"\bsame\b", clause.text[match.start() :]):
            return
        yield constraint_of(doc, clause, "unsupported", about=f"how each {unit} opens or closes", confidence=0.45)
        return
    params: dict[str, Any] = {"starts": phrase} if kind == "starts_with" else {"ends": phrase}
    yield constraint_of(doc, clause, "each", unit=unit, **params)


_SAME_WORD = re.compile(r"\b(?:start|begin)\w*\s++and\s++(?:end|finish)\w*\b[^.]{0,40}\bsame\s++word\b")


def same_word(doc: Doc, clause: Clause) -> Iterator[Constraint]:
    """The response starts and ends with the same word."""
    if clause.directive and _SAME_WORD.search(clause.text) and not re.search(r"\b(?:each|every)\b", clause.text):
        yield constraint_of(doc, clause, "pattern", name="same_first_and_last_word")


_NTH_PARAGRAPH = re.compile(
    rf"\b(?:(?P<ord>{'|'.join(ORDINALS)})\s++(?:paragraph|absatz|párrafo|paragraphe)|(?:paragraph|absatz)\s++(?:number\s++)?(?P<num>{NUMBER}))\b(?P<between>[^.;\"]{{0,60}}?)\b(?:with|mit|con|par|word\s++is|be)\b\s*+{_PHRASE_LEAD}:?\s*+(?P<at>(?=[\"'`\w{FILL}]))"
)
_START_PARAGRAPH = re.compile(
    rf"\b{_START}\s++(?:the\s++)?(?:(?P<ord>{'|'.join(ORDINALS)})\s++paragraph|paragraph\s++(?:number\s++)?(?P<num>{NUMBER}))\b(?P<between>[^.;\"]{{0,30}}?)\bwith\b\s*+{_PHRASE_LEAD}:?\s*+(?P<at>(?=[\"'`\w{FILL}]))"
)


def nth_paragraph(doc: Doc, clause: Clause) -> Iterator[Constraint]:
    """The n-th paragraph must start with a word."""
    if not clause.directive:
        return
    for pattern in (_START_PARAGRAPH, _NTH_PARAGRAPH):
        match = pattern.search(clause.text)
        if match is None:
            continue
        if pattern is _NTH_PARAGRAPH and not re.search(
            rf"\b(?:{_START}|first\s++word)\b", match.group("between") + clause.text[: match.start()][-40:]
        ):
            continue
        n = ORDINALS[match.group("ord")] if match.group("ord") else number(match.group("num"))
        items, _ = read_items(doc, clause.start + match.end(), clause.end, limit=1)
        if items:
            yield constraint_of(doc, clause, "paragraph_starts", paragraph=n, word=items[0])
        return
