"""The codec between program and tests: exact types survive, everything else is refused, no bytes break the decoders."""

from __future__ import annotations

import collections
import datetime
import fractions
import json
import math
import os
import socket
import struct
import threading
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rlar.sandbox.inside.codec import CodecError, decode, encode
from rlar.sandbox.inside.frames import FrameError, read_frame, write_frame
from rlar.sandbox.plain import decode_value
from tests.fakes.examples import examples

SCALARS = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.integers(min_value=2**62, max_value=2**70)
    | st.floats(allow_nan=False)
    | st.text()
    | st.text(alphabet=st.characters(categories=["Cs"]), max_size=3)
    | st.binary()
    | st.complex_numbers(allow_nan=False)
)
HASHABLE = st.recursive(
    SCALARS, lambda inner: st.lists(inner, max_size=4).map(tuple) | st.frozensets(inner, max_size=4)
)
PLAIN = st.recursive(
    HASHABLE,
    lambda inner: (
        st.lists(inner, max_size=5)
        | st.lists(inner, max_size=4).map(tuple)
        | st.dictionaries(HASHABLE, inner, max_size=4)
        | st.sets(HASHABLE, max_size=4)
    ),
    max_leaves=12,
)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(max_size=6),
    lambda inner: st.lists(inner, max_size=5) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
    max_leaves=25,
)
TAGGED = st.recursive(
    JSON,
    lambda inner: (
        st.tuples(st.sampled_from("ltsfdnxubBcirqDmaweoyhgk"), inner, inner).map(list)
        | st.tuples(st.sampled_from("ltsfdnbi"), st.lists(inner, max_size=3)).map(list)
    ),
    max_leaves=15,
)


def alike(first: Any, second: Any) -> bool:
    """Equal, and of the same types all the way down."""
    if type(first) is not type(second):
        return False
    if isinstance(first, list | tuple):
        return len(first) == len(second) and all(map(alike, first, second))
    if isinstance(first, dict):
        return list(map(type, first)) == list(map(type, second)) and all(alike(first[k], second[k]) for k in first)
    if isinstance(first, float):
        return first == second and math.copysign(1, first) == math.copysign(1, second)
    return bool(first == second)


@given(PLAIN)
def test_plain_data_survives_the_way_through_json(value: Any) -> None:
    wire = json.loads(json.dumps(encode(value)))
    assert alike(decode(wire), value)
    assert alike(decode_value(wire), value)


@given(TAGGED)
@settings(max_examples=examples(300))
def test_decoding_never_raises_anything_else(data: Any) -> None:
    try:
        decode(data)
    except CodecError:
        pass
    try:
        decode_value(data)
    except ValueError:
        pass


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
def test_special_floats_survive(value: float) -> None:
    assert repr(decode(json.loads(json.dumps(encode(value), allow_nan=False)))) == repr(value)


@pytest.mark.parametrize(
    "value",
    [
        collections.deque([1, 2], 5),
        collections.OrderedDict(b=1, a=2),
        collections.Counter("abca"),
        fractions.Fraction(-7, 3),
        datetime.datetime(2020, 1, 2, 3, 4, 5, 6),
        datetime.timedelta(-1, 2, 3),
        range(10, 2, -3),
        bytearray(b"x"),
        int,
        len,
        ...,
    ],
)
def test_the_usual_standard_types_survive(value: Any) -> None:
    found = decode(json.loads(json.dumps(encode(value))))
    assert found == value and type(found) is type(value)


def test_iterators_become_iterators_of_their_items() -> None:
    for value in (iter([1, 2]), (i for i in (1, 2)), map(int, "12"), reversed([2, 1]), zip([1, 2], strict=True)):
        items = [item[0] if isinstance(item, tuple) else item for item in decode(encode(value))]
        assert items == [1, 2]


class Sly(int):
    def __eq__(self, other: object) -> bool:
        return True

    __hash__ = int.__hash__


@pytest.mark.parametrize("value", [Sly(3), [Sly(3)], {"a": Sly(1)}, object(), Sly, lambda: 0, open, eval, json, 3 + 0j])
def test_what_has_behaviour_is_refused(value: Any) -> None:
    if value == 3 + 0j and type(value) is complex:
        assert encode(value) == ["c", 3.0, 0.0]
        return
    with pytest.raises(CodecError):
        encode(value)


def test_depth_is_bounded_on_both_sides() -> None:
    deep: Any = []
    for _ in range(5000):
        deep = [deep]
    with pytest.raises(CodecError):
        encode(deep)
    wire: Any = ["l", []]
    for _ in range(900):
        wire = ["l", [wire]]
    with pytest.raises(CodecError):
        decode(wire)
    with pytest.raises(ValueError, match="deep"):
        decode_value(wire)


@given(JSON)
def test_frames_carry_any_json(value: Any) -> None:
    ours, theirs = socket.socketpair()
    with ours, theirs:
        write_frame(ours.fileno(), value)
        assert read_frame(theirs.fileno()) == value


@given(st.binary(max_size=300))
def test_arbitrary_bytes_are_a_frame_error_or_a_value(data: bytes) -> None:
    reading, writing = os.pipe()
    try:
        os.write(writing, data)
        os.close(writing)
        try:
            read_frame(reading, limit=1000)
        except (FrameError, ValueError):
            pass
    finally:
        os.close(reading)


def test_a_frame_may_arrive_in_pieces() -> None:
    ours, theirs = socket.socketpair()
    body = json.dumps({"text": "x" * 200_000}).encode()
    data = struct.pack("<I", len(body)) + body

    def drip() -> None:
        for start, end in ((0, 1), (1, 3), (3, 5), (5, 100_000), (100_000, len(data))):
            ours.sendall(data[start:end])

    with ours, theirs:
        writer = threading.Thread(target=drip)
        writer.start()
        assert read_frame(theirs.fileno()) == {"text": "x" * 200_000}
        writer.join()
