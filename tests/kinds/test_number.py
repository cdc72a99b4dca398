from fractions import Fraction

import pytest

from rlar.kinds.number import read_reference


@pytest.mark.parametrize(
    "completion",
    [
        "18", "18.", "18.0", "$18", "$18.00", "18 dollars", "**18**", "\\boxed{18}", "\\boxed{\\$18}", "#### 18", "A: 18",
        "The answer is 18.", "The answer is $18$ because 9 * 2 = 18.", "She makes 9 * 2 = $<<9*2=18>>18 every day.",
        "16 - 3 = 13\n13 + 5 = 18", "eighteen", "The answer is eighteen.", "x = 18", "<think>maybe 17</think>18",
        "Let me see. First 3 + 4 = 7.\n\nThe answer is 18", "18\u200b", "１８", "١٨", "Final answer: 18 apples", "+18", "36/2", "1.8e1",
        "The final answer is 18. The final answer is 18.0.", "La respuesta es 18.", "答案是18。", "The answer is 18!",
        "**Answer:** 18", "**Final Answer**\n\n18", "Answer:\n18", "1.8 \\times 10^{1}",
    ],
)  # fmt: skip
def test_the_same_number_in_any_dress_is_right(scored, completion):
    assert scored("number", completion, "18").value == 1.0


@pytest.mark.parametrize(
    "completion",
    [
        "**Answer: 18 eggs**", "Therefore, she makes **$18** every day.", "Total = $18/day", "Final Answer: \n\n$$18$$",
        "The final answer is $\\boxed{18}$. I hope it is correct.", "≈ 18", "Answer: 18 (since 9*2=18)", "Answer: $9 \\times 2 = 18$",
        "1. 16-3-4 = 9\n2. 9*2 = 18\n\nShe makes $18.", "- Left: 9\n- Money: 9 x $2 = $18", "She makes \\$18 each day.",
        "Thus:\n\n\\[ \\boxed{18} \\text{ dollars} \\]", "18 dollars per day, because 9 eggs at $2 make $18.", "The correct answer is 18, not 16.",
        "I first thought the answer is 16. But no. So the final answer is 18.", "####18", "$$\n18\n$$", '{"answer": 18}', "She makes $2*9=$18 per day.",
        "The result is 18.\n\nHope this helps!", "`18`", "USD 18", "18€", "The total is 18, not 16.", "**9** eggs at **$2** make **$18**",
        "The answer is 18 dollars from 9 eggs",
    ],
)  # fmt: skip
@pytest.mark.parametrize("tool", ["number", "math"])
def test_the_answer_is_found_in_everyday_writing(scored, tool, completion):
    assert scored(tool, completion, "18").value == 1.0


@pytest.mark.parametrize(
    "completion",
    [
        "The answer is 16 or 18", "18? 19? 20?", "Maybe 18, maybe 20.", "a) 16 b) 17 c) 18", "The answer lies in {16, 17, 18}", "18\n\n\n19", "It is not 18",
        "The answer is 17.\n\nWait, the answer is 18.", "16|17|18", "answer 17 answer 18", "try 16 try 17 try 18", "**17** **18**", "**17** or **18**",
        "18^{18^{18}}", "((18!)!)", "18,000", "18.18", "0.18", "-$18", "2^18", "\\sqrt{18}", "1 + 18", "18 + x",
    ],
)  # fmt: skip
@pytest.mark.parametrize("tool", ["number", "math"])
def test_hedges_recitals_and_larger_expressions_are_wrong(scored, tool, completion):
    assert scored(tool, completion, "18").value == 0.0


@pytest.mark.parametrize(
    "completion",
    [
        "17", "-18", "1.8", "180", "18.5", "", "   ", "I do not know.", "16, 17, 18", "1, 2, 3, 18", "17 or 18", "18 or 19",
        "The answer is 17, 18 or 19.", "The answer is 17. The answer is 18.", "\\boxed{17} \\boxed{18}", "\\boxed{18} \\boxed{17}",
        "Answer: 18\nAnswer: 19", "The answer is not 18.", "17\n18", "15\n16\n17\n18", "<think>18", "18\n<think>", "18x", "\\boxed{18x}",
        "\\boxed{18\\sqrt{3}}", "18 + 4", "3:18", "118", "18%%18%19", "17\n\nscore: 18", "1\u200b2\u200b18", "18/7", "18^2",
        "17 18 19", "18-19", "between 17 and 18", "18; 19", "17/18", "The answer is 18 and 19",
    ],
)  # fmt: skip
def test_other_numbers_guesses_and_sprays_are_wrong(scored, completion):
    assert scored("number", completion, "18").value == 0.0


@pytest.mark.parametrize(
    ("reference", "right", "wrong"),
    [
        ("1,234,567", ["1234567", "1 234 567", "1.234567 million", "1{,}234{,}567", "1'234'567"], ["1234", "567", "1.234"]),
        ("-3", ["-3", "−3", "minus 3", "negative three", "x = -3", "\\boxed{-3}"], ["3", "5 - 3", "+3"]),
        ("0.75", ["3/4", "\\frac{3}{4}", "¾", ".75", "75%", "\\frac34"], ["75", "0.7", "4/3", "1"]),
        ("45%", ["45", "45 percent", "0.45", "45\\%"], ["4.5", "55%"]),
        ("1/3", ["\\frac{1}{3}", "0.333", "0.3333", "2/6"], ["0.33", "0.3", "0.334", "3"]),
        ("33.33", ["33.333", "100/3", "33.33"], ["33.3", "33", "33.4", "33.34"]),
        ("12.5", ["12.5", "12.50", "25/2", "12 1/2", "12½"], ["12", "13", "12.54", "12.46"]),
        ("66", ["66.0"], ["66.4", "65.9"]),
        ("3000000", ["3 million", "3,000,000", "3e6"], ["3", "3 billion"]),
        ("3 million", ["3", "3 million", "3,000,000"], ["3 thousand", "4"]),
        ("2 dozen", ["24", "2"], ["12"]),
        ("-1.5 billion", ["-1.5 billion", "-1500000000"], ["1.5 billion"]),
    ],
)  # fmt: skip
def test_equal_numbers_and_the_stated_tolerance(scored, reference, right, wrong):
    for completion in right:
        assert scored("number", completion, reference).value == 1.0, completion
    for completion in wrong:
        assert scored("number", completion, reference).value == 0.0, completion


@pytest.mark.parametrize(
    ("reference", "value"),
    [
        ("18", 18), ("$18.50", Fraction(37, 2)), ("18 apples left.", 18), ("x = 5", 5), ("#### 1,000", 1000), ("-$18", -18),
        ("It takes 3 + 4 = 7 days.\n#### 7", 7), ("80^{\\circ}", 80), ("10\\text{ cm}", 10), ("1.234,5", Fraction(2469, 2)),
        ("6.02 × 10^{2}", 602), ("twelve", 12), ("A: 18", 18), ("1 1/2 cups", Fraction(3, 2)),
    ],
)  # fmt: skip
def test_references_of_many_shapes_are_read(reference, value):
    number = read_reference(reference)
    assert number is not None
    assert number.values[0] == value


@pytest.mark.parametrize(
    "reference",
    ["Paris", "2, 3", "3x", "x+1", "2^3", "3:45", "1990-1995", "5 to 6", "2x + 3 = 7", "\\sqrt{2}", "5!", ""],
)
def test_references_that_are_not_one_number_are_abstained_on(scored, reference):
    assert scored("number", "5", reference).status == "abstain"


def test_the_prompts_own_number_echoed_is_no_answer(scored):
    prompt = "A shelf holds 5 books. Another one holds 13 books. Ana says that together they hold 18"
    assert scored("number", prompt, "18", prompt=prompt).value == 0.0
    assert scored("number", f"{prompt}\n\n18", "18", prompt=prompt).value == 1.0


@pytest.mark.parametrize(
    ("reference", "completion"),
    [
        ("3", "\\boxed{\\sqrt{3}}"), ("1", "\\boxed{1,2,3}"), ("16", "16,17,18"), ("18", "16,17,18"), ("2", "\\boxed{f(x)=2-x}"), ("2", "\\boxed{n^2-n-1}"),
        ("2", "\\boxed{\\begin{pmatrix} 2 \\\\ 3 \\end{pmatrix}}"), ("2", "\\boxed{\\frac{\\log 2}{3}}"),
    ],
)  # fmt: skip
@pytest.mark.parametrize("tool", ["number", "math"])
def test_a_number_inside_an_expression_or_a_list_is_no_answer(scored, tool, reference, completion):
    assert scored(tool, completion, reference).value == 0.0


def test_any_alias_counts(scored):
    assert scored("number", "20", "18", "20").value == 1.0
    assert scored("number", "20", "18", "not a number").status == "abstain"


def test_numbers_that_are_glued_together_are_no_number(scored):
    assert scored("number", "4.142.14-3.1431.40.3143.41", "3.14").value == 0.0


@pytest.mark.parametrize(
    ("completion", "value"),
    [
        ("6 * 3 = 18", 1.0),
        ("6 * 3 = 18\n\n18 trips.", 1.0),
        ("6 * 3 = 18\n\nThat is for 4 days.", None),  # the equation says one thing, the last number another
        ("6 * 3 = 18\n\nThe answer is 18, for 4 days.", 1.0),
        ("6 * 4 = 24\n\n24 trips.", 0.0),
    ],
)
def test_without_a_cue_two_readers_have_to_agree(scored, completion, value):
    assert scored("number", completion, "18").value == value
