"""What two outputs have to do with one another: the algebra of the verdict, on any pair of texts and values."""

from __future__ import annotations

import math
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rlar.kinds.programs.run import same_value
from rlar.sandbox.compare import same_number, same_output

SPECIAL = ["inf", "-inf", "+Infinity", "nan", "-nan", "NaN", "1e999", "-1e-999", "1_0", "١٢", "0x10", "1e", ".", "-", "+.e", "infinit", "0" * 500,
           "9" * 401, "9" * 399, "1e400", "²", "½", "1.", ".5", "5.", "--1", "\x00", "\ud800", "\u2028", "1\x0b2", "007", "0.10"]  # fmt: skip
TOKENS = st.sampled_from(SPECIAL) | st.integers().map(str) | st.floats().map(str) | st.text(max_size=8)
OUTPUTS = st.lists(TOKENS, max_size=5).flatmap(
    lambda tokens: st.lists(
        st.sampled_from([" ", "\n", "\t", "\r\n", ""]), min_size=len(tokens), max_size=len(tokens)
    ).map(lambda gaps: "".join(token + gap for token, gap in zip(tokens, gaps, strict=True)))
)
SCALARS: st.SearchStrategy[Any] = (
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5) | st.binary(max_size=3)
    | st.sampled_from([10**400, float("nan"), math.inf, 2**53 + 1, 0.1 + 0.2])
)  # fmt: skip
KEYS = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False)
    | st.text(max_size=3)
    | st.builds(lambda: 10**5000)
)  # no repr
VALUES: st.SearchStrategy[Any] = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(KEYS, inner, max_size=3) | st.tuples(inner, inner)
    | st.frozensets(KEYS, max_size=3),
    max_leaves=8,
)  # fmt: skip


@given(OUTPUTS, OUTPUTS, st.sampled_from(["exact", "lines", "tokens", "numbers"]))
def test_any_two_outputs_have_a_verdict(printed: str, expected: str, compare: Any) -> None:
    assert same_output(printed, expected, compare) in (True, False)
    assert same_output(printed, printed, compare)


@given(VALUES, VALUES)
def test_any_two_values_have_a_verdict(one: Any, other: Any) -> None:
    assert same_value(one, other) in (True, False)


@given(VALUES)
def test_a_value_equals_itself(value: Any) -> None:
    assert same_value(value, value)


@given(st.lists(st.integers(-(10**9), 10**9), min_size=1, max_size=6), st.data())
def test_another_integer_in_its_place_is_another_output(numbers: list[int], data: st.DataObject) -> None:
    index = data.draw(st.integers(0, len(numbers) - 1))
    changed = [*numbers]
    changed[index] += data.draw(st.sampled_from([-1, 1, 10]))
    text, other = (" ".join(map(str, each)) for each in (numbers, changed))
    assert same_output(text.replace(" ", "\n"), text, "numbers")
    assert not same_output(other, text, "numbers")
    assert not same_output(" ".join(f"{number}.0" for number in changed), text, "numbers")
    assert not same_value([float(number) for number in changed], numbers)


@pytest.mark.parametrize(
    ("printed", "expected", "same"),
    [
        ("inf", "inf", True), ("inf", "-inf", False), ("inf", "3", False), ("3", "inf", False), ("nan", "nan", True), ("nan", "0", False),
        ("Infinity", "inf", True), ("1e999", "inf", True), ("12", "1_2", False), ("1_2", "12", False), ("١٢", "12", False),
        ("0101", "0101", True), ("101", "0101", False), ("5.0", "5", True), ("5", "5.0", True), ("4.9999999999", "5", True), ("4.9", "5", False),
        ("12345677.0", "12345678", False), ("123456789012345678", "123456789012345679", False), ("0.333333", "0.3333333333333333", True),
        ("0.33", "0.3333333333333333", False), ("-0", "0", True), ("1e3", "1000", True), ("YES", "yes", False),
    ],
)  # fmt: skip
def test_tokens_are_numbers_only_where_they_are_written_as_numbers(printed: str, expected: str, same: bool) -> None:
    assert same_output(printed, expected, "numbers") is same


@pytest.mark.parametrize(
    ("returned", "expected", "same"),
    [
        (3.0, 3, True), (3, 3.0, True), (2.9999999999, 3, True), (2.99999, 3, False), (1e-12, 2e-12, True), (1e-7, 2e-7, False), (10**400, 1.0, False),
        (1.0, 10**400, False), (math.inf, 10**400, False), (math.nan, math.nan, True), ((1, [2]), [1, (2,)], True), ({1: 2}, {"1": 2}, True),
        ({10**5000: 1}, {"1": 1}, False), ("3", 3, False), (b"a", "a", False), ({1, 2}, [1, 2], False),
    ],
)  # fmt: skip
def test_values_agree_as_data(returned: Any, expected: Any, same: bool) -> None:
    assert same_value(returned, expected) is same


def test_a_number_is_compared_without_an_exception() -> None:
    numbers = [0, -1, 10**400, -(10**400), 0.0, math.inf, -math.inf, math.nan, 1e308, 5e-324]
    assert all(same_number(one, other) in (True, False) for one in numbers for other in numbers)
