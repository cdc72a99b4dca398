"""Is the JSON in the completion the reference's value, or valid under the row's schema?

Values are compared as JSON: the order of members does not matter, 1 equals 1.0, true is not 1, numbers are equal up to what
arithmetic in doubles adds, strings up to Unicode normalisation and surrounding space; function calls as `calls` says. A near
miss earns up to PARTIAL (share of the leaves that agree), so that it ranks above prose but never passes. Several different
JSON values in one completion score 0.0. What graders decide differently (a null for a missing member, a list in another
dress, calls of several functions in another order) is abstained on; so is a document that is valid under its schema where the
prompt has rules beside it.
"""

from __future__ import annotations

import json
import math
import re
import unicodedata
from collections import Counter
from collections.abc import Iterator
from functools import lru_cache
from typing import Any, ClassVar

from rlar.kinds.json.calls import calls_of, defaults_in, is_listed, key_of, lists_values
from rlar.kinds.json.prose import rules_beside
from rlar.kinds.json.schema import SchemaRefused, ValueTooLarge, problems, readable_schema
from rlar.text.answers import clean
from rlar.tool import LibraryTool
from rlar.types import AnswerKind, Sample, Score, abstain, canonical_json, ok

PARTIAL = 0.4
MAX_TEXT = 200_000
MAX_LEAVES = 20_000
MAX_STARTS = 24
"""Places in prose at which a JSON value is looked for."""

_FENCE = re.compile(r"```|~~~")
_INFO = re.compile(r"[ \t]*+[\w+.-]{0,20}+(?=\s)")
_START = re.compile(r"[{\[]")
_OBJECT = re.compile(r"\{\s*+\"")
_BRACKET = re.compile(r"\"(?:[^\"\\\n]|\\.)*+\"|[{}]")
_NOTHING = object()


def _no_constant(name: str) -> Any:
    raise ValueError(f"{name} is not JSON")


def _members(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    members = dict(pairs)
    if len(members) != len(pairs):
        raise ValueError("a member is named twice")
    return members


def _finite(text: str) -> float:
    value = float(text)
    if math.isinf(value):
        raise ValueError("too large a number")
    return value


_DECODER = json.JSONDecoder(parse_constant=_no_constant, object_pairs_hook=_members, parse_float=_finite)


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
    parts = _FENCE.split(text)
    blocks = [_INFO.sub("", block, count=1).strip() for block in parts[1::2][:MAX_STARTS]]
    blocks = [block for block in blocks if block[:1] in ("{", "[") or parse(block) is not _NOTHING]
    if blocks:
        return [value for value in map(parse, blocks) if value is not _NOTHING]
    return _in_prose("\n".join(parts[::2]) if len(parts) > 2 else text)


def _in_prose(text: str) -> list[Any]:
    """The objects and lists that stand in a text."""
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
            position = _end_of_object(text, start.start()) or start.end()
    if any(isinstance(value, dict) for value in values):
        # "[1]" in prose is a footnote beside an object.
        values = [value for value in values if isinstance(value, dict) or (isinstance(value, list) and len(value) > 1)]
    return values


def _end_of_object(text: str, start: int) -> int:
    """Where an object ends that is no JSON, or only sketched ("{"a": {"b": 1}, ...}"): its members are no answers. 0 for others."""
    if not _OBJECT.match(text, start):
        return 0
    depth = 0
    for token in _BRACKET.finditer(text, start):
        depth += {"{": 1, "}": -1}.get(token[0], 0)
        if depth == 0:
            return token.end()
    return 0


def normal(value: Any) -> Any:
    """A value that compares equal exactly when two JSON values are the same."""
    if isinstance(value, bool) or value is None:
        return value
    if isinstance(value, float):
        return int(value) if value.is_integer() else float(f"{value:.12g}")
    if isinstance(value, int):
        return value
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
    """Whether two values are the same JSON: members in any order, elements of lists in theirs."""
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


@lru_cache(maxsize=512)
def json_in(prompt: str) -> tuple[Any, ...]:
    """The objects and lists in a prompt's first MAX_TEXT characters."""
    return tuple(normal(value) for value in _in_prose(prompt[:MAX_TEXT]))


def _different(values: list[Any]) -> list[Any]:
    return list({canonical_json(value): value for value in values}.values())


def _same_members(one: list[Any], other: list[Any]) -> bool:
    return sorted(map(canonical_json, one)) == sorted(map(canonical_json, other))


def _as_calls(value: Any, wanted: Any, prompt: str) -> Score | None:
    """The verdict where both are function calls that do the same; None where they are not, or do not."""
    mine, theirs = calls_of(value), calls_of(wanted)
    if mine is None or theirs is None:
        return None
    if lists_values(theirs) and is_listed(mine, theirs):
        sure = any("" in values for call in theirs for values in call.arguments.values())
        return (
            ok(1.0, "calls that the reference lists") if sure else abstain("the reference may list values of arguments")
        )
    defaults = defaults_in(list(json_in(prompt)))
    one, other = ([key_of(call, defaults) for call in calls] for calls in (mine, theirs))
    if sorted(one) != sorted(other):
        return None
    if not _same_dress(value, wanted):
        return abstain("the same calls in another form")
    if one != other and (len({call.name for call in theirs}) > 1 or not all(call.is_named for call in theirs)):
        return abstain("calls in another order")
    return ok(1.0, "the same calls")


def _same_dress(value: Any, wanted: Any) -> bool:
    """Whether two calls, or lists of calls, have members of the same names and types, whatever they hold."""
    if isinstance(value, list) != isinstance(wanted, list):
        return False
    one, other = (
        {(key, type(member)) for item in (each if isinstance(each, list) else [each]) for key, member in item.items()}
        for each in (value, wanted)
    )
    return one == other


def _debatable(value: Any, wanted: Any) -> Score | None:
    """An abstention where the values differ only by members that are null."""
    if same(_without_nulls(value), _without_nulls(wanted)):
        return abstain("null in the place of a missing member")
    return None


def _without_nulls(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _without_nulls(one) for key, one in value.items() if one is not None}
    return [_without_nulls(one) for one in value] if isinstance(value, list) else value


class JsonMatch(LibraryTool):
    """1.0 for the reference's value (or a value valid under the schema), at most 0.4 for a near miss."""

    name = "json_output"
    answer_kinds: ClassVar[frozenset[AnswerKind]] = frozenset({AnswerKind.JSON})
    role = "verifier"
    runs = "pool"
    summary = "JSON equals the reference's value, or is valid under the row's schema; near misses get at most 0.4"

    def score_one(self, sample: Sample) -> Score:
        """1.0 for the reference's value or what its schema allows, at most PARTIAL (0.4) for a near miss, 0.0 for another.

        Abstains without a reference or a usable schema, and where neither says whether the value is right.
        """
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
        given = [normal(value) for value in found_values(sample.answer)]
        values = _different(given)
        if len(values) > 1:  # what a completion repeats of the prompt is no answer beside one
            quoted = {canonical_json(value) for value in json_in(sample.prompt)}
            values = [value for value in values if canonical_json(value) not in quoted] or values
        if not values:
            return ok(0.0, "no JSON")
        if len(values) > 1:
            listed = any(isinstance(one, list) and _same_members(given, one) for one in wanted)
            return (
                abstain("the members of the list, but no list") if listed else ok(0.0, "several different JSON values")
            )
        value = values[0]
        if schema is not None:
            return self._against_schema(value, schema, sample.prompt)
        if any(same(value, one) for one in wanted):
            return ok(1.0, "the same value")
        for one in wanted:
            verdict = _as_calls(value, one, sample.prompt) or _debatable(value, one)
            if verdict is not None:
                return verdict
        best = max(agreement(value, one) for one in wanted)
        return ok(min(PARTIAL, PARTIAL * best), f"{best:.0%} of the leaves agree")

    def _against_schema(self, value: Any, schema: dict[str, Any], prompt: str) -> Score:
        try:
            if not problems(None, schema) and not problems({}, schema):
                return abstain("the schema accepts anything")
            wrong = problems(value, schema)
        except SchemaRefused as refused:
            return abstain(str(refused))
        except ValueTooLarge as large:
            return ok(0.0, str(large))
        if not wrong:
            rules = rules_beside(prompt)
            if rules:
                return abstain(f"valid under the schema, but the prompt asks for more: {rules[0][:100]}")
            return ok(1.0, "valid under the schema")
        members = len(value) if isinstance(value, dict) else 1
        share = max(0.0, 1.0 - len(wrong) / max(1, members + len(wrong) - 1))
        return ok(
            PARTIAL * share if isinstance(value, dict) else 0.0, f"invalid under the schema in {len(wrong)} places"
        )
