"""The request to repeat the request: which part of the prompt must open the response."""

from __future__ import annotations

import re
from collections.abc import Iterator

from rlar.kinds.constraints.read.model import Constraint
from rlar.kinds.constraints.read.reading import Clause, Doc, constraint_of

_REPEAT = re.compile(
    r"\b(?:repeat|restate|copy|reproduce|re-state|wiederhole|repite|repita|répète|répétez|ripeti|repita)\b[^.?!]{0,60}?\b(?:request|question|prompt|query|instructions?|sentence|lines?|paragraphs?|statement|words|text|message|above|below|"
    r"it|everything|task|anfrage|frage|solicitud|petición|pregunta|demande|requête|richiesta|domanda|pedido)\b"
)
_VERBATIM = re.compile(
    r"\b(?:word[\s-](?:for|by)[\s-]word|without\s++(?:any\s++)?chang\w*|exact(?:ly)?|verbatim|first|before|as\s++it\s++is|beginning|start|then\s++(?:give|answer|reply)|just\s++repeat|wort\s++für\s++wort|palabra\s++por\s++palabra|mot\s++pour\s++mot|zuerst|primero|d'abord)\b"
)
_META = re.compile(
    r"\b(?:repeat|repeating|restate|reproduce|copy\s++the|wiederhole\w*|repite|repita|répète\w*)\b|\b(?:do\s++not|don't)\s++(?:say|output|write|add|include|print|put)\s++(?:any|a\b)[^.]{0,40}\b(?:before|prior)\b"
    r"|\b(?:do\s++not|don't)\s++change\s++(?:any|a|the|it)\b|\bdoes\s++not\s++include\s++this\b|\bnot\s++answer\s++the\s++actual\b|^\s*+without\s++(?:any\s++)?chang\w*|^\s*+(?:and\s++)?then\s++(?:you\s++can\s++)?(?:give|reply|answer|respond|provide)\b"
    r"|\b(?:do\s++not|don't)\s++say\s++anything\b|\bafter\s++that\b[^.]{0,20}\b(?:give|answer|reply|respond|you\s++can)\b|\bonly\s++contains\b|^\s*+(?:request|question|prompt|instructions?)\s*+:\s*+$"
)
_BELOW = re.compile(r"\b(?:below|following|that\s++follows|folgende\w*|siguiente|suivante?|seguente)\b")
_ABOVE = re.compile(r"\b(?:above|preceding|previous|obige\w*|anterior|ci-dessus)\b")


def repeat_request(doc: Doc) -> Iterator[Constraint]:
    """A `repeat` constraint when the prompt wants itself repeated first."""
    request: Clause | None = None
    for clause in doc.clauses:
        match = _REPEAT.search(clause.text)
        if match is None or clause.negated_before(match.start(), 20):
            continue
        if clause.directive or "let" in clause.text[:6]:
            request = clause
            break
    if (
        request is None
        or _VERBATIM.search(request.text + " " + " ".join(c.text for c in doc.clauses if _META.search(c.text))) is None
    ):
        return
    sentences = _sentences(doc)
    marked = [bool(_META.search(doc.lower[start:end])) for start, end in sentences]
    if not any(marked):
        return
    first, last = marked.index(True), len(marked) - 1 - marked[::-1].index(True)
    above = doc.original[: sentences[first][0]].strip() if first else ""
    below = doc.original[sentences[last][1] :].strip()
    confidence = 0.9
    if below and (_BELOW.search(request.text) or not above):
        text = below
    elif above:
        text = above
        if below and not _ABOVE.search(request.text):
            confidence = 0.6
    else:
        # Nothing but talk about repeating: what stands around the meta sentences is the request.
        plain = [doc.original[s:e].strip() for (s, e), is_meta in zip(sentences, marked, strict=True) if not is_meta]
        text, confidence = " ".join(plain), 0.4
    text = (
        re.sub(r"^\s*+(?:request|question|prompt)\s*+:\s*+", "", text, flags=re.IGNORECASE).strip().strip("-*").strip()
    )
    if len(text) < 3:
        return
    shortest = re.split(r"(?<=[.!?])\s++|\n", text)[0].strip()
    own_lines = (
        "\n" in doc.original[: doc.original.find(text) + len(text) + 2].rpartition(text)[0][-2:]
        or "\n" in doc.original.partition(text)[2][:3]
    )
    if own_lines and not re.search(r"\bonly\s++contains?\b|\bpart\s++of\b", doc.lower):
        shortest = text
    only = re.search(r"\b(?:not\s++answer|do\s++not\s++answer|only\s++repeat)\b", doc.lower) is not None
    yield constraint_of(
        doc, request, "repeat", text=text, shortest=shortest, only=True if only else None, confidence=confidence
    )


def talks_of_repeating(clause: Clause) -> bool:
    """Whether a clause of a prompt that wants itself repeated is about that."""
    return _META.search(clause.text) is not None or _REPEAT.search(clause.text) is not None


def _sentences(doc: Doc) -> list[tuple[int, int]]:
    spans: list[tuple[int, int]] = []
    at = 0
    for match in re.finditer(r"(?<=[.!?])[\"')\]]*\s++(?=[A-Z0-9\"'(])|(?<!\s)[^\S\n]*+\n\s*+", doc.masked):
        if match.start() > at:
            spans.append((at, match.start()))
        at = match.end()
    if at < len(doc.masked):
        spans.append((at, len(doc.masked)))
    # A parenthesis that explains the repetition may hold several sentences.
    joined: list[tuple[int, int]] = []
    for start, end in spans:
        if joined:
            open_text = doc.masked[joined[-1][0] : joined[-1][1]]
            if open_text.count("(") > open_text.count(")") and end - joined[-1][0] < 600:
                joined[-1] = (joined[-1][0], end)
                continue
        joined.append((start, end))
    return joined
