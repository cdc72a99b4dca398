"""Tables of calls: whichever way a dataset writes them, right programs pass and wrong ones do not."""

from __future__ import annotations

import random
from collections.abc import Iterator
from typing import Any

import pytest

from rlar.errors import SandboxRefused
from rlar.kinds import library_class
from rlar.kinds.programs.calls import find_signature, read_calls
from rlar.kinds.programs.rows import TestSuite, find_suite
from rlar.tool import LibraryTool, Resources
from rlar.tools.library import library_spec
from rlar.types import Example, Message, Sample, Score
from tests.fakes.call_tables import FORMS, TASKS, Task, row


@pytest.fixture(scope="module")
def tool() -> Iterator[LibraryTool]:
    try:
        resources = Resources()
        _ = resources.sandbox
    except SandboxRefused as refused:
        pytest.skip(str(refused))
    with resources:
        yield library_class("code_tests")(library_spec("code_tests", {"seconds": 2.0}), resources)


def suite_of_row(values: dict[str, Any]) -> TestSuite | None:
    columns = {key: value for key, value in values.items() if key not in ("prompt", "reference")}
    reference = values.get("reference")
    return find_suite(
        Example(
            id="r", prompt=(Message(role="user", content=values["prompt"]),), reference=reference,
            references=(reference,) if reference else (), columns=columns,
        )
    )  # fmt: skip


def scores(tool: LibraryTool, values: dict[str, Any], programs: list[str]) -> list[Score]:
    suite = suite_of_row(values)
    assert suite is not None, values
    return tool.score(
        [
            Sample(prompt=values["prompt"], completion=f"```python\n{program}\n```", reference=values.get("reference"),
                   binding={"suite": suite.to_binding()})
            for program in programs
        ]
    )  # fmt: skip


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("starter", ["none", "bare", "typed", "class"])
def test_the_true_calls_are_among_the_readings(form: str, starter: str) -> None:
    rng = random.Random(f"{form} {starter}")
    for task in TASKS:
        suite = suite_of_row(row(task, form, starter=starter, reference=False, rng=rng))
        assert suite is not None, (task.name, form, starter)
        truth = [(list(given), result) for given, result in zip(task.arguments, task.results(), strict=True)]
        readings = [[as_call(case, task) for case in calls] for calls in (suite.calls, *suite.readings)]
        assert truth in readings, (task.name, form, starter, readings)
        if starter in ("typed", "class"):
            assert readings[0] == truth, (task.name, form, readings)
            assert not suite.unconfirmed


def as_call(case: Any, task: Task) -> tuple[list[Any], Any]:
    named = [case.keywords[name] for name, _ in task.parameters if name in case.keywords]
    return [*case.arguments, *named], case.expected


@pytest.mark.parametrize("form", FORMS)
def test_right_programs_pass_and_wrong_ones_do_not(tool: LibraryTool, form: str) -> None:
    rng = random.Random(form)
    for task in rng.sample(TASKS, 5):
        for starter, reference in (("class", False), ("none", True), ("typed", False), ("bare", True)):
            values = row(task, form, starter=starter, reference=reference, rng=rng)
            right = [task.source("function", typed=False), task.source("class", typed=True)]
            wrong = [task.source(rng.choice(["function", "class"]), typed=True, body=task.wrong),
                     task.source("function", typed=False, body="return None"), task.source("function", typed=False, body=f"return [{task.name}]"),
                     task.source("function", typed=False).replace(f"def {task.name}", "def other")]  # fmt: skip
            found = [score.value for score in scores(tool, values, right + wrong)]
            assert found[:2] == [1.0, 1.0], (task.name, starter, reference, found)
            assert found[2] == 0.0 or (found[2] is None and starter in ("none", "bare")), (
                task.name,
                starter,
                reference,
                found,
            )
            assert found[3:] == [0.0, 0.0, 0.0], (task.name, starter, reference, found)


def test_without_a_signature_or_a_reference_no_program_is_called_wrong_for_a_form_that_was_guessed(
    tool: LibraryTool,
) -> None:
    for form in FORMS:
        for task in TASKS[:4]:
            values = row(task, form, starter="none", reference=False, rng=random.Random(1))
            values["prompt"] = f"Implement {task.name} in Python: {task.asks}."
            right, wrong = scores(
                tool,
                values,
                [task.source("function", typed=False), task.source("function", typed=False, body=task.wrong)],
            )
            texts_or_numbers = form == "values, results as JSON" and task.returns == "int"
            assert right.value == (None if texts_or_numbers else 1.0), (form, task.name, right)
            assert wrong.value in (0.0, None), (form, task.name, wrong)


def test_the_reference_tells_results_from_results_in_lists(tool: LibraryTool) -> None:
    table = {"fn_name": "boxed", "inputs": [[1], [2]], "outputs": [[1], [2]]}
    bare, boxed = "def boxed(n):\n    return n", "def boxed(n):\n    return [n]"
    for reference, expected in ((bare, [1.0, 0.0]), (boxed, [0.0, 1.0])):
        values = {"prompt": "Write a function boxed.", "tests": table, "reference": reference}
        assert [score.value for score in scores(tool, values, [bare, boxed])] == expected


def test_a_row_whose_reference_passes_in_no_reading_tells_nothing(tool: LibraryTool) -> None:
    values = {"prompt": "Write a function f.", "tests": {"fn_name": "f", "inputs": ["1\n2"], "outputs": ["4"]}, "reference": "def f(a, b):\n    return a + b"}  # fmt: skip
    assert [score.status for score in scores(tool, values, ["def f(a, b):\n    return a * b"])] == ["abstain"]


def test_objects_of_a_class_are_no_data() -> None:
    prompt = "```python\nclass Solution:\n    def depth(self, root: Optional[TreeNode]) -> int:\n        \n```"
    assert (
        suite_of_row({"prompt": prompt, "tests": {"fn_name": "depth", "inputs": [[[1, 2]]], "outputs": [[2]]}}) is None
    )


def test_a_function_that_returns_nothing_is_judged_by_its_first_argument(tool: LibraryTool) -> None:
    prompt = "```python\nclass Solution:\n    def turn(self, s: List[str]) -> None:\n        \n```"
    values = {
        "prompt": prompt,
        "tests": {"fn_name": "turn", "inputs": ['["a", "b"]', '["x"]'], "outputs": ['["b", "a"]', '["x"]']},
    }
    programs = [f"class Solution:\n    def turn(self, s: List[str]) -> None:\n        {line}" for line in ("s.reverse()", "s[:] = s[::-1]", "pass", "s = s[::-1]")]  # fmt: skip
    assert [score.value for score in scores(tool, values, programs)] == [1.0, 1.0, 0.0, 0.0]


def test_judges_of_starters_bring_the_usual_imports(tool: LibraryTool) -> None:
    prompt = "```python\nclass Solution:\n    def most(self, words: List[str]) -> str:\n        \n```"
    tests = {"fn_name": "most", "inputs": ['["b", "a", "b"]', '["z"]'], "outputs": ['"b"', '"z"']}
    bodies = ["return Counter(words).most_common(1)[0][0]", "d = defaultdict(int)\n        for w in words: d[w] += 1\n        return max(d, key=d.get)",
              "best = -inf\n        return collections.Counter(words).most_common(1)[0][0]", "return undefined_name(words)",
              "def deep(n): return 0 if n == 0 else 1 + deep(n - 1)\n        deep(5000)\n        return max(words, key=words.count)"]  # fmt: skip
    programs = [f"class Solution:\n    def most(self, words: List[str]) -> str:\n        {body}" for body in bodies]
    programs.append(f"from __future__ import annotations\n{programs[0]}")
    found = scores(tool, {"prompt": prompt, "tests": tests}, programs)
    assert [score.value for score in found] == [1.0, 1.0, 1.0, 0.0, 1.0, 1.0], found
    check = {
        "test": "def check(candidate):\n    assert candidate(words=['b', 'a', 'b']) == 'b'",
        "entry_point": "Solution().most",
    }
    assert [score.value for score in scores(tool, {"prompt": prompt, **check}, programs)] == [
        1.0,
        1.0,
        1.0,
        0.0,
        1.0,
        1.0,
    ]
    plain = {"prompt": "Write most.\nassert most(['b', 'a', 'b']) == 'b'"}
    assert scores(tool, plain, ["def most(words):\n    return Counter(words).most_common(1)[0][0]"])[0].value == 0.0


def test_a_demonstration_that_asks_a_user_is_no_fault_of_the_function(tool: LibraryTool) -> None:
    values = {
        "prompt": "Write a function `half`.",
        "tests": {"fn_name": "half", "inputs": [[4], [8]], "outputs": [2, 4]},
    }
    good = "def half(n):\n    return n // 2\n"
    demo = "n = int(input('n: '))\nprint(half(n))"
    programs = [good + demo, demo + "\n" + good, good + "assert half(4) == 3"]
    assert [score.value for score in scores(tool, values, programs)] == [1.0, 0.0, 0.0]


@pytest.mark.parametrize(
    ("text", "names", "required", "most"),
    [
        ("def f(a, b=1): ...", ("a", "b"), 1, 2),
        ("class S:\n    def f(self, a: List[Tuple[int, str]] = [(1, ':')]) -> Dict[str, int]:\n", ("a",), 0, 1),
        ("x = 1\n def f(*args, k=2):", ("k",), 0, None),
        ("def f(\n    a,\n    b,\n):", ("a", "b"), 2, 2),
    ],
)
def test_signatures_are_read_from_pieces_of_code(text: str, names: tuple[str, ...], required: int, most: int | None) -> None:  # fmt: skip
    signature = find_signature("f", ["def g(z): pass", text])
    assert signature is not None
    assert (signature.names, signature.required, signature.most) == (names, required, most)


def test_no_reading_is_made_that_the_signature_forbids() -> None:
    signature = find_signature("f", ["def f(a, b): pass"])
    assert read_calls([([1, 2, 3], 6)], signature) == []
    assert [reading.calls[0].arguments for reading in read_calls([([1, 2], 3)], signature)] == [(1, 2)]
