"""Whether program and tests run apart is the tests' affair: no answer of a program brings them into one interpreter."""

from __future__ import annotations

import functools
import json
import textwrap
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rlar.sandbox import Limits, Pool, Status, probe
from rlar.sandbox.inside.codec import CodecError, ForeignType, decode, encode
from tests.fakes.examples import examples

ANSWERS = {
    "a moment with a time zone": ["w", "datetime", "2020-01-01T00:00:00+00:00"],
    "a time with a time zone": ["w", "time", "00:00:00+00:00"],
    "an array of records": ["y", "<i4,<i4", ["l", []]],
    "an array of arrays": ["y", "<i4,(2,2)i4", ["l", []]],
    "long floats": ["y", "<f16", ["l", [1.0]]],
    "a deep list": functools.reduce(lambda inner, _: ["l", [inner]], range(150), 1),
    "a long iterator": ["i", [0] * 200_001],
}
FORGER = """
import json, os, struct, sys

class Equal(str):
    __hash__ = str.__hash__
    def __eq__(self, other): return True

def f(x):
    frame = sys._getframe()
    while frame and frame.f_code.co_name != "respond":
        frame = frame.f_back
    if frame is None:  # the tests are in this interpreter
        return Equal()
    body = json.dumps({"value": ANSWER}).encode()
    data = struct.pack("<I", len(body)) + body
    while data:
        data = data[os.write(3, data):]
    os.read(3, 1)
    os._exit(0)
"""
TAGS = ["l", "t", "s", "f", "d", "n", "x", "u", "b", "B", "c", "i", "r", "q", "D", "m", "a", "w", "e", "o", "y"]
WORDS = st.sampled_from(
    ["datetime", "date", "time", "OrderedDict", "Counter", "defaultdict", "len", "int", "object", "Ellipsis", "nan", "ff",
     "2020-01-01T00:00:00+02:00", "2020-01-01", "12:00:00Z", "<i4", "<f8", "<f16", "<c32", "<U3", "|b1", "<i4,<f8", "<U0",
     "|u1", "1.5", "sNaN"]
)  # fmt: skip
LEAVES = st.none() | st.booleans() | st.integers(-9, 9) | st.floats() | WORDS
BYTES_OF_A_PROGRAM = st.recursive(
    LEAVES,
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.builds(lambda tag, rest: [tag, *rest], st.sampled_from(TAGS), st.lists(inner, min_size=1, max_size=3))
    ),
    max_leaves=8,
)


@pytest.fixture(scope="module")
def pool() -> Iterator[Pool]:
    if probe().best is None:
        pytest.skip("no native tier on this machine")
    with Pool(workers=1, limits=Limits(seconds=20)) as made:
        yield made


@settings(max_examples=examples(400), deadline=None)
@given(st.one_of(st.sampled_from([*ANSWERS.values()]), BYTES_OF_A_PROGRAM))
def test_what_a_program_can_answer_is_never_taken_for_an_object_of_the_tests(answer: Any) -> None:
    try:
        value = decode(answer)
    except CodecError:
        return
    try:
        encode([value])
    except ForeignType:
        raise AssertionError(f"{answer} comes out as {type(value)}, which cannot go back") from None
    except CodecError:
        pass  # too large


@pytest.mark.parametrize("answer", ANSWERS, ids=str)
def test_a_program_cannot_choose_to_share_the_tests_interpreter(pool: Pool, answer: str) -> None:
    program = FORGER.replace("ANSWER", f"json.loads({json.dumps(ANSWERS[answer])!r})")
    result = pool.run_tests(program, "assert f(f('abc')) == 'abc'", "f")
    assert not result.passed and not result.forgeable, result
    assert pool.run_tests(program, "assert f('a') == 'a'", "f", mode="same").passed  # it would win there


def test_tests_that_pass_their_own_objects_still_share_an_interpreter(pool: Pool) -> None:
    tests = textwrap.dedent("""
        class Pair:
            left = 1
        assert left(Pair()) == 1
    """)
    result = pool.run_tests("def left(pair):\n    return pair.left\n", tests, "left")
    assert result.status == Status.PASSED and result.forgeable
