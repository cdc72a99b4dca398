"""Environments whose answers are those of tools, and tool calls as policies write them."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from functools import cache
from typing import Any, ClassVar

from rlar.foreign import parse_json, too_deep
from rlar.trainer.environments.base import Call, Completion, Environment, Step
from rlar.types import JsonObject, Message

OPEN, CLOSE = "<tool_call>", "</tool_call>"
MOST_CALLS = 8
"""Of one turn; further ones are told so."""


class ToolEnvironment(Environment):
    """Answers every tool call of a turn with a message; a turn without one is the answer, and the end.

    A tool is a method with type hints and a docstring whose `Args:` describe each argument, that returns text. What the
    policy did wrong is text as well ("error: ..."); what it raises means that the environment broke.
    """

    offers: ClassVar[tuple[str, ...]] = ()
    """Names of the methods that are tools."""

    def tools(self) -> Sequence[JsonObject]:
        """The schemas of the methods in `offers`."""
        return _schemas(*(getattr(type(self), name) for name in self.offers))

    def step(self, completion: Completion) -> Step:
        """The tools' answers, or the end with what `judge` gives."""
        if not completion.calls:
            return Step((), self.judge(completion), True)
        answers = [self._answer(call) for call in completion.calls[:MOST_CALLS]]
        if len(completion.calls) > MOST_CALLS:
            answers.append(f"error: at most {MOST_CALLS} calls at once; the others were not made")
        return Step([Message(role="tool", content=answer) for answer in answers])

    def judge(self, completion: Completion) -> float | None:
        """The reward of an answer; None leaves it to the registry."""
        return None

    def _answer(self, call: Call) -> str:
        problem = call.problem or self._misuse(call)
        return f"error: {problem}" if problem else str(getattr(self, call.name)(**call.arguments))

    def _misuse(self, call: Call) -> str:
        """What is wrong with a call; "" where nothing is."""
        import jsonschema

        schemas = {tool["function"]["name"]: tool["function"]["parameters"] for tool in self.tools()}
        if call.name not in schemas:
            return f"there is no tool {call.name[:80]!r}; there are {', '.join(sorted(schemas))}"
        parameters = schemas[call.name]
        unknown = sorted(call.arguments.keys() - parameters.get("properties", {}).keys())
        if unknown:
            return f"{call.name} has no argument {unknown[0][:80]!r}"
        wrong = next(jsonschema.Draft202012Validator(parameters).iter_errors(call.arguments), None)
        return "" if wrong is None else f"{call.name}: {wrong.message[:200]}"


@cache
def _schemas(*methods: Callable[..., Any]) -> tuple[JsonObject, ...]:
    from transformers.utils.chat_template_utils import get_json_schema

    return tuple(get_json_schema(method) for method in methods)


def read_calls(text: str) -> tuple[Call, ...]:
    """The calls in a completion, as Hermes and Qwen write them: JSON between `<tool_call>` and `</tool_call>`.

    A call that cannot be read is in the list, with what is wrong with it: the policy is told, as it would be anywhere.
    """
    calls: list[Call] = []
    at = text.find(OPEN)
    while at >= 0 and len(calls) <= MOST_CALLS:
        end = text.find(CLOSE, at)
        inside = text[at + len(OPEN) : end if end >= 0 else None]
        calls.append(_read(inside) if end >= 0 else Call("", {}, f"the call does not end with {CLOSE}"))
        at = text.find(OPEN, end) if end >= 0 else -1
    return tuple(calls)


def _read(text: str) -> Call:
    try:
        value = parse_json(text.strip())
    except ValueError as error:
        return Call("", {}, f"the call is not JSON: {str(error)[:200]}")
    return call_of(value)


def call_of(value: Any) -> Call:
    """A call of {"name", "arguments"}; one that has another shape comes with a problem."""
    if too_deep(value):
        return Call("", {}, "the call is nested too deeply")
    name = value.get("name") if isinstance(value, dict) else None
    arguments = value.get("arguments", {}) if isinstance(value, dict) else None
    if isinstance(arguments, str):  # some models write the arguments as text
        try:
            arguments = parse_json(arguments)
        except ValueError:
            arguments = None
    if too_deep(arguments):
        return Call("", {}, "the call is nested too deeply")
    if not isinstance(name, str) or not isinstance(arguments, dict):
        return Call("", {}, 'a call is {"name": ..., "arguments": {...}}')
    return Call(name, arguments)


def write_call(name: str, **arguments: Any) -> str:
    """A call as `read_calls` reads it."""
    return f"{OPEN}\n{json.dumps({'name': name, 'arguments': arguments}, ensure_ascii=False)}\n{CLOSE}"
