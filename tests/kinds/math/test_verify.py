import threading
import time

import pytest

from rlar.kinds.math.forms import canonical, decide, explosive
from rlar.kinds.math.regions import interval_of
from rlar.kinds.math.worker import Equivalence


@pytest.mark.parametrize(
    ("reference", "right", "wrong"),
    [
        (r"\frac{10}{11}", ["10/11", r"\boxed{\dfrac{10}{11}}", r"The answer is $\frac{10}{11}$.", r"\[\frac{20}{22}\]"], ["11/10", "10", r"\boxed{\frac{10}{12}}"]),
        (r"8\sqrt{3}", [r"8\sqrt3", "8 sqrt(3)", "8√3", r"\sqrt{192}"], [r"8", r"3\sqrt{8}", "13.86"]),
        ("2, -1", ["-1, 2", "2 and -1", r"\boxed{-1,2}", r"\boxed{2} and \boxed{-1}", "x = 2 or x = -1"], ["2", "2, -1, 3", "-2, 1"]),
        ("(7,49)", ["(7, 49)", r"\left(7, 49\right)"], ["(49, 7)", "7", "[7,49]"]),
        (r"45^\circ, 135^\circ", ["45, 135", "135°, 45°"], ["45"]),
        (r"\begin{pmatrix} 2/5 \\ -1/5 \end{pmatrix}", [r"\begin{bmatrix} 0.4 \\ -0.2 \end{bmatrix}"], [r"\begin{pmatrix} -1/5 \\ 2/5 \end{pmatrix}"]),
        (r"\text{neither}", ["neither", "It is neither.", r"\boxed{\text{Neither}}"], ["odd", "even", "neither or odd"]),
        (r"[46, \infty)", [r"x \ge 46", r"46 \le x", r"[46,\infty)"], [r"(46,\infty)", r"x > 46", "46"]),
        ("(0,4]", ["0 < x \\le 4", "(0, 4]"], ["(0,4)", "[0,4]"]),
        ("4210_{7}", ["4210_7", "4210"], ["4210_8", "4211_7"]),
        (r"1,\!000,\!000", ["1000000", "1,000,000", "10^6"], ["1000", "1"]),
        ("(r+5)^2", ["r^2+10r+25", "(5+r)^2"], ["r^2+25", "r^2+10r+24", "(s+5)^2"]),
        ("y=2x+3", ["y = 3 + 2x", "2x+3"], ["2x-3", "y=3x+2"]),
        ("x + 2", ["2+x"], ["2", "x", "x-2"]),
        (r"\{1,2\}", [r"\{2,1\}", "1, 2"], ["1", r"\{1,2,3\}"]),
        (r"\pm 2", ["2, -2", r"\pm 2"], ["2"]),
        ("50\\%", ["50", "50%"], ["5"]),
        (r"10\text{ cm}", ["10", "10 cm", "10 centimetres", r"\boxed{0.1\text{ m}}"], ["100", r"\boxed{10\text{ cm}^2}", "10 m"]),
        (r"\text{(D)}", ["D", "(D)"], ["C"]),
        (r"9\pi", ["9 pi", "9π", r"\pi \cdot 9"], ["9", "28.27"]),
        ("4", ["4", r"\sqrt{16}", "2+2 = 4"], [r"\boxed{4\sqrt{3}}", r"\boxed{4x}", "-4", "1, 2, 3, 4", "3 or 4"]),
        (r"\frac{8}{3}t", [r"\frac{8t}{3}", r"8t/3"], ["8/3", "t"]),
        (r"-8 + 2i", ["2i - 8"], ["8+2i"]),
    ],
)  # fmt: skip
def test_equal_expressions_are_right_and_others_are_not(scored, reference, right, wrong):
    for completion in right:
        assert scored("math", completion, reference).value == 1.0, completion
    for completion in wrong:
        assert scored("math", completion, reference).value == 0.0, completion


@pytest.mark.parametrize(
    "claim",
    ["10^{10^{10}}", "1000000!", "((((10!)!)!)!)!", r"9^{9^{9^{9}}}", "2^{99999999}", "(" * 500 + "1" + ")" * 500],
)
def test_an_explosive_claim_is_wrong_at_once(scored, claim):
    started = time.monotonic()
    assert scored("math", f"\\boxed{{{claim}}}", r"\frac{1}{2}").value == 0.0
    assert time.monotonic() - started < 1.0
    assert explosive(claim)


def test_repeating_the_problem_is_no_answer(scored):
    prompt = "Expand $(x+1)^2$."
    assert scored("math", r"\boxed{(x+1)^2}", "x^2+2x+1", prompt=prompt).value == 0.0
    assert scored("math", prompt, "x^2+2x+1", prompt=prompt).value == 0.0
    assert scored("math", "x^2 + 2x + 1", "x^2+2x+1", prompt=prompt).value == 1.0


def test_a_reference_that_cannot_be_read_is_abstained_on_unless_the_texts_agree(scored):
    reference = r"a such that $\mho(a)$ is empty for all of the following sets which we name later on in this text"
    assert scored("math", "5", reference).status == "abstain"
    assert scored("math", reference, reference).value == 1.0
    assert scored("math", "5").status == "abstain"


def test_nine_different_answers_are_refused(scored):
    assert scored("math", " ".join(f"\\boxed{{{n}}}" for n in range(12)), "5").value == 0.0


def test_text_decides_without_algebra():
    asked = []

    def algebra(reference, claim):
        asked.append((reference, claim))
        return False

    assert decide(r"\frac{1}{2}", "0.5", algebra) is True
    assert decide("1, 2", "2, 1", algebra) is True
    assert decide("5", "6", algebra) is False
    assert asked == []
    assert decide("x^2", "x*x", algebra) is False
    assert len(asked) == 1


def test_spellings_become_one():
    assert canonical(r"\dfrac12") == r"\frac{1}{2}"
    assert canonical(r"$\left(1,\, 2\right)$") == canonical("(1, 2)")
    assert interval_of(r"46 \le x") == r"[46,\infty)"
    assert interval_of("4 > x > 0") == "(0,4)"


def test_a_hanging_comparison_ends_at_the_limit_and_the_next_one_works():
    with_limit = Equivalence(seconds=1.0, processes=1)
    try:
        assert with_limit.compare("x+1", "1+x") == "equal"
        started = time.monotonic()
        assert with_limit.compare(r"\{1\}", r"\{10^{10^{10}}\}") in ("timeout", "crash")
        assert time.monotonic() - started < 10
        assert with_limit.compare("x+1", "x+2") == "different"
    finally:
        with_limit.close()


def test_comparisons_work_in_threads(scored):
    values = []

    def compare():
        values.append(scored("math", r"\boxed{(a+b)(a-b)}", "a^2-b^2").value)

    threads = [threading.Thread(target=compare) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert values == [1.0] * 4
