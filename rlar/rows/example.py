"""One row -> Example: the row shapes of rlar, verl, TRL and OpenRLHF, checked value by value.

Where the prompt comes from: the column named by `ColumnMap.prompt`, else `prompt`, else `input` (OpenRLHF).
Where the reference comes from: the column named by `ColumnMap.reference` (dots reach into objects), else the first
that is there of REFERENCE_COLUMNS. `completion`, `completions`, `response` and `responses` are never taken for a
reference unless named: they are what is to be scored.
"""

from __future__ import annotations

import json
import math
import sys
from dataclasses import dataclass
from typing import Any, NamedTuple

import orjson

from rlar.errors import DatasetError
from rlar.foreign import DEEPEST, too_deep
from rlar.types import Example, JsonObject, Message, canonical_json, digest

MAX_ROW_BYTES = 5 * 1024 * 1024
"""A longer line is rejected without ever being in memory whole."""

REFERENCE_COLUMNS = ("reference", "reward_model.ground_truth", "ground_truth", "label", "answer", "solution", "target")
"""Tried in this order when no reference column is named. `label` counts only where it is not a rating: a bool, or a bare
0, 1 or -1 beside a completion."""

_COMPLETION_COLUMNS = ("completion", "completions", "response", "responses")


@dataclass(frozen=True)
class ColumnMap:
    """Which columns mean what, where a dataset does not use the usual names."""

    prompt: str | None = None
    reference: str | None = None
    """May reach into objects: "extra_info.answer"."""
    id: str = "id"


USUAL_COLUMNS = ColumnMap()


class RejectedRow(NamedTuple):
    """A row that cannot be used."""

    origin: str
    """ "file:line", counted from 1; for Parquet the row's number."""
    reason: str


def row_to_example(row: JsonObject, origin: str = "", columns: ColumnMap = USUAL_COLUMNS) -> Example | RejectedRow:
    """The Example of one row, or the reason why it cannot be one; a missing id is derived from the content.

    `completion` and `completions` stay in Example.columns (see completions_of).
    """
    try:
        return to_example(row, origin, columns)[0]
    except Unusable as unusable:
        return RejectedRow(origin, str(unusable))


def completions_of(columns: JsonObject) -> tuple[str, ...]:
    """The completions that a row wants scored: `completion` (one) or `completions` (a list); as text or messages.

    Raises:
        DatasetError: neither is there, or one is neither text nor a message list.
    """
    if (many := columns.get("completions")) is None:
        one = columns.get("completion")
        if one is None:
            raise DatasetError("no completion; a row to be scored has `completion` or `completions`")
        many = [one]
    if not isinstance(many, list):
        raise DatasetError(f"`completions` is {kind_of(many)}, not a list")
    return tuple(_completion_text(item, index) for index, item in enumerate(many, start=1))


def _completion_text(value: Any, index: int) -> str:
    if isinstance(value, str):
        text = value
    else:
        try:
            text = "\n\n".join(message.content for message in _messages(value))
        except Unusable as unusable:
            reason = str(unusable).replace("the prompt", "it")
            raise DatasetError(f"completion {index} is not usable: {reason}") from unusable
    if not encodable(text):
        raise DatasetError(f"completion {index} holds a lone surrogate")
    return text


class Unusable(Exception):
    """Why a row cannot be an Example; becomes a RejectedRow and never leaves rlar.discover."""


def to_example(row: JsonObject, origin: str, names: ColumnMap) -> tuple[Example, bool]:
    """The example, and whether its id was given. Raises Unusable."""
    if not isinstance(row, dict):
        raise Unusable(f"not an object but {kind_of(row)}")
    rest = {key: value for key, value in row.items() if value is not None}
    prompt = _messages(_take_prompt(rest, names.prompt))
    references = _take_references(rest, names.reference)
    identity = _identity(rest.pop(names.id, None), names.id)
    _check_columns(rest)
    if not identity:
        key = digest(*[part for message in prompt for part in (message.role, message.content)], *references)
        return _example("row-" + key, prompt, references, rest, origin), False
    return _example(identity, prompt, references, rest, origin), True


def _example(
    identity: str, prompt: tuple[Message, ...], references: tuple[str, ...], columns: JsonObject, origin: str
) -> Example:
    return Example(
        id=identity,
        prompt=prompt,
        reference=references[0] if references else None,
        references=references,
        columns=columns,
        origin=origin,
    )


def _identity(value: Any, column: str) -> str:
    """The id as text, "" where there is none."""
    if type(value) is str:
        return _checked_text(value, f"`{column}`") if value else ""
    if value is None:
        return ""
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise Unusable(f"`{column}` is {kind_of(value)}; expected text or a number")
    return _number_text(value, f"`{column}`")


def _take_prompt(rest: JsonObject, named: str | None) -> Any:
    """Remove the prompt's column from the row and return its value."""
    if named is not None:
        value = _pop_path(rest, named)
        if value is None:
            raise Unusable(f"no prompt: the row has no column `{named}`")
        return value
    if "prompt" in rest:
        return rest.pop("prompt")
    if "input" in rest and "instruction" not in rest:
        return rest.pop("input")
    columns = ", ".join(sorted(str(key)[:40] for key in rest)[:8]) or "nothing"
    raise Unusable(f"no prompt: the row has neither `prompt` nor `input` (it has: {columns})")


def _messages(value: Any) -> tuple[Message, ...]:
    if type(value) is str:
        if not value or value.isspace():
            raise Unusable("empty prompt")
        return (Message(role="user", content=_checked_text(value, "the prompt")),)
    if not isinstance(value, list | tuple):
        raise Unusable(f"the prompt is {kind_of(value)}; expected text or a list of messages")
    messages = []
    for number, item in enumerate(value, start=1):
        if not isinstance(item, dict):
            raise Unusable(f"message {number} of the prompt is {kind_of(item)}; expected an object")
        role = item.get("role")
        if not isinstance(role, str) or not role:
            raise Unusable(f"message {number} of the prompt has no role")
        content = _content(item.get("content"), number)
        messages.append(Message(role=_checked_text(role, "a role"), content=_checked_text(content, "the prompt")))
    if not any(message.content and not message.content.isspace() for message in messages):
        raise Unusable("empty prompt")
    return tuple(messages)


def _content(value: Any, number: int) -> str:
    if isinstance(value, str):
        return value
    if not isinstance(value, list):
        raise Unusable(f"message {number} of the prompt has content that is {kind_of(value)}; expected text")
    parts = []
    for part in value:
        text = part.get("text") if isinstance(part, dict) and part.get("type", "text") == "text" else part
        if not isinstance(text, str):
            kind = part.get("type") if isinstance(part, dict) else None
            what = f"a part of type {str(kind)[:40]!r}" if kind is not None else "a part that is not text"
            raise Unusable(f"message {number} of the prompt has {what}; only text is supported")
        parts.append(text)
    return "".join(parts)


def _take_references(rest: JsonObject, named: str | None) -> tuple[str, ...]:
    """Remove the reference's column from the row and return its accepted answers; () where there are none."""
    if named is not None:
        return _references(_pop_path(rest, named), named)
    for name in REFERENCE_COLUMNS:
        if name.partition(".")[0] not in rest:
            continue
        if name == "label" and _is_rating(rest):
            continue
        value = _pop_path(rest, name)
        if references := _references(value, name):
            return references
    return ()


def _is_rating(rest: JsonObject) -> bool:
    """Whether `label` rates a completion instead of answering the prompt: a bool, or a bare 0, 1 or -1 beside one."""
    label = rest["label"]
    return isinstance(label, bool) or (
        isinstance(label, int | float) and abs(label) <= 1 and any(key in rest for key in _COMPLETION_COLUMNS)
    )


def _pop_path(rest: JsonObject, path: str) -> Any:
    """Remove and return the value at a dotted path (a column of that whole name goes first); None if absent."""
    if path in rest:
        return rest.pop(path)
    head, _, tail = path.partition(".")
    inner = rest.get(head)
    if not tail or not isinstance(inner, dict):
        return None
    inner = rest[head] = dict(inner)  # the caller's row is not changed
    return _pop_path(inner, tail)


def _references(value: Any, column: str) -> tuple[str, ...]:
    if type(value) is str:
        return (_checked_text(value, f"`{column}`"),) if value and not value.isspace() else ()
    if isinstance(value, list | tuple):
        if value and all(isinstance(item, dict) and {"role", "content"} <= item.keys() for item in value):
            return (_checked_text(_content(value[-1]["content"], len(value)), f"`{column}`"),)
        if all(item is None or isinstance(item, str | int | float) for item in value):
            texts = (_answer_text(item, column) for item in value)
            return tuple(dict.fromkeys(text for text in texts if text and not text.isspace()))
        value = list(value)
    text = _answer_text(value, column)
    return (text,) if text else ()


def _answer_text(value: Any, column: str) -> str:
    """One answer as text; equal answers in JSONL and in Parquet give equal text ("45" for 45 and for 45.0)."""
    if value is None:
        return ""
    if isinstance(value, str):
        return _checked_text(value, f"`{column}`")
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int | float):
        return _number_text(value, f"`{column}`")
    if not isinstance(value, dict | list) or too_deep(value):
        raise Unusable(f"`{column}` is {kind_of(value)}, or nested deeper than {DEEPEST}")
    if not value:
        return ""
    return _checked_text(_canonical(value, column), f"`{column}`")


def _canonical(value: Any, column: str) -> str:
    try:
        return canonical_json(value)
    except (TypeError, ValueError) as error:
        raise Unusable(f"`{column}` is not a JSON value: {error}") from error


def _number_text(value: int | float, what: str) -> str:
    if isinstance(value, float):
        if not math.isfinite(value):
            raise Unusable(f"{what} is not finite")
        return str(int(value)) if value.is_integer() and abs(value) < 1e15 else repr(value)
    limit = sys.get_int_max_str_digits()
    if limit and value.bit_length() > limit * 3:
        raise Unusable(f"{what} is a number of more than {limit:,} digits")
    return str(value)


def _checked_text(text: str, what: str) -> str:
    """The text itself; raises where SQLite, hashing or a tokenizer would stumble over it later."""
    if "\x00" in text:
        raise Unusable(f"NUL character in {what}")
    if not text.isascii() and not encodable(text):
        raise Unusable(f"lone surrogate in {what}")
    if len(text) > MAX_ROW_BYTES:
        raise Unusable(f"{what} is longer than {MAX_ROW_BYTES // 1024**2} MB")
    return text


def encodable(text: str) -> bool:
    """Whether a text is valid Unicode (no lone surrogates)."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def _check_columns(columns: JsonObject) -> None:
    """The columns are JSON values. Parsed JSON always is; a caller's dict or a Parquet row need not be."""
    try:
        encoded = orjson.dumps(columns)
    except (TypeError, RecursionError) as error:
        if too_deep(columns):
            raise Unusable(f"nested deeper than {DEEPEST}") from None
        try:  # orjson also refuses integers past 64 bits, which are JSON
            encoded = json.dumps(columns, ensure_ascii=False, allow_nan=False).encode()
        except (TypeError, ValueError) as slow_error:
            raise Unusable(f"a column is not a JSON value: {slow_error or error}") from None
    if encoded.count(b"[") + encoded.count(b"{") > DEEPEST and too_deep(columns):
        raise Unusable(f"nested deeper than {DEEPEST}")


def kind_of(value: Any) -> str:
    """What a JSON value is, in the words of an error: "a list", "text", "a number"."""
    names = {dict: "an object", list: "a list", str: "text", bool: "a boolean", type(None): "null"}
    return names.get(type(value), "a number" if isinstance(value, int | float) else f"a {type(value).__name__}")
