"""Which query a completion gives: the last code block that holds one, else the last one in its prose.

A query reaches from its first SELECT or WITH as far as it parses, so that set operations, common table expressions and
subqueries stay whole and the sentence after them stays out. Nothing is executed here.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator

from rlar.kinds.sql.rows import MAX_SQL_CHARACTERS, statement_end, statements, tight, tree_of
from rlar.text.answers import clean

MAX_STARTS = 24
"""Places in prose at which a query is looked for; the last ones count."""
MAX_ENDS = 16
MAX_PARSED = 30_000
"""Characters that may be parsed in search of the query's end."""
MAX_QUERIES = 4
"""Statements of one block that are judged; of more, only the last."""

_FENCE = re.compile(r"```|~~~")
_KEYWORD = re.compile(
    r"\b(?:SELECT\b|WITH\s++(?:RECURSIVE\s++)?[^\s(]{1,200}\s*+(?:\([^()]{0,2000}\)\s*+)?AS\b)", re.IGNORECASE
)
_BRACKETS = re.compile(r"[(\s]*+")
_COMMENTS = re.compile(r"(?:\s++|--[^\n]*+|/\*(?:[^*]|\*(?!/))*+\*/)*+")
_LANGUAGE = re.compile(r"[ \t]*+(?!(?:SELECT|WITH)\b)[\w+.-]++(?=\s)", re.IGNORECASE)
_END = re.compile(r"\n[ \t]*+\n|</|[.!?:](?=\s++[A-Z(*`\"'])|```|\*\*")
_FROM = re.compile(r"\bFROM\b", re.IGNORECASE)
_LED_IN = "\n:>`*\"'“«|={$"
"""What stands before a query that is shown rather than spoken of."""
_CLOSING = {'"': '"', "'": "'", "`": "`", "“": "”", "«": "»", "$": "$", "{": "}"}


def extract_queries(answer: str) -> list[str]:
    """The statements that an answer gives, its reasoning left out: mostly one; [] when it gives none."""
    answer = tight(_json_text(clean(answer[-MAX_SQL_CHARACTERS:]).strip()))
    parts = _FENCE.split(answer)
    for block in reversed(parts[1::2]):
        language = _LANGUAGE.match(block)
        queries = _queries(block[language.end() :] if language is not None else block)
        if queries:
            return queries
    whole = _queries(answer)
    if whole and all(tree_of(query) is not None for query in whole):
        return whole
    return _in_prose("\n".join(parts[::2]))


def _json_text(answer: str) -> str:
    """The query of an answer that is JSON with one text that is a query."""
    if answer[:1] not in ("{", '"'):
        return answer
    try:
        value = json.loads(answer)
    except (ValueError, RecursionError):
        return answer
    texts = [value] if isinstance(value, str) else list(value.values()) if isinstance(value, dict) else []
    queries = [text for text in texts if isinstance(text, str) and _opens(text, 0)]
    return queries[0] if len(queries) == 1 else answer


def _opens(text: str, start: int) -> bool:
    """Whether a query begins at `start`, brackets before it let be."""
    brackets = _BRACKETS.match(text, start)
    return _KEYWORD.match(text, brackets.end() if brackets is not None else start) is not None


def _queries(text: str) -> list[str]:
    """The queries of a text that is SQL, without the comments before them; statements of other kinds are left out."""
    queries = []
    for statement in statements(text):
        comments = _COMMENTS.match(statement)
        start = comments.end() if comments is not None else 0
        if _opens(statement, start):
            queries.append(statement[start:].strip())
    return queries if len(queries) <= MAX_QUERIES else queries[-1:]


def _in_prose(text: str) -> list[str]:
    """The last query that is shown in a text, else the last that is spoken of."""
    budget = MAX_PARSED
    shown = spoken = ""
    position = 0
    for keyword in list(_KEYWORD.finditer(text))[-MAX_STARTS:]:
        start = keyword.start()
        if start < position:
            continue
        before = text[position:start].rstrip(" \t")
        while before.endswith("("):
            start = position + len(before) - 1
            before = before[:-1].rstrip(" \t")
        is_shown = not before or before[-1] in _LED_IN
        if not is_shown and not _FROM.search(text, keyword.end()):
            continue
        for query, end in _ends(text, start, _CLOSING.get(before[-1:], "")):
            budget -= len(query)
            if budget < 0:
                return [shown or spoken] if shown or spoken else []
            if tree_of(query) is not None:
                position = end
                shown, spoken = (query, spoken) if is_shown else (shown, query)
                break
    return [shown or spoken] if shown or spoken else []


def _ends(text: str, start: int, closing: str) -> Iterator[tuple[str, int]]:
    """(query, its end) for the places where a query that begins at `start` may end: the longest first, then line by line."""
    window = text[start : start + statement_end(text[start:])]
    tag = window.find("</")
    window = window[:tag] if tag >= 0 else window
    places = {match.start() for match in _END.finditer(window)} | {len(window)}
    if closing:
        places |= {match.start() for match in re.finditer(re.escape(closing), window)}
    lines = [match.start() for match in re.finditer(r"\n", window)]
    likely = sorted(places, reverse=True)
    seen: set[str] = set()
    for place in [*likely[: MAX_ENDS // 2], *likely[-MAX_ENDS // 2 :], *reversed(lines[:MAX_ENDS])]:
        query = window[:place].rstrip(" \t\n.!?:*`")
        if query and query not in seen:
            seen.add(query)
            yield query, start + place
