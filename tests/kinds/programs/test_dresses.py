"""Right programs in any dress are found, wrong ones are not made right: what a completion may look like, written down once."""

from __future__ import annotations

import contextlib
import io

from hypothesis import given, settings
from hypothesis import strategies as st

from rlar.kinds.programs.completion import extract_program
from rlar.kinds.programs.rows import TestSuite
from rlar.types import Sample
from tests.fakes.examples import examples

HEADER = 'from typing import List\n\ndef total(numbers: List[int]) -> int:\n    """Sum the numbers."""\n'
SUITES = (
    TestSuite(kind="asserts", tests=("assert total([1, 2]) == 3",), entry_point="total", entry_points=("total",)),
    TestSuite(kind="check", tests=("...",), entry_point="total", entry_points=("total",), prompt_code=HEADER),
    TestSuite(kind="calls", entry_point="total", entry_points=("total",)),
)
RIGHT = (
    "def total(numbers):\n    result = 0\n    for n in numbers:\n        result += n\n    return result",
    "from typing import List\n\ndef total(numbers: List[int]) -> int:\n    s = 0\n\n    for n in numbers:\n        s += n\n\n    return s",
    "import math\n\nLIMIT = 10\n\n\ndef add(a, b):\n    # adds\n    return a + b\n\n\ndef total(numbers):\n    s = 0\n    for n in numbers:\n"
    "        s = add(s, n)\n    return s",
    "@staticmethod\ndef total(numbers):\n    '''Of no numbers it is 0.\n\nNot indented.'''\n    return sum(numbers)".removeprefix("@staticmethod\n"),
    "total = lambda numbers: sum(numbers)",
)  # fmt: skip
WRONG = tuple(code.replace("+= n", "-= n").replace("a + b", "a - b").replace("sum(", "len(") for code in RIGHT)
BEFORE = ("Sure! Here is the function:", "To solve this, we keep a running sum.", "**Solution**", "### Code", "Let's think. We start at 0, don't we?",
          "1. Start with zero.\n2. Add each number.", "", "I import nothing; for each number we add it, if any.")  # fmt: skip
AFTER = ("This works because it's associative.", "Explanation: we loop over the numbers.", "Time complexity: O(n)", "- It handles empty lists.\n- It is O(n).",
         "The function returns 6 for [1, 2, 3].", "Output: 6", "Done", "You can call it like total([1, 2]).", "$O(n)$ time", "Example:\n>>> total([1, 2])\n3",
         "If the list is empty, the result is 0.", "Usage:\n\nprint(total([1, 2]))\n\nThis prints 3.", "")  # fmt: skip
TAGS = ("python", "py", "Python", "python3", "", 'python title="a.py"', "text", "{.python}", "plaintext")
DEMOS = ("```python\nprint(total([1, 2]))\n```", "```python\nassert total([1, 2]) == 3\n```", "```python\nfrom solution import total\nassert total([]) == 0\n```",
         "```\n6\n```", "```bash\npython x.py\n```", "```python\n>>> total([1])\n1\n```", "```python\ndef total(numbers):\n    ret")  # fmt: skip
WRAPPERS = ("<answer>{}</answer>", "<solution>\n{}\n</solution>", "<code>\n{}\n</code>", "[BEGIN]\n{}\n[DONE]")
texts = st.sampled_from


def indented(code: str, by: str) -> str:
    return "\n".join(by + line if line else line for line in code.split("\n"))


def dress(draw: st.DataObject, code: str) -> str:
    """A completion whose answer is the code."""
    before, after = draw.draw(texts(BEFORE)), draw.draw(texts(AFTER))
    gap = draw.draw(texts(["\n", "\n\n"]))
    form = draw.draw(texts(["bare", "fence", "fence with demos", "list", "indented", "quoted", "tags", "cut", "glued", "marks", "second thoughts"]))  # fmt: skip
    tag = draw.draw(texts(TAGS))
    fence, python = f"```{tag}\n{code}\n```", f"```python\n{code}\n```"
    wrapper = draw.draw(texts(WRAPPERS))
    parts = {
        "bare": [before, code, after],
        "fence": [before, fence, after],
        "fence with demos": [before, python, after, draw.draw(texts(DEMOS))],
        "list": ["1. The code:", indented(fence, draw.draw(texts(["   ", "      ", "            "])))],
        "indented": [before or "Here:", indented(code, "    "), "That is all."],
        "quoted": [before or "Here:", indented(code, "> "), after],
        "tags": [wrapper.format(code)],
        "cut": [before, f"```{tag}\n{code}"],
        "glued": [f"Here is the code: ```python\n{code}```"],
        "marks": [before, code, "```", after],
        "second thoughts": [before, f"```python\n{draw.draw(texts(WRONG[:3]))}\n```", "That is wrong.", python],
    }
    text = gap.join(part for part in parts[form] if part)
    if draw.draw(st.booleans()):
        text = f"<think>\nMaybe\n```python\n{WRONG[0]}\n```\nno.\n</think>\n{text}"
    return draw.draw(texts([text, text.replace("\n", "\r\n"), f"{text}\n\n", f"{text}<|im_end|>"]))


def adds_up(program: str) -> bool:
    namespace: dict[str, object] = {"__name__": "program"}
    try:
        with contextlib.redirect_stdout(io.StringIO()):
            exec(program, namespace)  # our own texts, written above
            total = namespace["total"]
            return total([1, 2, 4]) == 7 and total([]) == 0  # type: ignore[operator]
    except Exception:  # noqa: BLE001
        return False


@settings(max_examples=examples(250), deadline=None)
@given(st.data(), texts(RIGHT), texts(SUITES))
def test_a_right_program_is_found_in_any_dress(draw: st.DataObject, code: str, suite: TestSuite) -> None:
    completion = Sample(prompt="p", completion=dress(draw, code)).answer
    assert adds_up(extract_program(completion, suite)), completion


@settings(max_examples=examples(100), deadline=None)
@given(st.data(), texts(WRONG), texts(SUITES))
def test_no_dress_makes_a_wrong_program_right(draw: st.DataObject, code: str, suite: TestSuite) -> None:
    completion = Sample(prompt="p", completion=dress(draw, code)).answer
    assert not adds_up(extract_program(completion, suite)), completion


@settings(max_examples=examples(60), deadline=None)
@given(texts(RIGHT[:3]), texts(SUITES), texts(BEFORE), st.data())
def test_what_is_no_answer_is_none(code: str, suite: TestSuite, before: str, draw: st.DataObject) -> None:
    none = {
        "commented out": f"```python\n{indented(code, '# ')}\n```",
        "quoted": f'```python\nNOTES = """\n{code}\n"""\n```',
        "another name": f"```python\n{code.replace('total', 'other')}\n```",
        "never ended": f"{code}\n\nassert total([1, 2]) == 3\nassert total([1,",
        "an open thought": f"<think>\n```python\n{code}\n```",
        "broken": code.replace("def total(numbers", "def total(numbers", 1).replace("return", "return (", 1),
        "words": "I cannot write total for you.",
    }
    completion = none[draw.draw(texts(sorted(none)))]
    assert not adds_up(extract_program(Sample(prompt="p", completion=f"{before}\n{completion}").answer, suite)), (
        completion
    )
