"""Function calls as JSON: what is the same call although the JSON differs.

A call is an object with a name and arguments, as `{"name": ..., "arguments": {...}}` or `{"f": {...}}`. Calls of one function
may come in any order, an argument may be left out where the prompt declares its default, and a reference may list the
values that each argument may take (`{"f": {"x": [1, 2], "unit": ["m", ""]}}`, where "" says that it may be left out).
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

from rlar.types import canonical_json

NAMES = ("name", "function", "tool", "tool_name", "function_name")
ARGUMENTS = ("arguments", "parameters", "args", "kwargs", "input", "tool_input")
MAX_CALLS = 64


class Call(NamedTuple):
    """One function call: its name and its arguments by name."""

    name: str
    arguments: dict[str, Any]
    is_named: bool = True
    """By a member of its own; `{"f": {...}}` may be any object."""


def calls_of(value: Any) -> list[Call] | None:
    """The calls that a value is, each in its own reading; None where it is something else."""
    items = value if isinstance(value, list) else [value]
    if not items or len(items) > MAX_CALLS:
        return None
    calls = [_call(item) for item in items]
    return [call for call in calls if call is not None] if None not in calls else None


def _call(item: Any) -> Call | None:
    if not isinstance(item, dict):
        return None
    if set(item) <= {"type", "function", "id"} and isinstance(item.get("function"), dict):
        item = item["function"]
    name = next((item[key] for key in NAMES if isinstance(item.get(key), str)), None)
    arguments = next((item[key] for key in ARGUMENTS if key in item), None)
    if isinstance(arguments, str):
        try:
            arguments = json.loads(arguments)
        except (ValueError, RecursionError):
            return None
    if name is not None and isinstance(arguments, dict):
        return Call(name, arguments)
    if len(item) == 1:
        (only, value), *_ = item.items()
        if isinstance(value, dict) and only not in (*NAMES, *ARGUMENTS):
            return Call(only, value, is_named=False)
    return None


def key_of(call: Call, defaults: Mapping[str, Any]) -> str:
    """A text that is the same for two calls that do the same."""
    kept = {
        name: value
        for name, value in call.arguments.items()
        if name not in defaults or canonical_json(value) != canonical_json(defaults[name])
    }
    return canonical_json([call.name, kept])


def lists_values(wanted: list[Call]) -> bool:
    """Whether a reference may list, for each argument, the values that it may take: surely so with a "" for "may be left out"."""
    arguments = [value for call in wanted for value in call.arguments.values()]
    return bool(arguments) and all(isinstance(value, list) and value for value in arguments)


def is_listed(mine: list[Call], wanted: list[Call]) -> bool:
    """Whether the calls are, in any order, calls with values that the reference lists."""
    rest = list(wanted)
    for call in mine:
        match = next((one for one in rest if _takes(one, call)), None)
        if match is None:
            return False
        rest.remove(match)
    return not rest


def _takes(wanted: Call, call: Call) -> bool:
    if wanted.name != call.name or not call.arguments.keys() <= wanted.arguments.keys():
        return False
    return all(
        "" in values if name not in call.arguments else _holds(values, call.arguments[name])
        for name, values in wanted.arguments.items()
    )


def _holds(values: list[Any], value: Any) -> bool:
    return canonical_json(value) in map(canonical_json, values)


def defaults_in(values: list[Any]) -> dict[str, Any]:
    """Defaults of arguments that JSON Schemas among the values declare, by name; names with several defaults are left out."""
    defaults: dict[str, Any] = {}
    several: set[str] = set()
    for name, value in _declared(values):
        if name in defaults and canonical_json(defaults[name]) != canonical_json(value):
            several.add(name)
        defaults[name] = value
    return {name: value for name, value in defaults.items() if name not in several}


def _declared(values: list[Any]) -> Iterator[tuple[str, Any]]:
    stack, steps = list(values), 0
    while stack and steps < 5_000:
        one = stack.pop()
        steps += 1
        if isinstance(one, dict):
            properties = one.get("properties")
            if isinstance(properties, dict):
                for name, declared in properties.items():
                    if isinstance(declared, dict) and "default" in declared:
                        yield name, declared["default"]
            stack.extend(one.values())
        elif isinstance(one, list):
            stack.extend(one)
