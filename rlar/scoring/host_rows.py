"""A row as a training host hands it over -> a RoutedSample; and the columns by which a row finds its task again.

Hosts keep some columns, rename others, change prompts or pass none. `rlar data export` therefore gives every row
three columns of ours, at the top level or inside `extra_info` (verl), `metadata` or a JSON `label` (OpenRLHF, slime):

    rlar_row          the whole row as JSON text: exact, whatever the host does to the rest
    rlar_row_key      its key in the registry
    rlar_fingerprint  its task

Any of them is enough to find the task. Without `rlar_row` the host's prompt and columns are used; without a prompt
there is a task but no reward (every tool abstains).
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from typing import Any, NamedTuple

from rlar.foreign import DEEPEST, too_deep
from rlar.rows.example import MAX_ROW_BYTES, RejectedRow, encodable, row_to_example
from rlar.scoring.scorer import RoutedSample
from rlar.text.chat import turns_of
from rlar.types import Example, JsonObject, canonical_json

ROW, ROW_KEY, FINGERPRINT = "rlar_row", "rlar_row_key", "rlar_fingerprint"
_CARRIERS = ("extra_info", "metadata", "info", "label")
"""Columns in which hosts carry what is not theirs."""
_NOT_A_ROW = ("completion", "completions", "response", "responses")


class HostRow(NamedTuple):
    """What is known of a row."""

    example: Example
    fingerprint: str | None
    row_key: str | None

    def sample(self, completion: str) -> RoutedSample:
        """A completion of this row, to be scored."""
        return RoutedSample(
            example=self.example, completion=completion, fingerprint=self.fingerprint, row_key=self.row_key
        )


def carried(example: Example, fingerprint: str | None) -> JsonObject:
    """The three columns of a row: its whole as JSON text, its key, its task (None: unknown)."""
    whole = {
        "id": example.id,
        "prompt": [message.model_dump() for message in example.prompt],
        "references": list(example.references),
        "columns": {name: value for name, value in example.columns.items() if name not in _NOT_A_ROW},
    }
    return {ROW: canonical_json(whole), ROW_KEY: example.key, FINGERPRINT: fingerprint}


def read_host_row(row: Mapping[str, Any], *, origin: str = "") -> HostRow | RejectedRow:
    """The row that a host handed over, or why it can't be used. Never raises because of a value."""
    values = plain_row(row)
    if values is None:
        return RejectedRow(origin, f"nested deeper than {DEEPEST}")
    where, fields = _own_fields(values)
    fingerprint, row_key = _short(fields.get(FINGERPRINT)), _short(fields.get(ROW_KEY))
    if (whole := fields.get(ROW)) is not None:
        example = _whole_row(whole, origin)
    else:
        left = {name: value for name, value in values.items() if name not in (*_NOT_A_ROW, ROW, ROW_KEY, FINGERPRINT)}
        if where == "label":
            left["label"] = fields.get("reference")
        if left.get("prompt") or left.get("input") or not (fingerprint or row_key):
            example = row_to_example(left, origin)
        else:
            # Read with a prompt that any row may have, which is then taken away again.
            example = row_to_example({**left, "prompt": "-"}, origin)
            if isinstance(example, Example):
                example = example.model_copy(update={"prompt": ()})
    return example if isinstance(example, RejectedRow) else HostRow(example, fingerprint, row_key)


def read_templated(
    prompt: Any, label: Any, *, origin: str = "", metadata: Mapping[str, Any] | None = None
) -> HostRow | RejectedRow:
    """The row behind a prompt that went through a chat template (or a message list) and a label.

    A plain label is the reference. Templates add system turns of their own: then the row is also looked for under the
    key that it has without them.
    """
    if isinstance(prompt, str) and prompt:
        prompt = [turn.model_dump() for turn in turns_of(prompt)]
    row = read_host_row({"prompt": prompt, "label": label, "metadata": metadata or None}, origin=origin)
    if isinstance(row, RejectedRow) or row.row_key is not None:
        return row
    turns = tuple(turn for turn in row.example.prompt if turn.role != "system")
    if not turns or len(turns) == len(row.example.prompt):
        return row
    return row._replace(row_key=row.example.model_copy(update={"prompt": turns}).key)


def _whole_row(whole: Any, origin: str) -> Example | RejectedRow:
    """What `carried` wrote, read back: the very same row, but for its origin."""
    fields = _object(whole) if isinstance(whole, str) else whole
    if not isinstance(fields, dict) or not isinstance(fields.get("columns", {}), dict):
        return RejectedRow(origin, f"`{ROW}` is not what `rlar data export` wrote")
    # Only these three, so that no other column is taken for a reference.
    given = {"id": fields.get("id"), "prompt": fields.get("prompt"), "reference": fields.get("references")}
    example = row_to_example(given, origin)
    if isinstance(example, RejectedRow):
        return example
    return example.model_copy(update={"columns": fields.get("columns", {})})


def completion_text(value: Any) -> str | None:
    """A completion as text, from text or from messages; None where it is neither or can't be encoded.

    Of messages only what the assistant said counts, not what a tool answered.
    """
    if isinstance(value, list | tuple):
        messages = [
            item for item in value if not isinstance(item, Mapping) or item.get("role", "assistant") == "assistant"
        ]
        parts = [_content(message) for message in messages]
        if not parts or any(part is None for part in parts):
            return None
        value = "\n\n".join(part for part in parts if part)
    return value if isinstance(value, str) and encodable(value) else None


def plain_row(row: Mapping[str, Any]) -> JsonObject | None:
    """The row as JSON values (hosts pass arrays, scalars of numpy, paths ...); None where it nests too deep."""
    plain = _plain(dict(row), DEEPEST)
    return plain if isinstance(plain, dict) else None


class _TooDeep:
    pass


_TOO_DEEP = _TooDeep()


def _plain(value: Any, left: int) -> Any:
    if value is None or isinstance(value, str | bool | int):
        return value
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if left == 0:
        return _TOO_DEEP
    if isinstance(value, Mapping):
        items = {str(key): _plain(item, left - 1) for key, item in value.items()}
        return _TOO_DEEP if any(item is _TOO_DEEP for item in items.values()) else items
    if isinstance(value, list | tuple):
        parts = [_plain(item, left - 1) for item in value]
        return _TOO_DEEP if any(item is _TOO_DEEP for item in parts) else parts
    to_list = getattr(value, "tolist", None)
    if callable(to_list):
        return _plain(to_list(), left - 1)
    return None  # no JSON value: of no use to a verifier


def _own_fields(values: JsonObject) -> tuple[str, JsonObject]:
    """The object that holds our columns and where it lies: "" is the row itself, else a column that carries things."""
    ours = (ROW, ROW_KEY, FINGERPRINT)
    if any(values.get(name) for name in ours):
        return "", values
    for name in _CARRIERS:
        inner = values.get(name)
        if name == "label" and isinstance(inner, str):
            inner = _object(inner)
        if isinstance(inner, dict) and any(inner.get(key) for key in ours):
            return name, inner
    return "", {FINGERPRINT: values.get("fingerprint")}


def _object(text: str) -> JsonObject | None:
    """The JSON object in a text; None where there is none."""
    if text.lstrip()[:1] != "{" or len(text) > 2 * MAX_ROW_BYTES:
        return None
    try:
        value = json.loads(text)
    except (ValueError, RecursionError):
        return None
    return value if isinstance(value, dict) and not too_deep(value) else None


def _short(value: Any) -> str | None:
    return value if isinstance(value, str) and 0 < len(value) <= 64 and value.isascii() else None


def _content(message: Any) -> str | None:
    content = message.get("content") if isinstance(message, Mapping) else None
    if isinstance(content, str):
        return content
    if isinstance(content, list | tuple):
        texts = [part.get("text") if isinstance(part, Mapping) else None for part in content]
        return "".join(texts) if all(isinstance(text, str) for text in texts) else None  # type: ignore[arg-type]
    # A turn that only calls tools has no content.
    return "" if isinstance(message, Mapping) and content is None and message.get("tool_calls") else None
