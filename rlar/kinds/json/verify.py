"""Is the JSON in the completion the reference's value, or valid under the row's schema?

Values are compared as JSON: the order of members does not matter, 1 equals 1.0, true is not 1, strings are equal up to
Unicode normalisation and surrounding space. A near miss earns up to PARTIAL (share of the leaves that agree), so that
it ranks above prose but never passes. Several different JSON values in one completion score 0.0.
"""

from __future__ import annotations

import json
import re
import unicodedata
from collections import Counter
from collections.abc import Iterator
from functools import lru_cache
from typing import Any, ClassVar

from rlar.kinds.json.schema import SchemaRefused, ValueTooLarge, problems, readable_schema
from rlar.text.answers import clean
from rlar.tool import LibraryTool
from rlar.types import AnswerKind, Sample, Score, abstain, canonical_json, ok

PARTIAL = 0.4
MAX_TEXT = 200_000
MAX_LEAVES = 20_000
MAX_STARTS = 24
"""Places in prose at which a JSON value is looked for."""

_FENCE = re.compile(r"```[ \t]*(?:json[c5]?|JSON)?[ \t]*\n(.*?)```", re.S)
_START = re.compile(r"[{\[]")
_NOTHING = object()


def _no_constant(name: str) -> Any:
    raise ValueError(f"{name} is not JSON")


def _members(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    members = dict(pairs)
    if len(members) != len(pairs):
        raise ValueError("a member is named twice")
    return members


_DECODER = json.JSONDecoder(parse_constant=_no_constant, object_pairs_hook=_members)


def parse(text: str) -> Any:
    """The JSON value that is the whole text; _NOTHING when it is none (or nested too deeply to be read)."""
    try:
        return _DECODER.decode(text.strip())
    except (ValueError, RecursionError):
        return _NOTHING


def found_values(completion: str) -> list[Any]:
    """The JSON values that a completion gives: itself, its fenced blocks, or the objects and lists in its prose."""
    if len(completion) > MAX_TEXT:
        return []
    text = clean(completion).strip()
    whole = parse(text)
    if whole is not _NOTHING:
        return [whole]
    fenced = [parse(block) for block in _FENCE.findall(text)[:MAX_STARTS]]
    if fenced:
        return [value for value in fenced if value is not _NOTHING]
    values: list[Any] = []
    position = 0
    for _ in range(MAX_STARTS):
        start = _START.search(text, position)
        if start is None:
            break
        try:
            value, position = _DECODER.raw_decode(text, start.start())
            values.append(value)
        except (ValueError, RecursionError):
            position = start.end()
    if any(isinstance(value, dict) for value in values):
        # "[1]" in prose is a footnote beside an object.
        values = [value for value in values if isinstance(value, dict) or (isinstance(value, list) and len(value) > 1)]
    return values


def normal(value: Any) -> Any:
    """A value that compares equal exactly when two JSON values are the same."""
    if isinstance(value, bool) or value is None:
        return value
    if isinstance(value, int | float):
        return float(value) if abs(value) < 2**53 else value
    if isinstance(value, str):
        return unicodedata.normalize("NFC", value).strip()
    if isinstance(value, list):
        return [normal(one) for one in value]
    return {str(key): normal(one) for key, one in value.items()}


def leaves(value: Any, path: str = "") -> Iterator[tuple[str, str]]:
    """(path, value as JSON) of every leaf; empty objects and lists are leaves."""
    stack = [(path, value)]
    while stack:
        at, one = stack.pop()
        if isinstance(one, dict) and one:
            stack.extend((f"{at}/{key}", member) for key, member in one.items())
        elif isinstance(one, list) and one:
            stack.extend((f"{at}/{index}", member) for index, member in enumerate(one))
        else:
            yield at, canonical_json(one)


def same(value: Any, wanted: Any) -> bool:
    return canonical_json(value) == canonical_json(wanted)


def agreement(value: Any, wanted: Any) -> float:
    """Share of the leaves that agree (F1 over both), in [0, 1]."""
    mine, theirs = Counter(leaves(value)), Counter(leaves(wanted))
    if sum(mine.values()) > MAX_LEAVES:
        return 0.0
    return 2 * sum((mine & theirs).values()) / (sum(mine.values()) + sum(theirs.values()))


@lru_cache(maxsize=2048)
def read_reference(reference: str) -> tuple[Any, ...]:
    """() when the reference holds no JSON, else (its value,)."""
    values = found_values(reference)
    return (normal(values[-1]),) if values else ()


class JsonMatch(LibraryTool):
    """1.0 for the reference's value (or a value valid under the schema), at most 0.4 for a near miss."""

    name = "json_output"
    answer_kinds: ClassVar[frozenset[AnswerKind]] = frozenset({AnswerKind.JSON})
    role = "verifier"
    runs = "pool"
    summary = "JSON equals the reference's value, or is valid under the row's schema; near misses get at most 0.4"

    def score_one(self, sample: Sample) -> Score:
        try:
            return self._scored(sample)
        except RecursionError:
            return ok(0.0, "nested too deeply")

    def _scored(self, sample: Sample) -> Score:
        wanted = [
            value
            for one in sample.references or ((sample.reference,) if sample.reference else ())
            for value in read_reference(one)
        ]
        schema = None
        if not wanted:
            schema = readable_schema(sample.binding.get("schema"))
            if schema is None:
                return abstain("neither a JSON reference nor a schema that can be used")
        values = [normal(value) for value in found_values(sample.answer)]
        if not values:
            return ok(0.0, "no JSON")
        if len({canonical_json(value) for value in values}) > 1:
            return ok(0.0, "several different JSON values")
        value = values[0]
        if schema is not None:
            return self._against_schema(value, schema)
        if any(same(value, one) for one in wanted):
            return ok(1.0, "the same value")
        best = max(agreement(value, one) for one in wanted)
        return ok(min(PARTIAL, PARTIAL * best), f"{best:.0%} of the leaves agree")

    def _against_schema(self, value: Any, schema: dict[str, Any]) -> Score:
        try:
            if not problems(None, schema) and not problems({}, schema):
                return abstain("the schema accepts anything")
            wrong = problems(value, schema)
        except SchemaRefused as refused:
            return abstain(str(refused))
        except ValueTooLarge as large:
            return ok(0.0, str(large))
        if not wrong:
            return ok(1.0, "valid under the schema")
        members = len(value) if isinstance(value, dict) else 1
        share = max(0.0, 1.0 - len(wrong) / max(1, members + len(wrong) - 1))
        return ok(
            PARTIAL * share if isinstance(value, dict) else 0.0, f"invalid under the schema in {len(wrong)} places"
        )
