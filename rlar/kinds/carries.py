"""What a prompt brings for judging besides the question: listed options, a passage, a schema, an output format asked for."""

from __future__ import annotations

import json
import re
from functools import lru_cache

from rlar.text.stems import Stems
from rlar.types import Example, JsonObject

# ------------------------------------------------------------------------------------------ options

_OPTION = re.compile(
    r"(?:(?<=\n)|(?<=[\s(\[*])|^)[\(\[]?\*{0,2}([A-J]|[a-j](?=[)\]]))\*{0,2}(?:[)\]][.:]?|[.:](?=\s))\*{0,2}[ \t]*(?=\S)"
)
_FIRST_MARK = Stems("A.", "A)", "A:", "A]", "A*", "a)", "a]")
_SECOND_MARK = Stems("B.", "B)", "B:", "B]", "B*", "b)", "b]")
_NUMBERED = re.compile(r"(?:(?<=\n)|^)[^\S\n]*+[\(\[]?(\d)[)\].:]\s++(?=\S)")
_CHOOSE = re.compile(r"\b(?:options?|choices?|choose|which of|select|pick|following)\b", re.IGNORECASE)
_LISTED = re.compile(
    r"(?:options?|choices|labels?|categories|classes|one of|choose (?:from|between)|either)\b[^:\n]{0,40}[:\s]\s*+"
    r"((?:[^\n,;/|]{1,40}[,;/|]\s*+){1,12}(?:(?:or|and)\s++)?[^\n,;/|.?]{1,40})",
    re.IGNORECASE,
)
_OPTION_COLUMNS = dict.fromkeys(("options", "choices", "endings", "candidates"))
"""In the order in which they are tried."""
MAX_OPTION_CHARACTERS = 600


def find_options(example: Example) -> dict[str, str]:
    """Option letter (or number) -> its text, from the prompt, else from a column; empty when none are listed."""
    return dict(_options_in_prompt(example.text)) or _options_in_columns(example.columns)


@lru_cache(maxsize=64)
def _options_in_prompt(text: str) -> tuple[tuple[str, str], ...]:
    # A listing has a second mark, too.
    if _FIRST_MARK.stand_in(text) and _SECOND_MARK.stand_in(text):
        # The last listing wins: worked examples come before the question.
        options = _sequence(text, [(m.start(), m.end(), m[1].upper()) for m in _OPTION.finditer(text)], "A")
        if options:
            return options
    if "1" in text and "2" in text and _CHOOSE.search(text):
        return _sequence(text, [(m.start(), m.end(), m[1]) for m in _NUMBERED.finditer(text)], "1")
    return ()


def _sequence(text: str, marks: list[tuple[int, int, str]], first: str) -> tuple[tuple[str, str], ...]:
    """The last run of marks that counts up from `first` without a gap, at least two long, with the texts between."""
    best: list[tuple[int, int, str]] = []
    run: list[tuple[int, int, str]] = []
    for mark in marks:
        if mark[2] == first:
            run = [mark]
        elif run and ord(mark[2]) == ord(run[-1][2]) + 1:
            run.append(mark)
        if len(run) >= 2 and (not best or run[0][0] >= best[0][0]):
            best = list(run)
    if len(best) < 2 or (len(best) == 2 and not all(_stands_out(text, *mark[:2]) for mark in best)):
        return ()
    options: list[tuple[str, str]] = []
    for position, (_start, end, name) in enumerate(best):
        stop = best[position + 1][0] if position + 1 < len(best) else _end_of_option(text, end)
        option = text[end:stop].strip().rstrip(",;").strip()
        if not option or len(option) > MAX_OPTION_CHARACTERS:
            return ()
        options.append((name, option))
    return tuple(options)


def _stands_out(text: str, start: int, end: int) -> bool:
    """Whether a mark cannot be prose: it begins a line or has a bracket ("vitamin A. A man met B. Smith" has neither)."""
    return start == 0 or text[start - 1] == "\n" or any(bracket in text[max(0, start - 1) : end] for bracket in ")]")


def _end_of_option(text: str, start: int) -> int:
    newline = text.find("\n", start)
    return len(text) if newline < 0 else newline


def _options_in_columns(columns: JsonObject) -> dict[str, str]:
    for holder in (columns, columns.get("extra_info"), columns.get("meta")):
        if not isinstance(holder, dict) or _OPTION_COLUMNS.keys().isdisjoint(holder):
            continue
        for name in _OPTION_COLUMNS:
            value = holder.get(name)
            if isinstance(value, dict) and {"text", "label"} <= value.keys():
                labels, texts = value["label"], value["text"]
                if isinstance(labels, list) and isinstance(texts, list) and len(labels) == len(texts) >= 2:
                    return {str(label): str(text) for label, text in zip(labels, texts, strict=True)}
            elif isinstance(value, dict) and len(value) >= 2 and all(isinstance(text, str) for text in value.values()):
                return {str(label): text for label, text in value.items()}
            elif isinstance(value, list) and 2 <= len(value) <= 10 and all(isinstance(text, str) for text in value):
                return {chr(ord("A") + index): text for index, text in enumerate(value)}
    return {}


def listed_labels(text: str) -> tuple[str, ...]:
    """Labels that a prompt lists in a row ("one of: positive, negative, neutral"), lower case; empty when none."""
    match = _LISTED.search(text)
    if not match:
        return ()
    parts = re.split(r"[,;/|]|\bor\b|\band\b", match[1])
    labels = [part.strip(" \"'`*().:\n").casefold() for part in parts]
    return tuple(label for label in labels if label)


# ------------------------------------------------------------------------------------------ passage

PASSAGE_WORDS = 35
_PASSAGE_MARK = re.compile(
    r"(?:^|\n)\W{0,3}(?:passage|context|article|text|paragraph|document|story|background|abstract|facts?|evidence)\W{0,3}[:\n]",
    re.IGNORECASE,
)


def find_passage(text: str) -> str | None:
    """The text that a prompt gives to be read, apart from what it asks about it; None when there is none."""
    if len(text) < 120:
        return None
    marked = _PASSAGE_MARK.search(text)
    blocks = [
        block.strip() for block in re.split(r"\n\s*\n|\n(?=\W{0,3}(?:question|q)\W{0,3}:)", text, flags=re.IGNORECASE)
    ]
    if len(blocks) == 1:
        blocks = [line.strip() for line in text.split("\n")]
    longest = max(blocks, key=len)
    if marked and len(blocks) >= 2 and len(longest.split()) >= 8:
        return longest
    if len(blocks) >= 2 and len(longest.split()) >= PASSAGE_WORDS:
        return longest
    return None


# ------------------------------------------------------------------------------------------ JSON

_JSON_WORD = re.compile(r"\bjson\b", re.IGNORECASE)
_JSON_COLUMNS = ("schema", "json_schema", "response_format")


def asks_for_json(text: str) -> bool:
    """Whether a prompt asks for an answer in JSON (it says JSON, and not only as the language of some input)."""
    if "json" not in text and "JSON" not in text and "Json" not in text:
        return False
    return bool(
        re.search(
            r"(?:\bin|\bas|\bto|\binto|\breturn|\boutput|\bproduce|\bgive|\brespond|\breply|\banswer|\bvalid|\bgenerate|\bwrite|\bcreate|\bonly|\bemit|\bformat\b)"
            r"[^.\n]{0,40}\bjson\b|\bjson\b\s*(?:object|format|output|response|schema|array|list|only|with|:)",
            text,
            re.IGNORECASE,
        )
    )


def find_json_schema(example: Example) -> JsonObject | None:
    """A JSON Schema that the row carries, in a column or in the prompt; None when there is none."""
    for holder in (example.columns, example.columns.get("extra_info"), example.columns.get("meta")):
        if isinstance(holder, dict):
            for name in _JSON_COLUMNS:
                schema = _as_schema(holder.get(name))
                if schema is not None:
                    return schema
    text = example.text
    if '"type"' not in text and '"properties"' not in text and '"$schema"' not in text:
        return None
    position = text.find("{")
    decoder = json.JSONDecoder()
    attempts = 0
    while position >= 0 and attempts < 20:
        attempts += 1
        try:
            value, end = decoder.raw_decode(text, position)
        except (ValueError, RecursionError):
            position = text.find("{", position + 1)
            continue
        schema = _as_schema(value)
        if schema is not None:
            return schema
        position = text.find("{", end)
    return None


def _as_schema(value: object) -> JsonObject | None:
    if isinstance(value, str) and value.lstrip().startswith("{"):
        try:
            value = json.loads(value)
        except (ValueError, RecursionError):
            return None
    if not isinstance(value, dict):
        return None
    inner = value.get("json_schema", value.get("schema"))
    if isinstance(inner, dict):
        return _as_schema(inner)
    if "properties" in value and isinstance(value["properties"], dict):
        return value
    kinds = {"object", "array", "string", "number", "integer", "boolean"}
    if value.get("type") in kinds and ("items" in value or "$schema" in value or "enum" in value):
        return value
    return None


# ------------------------------------------------------------------------------------------ summary

_SUMMARY_STEMS = Stems(
    "summar", "tldr", "tl;dr", "condense", "abridge", "in brief", "gist", "main point", "main idea", "key point", "takeaway", "headline", "highlights",
    "résum", "resum", "zusammenfass", "fasse", "riassu", "samenvat", "streszcz", "özet", "sammanfatt", "резюмир", "кратко", "краткое",
    "摘要", "总结", "概括", "要約", "요약",
)  # fmt: skip
_SUMMARY = re.compile(
    r"\bsummar(?:y|ies|i[sz]e[sd]?|i[sz]ing|i[sz]ation)\b|\btl;?\s?dr\b|\bcondense\b|\babridge|\bin brief\b|\bgist\b"
    r"|\bmain (?:point|idea)s?\b|\bkey (?:point|takeaway)s?\b|\bheadline\b|\bhighlights\b|\brésum|\bresum(?:e|en|ir|a|o)\b"
    r"|\bzusammenfass|\bfasse\b|\briassu|\bsamenvat|\bstreszcz|\bözet|\bsammanfatt|резюмир|кратко\s+излож|кратк\w{1,10} содержан"
    r"|摘要|总结|概括|要約|요약"
)


def asks_for_summary(text: str) -> bool:
    """Whether a prompt asks for a summary, in one of some ten languages."""
    lowered = text.lower()
    return _SUMMARY_STEMS.stand_in(lowered) and _SUMMARY.search(lowered) is not None
