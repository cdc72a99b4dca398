"""Lists of words in a prompt: quoted or bare, on one line or on the lines below."""

from __future__ import annotations

import re

from rlar.kinds.constraints.read.lexicon import word_set
from rlar.kinds.constraints.read.reading import Doc, lowered, mood

_ITEM_STOP = word_set(
    "in at on to for of from by with as is are was be longer shorter than should must shall may can cannot will that which who whose when where if while more less "
    "only exactly appear appears appearing anywhere throughout somewhere within your the this these those response answer "
    "reply text essay make sure do don't not use include avoid also please then it them they you and or but each either both every "
    "about describing over under between than per leave etc all ensure ending starting please, following times using into so because before after"
)
_SEPARATOR = re.compile(
    r"\s*+(?:,\s*+(?:and\s++also|and|or|as\s++well\s++as|und|oder|y|o|et|ou|e)?\b(?!\.)\s*+|,\s*+|;|/|&|\+|\b(?:and\s++also|and|or|as\s++well\s++as|nor|und|oder|y|et|ou)\b)\s*+(?=\S)"
)
_NOUN_AGAIN = re.compile(r"(?:(?:also\s++)?(?:the\s++)?(?:key\s?)?(?:words?|phrases?|terms?)\s++)(?=[\"\w])")
_BARE = re.compile(r"[#@]?[^\W_][\w'\-]*")


def read_items(doc: Doc, position: int, end: int, *, multiword: bool = False, limit: int = 40) -> tuple[list[str], int]:
    """The list of words or phrases that starts at `position` ("cat", dog and 'red fox'), and where it ends.

    Args:
        multiword: unquoted items may hold several words (after a colon: `keywords: solar panel, grid`).
    """
    items: list[str] = []
    at = position
    quoted = doc.quote_at(position) is not None
    while len(items) < limit:
        while at < end and doc.lower[at] in " \t([{*_":
            at += 1
        if at >= end:
            break
        entry = _one_item(doc, at, end, first=not items, multiword=multiword)
        if entry is None:
            break
        item, after = entry
        items.append(item)
        at = after
        while at < end and doc.lower[at] in " )]}*_" and at + 1 < end and doc.lower[at + 1] in ",;)]} *_":
            at += 1
        separator = _SEPARATOR.match(doc.lower, at, end)
        if separator is None:
            break
        next_at = separator.end()
        again = _NOUN_AGAIN.match(doc.lower, next_at, end)
        if again is not None:
            next_at = again.end()
        probe = _one_item(doc, next_at, end, first=False, multiword=multiword)
        if probe is None:
            break
        if quoted and doc.quote_at(next_at) is None and _PREDICATE.match(doc.lower, probe[1], end) is not None:
            break  # 'the words "oak" and "elm", and commas are not allowed': the subject of the next clause
        at = next_at
    return items, at


def _one_item(doc: Doc, at: int, end: int, *, first: bool, multiword: bool) -> tuple[str, int] | None:
    while at < end and doc.lower[at] in " ([{*_":
        at += 1
    quoted = doc.quote_at(at)
    if quoted is not None:
        if not quoted.strip() or len(quoted) > 120:
            return None
        return quoted.strip(" ,"), at + len(quoted) + 2
    if at >= end:
        return None
    if multiword:
        stop = re.compile(r"[,;:\n()\[\]\"]|\.(?=\s|$)|\s(?:and|or)\s").search(doc.lower, at, end)
        upto = stop.start() if stop else end
        item = doc.original[at:upto].strip(" .!?*_")
        if not item or len(item.split()) > 6:
            return None
        if not first and item.lower().split()[0] in _ITEM_STOP:
            return None
        return item, upto
    match = _BARE.match(doc.lower, at, end)
    if match is None:
        return None
    word = match.group()
    if word in _ITEM_STOP:
        follows = doc.lower[match.end() : match.end() + 2]
        if not first and follows[:1] not in (",", ".", ""):
            return None
        if first and follows[:1] != ",":
            return None
    if (
        not first
        and re.match(
            r"\s++(?:should|must|has|have|needs?|appears?|at\s++least|is|are)\b",
            doc.lower[match.end() : match.end() + 12],
        )
        and word in _ITEM_STOP
    ):
        return None
    if not first and _ITEM_ENDS.match(doc.lower, match.end(), end) is None and match.end() < end:
        return None  # the verb of the next demand ("... and leave out the word")
    return doc.original[match.start() : match.end()], match.end()


_PREDICATE = re.compile(r"\s++(?:are|is|must|should|may|can|cannot|can't|has|have|needs?|ought)\b")
_ITEM_ENDS = re.compile(
    r"\s*+(?:$|[^\w\s]|\d|(?:and|or|und|oder|y|o|et|ou|e|in|at|on|as|for|to|exactly|precisely|must|should|shall|will|can|cannot|can't|may|mustn't|shouldn't|has|have|needs?|are|is|be|do|does|appear\w*|occur\w*|show\w*|anywhere|somewhere|"
    r"within|throughout|with|without|but|while|each|all|only|not|once|twice|more|less|into|from|of|please|also|then|somehow|together|no|using|when|where|if|naturally|respectively)\b)"
)


_LISTED = re.compile(r"[ \t]*(?:[-*•–+]|\(?\d{1,2}[.)]|[a-z]\))?[ \t]*(?P<item>[^\n]*)")


def following_lines(doc: Doc, position: int, *, limit: int = 20, max_words: int = 12) -> list[str]:
    """The short lines of the list that starts behind `position` (behind "... the following words:")."""
    rest = doc.original[position : position + 2000].lstrip(" \t")
    if not rest.startswith("\n"):
        return []
    items: list[str] = []
    for line in rest.lstrip("\n \t").split("\n")[:limit]:
        match = _LISTED.match(line)
        item = match.group("item").strip().strip("\"'`“”*") if match else ""
        if not item or len(item.split()) > max_words:
            break
        if items and (mood(lowered(item))[0] or item.endswith(":")):
            break
        items.append(item.rstrip(",;"))
    return items
