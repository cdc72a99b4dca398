"""Probe material for JSON answers: against a reference, or against a schema where the row carries one.

Instances made from a schema are used only when jsonschema agrees that they are valid (or, corrupted, that they are not).
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from rlar.errors import boundary
from rlar.kinds import material as dress
from rlar.kinds.material import Material, Notes, Row, Tried
from rlar.types import canonical_json

_MISSING = object()


def json_output(row: Row, notes: Notes) -> Material | None:
    """A JSON value; a changed field, a dropped key, another type and a cut text must lose."""
    schema = row.binding.get("schema")
    schema = schema if isinstance(schema, dict) else None
    value = parse(row.reference) if row.reference else _MISSING
    if value is _MISSING and schema is not None:
        value = instance(schema)
    if value is _MISSING:
        notes.add("neither a JSON reference nor a schema that an instance could be made for")
        return None
    compact = json.dumps(value, ensure_ascii=False)
    pretty = json.dumps(value, ensure_ascii=False, indent=2)
    same = [
        dress.whitespace(compact),
        Tried("pretty", pretty),
        dress.think(compact),
        Tried("fence_without_name", f"```\n{pretty}\n```"),
    ]
    if isinstance(value, dict) and len(value) > 1:
        same.append(Tried("keys_reordered", json.dumps(dict(reversed(list(value.items()))), ensure_ascii=False)))
    wrong = [
        Tried(kind, json.dumps(other, ensure_ascii=False))
        for kind, other in _other_values(value)
        if (row.reference and canonical_json(other) != canonical_json(value))
        or (not row.reference and not is_valid(other, schema))
    ]
    if len(compact) > 4:
        wrong.append(Tried("cut_short", compact[: max(1, len(compact) * 2 // 3)]))
    others = [parse(peer) for peer in row.peers]
    wrong += [
        Tried("near_miss", canonical_json(other)) for other in others[:1] if other is not _MISSING and other != value
    ]
    hacks = [
        Tried("empty_object", "{}"),
        Tried("null", "null"),
        Tried("spray_values", "\n".join(f'{{"answer": {n}}}' for n in range(9))),
    ]
    if not row.reference:
        hacks = [hack for hack in hacks if (tried := parse(hack.text)) is _MISSING or not is_valid(tried, schema)]
    return Material(
        right=(dress.plain(compact), dress.fenced(pretty, "json"), dress.fenced_in_prose(pretty, "json")),
        same=tuple(same),
        wrong=tuple(wrong),
        hacks=tuple(hack for hack in hacks if parse(hack.text) != value),
        # Against a schema alone, another row's answer or an injected object may be a valid answer.
        skip=frozenset() if row.reference else frozenset({"other_row", "injected_json"}),
    )


def parse(text: str) -> Any:
    """The JSON value of a text, or a marker where it holds none."""
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return _MISSING


def is_valid(value: Any, schema: dict[str, Any] | None) -> bool:
    """Whether jsonschema accepts the value; a schema that it cannot use accepts nothing."""
    if schema is None:
        return False
    from jsonschema import validators

    def check() -> bool:
        checker = validators.validator_for(schema)
        checker.check_schema(schema)
        return bool(checker(schema).is_valid(value))

    return boundary(check, lambda _error: False)


def instance(schema: dict[str, Any]) -> Any:
    """A value that the schema accepts, or a marker where none was found."""
    value = _instance(schema, schema, 0)
    return value if value is not _MISSING and is_valid(value, schema) else _MISSING


def _instance(schema: Any, root: dict[str, Any], depth: int) -> Any:
    if not isinstance(schema, dict) or depth > 12:
        return "text" if schema is True else _MISSING
    if "$ref" in schema:
        return _instance(_resolve(str(schema["$ref"]), root), root, depth + 1)
    for fixed in ("const", "default"):
        if fixed in schema:
            return schema[fixed]
    for several in ("enum", "examples"):
        if schema.get(several):
            return schema[several][0]
    for options in ("anyOf", "oneOf"):
        if schema.get(options):
            return _instance(
                {**{k: v for k, v in schema.items() if k != options}, **schema[options][0]}, root, depth + 1
            )
    if schema.get("allOf"):
        merged: dict[str, Any] = {k: v for k, v in schema.items() if k != "allOf"}
        for part in schema["allOf"]:
            if isinstance(part, dict):
                merged = {
                    **merged,
                    **part,
                    "properties": {**merged.get("properties", {}), **part.get("properties", {})},
                }
        return _instance(merged, root, depth + 1)
    kind = schema.get("type")
    if isinstance(kind, list):
        kind = next((each for each in kind if each != "null"), "null")
    if kind is None:
        kind = "object" if "properties" in schema else "array" if "items" in schema else "string"
    return _of_type(str(kind), schema, root, depth)


def _of_type(kind: str, schema: dict[str, Any], root: dict[str, Any], depth: int) -> Any:
    if kind == "object":
        made = {name: _instance(part, root, depth + 1) for name, part in dict(schema.get("properties") or {}).items()}
        required = set(schema.get("required") or ())
        for name in required - set(made):
            made[name] = "text"
        return {name: value for name, value in made.items() if value is not _MISSING or name in required}
    if kind == "array":
        count = max(int(schema.get("minItems", 0)), 1)
        return [_instance(schema.get("items", True), root, depth + 1) for _ in range(count)]
    if kind in {"integer", "number"}:
        low = schema.get("minimum", schema.get("exclusiveMinimum", -1) + 1)
        value = min(max(low, 1), schema.get("maximum", schema.get("exclusiveMaximum", low + 2) - 1))
        step = schema.get("multipleOf")
        return value if not step else -(-value // step) * step
    if kind == "boolean":
        return True
    if kind == "null":
        return None
    formats = {
        "date": "2024-05-17",
        "date-time": "2024-05-17T10:30:00Z",
        "time": "10:30:00Z",
        "email": "kim@example.org",
        "uri": "https://example.org/a",
        "uuid": "6f1c2f0e-6a2b-4c57-9d3e-0d7c2b1f4a55",
        "ipv4": "192.0.2.7",
    }
    text = formats.get(str(schema.get("format")), "text")
    text += "x" * max(0, int(schema.get("minLength", 0)) - len(text))
    return text[: int(schema["maxLength"])] if "maxLength" in schema else text


def _resolve(pointer: str, root: dict[str, Any]) -> Any:
    node: Any = root
    for part in pointer.lstrip("#/").split("/"):
        node = node.get(part.replace("~1", "/").replace("~0", "~")) if isinstance(node, dict) else None
    return node


def _other_values(value: Any) -> Iterator[tuple[str, Any]]:
    """The value with one thing changed."""
    if isinstance(value, dict) and value:
        for index, (name, held) in enumerate(value.items()):
            if index == 3:
                break
            yield "field_changed", {**value, name: _changed(held)}
            yield "type_changed", {**value, name: _other_type(held)}
            if isinstance(held, int | float) and not isinstance(held, bool):
                yield "number_as_text", {**value, name: str(held)}
            yield "key_dropped", {other: kept for other, kept in value.items() if other != name}
            yield "key_renamed", {(f"{other}_x" if other == name else other): kept for other, kept in value.items()}
    elif isinstance(value, list) and value:
        yield "item_dropped", value[1:]
        yield "item_changed", [_changed(value[0]), *value[1:]]
        yield "item_added", [*value, _changed(value[-1])]
    else:
        yield "value_changed", _changed(value)
        yield "type_changed", _other_type(value)


def _changed(value: Any) -> Any:
    if isinstance(value, bool):
        return not value
    if isinstance(value, int | float):
        return value + 1
    if isinstance(value, str):
        return "something else" if value != "something else" else "another thing"
    if isinstance(value, list):
        return [*value, "extra"]
    return "something else"


def _other_type(value: Any) -> Any:
    return (
        {"wrong": "type"}
        if isinstance(value, str | list) or value is None
        else "a text"
        if not isinstance(value, dict)
        else 7
    )
