"""Tests and reference programs are found by shape, wherever a row keeps them."""

from __future__ import annotations

import json
import time
from typing import Any

import pytest

from rlar.kinds.programs.rows import TestSuite, find_reference_program, find_suite, reference_program
from rlar.types import Example, Message


def row(prompt: str, reference: str | None = None, **columns: Any) -> Example:
    references = (reference,) if reference is not None else ()
    return Example(
        id="r",
        prompt=(Message(role="user", content=prompt),),
        reference=reference,
        references=references,
        columns=columns,
    )


def suite(prompt: str, reference: str | None = None, **columns: Any) -> TestSuite:
    found = find_suite(row(prompt, reference, **columns))
    assert found is not None
    return found


HEADER = 'from typing import List\n\n\ndef total(numbers: List[int]) -> int:\n    """Sum of the numbers."""\n'
CHECK = "def check(candidate):\n    assert candidate([1, 2]) == 3\n    assert candidate([]) == 0\n"


@pytest.mark.parametrize(
    "prompt",
    [
        "Write add. Your code should pass these tests:\n\nassert add(1, 2) == 3\nassert add(0, 0)==0",
        "Write add in Python.\n```python\nassert add(1, 2) == 3\nassert add(0, 0) == 0\n```",
        "Write add.\n\n- assert add(1, 2) == 3\n- assert add(0, 0) == 0\n",
        "Write add so that `assert add(1, 2) == 3` and `assert add(0, 0) == 0` hold.",
        'Write add. Tests: \n"assert add(1, 2) == 3",\n"assert add(0, 0) == 0",\n',
        "写一个函数 add,通过以下测试:\nassert add(1, 2) == 3\nassert add(0, 0) == 0",
        "Write add.\nassert add(1,\n           2) == 3\nassert add(0, 0) == 0",
        "Write add.\r\n\r\nassert add(1, 2) == 3\r\nassert add(0, 0) == 0\r\n",
    ],
)
def test_asserts_in_a_prompt_are_found_in_any_dress(prompt: str) -> None:
    found = suite(prompt)
    assert (found.kind, found.entry_point, found.needs) == ("asserts", "add", ())
    assert found.tests == ("assert add(1, 2) == 3", "assert add(0, 0) == 0")


@pytest.mark.parametrize(
    "columns",
    [
        {"tests": ["assert add(1, 2) == 3", "assert add(0, 0) == 0"]},
        {"zzz": {"deep": [{"er": "assert add(1, 2) == 3\nassert add(0, 0) == 0"}]}},
        {"blob": json.dumps({"x": ["assert add(1, 2) == 3", "assert add(0, 0) == 0"]})},
        {"unit": "['assert add(1, 2) == 3', 'assert add(0, 0) == 0']"},
        {"fenced": "```python\nassert add(1, 2) == 3\nassert add(0, 0) == 0\n```"},
    ],
)
def test_asserts_in_any_column_are_found(columns: dict[str, Any]) -> None:
    found = suite("Write add.", **columns)
    assert found.tests == ("assert add(1, 2) == 3", "assert add(0, 0) == 0")
    assert found.source.startswith("columns.")


def test_tests_given_as_the_reference_are_found() -> None:
    asserts = suite("Write add.", json.dumps(["assert add(1, 2) == 3"]))
    assert (asserts.kind, asserts.source) == ("asserts", "reference")
    stdio = suite("Write a program.", json.dumps({"inputs": ["1\n", "2\n"], "outputs": ["2\n", "3\n"]}))
    assert (stdio.kind, len(stdio.stdio), stdio.stdio[1].output) == ("stdio", 2, "3\n")


def test_visible_and_hidden_asserts_of_one_function_are_united() -> None:
    found = suite("Write add.\nassert add(1, 2) == 3", hidden=["assert add(4, 4) == 8", "assert add(1,2)==3"])
    assert set(found.tests) == {"assert add(1, 2) == 3", "assert add(4, 4) == 8"}


@pytest.mark.parametrize(
    "columns",
    [
        {"test": CHECK, "entry_point": "total"},
        {"meta": {"t": CHECK, "e": "total"}},
        {"extra_info": json.dumps({"test": CHECK + "\n\ncheck(total)\n"})},
        {"only": CHECK},
    ],
)
def test_a_check_function_finds_its_entry_point_and_the_header_to_continue(columns: dict[str, Any]) -> None:
    found = suite(HEADER, **columns)
    assert (found.kind, found.entry_point, found.prompt_code) == ("check", "total", HEADER)
    assert found.setup == "from typing import List"


def test_helpers_of_the_header_reach_the_tests_that_read_them() -> None:
    header = "def double(x):\n    return 2 * x\n\ndef halve(x):\n    '''Undo double.'''\n"
    found = suite(header, test="def check(candidate):\n    assert candidate(double(4)) == 4\n", entry_point="halve")
    assert found.entry_point == "halve"
    assert "def double" in found.setup
    assert "def halve" not in found.setup


def test_a_method_is_an_entry_point() -> None:
    starter = "class Solution:\n    def twoSum(self, nums, target):\n        "
    found = suite("Two numbers that sum to the target.", code=starter, test=CHECK, name="Solution().twoSum")
    assert (found.entry_point, found.prompt_code) == ("Solution.twoSum", starter)


@pytest.mark.parametrize(
    ("tests", "arguments"),
    [
        ({"fn_name": "add", "inputs": [[1, 2], [3, 4]], "outputs": [3, 7]}, ([1, 2], [3, 4])),
        (json.dumps({"fn_name": "add", "inputs": [[1, 2]], "outputs": [[3]]}), ([1, 2],)),
        ([{"input": "1\n2", "output": "3", "testtype": "functional", "fn": "add"}], ([1, 2],)),
    ],
)
def test_call_tables_are_calls(tests: Any, arguments: tuple[list[int], ...]) -> None:
    found = suite("Write a function add.", tests=tests)
    assert (found.kind, found.entry_point) == ("calls", "add")
    assert tuple(list(case.arguments) for case in found.calls) == arguments


def test_named_arguments_of_a_call_table_take_their_places() -> None:
    tests = [{"input": {"a": 1, "b": 2}, "output": 3}]
    found = suite("Write a function.\n```python\ndef add(a, b):\n    pass\n```", tests=tests)
    assert (found.kind, found.entry_point, found.calls[0].arguments) == ("calls", "add", (1, 2))


@pytest.mark.parametrize(
    "tests",
    [
        {"inputs": ["1 2\n"], "outputs": ["3\n"]},
        [{"input": "1 2\n", "output": "3\n"}],
        json.dumps([{"stdin": "1 2\n", "expected_output": "3\n"}]),
        [["1 2\n", "3\n"]],
        {"inputs": json.dumps(["1 2\n"]), "outputs": json.dumps(["3\n"])},
    ],
)
def test_stdin_and_stdout_pairs_are_found_in_many_shapes(tests: Any) -> None:
    found = suite("Read two integers from standard input and print their sum.", private_tests=tests)
    assert found.kind == "stdio"
    assert (found.stdio[0].input, found.stdio[0].output) == ("1 2\n", "3\n")


def test_few_shot_examples_are_no_tests() -> None:
    shots = [{"input": "cat", "output": "chat"}, {"input": "dog", "output": "chien"}]
    assert find_suite(row("Translate into French: horse", "cheval", examples=shots)) is None
    assert find_suite(row("Write a poem about code.", examples=shots)) is None


def test_unittest_classes_are_one_suite() -> None:
    text = "import unittest\n\nclass T(unittest.TestCase):\n    def test_add(self):\n        self.assertEqual(add(1, 2), 3)\n\nif __name__ == '__main__':\n    unittest.main()\n"
    found = suite("Write add.", tests=text)
    assert (found.kind, found.entry_point) == ("unittest", "add")
    assert "__main__" not in found.tests[0]


def test_classes_are_needed_from_the_program() -> None:
    found = suite("Write Stack.\n```python\ns = Stack()\ns.push(1)\nassert s.pop() == 1\n```")
    assert (found.entry_point, found.needs, len(found.tests)) == ("Stack", ("Stack",), 1)


def test_worked_examples_are_found_with_less_confidence() -> None:
    doctest = suite('def add(a, b):\n    """Add.\n    >>> add(1, 2)\n    3\n    >>> add(0, 0)\n    0\n    """\n')
    assert doctest.tests == ("assert add(1, 2) == 3", "assert add(0, 0) == 0")
    arrows = suite("Write a Python function add.\nadd(1, 2) -> 3\nadd('a', 'b') returns 'ab'.")
    assert arrows.tests == ("assert add(1, 2) == 3", "assert add('a', 'b') == 'ab'")
    assert max(doctest.confidence, arrows.confidence) < 0.7


@pytest.mark.parametrize(
    "samples",
    [
        "Sample Input 1\n3 4\n\nSample Output 1\n7\n\nSample Input 2\n1 1\n\nSample Output 2\n2\n",
        "### Example Input:\n```\n3 4\n```\n### Example Output:\n```\n7\n```\n\n**Sample Input 2**\n```\n1 1\n```\n**Sample Output 2**\n```\n2\n```",
        "Examples\n\nInput\n3 4\nOutput\n7\n\nInput\n1 1\nOutput\n2\n\nNote\nEasy.",
    ],
)
def test_sample_runs_of_a_prompt_are_found_with_less_confidence(samples: str) -> None:
    rules = "Write a program that adds two numbers.\n\nInput\nThe first line contains two integers.\n\nOutput\nPrint the sum of the integers.\n\n"
    found = suite(rules + samples)
    assert [(case.input, case.output) for case in found.stdio] == [("3 4\n", "7\n"), ("1 1\n", "2\n")]
    assert found.confidence < 0.7


def test_inputs_and_outputs_of_other_tasks_are_no_sample_runs() -> None:
    assert (
        find_suite(row("Classify the review.\n\nInput:\nGreat film\nOutput:\npositive\n\nInput:\nBad film\nOutput:"))
        is None
    )


def test_a_module_that_only_the_solution_imports_is_imported_for_the_tests() -> None:
    found = suite("Write area.\nassert math.isclose(area(1), 3.14159, rel_tol=1e-3)")
    assert (found.entry_point, found.setup, found.needs) == ("area", "import math", ())


def test_setup_columns_bind_what_tests_read() -> None:
    found = suite("Write f.", tests=["assert f(DATA) == 3"], prelude="DATA = [1, 2]")
    assert found.setup == "DATA = [1, 2]"


@pytest.mark.parametrize(
    "prompt",
    [
        "",
        "I assert that this is true. Do you agree?",
        "What does `assert x > 0` do?",
        "Why does this fail?\n```python\ndef f(x):\n    assert x > 0\n    return x\n```",
        "assert height(root) == 3",  # nothing defines root: cannot run
        "assert 1 + 1 == 2",
        "Find the limit: f(x) -> 2 as x -> 0",
        "The asserts:\n" + "(" * 3000,
    ],
)
def test_rows_without_runnable_tests_have_none(prompt: str) -> None:
    assert find_suite(row(prompt)) is None


def test_a_solution_column_with_its_own_asserts_is_no_suite() -> None:
    assert find_suite(row("Explain the code.", solution="def f(x):\n    return x\n\nassert f(1) == 1\n")) is None


def test_a_suite_survives_json() -> None:
    for found in (
        suite(HEADER, test=CHECK),
        suite("Write a function add.", t={"fn_name": "add", "inputs": [[1, {"a": [None]}]], "outputs": [True]}),
        suite("Print it. Input: n. Output: n.", tests=[{"input": "1\n", "output": "1\n"}]),
    ):
        assert TestSuite.from_binding(json.loads(json.dumps(found.to_binding()))) == found


def test_many_cases_are_thinned_evenly_and_the_first_is_kept() -> None:
    pairs = {"inputs": [f"{n}\n" for n in range(1000)], "outputs": [f"{n}\n" for n in range(1000)]}
    found = suite("Write a program: read n from stdin.", tests=pairs)
    assert 50 <= len(found.stdio) <= 100
    assert found.stdio[0].input == "0\n"


def test_reference_programs_are_recognised() -> None:
    assert (
        find_reference_program(row("Write f.", "```python\ndef f(x):\n    return x\n```"))
        == "def f(x):\n    return x\n"
    )
    assert find_reference_program(row("Print.", "print('hi')")) == "print('hi')"
    body = "    return sum(numbers)\n"
    assert find_reference_program(row(HEADER, body)) == HEADER + body
    for text in ("42", "The function returns 3.", "def", CHECK, "def f():\n    pass", "return"):
        assert find_reference_program(row("Say it.", text)) is None


def test_rows_without_code_cost_little() -> None:
    rows = [
        row(
            f"Tom has {n} apples and eats {n % 7}. How many are left? Think step by step. " * 4,
            str(n),
            extra_info={"split": "train", "index": n},
        )
        for n in range(3000)
    ]
    for one in rows:
        _ = one.text
    started = time.process_time()
    assert not any(find_suite(one) for one in rows)
    # 30,000 rows a second on an idle core; a loose bound, so that a busy machine does not fail it.
    assert time.process_time() - started < 1.0


def test_pairs_that_are_the_whole_reference_judge_a_program_whatever_the_prompt_says():
    pairs = json.dumps({"inputs": ["2\n1 5\n", "1\n4\n"], "outputs": ["6\n", "4\n"]})

    assert suite("You are given N and then N integers. Find their sum.", pairs).kind == "stdio"
    assert find_suite(row("Give the columns of this table as JSON.", pairs)) is None


STARTER = 'def raised(values: list) -> list:\n    """Add one to each value.\n\n{example}\n    """\n'


@pytest.mark.parametrize(
    "example",
    [f"    raised([1, 2]) {mark} [2, 3]" for mark in (
        "==>", "=>", "->", "==", "=", ":", "returns", "should return", "is", "equals", "must equal", "would be", "yields", "# =>", "→")]
    + ["    For raised([1, 2]) the result should be [2, 3].", "    Calling `raised([1, 2])` gives back `[2, 3]`, since 1 + 1 is 2.",
       "    Example 1:\n        Input: values = [1, 2]\n        Output: [2, 3]", "    [1, 2] -> [2, 3]", "    >>> raised([1, 2])\n    [2, 3]",
       "    For values = [1, 2], the function should return [2, 3].", "    print(raised([1, 2]))  # prints [2, 3]"],
)  # fmt: skip
def test_worked_examples_are_read_in_any_of_the_usual_ways(example: str) -> None:
    suite = find_suite(row(STARTER.format(example=example)))
    assert suite is not None
    assert (suite.entry_point, suite.tests) == ("raised", ("assert raised([1, 2]) == [2, 3]",))


@pytest.mark.parametrize(
    "prompt",
    ["Why does this Haskell code fail?\n```hs\nraised(1)=2\n```", STARTER.format(example="    raised(2) is 4 more than raised(1)."),
     "What does this function do?\n```python\ndef raised(n):\n    return n + 1\n```\nraised(1) = 2"],
)  # fmt: skip
def test_what_is_no_worked_example_is_no_test(prompt: str) -> None:
    assert find_suite(row(prompt)) is None


@pytest.mark.parametrize("body", ["    return [v + 1 for v in values]\n", "return [v + 1 for v in values]"])
def test_a_body_is_a_reference_program_however_it_is_indented(body: str) -> None:
    program = reference_program(body, STARTER.format(example=""))
    assert program is not None
    assert program.endswith("    return [v + 1 for v in values]" + "\n" * body.endswith("\n"))
