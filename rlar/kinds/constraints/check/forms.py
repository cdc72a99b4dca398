"""Checks of parts, documents and markdown elements."""

from __future__ import annotations

import csv
import io
import json
import re
from collections.abc import Sequence
from xml.etree import ElementTree

from rlar.errors import boundary
from rlar.kinds.constraints.check import text as t
from rlar.kinds.constraints.check.verdict import EDGE, Verdict, opens, within
from rlar.types import JsonObject


def title(params: JsonObject, text: str) -> Verdict:
    """Whether at least `min` lines (1 by default) have something in <<double angle brackets>>."""
    n = sum(_bracketed(line) for line in text.splitlines() if "<<" in line)
    return Verdict(n >= int(params.get("min", 1)), f"{n} x <<title>>")


def _bracketed(line: str) -> bool:
    """Whether something stands between << and the next >>."""
    start = line.find("<<")
    while start >= 0:
        end = line.find(">>", start + 2)
        if end < 0:
            return False
        if line[start + 2 : end].strip("<> \t"):
            return True
        start = line.find("<<", end + 2)
    return False


def sections(params: JsonObject, text: str) -> Verdict:
    """How many numbered markers there are (SECTION 1); open where others than numbers would do."""
    marker = str(params["marker"])
    n = len(re.findall(rf"(?<!\w){re.escape(marker)}\s?\d+", text))
    if not within(n, params) and re.search(
        rf"(?<!\w){re.escape(marker)}\s?(?:[IVX]+|one|two|three|[A-Z])\b", text, re.IGNORECASE
    ):
        loose = len(
            re.findall(
                rf"(?<!\w){re.escape(marker)}\s?(?:\d+|[ivx]+|one|two|three|four|five|six|[a-z])\b", text, re.IGNORECASE
            )
        )
        if within(loose, params):
            return Verdict(None, f"{n} numbered, {loose} otherwise marked")
    return Verdict(within(n, params), f"{n} x {marker}")


def parts(params: JsonObject, text: str) -> Verdict:
    """How many parts the divider makes; an empty part, or with `distinct` an equal one, is a miss."""
    separator = str(params["separator"])
    pieces = t.split_parts(text, separator)
    if any(not piece for piece in pieces):
        return Verdict(False, "an empty part")
    if params.get("distinct") and len({t.plain(piece) for piece in pieces}) < len(pieces):
        return Verdict(False, "two parts are the same")
    return Verdict(within(len(pieces), params), f"{len(pieces)} parts")


def paragraph_starts(params: JsonObject, text: str) -> Verdict:
    """Whether the n-th paragraph (-1: the last) opens with the word."""
    blocks = t.paragraphs(text)
    n = int(params["paragraph"])
    if n > len(blocks) or not blocks:
        return Verdict(False, f"{len(blocks)} paragraphs")
    block = blocks[n - 1 if n > 0 else n]
    met = opens(t.plain(block.lstrip(EDGE + "#")), t.plain(str(params["word"])))
    return Verdict(met, "" if met else f"paragraph {n} opens with {block.split()[0][:20]!r}")


def one_of(params: JsonObject, text: str) -> Verdict:
    """Whether exactly one of the options stands in the text; open where a sentence does in other capitals."""
    if params.get("exact"):
        hits = {o for o in params["options"] if t.straight(o) in t.straight(text)}
    else:
        folded = t.plain(text)
        hits = {o for o in params["options"] if t.occurrences(str(o).strip(" .!?") or str(o), folded)}
    if len(hits) > 1:
        return Verdict(False, f"{len(hits)} of the options at once")
    if any(len(o.split()) > 2 and t.straight(o) not in t.straight(text) for o in hits):
        return Verdict(None, "an option in other capitals")
    return Verdict(bool(hits), "" if hits else "none of the options")


def repeat(params: JsonObject, text: str) -> Verdict:
    """Whether the text opens with the request; open where it opens with a part of it."""
    opening = _unmarked(text[: 4 * len(str(params["text"])) + 400])
    if opening.startswith(_unmarked(str(params["text"]))):
        return Verdict(True)
    if not opening.startswith(_unmarked(str(params["shortest"]))):
        return Verdict(False, "does not open with the request")
    return Verdict(None, "repeats a part of the request")


def _unmarked(text: str) -> str:
    return t.plain(text)


_FENCE = re.compile(r"```[a-zA-Z0-9+-]*+[ \t]*+\n?(.*?)(?:\n[ \t]*+|(?<![ \t])[ \t]*+|)```\Z", re.DOTALL)


def unfenced(text: str) -> str:
    """The inside of a code fence that is the whole text, else the text."""
    stripped = text.strip()
    if stripped.startswith("```"):
        match = _FENCE.match(stripped)
        if match is not None and "```" not in match.group(1):
            return match.group(1).strip()
    return stripped


def structured(params: JsonObject, text: str) -> Verdict:
    """Whether the whole text is one document of a format, fenced or not, with the keys that are asked for."""
    kind, body = str(params["format"]), unfenced(text)
    if not body:
        return Verdict(False, "empty")
    match kind:
        case "json":
            return boundary(
                lambda: _keyed(json.loads(body), [str(key) for key in params.get("keys") or ()]),
                lambda error: Verdict(False, f"not JSON: {type(error).__name__}"),
            )
        case "xml":
            if len(body) > 200_000:
                return Verdict(None, "XML of over 200,000 characters is not parsed here")
            if "<!ENTITY" in body or "<!DOCTYPE" in body:
                return Verdict(None, "a document type is not expanded here")
            return boundary(
                lambda: _parsed(ElementTree.fromstring(body) is not None), lambda _e: Verdict(False, "not XML")
            )
        case "html":
            return Verdict(
                re.match(r"<(?:!doctype|html|[a-z][a-z0-9]*[\s/>])", body, re.IGNORECASE) is not None
                and body.rstrip().endswith(">"),
                "",
            )
        case "csv":
            return boundary(lambda: _csv(body), lambda _e: Verdict(False, "not CSV"))
        case "code":
            stripped = text.strip()
            return Verdict(stripped.startswith("```") and stripped.endswith("```") and stripped.count("```") == 2, "")
        case "yaml":
            return _yaml(body)
        case "latex":
            return Verdict(None if "\\" in body else False, "LaTeX is not compiled here")
    return Verdict(None, f"{kind} is not checkable")


def _csv(body: str) -> Verdict:
    rows = list(csv.reader(io.StringIO(body[:200_000])))
    widths = {len(row) for row in rows if row}
    return Verdict(len(widths) == 1 and widths.pop() > 1, f"{len(rows)} rows")


def _keyed(value: object, keys: Sequence[str]) -> Verdict:
    names: set[str] = set()
    left, places = [value], 0
    while left and places < 100_000:
        each, places = left.pop(), places + 1
        if isinstance(each, dict):
            names.update(str(key).casefold() for key in each)
            left.extend(each.values())
        elif isinstance(each, list):
            left.extend(each)
    missing = [key for key in keys if key.casefold() not in names]
    return Verdict(not missing, f"no key {', '.join(missing)}" if missing else "")


def _parsed(met: bool) -> Verdict:
    return Verdict(met)


def _yaml(body: str) -> Verdict:
    """A cheap reading: every line is a key, an item, a comment, a continuation or blank."""
    keyed = 0
    for line in body.splitlines():
        stripped = line.strip()
        if not stripped or stripped.startswith("#") or stripped in ("---", "..."):
            continue
        if re.match(r"(?:-\s+)?[\w\"'./ -]{1,80}:(?:\s|$)", stripped) or stripped.startswith("- "):
            keyed += 1
        elif not line.startswith((" ", "\t")):
            return Verdict(False, "a line is neither key nor item")
    return Verdict(keyed > 0, f"{keyed} keys and items")


_TABLE = re.compile(r"^[ \t]*\|.{1,2000}\|[ \t]*+\n[ \t]*+(?:\|[ \t]*+)?:?-{2,}", re.MULTILINE)
_LINK = re.compile(r"\[[^\[\]\n]{1,300}\]\([^)\n]{1,500}\)|https?://")


def _has(element: str, text: str) -> bool | None:
    match element:
        case "table":
            return _TABLE.search(text) is not None or "<table" in text.lower()
        case "code":
            return text.count("```") >= 2
        case "heading":
            return bool(t.headings(text))
        case "numbered_list":
            return t.numbered_items(text) > 0
        case "bullet_list":
            return bool(t.bullets(text))
        case "list":
            return bool(t.bullets(text)) or t.numbered_items(text) > 0
        case "bold":
            return re.search(r"\*\*[^*\n]+\*\*|__[^_\n]+__", text) is not None
        case "italic":
            return t.highlights(text) > 0
        case "link":
            return _LINK.search(text) is not None
        case "html":
            return re.search(r"</?[a-z]{1,10}[ >/]", text) is not None
        case "markdown":
            return (
                bool(t.headings(text) or t.bullets(text))
                or re.search(r"\*\*[^*\n]+\*\*|```|\[[^\[\]\n]{1,300}\]\([^()\n]{1,500}\)", text) is not None
            )
    return None


def contains_format(params: JsonObject, text: str) -> Verdict:
    """Whether a markdown element occurs."""
    return Verdict(_has(str(params["element"]), text), f"{params['element']}")


def no_format(params: JsonObject, text: str) -> Verdict:
    """Whether a markdown element does not occur."""
    has = _has(str(params["element"]), text)
    return Verdict(None if has is None else not has, f"{params['element']}")
