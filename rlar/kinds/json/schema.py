"""Validation against a JSON schema that came with a dataset row: the schema is data and may be hostile.

No reference leaves the schema (nothing is fetched), its regular expressions are matched in linear time or refused
(`rlar.text.foreign_regex`), and the number of keywords evaluated is bounded, so that references that multiply ("billion
laughs") end early. What is the schema's fault (SchemaRefused) is kept apart from what is the value's (ValueTooLarge).
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from typing import Any

from rlar.errors import boundary
from rlar.text.foreign_regex import PatternRefused, compile_foreign
from rlar.types import canonical_json

MAX_SCHEMA_CHARACTERS = 64_000
MAX_EVALUATIONS = 20_000
MAX_PATTERN_WORK = 50_000_000
"""Bound on the sum of (length of a text) * (states of a pattern) over all matches of one validation."""
LARGE_NODES, LARGE_DEPTH = 2_000, 100
"""A value beyond them has itself to blame when its validation takes too many steps."""


class SchemaRefused(Exception):
    """The schema cannot be evaluated safely."""


class ValueTooLarge(Exception):
    """The value takes more work to validate than a right one would."""


def readable_schema(found: Any) -> dict[str, Any] | None:
    """The schema as a dict (it may come as JSON text); None when it is none, or too large."""
    if isinstance(found, str):
        if len(found) > MAX_SCHEMA_CHARACTERS:
            return None
        try:
            found = json.loads(found)
        except (ValueError, RecursionError):
            return None
    if not isinstance(found, dict) or not found:
        return None
    return found if len(canonical_json(found)) <= MAX_SCHEMA_CHARACTERS else None


class _Budget:
    """What one validation may still cost."""

    def __init__(self, value: Any) -> None:
        self._nodes, self.depth = _size(value)
        self._evaluations = MAX_EVALUATIONS
        self._pattern_work = MAX_PATTERN_WORK

    def spend(self) -> None:
        self._evaluations -= 1
        if self._evaluations < 0:
            if self._nodes > LARGE_NODES:
                raise ValueTooLarge("too large to validate")
            raise SchemaRefused("the schema takes too many steps to evaluate")

    def matches(self, pattern: str, text: str) -> bool:
        regex = compile_foreign(pattern)
        self._pattern_work -= regex.states * len(text)
        if self._pattern_work < 0:
            raise ValueTooLarge("too long to be matched with the schema's patterns")
        return regex.is_in(text)


def _check_patterns(schema: Any) -> None:
    """Every pattern of the schema can be matched in linear time, and by us; else SchemaRefused."""
    keywords: set[str] = set()
    stack = [schema]
    while stack:
        one = stack.pop()
        if isinstance(one, dict):
            keywords |= one.keys() & {"unevaluatedProperties", "patternProperties"}
            wanted = (one.get("pattern"), *(one["patternProperties"] if _has_patterns(one) else ()))
            for pattern in wanted:
                if isinstance(pattern, str):
                    try:
                        compile_foreign(pattern)
                    except PatternRefused as refused:
                        raise SchemaRefused(f"the schema cannot be used: {refused}") from refused
            stack.extend(one.values())
        elif isinstance(one, list):
            stack.extend(one)
    if len(keywords) == 2:
        # jsonschema answers these two together with Python's own engine.
        raise SchemaRefused("the schema cannot be used: unevaluatedProperties beside patternProperties")


def _has_patterns(schema: dict[str, Any]) -> bool:
    return isinstance(schema.get("patternProperties"), dict)


def _size(value: Any) -> tuple[int, int]:
    """How many values it is made of, and how deep they are nested."""
    nodes, deepest, stack = 0, 0, [(value, 1)]
    while stack:
        one, depth = stack.pop()
        nodes, deepest = nodes + 1, max(deepest, depth)
        if isinstance(one, dict | list):
            stack.extend((member, depth + 1) for member in (one.values() if isinstance(one, dict) else one))
    return nodes, deepest


def problems(value: Any, schema: dict[str, Any], *, most: int = 50) -> list[str]:
    """What is wrong with the value, a line each, at most `most`. Raises SchemaRefused and ValueTooLarge."""
    budget = _Budget(value)

    def refusal(error: Exception) -> SchemaRefused | ValueTooLarge:
        if isinstance(error, SchemaRefused | ValueTooLarge):
            return error
        if isinstance(error, OverflowError) or (isinstance(error, RecursionError) and budget.depth > LARGE_DEPTH):
            return ValueTooLarge("too large to validate")
        # Broken or looping schemas, references that lead out of it.
        return SchemaRefused(f"the schema cannot be used ({type(error).__name__})")

    def validate() -> list[str] | SchemaRefused | ValueTooLarge:
        _check_patterns(schema)
        return _validate(value, schema, most, budget)

    result = boundary(validate, refusal)
    if isinstance(result, Exception):
        raise result
    return result


def _validate(value: Any, schema: dict[str, Any], most: int, budget: _Budget) -> list[str]:
    from jsonschema import Draft202012Validator, FormatChecker
    from jsonschema.validators import extend, validator_for
    from referencing import Registry

    base = validator_for(schema, default=Draft202012Validator)
    # Without formats: the format "regex" would have Python's engine compile the patterns.
    base.check_schema(schema, format_checker=FormatChecker(formats=()))

    def counted(keyword: Callable[..., Any]) -> Callable[..., Any]:
        def evaluate(validator: Any, argument: Any, instance: Any, parent: Any) -> Iterator[Any]:
            budget.spend()
            yield from keyword(validator, argument, instance, parent) or ()

        return evaluate

    keywords = {**base.VALIDATORS, **_matching_keywords(budget)}
    bounded = extend(base, {name: counted(keyword) for name, keyword in keywords.items()})
    # An explicit registry: the default one would fetch remote references.
    violations: list[str] = []
    for error in bounded(schema, registry=Registry()).iter_errors(value):
        violations.append("/".join(str(part) for part in error.absolute_path) + ": " + str(error.validator))
        if len(violations) >= most:
            break
    return violations


def _matching_keywords(budget: _Budget) -> dict[str, Callable[..., Any]]:
    """The keywords that match patterns, as jsonschema has them but for the engine: its own is Python's `re`."""
    from jsonschema import ValidationError

    def pattern(validator: Any, wanted: str, instance: Any, _schema: Any) -> Iterator[Any]:
        if validator.is_type(instance, "string") and not budget.matches(wanted, instance):
            yield ValidationError("does not match")

    def pattern_properties(validator: Any, wanted: dict[str, Any], instance: Any, _schema: Any) -> Iterator[Any]:
        if validator.is_type(instance, "object"):
            for one, subschema in wanted.items():
                for name, member in instance.items():
                    if budget.matches(one, name):
                        yield from validator.descend(member, subschema, path=name, schema_path=one)

    def additional_properties(validator: Any, wanted: Any, instance: Any, schema: Any) -> Iterator[Any]:
        if not validator.is_type(instance, "object"):
            return
        named, patterns = schema.get("properties", {}), schema.get("patternProperties", {})
        extras = [name for name in instance if name not in named and not any(budget.matches(p, name) for p in patterns)]
        if validator.is_type(wanted, "object"):
            for name in extras:
                yield from validator.descend(instance[name], wanted, path=name)
        elif not wanted and extras:
            yield ValidationError("additional properties")

    return {
        "pattern": pattern,
        "patternProperties": pattern_properties,
        "additionalProperties": additional_properties,
    }
