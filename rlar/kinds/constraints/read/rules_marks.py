"""Punctuation marks, digits and markdown elements that must, or must not, occur."""

from __future__ import annotations

import re
from collections.abc import Iterator

from rlar.kinds.constraints.read.lexicon import (
    MARKS,
    NUMBER,
)
from rlar.kinds.constraints.read.model import Constraint
from rlar.kinds.constraints.read.reading import NEGATION, Clause, Doc, constraint_of

_MARK = re.compile("|".join(f"(?P<m{index}>\\b(?:{pattern})\\b)" for index, (pattern, _) in enumerate(MARKS.values())))
_MARK_NAMES = tuple(MARKS)
_ANY_PUNCTUATION = re.compile(
    r"\b(?:punctuations?(?:\s++marks?)?|satzzeichen|signos\s++de\s++puntuación|ponctuation|punteggiatura)\b"
)
_NUMBERS = re.compile(
    r"\b(?:numbers|numerals|numerical\s++(?:digits|values)|zahlen|números|nombres\s++en\s++chiffres)\b"
)
_FORMATS = re.compile(
    r"\b(?P<what>markdown|bullet\s*+(?:points?|lists?)|bullets|numbered\s++lists?|lists|headings?|headers?|tables?|code\s++blocks?|emojis?|contractions|html|links|bold(?:\s++text)?|italics)\b"
)
_UNWANTED_BEHIND = re.compile(
    r"^[^.;]{0,40}?\b(?:not\s++(?:be\s++)?(?:allowed|used|permitted|acceptable|present|appear|included?)|forbidden|prohibited|banned|off[\s-]limits|avoided|disallowed|excluded|omitted|left\s++out|nicht\s++erlaubt|verboten|prohibid\w+|interdit\w*)\b"
)
_NOT_BANNED = re.compile(r"^\s*+(?:separated|-separated|delimited)")


def punctuation(doc: Doc, clause: Clause) -> Iterator[Constraint]:
    """Marks, digits and markdown elements that must not occur, or must."""
    if not clause.directive:
        return
    text = clause.text
    seen: set[str] = set()
    for match in _MARK.finditer(text):
        name = _MARK_NAMES[int(next(key for key, value in match.groupdict().items() if value)[1:])]
        behind = text[match.end() :]
        if name in seen or _NOT_BANNED.match(behind):
            continue
        banned = _banned(clause, match.start(), behind)
        if not banned:
            continue
        if name in (
            "quotation mark",
            "asterisk",
            "digit",
            "hyphen",
            "parenthesis",
            "square bracket",
            "dash",
            "colon",
            "period",
            "space",
            "line break",
            "slash",
        ) and _wrapping(text):
            continue
        if name == "line break" and re.search(r"\b(?:separat|between|only)", text):
            continue
        if re.search(
            r"\b(?:separated|separate|divided|delimited|split)\s++(?:only\s++)?(?:by|with)\s++(?:a\s++)?$",
            text[: match.start()],
        ):
            continue
        if name == "digit" and not re.search(
            r"(?:\b(?:no|without|any|use|using|contain\w*|includ\w*|avoid\w*|arabic|free\s++of|keine?|ohne|sin|sans)|^)\s++(?:\w+\s++)?$",
            text[: match.start()],
        ):
            continue
        limit = _limit_before(text[: match.start()])
        if limit is not None:
            continue
        seen.add(name)
        yield constraint_of(doc, clause, "no_characters", characters=MARKS[name][1], name=name)
    match_any = _ANY_PUNCTUATION.search(text)
    if (
        match_any
        and _banned(clause, match_any.start(), text[match_any.end() :])
        and not seen
        and not re.search(r"\b(?:other|else|than|after|even)\b", text)
    ):
        yield constraint_of(doc, clause, "no_characters", characters=".,;:!?", name="punctuation")
    match_any = _NUMBERS.search(text)
    if (
        match_any
        and "digit" not in seen
        and _banned(clause, match_any.start(), text[match_any.end() :])
        and _limit_before(text[: match_any.start()]) is None
        and not re.search(r"\b(?:real|specific|phone|negative|even|odd|prime|exact)\s++$", text[: match_any.start()])
    ):
        yield constraint_of(doc, clause, "no_characters", characters="0123456789", name="digit")
    for match in _FORMATS.finditer(text):
        if not _banned(clause, match.start(), text[match.end() :]) or _limit_before(text[: match.start()]) is not None:
            continue
        what = match.group("what")
        if what.startswith("emoji"):
            yield constraint_of(doc, clause, "count", unit="emoji", max=0)
        elif what == "contractions":
            yield constraint_of(doc, clause, "pattern", name="no_contractions")
        else:
            for pattern, element in (
                ("bullet", "bullet_list"),
                ("numbered", "numbered_list"),
                ("lists", "list"),
                ("head", "heading"),
                ("table", "table"),
                ("code", "code"),
                ("link", "link"),
                ("bold", "bold"),
                ("italic", "italic"),
                ("html", "html"),
            ):
                if what.startswith(pattern):
                    yield constraint_of(doc, clause, "no_format", element=element)
                    break
            else:
                yield constraint_of(doc, clause, "no_format", element="markdown")


def _banned(clause: Clause, start: int, behind: str) -> bool:
    before = clause.text[max(0, start - 60) : start]
    if re.search(
        r"\b(?:other\s++than|except(?:\s++for)?|besides|apart\s++from|only|but)\s++(?:the\s++|a\s++|with\s++)?$", before
    ):
        return False
    if clause.negated_before(start):
        last = list(NEGATION.finditer(before))
        gap = before[last[-1].end() :] if last else ""
        # The negation must govern this noun: "do not forget to use commas" and "without X, use commas" do not.
        return (
            re.search(
                r"\b(?:forget|hesitate|fail|worry|limit|and\s++(?:use|include|add)|but|then|separate|use\s++(?:only|just))\b",
                gap,
            )
            is None
        )
    return (
        _UNWANTED_BEHIND.match(behind) is not None
        or re.match(r"-free\b", behind) is not None
        or re.match(r"[^.;]{0,12}\b(?:should|must|may|can)(?:\s++not|n't)\b", behind) is not None
    )


def _limit_before(before: str) -> re.Match[str] | None:
    return re.search(
        rf"\b(?:more\s++than|less\s++than|fewer\s++than|at\s++least|at\s++most|exactly|over|exceed)\s++(?:{NUMBER})\s++(?:\w+\s++)?$",
        before,
    )


def _wrapping(text: str) -> bool:
    return (
        re.search(
            r"\b(?:wrap|enclos|surround|separat|contained\s++in|inside|within|between|in\s++double|divid)\w*\b", text
        )
        is not None
    )


_MUST_MARK = re.compile(
    r"\b(?:use|include|contain|have|with|add)\w*\s++(?:at\s++least\s++(?:one|a|1)\s++|an?\s++|some\s++)(?P<mark>exclamation\s++(?:mark|point)|question\s++mark|semi-?colon|em[\s-]?dash|colon|ellipsis|hashtag|emoji|url|link)\b"
)


def required_marks(doc: Doc, clause: Clause) -> Iterator[Constraint]:
    """ "Use at least one semicolon"."""
    match = _MUST_MARK.search(clause.text)
    if match is None or not clause.directive or clause.negated_before(match.start()):
        return
    mark = match.group("mark")
    at_least = "at least" in match.group()
    strength = "hard" if at_least else "soft"
    if mark in ("hashtag", "emoji", "url", "link"):
        unit = "link" if mark in ("url", "link") else mark
        yield constraint_of(doc, clause, "count", unit=unit, min=1, strength=strength)
        return
    characters = {
        "excl": "!！",
        "ques": "?？",
        "semi": ";；",
        "em d": "—",
        "em-d": "—",
        "emda": "—",
        "colo": ":：",
        "elli": "…",
    }.get(mark[:4])
    if characters:
        yield constraint_of(doc, clause, "characters", characters=characters, name=mark, strength=strength)
