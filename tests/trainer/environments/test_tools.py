"""Tool calls: read as models write them, and answered where they are wrong; nothing that is written breaks a tool."""

from __future__ import annotations

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rlar.tool import Resources
from rlar.trainer.environments.base import Environment
from rlar.trainer.environments.calculator import Calculator
from rlar.trainer.environments.tools import MOST_CALLS, Call, read_calls, write_call
from rlar.types import Example, Message
from tests.fakes.environments import Adder, step_of

ROW = Example(id="1", prompt=(Message(role="user", content="?"),))


def ready(kind: type[Environment], **more) -> Environment:
    made = kind(Resources(), **more)
    made.reset(ROW, 0)
    return made


def said(environment, text):
    return [message.content for message in step_of(environment, text).messages]


def test_calls_are_read_in_order_and_written_as_they_are_read():
    text = f"first {write_call('a', x=1)} then {write_call('b', y='<>é')} end"
    assert read_calls(text) == (Call("a", {"x": 1}), Call("b", {"y": "<>é"}))
    assert read_calls("no call, only <tool_cal>") == ()
    assert read_calls('<tool_call>{"name": "a", "arguments": "{\\"x\\": 2}"}</tool_call>') == (Call("a", {"x": 2}),)


@pytest.mark.parametrize(
    ("inside", "problem"),
    [
        ("{", "not JSON"),
        ("[]", 'a call is {"name"'),
        ('{"name": 1}', 'a call is {"name"'),
        ('{"name": "a", "arguments": [1]}', 'a call is {"name"'),
        ('{"name": "a", "arguments": "{"}', 'a call is {"name"'),
        ('{"name": "a", "arguments": {"x": ' + "[" * 120 + "]" * 120 + "}}", "too deeply"),
        ("[" * 100_000, "too deeply"),
    ],
)
def test_a_call_that_cannot_be_read_is_told_to_the_policy(inside, problem):
    (call,) = read_calls(f"<tool_call>{inside}</tool_call>")
    assert problem in call.problem
    (answer,) = said(ready(Adder), f"<tool_call>{inside}</tool_call>")
    assert answer.startswith("error: ") and problem in answer


def test_a_call_without_an_end_is_told_so():
    assert said(ready(Adder), '<tool_call>{"name": "add"') == ["error: the call does not end with </tool_call>"]


@pytest.mark.parametrize(
    ("call", "answer"),
    [
        (write_call("add", one=3, other=4), "7"),
        (write_call("add", one=3), "4"),
        (write_call("sub", one=3), "error: there is no tool 'sub'; there are add"),
        (write_call("__init__"), "error: there is no tool '__init__'; there are add"),
        (write_call("add"), "error: add: 'one' is a required property"),
        (write_call("add", one="3"), "error: add: '3' is not of type 'integer'"),
        (write_call("add", one=3, three=1), "error: add has no argument 'three'"),
    ],
)
def test_a_wrong_call_is_answered_as_text(call, answer):
    assert said(ready(Adder), call) == [answer]


def test_every_call_of_a_turn_is_answered_up_to_a_limit():
    answers = said(ready(Adder), "".join(write_call("add", one=number) for number in range(MOST_CALLS + 3)))
    assert answers[:MOST_CALLS] == [str(number + 1) for number in range(MOST_CALLS)]
    assert answers[MOST_CALLS:] == ["error: at most 8 calls at once; the others were not made"]


def test_a_turn_without_a_call_is_the_answer_and_is_judged():
    assert step_of(ready(Adder), "it is 7") == ((), 1.0, True)
    assert step_of(ready(Calculator), "it is 7") == ((), None, True)  # the registry judges


def test_schemas_are_what_chat_templates_take():
    (tool,) = ready(Adder).tools()
    assert tool["type"] == "function" and tool["function"]["name"] == "add"
    assert tool["function"]["parameters"]["required"] == ["one"]


# ------------------------------------------------------------------------------------------ calculator


@pytest.mark.parametrize(
    ("expression", "value"),
    [
        ("2 + 3*4", "14"), ("-(2**10)", "-1024"), ("7 // 2 + 7 % 2", "4"), ("1/4", "0.25"), ("sqrt(16)", "4"),
        ("round(2.567, 1)", "2.6"), ("max(1, 2, 3) + abs(-4)", "7"), ("10/5", "2"), ("2*pi", "6.283185307179586"),
    ],
)  # fmt: skip
def test_arithmetic(expression, value):
    assert said(ready(Calculator), write_call("calculate", expression=expression)) == [value]


@pytest.mark.parametrize(
    "expression",
    [
        "1/0", "9**9**9**9", "2**100000", "10**400 * 1.0", "__import__('os')", "().__class__", "x", "'a'*9", "[1]*9",
        "(lambda: 1)()", "sqrt(-1)", "(-8)**0.5", "1 if 1 else 2", "min()", "", "(" * 150, "1" * 201, "exp(1e9)", "a\x00b",
        "round(1, ndigits=1)", "log(0)", "1e308*10", "gcd(2.5)", "round(sqrt)", "9" * 190 + "**4",
    ],
)  # fmt: skip
def test_what_is_no_bounded_arithmetic_is_an_error_in_words(expression):
    (answer,) = said(ready(Calculator), write_call("calculate", expression=expression))
    assert answer.startswith("error: ") and len(answer) < 200


@settings(max_examples=300, deadline=None)
@given(st.text(alphabet="0123456789+-*/%().,e eqrtsinmaxpi'\"[]{}:<>_|\\", max_size=60))
def test_nothing_that_is_written_breaks_the_calculator(text):
    for written in (text, write_call("calculate", expression=text), f"<tool_call>{text}</tool_call>"):
        step_of(ready(Calculator), written)


@settings(max_examples=200, deadline=None)
@given(st.recursive(st.none() | st.booleans() | st.floats() | st.text(max_size=5),
                    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=9), inner, max_size=3)))  # fmt: skip
def test_no_json_breaks_a_tool(value):
    for body in (value, {"name": "add", "arguments": value}, {"name": "add", "arguments": {"one": value}}):
        step_of(ready(Adder), f"<tool_call>{json.dumps(body)}</tool_call>")
