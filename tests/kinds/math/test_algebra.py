"""What must not change the verdict on an answer, and what must: the algebra of the exact verifiers, tried at random.

A dress D is a function of texts. For every answer a and every dress D of EQUAL: score(D(a), a) = 1, also for a reference
D(a) where the dress is one that references wear; dresses may be worn on top of each other. For every answer b that differs
from a: score(D(b), a) = 0 (never 1; an abstention is allowed only where the table says so). For every dress of FOIL, which
takes the answer back or drowns it: score(D(a), a) = 0.
"""

from __future__ import annotations

from fractions import Fraction

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.fakes.examples import examples

quick = settings(
    max_examples=examples(60),
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
    derandomize=True,
)

EQUAL = (
    "{}",
    "  {}\n",
    "The answer is {}.",
    "Answer: {}",
    "**Answer:** {}",
    "\\boxed{{{}}}",
    "So we find $\\boxed{{{}}}$.",
    "#### {}",
    "<think>\nIt might be 17, or 4242.\n</think>\n\nThe answer is {}.",
    "Let me see. First 4242 + 1 = 4243.\n\nHence the final answer is {}.",
    "La respuesta es {}.",
    "Die Antwort ist {}.",
    "答案是{}。",
    "**Final Answer**\n\n\\[ {} \\]",
    "The final answer is ${}$. I hope it is correct.",
)
FOILS = (
    "The answer is not {}.",
    "It isn't {}.",
    "The answer can't be {}.",
    "The answer is hardly {}.",
    "{} is wrong.",
    "<think>The answer is {}.",
    "The answer is 424242 or {}.",
    "The answer is {}. The answer is 424242.",
    "\\boxed{{424242}} \\boxed{{{}}}",
    "424241! 424242! {}!",
)
NAMES = ("x", "y", "m", "n", "A", "B", "k")


@st.composite
def spelled_integers(draw):
    """(reference, another spelling of the same integer)."""
    value = draw(st.integers(-99_999, 99_999))
    forms = [str(value), f"{value}.0", f"{value:,}", f"{2 * value}/2", f"\\frac{{{3 * value}}}{{3}}"]
    if value < 0:
        forms.append(f"−{-value}")
    return str(value), draw(st.sampled_from(forms))


@pytest.mark.parametrize("tool", ["number", "math"])
@quick
@given(pair=spelled_integers(), dress=st.sampled_from(EQUAL))
def test_an_integer_in_any_spelling_and_dress_is_right(scored, tool, pair, dress):
    reference, spelled = pair
    assert scored(tool, dress.format(spelled), reference).value == 1.0


@pytest.mark.parametrize("tool", ["number", "math"])
@quick
@given(value=st.integers(10, 9_999), other=st.integers(10, 9_999), dress=st.sampled_from(EQUAL))
def test_another_integer_is_wrong_in_any_dress(scored, tool, value, other, dress):
    if value != other:
        assert scored(tool, dress.format(other), str(value)).value == 0.0


@pytest.mark.parametrize("tool", ["number", "math"])
@quick
@given(value=st.integers(10, 9_999), foil=st.sampled_from(FOILS))
def test_an_answer_that_is_taken_back_or_drowned_is_wrong(scored, tool, value, foil):
    assert scored(tool, foil.format(value), str(value)).value == 0.0


@quick
@given(value=st.integers(10, 9_999), at=st.integers(1, 3), word=st.sampled_from(["and", "or", "minus", "cm", "over"]))
def test_words_between_digits_do_not_vanish(scored, value, at, word):
    text = str(value)
    head, tail = text[:at], text[at:]
    if tail and not tail.startswith("0"):
        assert scored("math", f"\\boxed{{{head}\\text{{ {word} }}{tail}}}", text).value != 1.0


@quick
@given(
    names=st.lists(st.sampled_from(NAMES), min_size=2, max_size=3, unique=True),
    values=st.lists(st.integers(-20, 20), min_size=3, max_size=3, unique=True),
    order=st.randoms(use_true_random=False),
    joint=st.sampled_from([", ", "; ", r"\text{ and }", r",\ "]),
)
def test_named_values_keep_their_names_in_any_order(scored, names, values, order, joint):
    values = values[: len(names)]
    reference = ", ".join(f"{name}={value}" for name, value in zip(names, values, strict=True))
    pairs = list(zip(names, values, strict=True))
    order.shuffle(pairs)
    assert scored("math", f"\\boxed{{{joint.join(f'{n}={v}' for n, v in pairs)}}}", reference).value == 1.0
    turned = values[1:] + values[:1]
    rotated = joint.join(f"{name}={value}" for name, value in zip(names, turned, strict=True))
    assert scored("math", f"\\boxed{{{rotated}}}", reference).value == 0.0


@quick
@given(
    values=st.lists(st.integers(-50, 50), min_size=2, max_size=5, unique=True), order=st.randoms(use_true_random=False)
)
def test_sets_and_roots_have_no_order_and_no_gaps(scored, values, order):
    reference = ", ".join(map(str, values))
    shuffled = values[:]
    order.shuffle(shuffled)
    for dress in ("\\boxed{{{}}}", "\\boxed{{\\{{{}\\}}}}", "The solutions are ${}$."):
        assert scored("math", dress.format(", ".join(map(str, shuffled))), reference).value == 1.0
        assert scored("math", dress.format(", ".join(map(str, shuffled[1:]))), reference).value == 0.0
        assert scored("math", dress.format(", ".join(map(str, [*shuffled[1:], 99]))), reference).value == 0.0
    assert scored("math", "\\boxed{" + r"\text{ or }".join(f"x={v}" for v in shuffled) + "}", reference).value == 1.0


@quick
@given(low=st.integers(-20, 19), width=st.integers(1, 9), closed=st.tuples(st.booleans(), st.booleans()))
def test_an_interval_is_its_inequality_and_its_set(scored, low, width, closed):
    high = low + width
    opening, closing = "[" if closed[0] else "(", "]" if closed[1] else ")"
    left, right = (r"\le" if one else "<" for one in closed)
    more = r"\ge" if closed[0] else ">"
    reference = f"{opening}{low},{high}{closing}"
    spellings = [
        f"{low}{left} x{right} {high}",
        f"x\\in{opening}{low},{high}{closing}",
        f"\\{{x\\mid {low}{left} x{right} {high}\\}}",
        f"x{more} {low}\\text{{ and }}x{right} {high}",
    ]
    for text in spellings:
        assert scored("math", f"\\boxed{{{text}}}", reference).value == 1.0, text
    other = f"{'(' if closed[0] else '['}{low},{high}{closing}"
    assert scored("math", f"\\boxed{{{other}}}", reference).value == 0.0


@quick
@given(low=st.integers(-20, 0), high=st.integers(1, 20), closed=st.booleans())
def test_a_union_has_no_order(scored, low, high, closed):
    a, b = ("]", "[") if closed else (")", "(")
    less, more = (r"\le", r"\ge") if closed else ("<", ">")
    reference = f"(-\\infty,{low}{a}\\cup{b}{high},\\infty)"
    for text in (
        f"{b}{high},\\infty)\\cup(-\\infty,{low}{a}",
        f"x{less} {low}\\text{{ or }}x{more} {high}",
        f"x{more} {high}\\text{{ or }}x{less} {low}",
    ):
        assert scored("math", f"\\boxed{{{text}}}", reference).value == 1.0, text
        assert scored("math", f"\\boxed{{{reference}}}", text).value == 1.0, text
    assert scored("math", f"\\boxed{{[{low},{high}]}}", reference).value == 0.0


@quick
@given(
    mantissa=st.integers(1, 9),
    exponent=st.integers(18, 60),
    factor=st.sampled_from([r"\pi", r"\sqrt{2}", "e"]),
    step=st.sampled_from([1, 2, 5]),
)
def test_small_values_differ(scored, mantissa, exponent, factor, step):
    reference = f"{mantissa}\\cdot 10^{{-{exponent}}}{factor}"
    assert scored("math", f"\\boxed{{{factor}\\cdot {mantissa}\\cdot 10^{{-{exponent}}}}}", reference).value == 1.0
    assert scored("math", f"\\boxed{{{mantissa}\\cdot 10^{{-{exponent + step}}}{factor}}}", reference).value == 0.0
    assert scored("math", f"\\boxed{{{mantissa + step}\\cdot 10^{{-{exponent}}}{factor}}}", reference).value == 0.0


UNITS = (("km", "m", 1000), ("hours", "minutes", 60), ("kg", "g", 1000), ("m", "cm", 100), ("dollars", "cents", 100))


@pytest.mark.parametrize("tool", ["number", "math"])
@quick
@given(value=st.integers(2, 500), units=st.sampled_from(UNITS), other=st.sampled_from(UNITS))
def test_units_convert_and_never_go_unnoticed(scored, tool, value, units, other):
    large, small, factor = units
    reference = f"{value} {large}"
    assert scored(tool, f"It is {value} {large}.", reference).value == 1.0
    assert scored(tool, f"{value * factor} {small}", reference).value == 1.0
    assert scored(tool, f"{value} {small}", reference).value == 0.0
    assert scored(tool, str(value), reference).value == 1.0
    if large != other[0] and {large, other[0]} != {"km", "m"}:
        assert scored(tool, f"{value} {other[0]}", reference).value == 0.0


@quick
@given(a=st.integers(2, 12), b=st.integers(2, 12))
def test_the_problem_in_another_order_is_no_answer(scored, a, b):
    product = dict(prompt=f"Compute ${a}\\cdot {b}$.", reference=str(a * b))
    for claim in (f"{a}\\cdot {b}", f"{b}\\cdot {a}", f"{b}\\times {a}", f"{a}({b})"):
        assert scored("math", f"\\boxed{{{claim}}}", **product).value == 0.0, claim
    assert scored("math", f"${a}\\cdot {b}={a * b}$", **product).value == 1.0
    square = dict(prompt=f"Factor $x^2-{a * a}$.", reference=f"(x-{a})(x+{a})")
    for claim in (f"x^2-{a * a}", f"-{a * a}+x^2", f"x\\cdot x-{a * a}"):
        assert scored("math", f"\\boxed{{{claim}}}", **square).value == 0.0, claim
    assert scored("math", f"\\boxed{{({a}+x)(x-{a})}}", **square).value == 1.0


WORDS = {Fraction(1, 2): "one half", Fraction(2, 3): "two thirds", Fraction(3, 4): "three quarters", Fraction(5, 2): "two and a half",
         Fraction(12): "a dozen", Fraction(21): "twenty-one", Fraction(305): "three hundred and five", Fraction(1500): "fifteen hundred"}  # fmt: skip


@pytest.mark.parametrize("tool", ["number", "math"])
@pytest.mark.parametrize(("value", "words"), WORDS.items())
def test_numbers_in_words_are_numbers(scored, tool, value, words):
    for reference in (str(value), words):
        for dress in ("{}", "The answer is {}.", "Answer: {}"):
            assert scored(tool, dress.format(words), reference).value == 1.0
            assert scored(tool, dress.format(value), reference).value == 1.0
    for other, said in WORDS.items():
        if other != value:
            assert scored(tool, f"The answer is {said}.", str(value)).value == 0.0
