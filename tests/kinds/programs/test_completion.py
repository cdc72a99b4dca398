"""The program that a completion means, taken as it was written."""

from __future__ import annotations

import pytest

from rlar.kinds.programs.completion import extract_program
from rlar.kinds.programs.rows import TestSuite

ADD = TestSuite(kind="asserts", tests=("assert add(1, 2) == 3",), entry_point="add", entry_points=("add",))
HEADER = 'import math\n\ndef total(numbers):\n    """Sum."""\n'
TOTAL = TestSuite(
    kind="check", tests=("def check(c): ...",), entry_point="total", entry_points=("total",), prompt_code=HEADER
)
WHOLE = TestSuite(kind="stdio")
CODE = "def add(a, b):\n    return a + b"


@pytest.mark.parametrize(
    "completion",
    [
        CODE,
        f"```python\n{CODE}\n```",
        f"Sure! Here it is:\n\n```py\n{CODE}\n```\n\nIt adds.",
        f"```\n{CODE}\n```",
        f"~~~\n{CODE}\n~~~",
        f"```python\n{CODE}",
        f"Here is the function:\n\n{CODE}\n\nThis function adds two numbers and returns the sum.",
        f"   ```python\n   {CODE.replace(chr(10), chr(10) + '   ')}\n   ```",
        f"```python\n{CODE}\n```\nUse it:\n```python\nprint(add(1, 2))\n```\n```bash\npython add.py\n```",
        f"First try:\n```python\ndef add(a, b):\n    return a - b\n```\nThat is wrong. Better:\n```python\n{CODE}\n```",
        CODE.replace("\n", "\r\n"),
    ],
)
def test_a_function_is_found_in_any_dress(completion: str) -> None:
    namespace: dict[str, object] = {}
    exec(extract_program(completion, ADD), namespace)  # our own text, written above
    assert namespace["add"](2, 3) == 5  # type: ignore[operator]


def test_blocks_that_the_function_reads_come_with_it() -> None:
    text = "```python\nimport math\ndef helper(x):\n    return x\n```\n```python\nprint('demo')\n```\n```python\ndef add(a, b):\n    return helper(a) + b\n```"
    program = extract_program(text, ADD)
    assert "def helper" in program
    assert "demo" not in program


def test_the_body_of_the_prompts_function_is_joined_to_it() -> None:
    body = "    return sum(numbers)\n"
    assert extract_program(body, TOTAL) == HEADER + body
    assert extract_program("\n" + body, TOTAL) == HEADER + "\n" + body


def test_a_body_in_a_code_block_may_have_lost_its_indentation() -> None:
    program = extract_program("```python\nreturn sum(numbers)\n```", TOTAL)
    assert program == HEADER + "    return sum(numbers)\n"


def test_a_rewritten_function_keeps_the_headers_imports() -> None:
    program = extract_program("def total(numbers):\n    return math.fsum(numbers)", TOTAL)
    assert program.startswith("import math")
    assert program.count("def total") == 1


def test_what_would_not_run_is_not_repaired() -> None:
    truncated = "    return sum(numbers)\n\n\nassert total([1, 2]) == 3\nassert total([1,"
    assert extract_program(truncated, TOTAL) == HEADER + truncated
    unindented = "return sum(numbers)"
    assert "    return sum" not in extract_program(unindented, TOTAL)


def test_a_models_own_failing_assert_stays_in_the_program() -> None:
    assert "assert add(1, 1) == 3" in extract_program(f"{CODE}\n\nassert add(1, 1) == 3", ADD)


def test_whole_programs_are_the_last_block_that_reads() -> None:
    text = "```python\nn = int(input())\nprint(n * 2)\n```\nFor the input\n```\n3\n```\nit prints\n```\n6\n```"
    assert extract_program(text, WHOLE) == "n = int(input())\nprint(n * 2)\n"
    assert extract_program("The program:\n\nn = int(input())\nprint(n)", WHOLE).strip() == "n = int(input())\nprint(n)"


@pytest.mark.parametrize(
    "completion",
    ["", " ", "I cannot help with that.", "x" * 300_000, "\x00", "\ud800"],
)
def test_no_program_defines_nothing(completion: str) -> None:
    assert "def add" not in extract_program(completion, ADD)


def test_hostile_text_is_read_in_bounded_time() -> None:
    for text in (
        "(" * 100_000,
        "```\n" * 20_000,
        "def add(" * 10_000,
        "-" * 150_000 + "1",
        "import x\n\nThe next line reads\n" * 3_000,
    ):
        extract_program(text, ADD)
