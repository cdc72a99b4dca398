from fractions import Fraction

import pytest

from rlar.kinds.number import read_reference
from rlar.kinds.units import ratio, read_unit, unit_after


@pytest.mark.parametrize(
    ("one", "other", "factor"),
    [
        ("km", "m", 1000), ("cm^2", "m²", Fraction(1, 10000)), ("square feet", "sq. ft", 1), ("km/h", "km per hour", 1),
        ("kilometres per hour", "m/s", Fraction(5, 18)), ("l", "cubic meters", Fraction(1, 1000)), ("hours", "min", 60),
        ("cents", "dollars", Fraction(1, 100)), ("degrees", "°C", 1), ("平方米", "m^2", 1), ("小时", "分钟", 60), ("years", "months", 12),
    ],
)  # fmt: skip
def test_units_of_one_dimension_convert(one, other, factor):
    left, right = read_unit(one), read_unit(other)
    assert left is not None
    assert right is not None
    assert ratio(left, right) == factor


@pytest.mark.parametrize(
    ("one", "other"), [("km", "kg"), ("cm", "cm^2"), ("dollars", "euros"), ("m", "s"), ("m/s", "m")]
)
def test_units_of_other_dimensions_do_not(one, other):
    left, right = read_unit(one), read_unit(other)
    assert left is not None
    assert right is not None
    assert ratio(left, right) is None


@pytest.mark.parametrize("word", ["apples", "", "left", "x", "in total", "kilo gram per"])
def test_other_words_are_no_units(word):
    assert read_unit(word) is None


@pytest.mark.parametrize(
    ("text", "unit"),
    [("5 km in 3 hours", "km"), ("5 in total", ""), ("5 in.", "in"), ("5元钱", "元"), ("5 km per 1 hour", "km/h"), ("5$", ""), ("5 a minute", "")],
)  # fmt: skip
def test_the_unit_after_a_number_ends_where_its_words_end(text, unit):
    read = unit_after(text, 1)
    assert (read[0] if read else None) == read_unit(unit)


def test_a_compound_quantity_is_one_number():
    for text, value in (
        ("5 feet 3 inches", Fraction(21, 4)),
        ("2 hours and 15 minutes", Fraction(9, 4)),
        ("4 dollars 50 cents", Fraction(9, 2)),
    ):
        number = read_reference(text)
        assert number is not None
        assert number.values == (value,)
    assert read_reference("2 hours and 75 minutes") is None
