"""Programs against their row's tests, in the real sandbox."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from rlar.errors import SandboxRefused
from rlar.kinds import candidates, library_class
from rlar.kinds.programs.rows import find_suite
from rlar.kinds.programs.run import same_value
from rlar.sandbox import Pool, RunResult, Status
from rlar.tool import LibraryTool, Resources
from rlar.tools.library import library_spec
from rlar.types import AnswerKind, Example, Message, Sample, Score


@pytest.fixture(scope="module")
def resources() -> Iterator[Resources]:
    try:
        made = Resources()
        _ = made.sandbox
    except SandboxRefused as refused:
        pytest.skip(str(refused))
    with made:
        yield made


@pytest.fixture(scope="module")
def tool(resources: Resources) -> LibraryTool:
    return library_class("code_tests")(library_spec("code_tests", {"seconds": 2.0}), resources)


def sample(prompt: str, completion: str, reference: str | None = None, **columns: Any) -> Sample:
    row = Example(
        id="r", prompt=(Message(role="user", content=prompt),), reference=reference,
        references=(reference,) if reference else (), columns=columns,
    )  # fmt: skip
    suite = find_suite(row)
    assert suite is not None
    return Sample(prompt=prompt, completion=completion, reference=reference, binding={"suite": suite.to_binding()})


ASSERTS = "Write add.\nassert add(1, 2) == 3\nassert add(0, 0) == 0\nassert add('a', 'b') == 'ab'"
GOOD = "```python\ndef add(a, b):\n    return a + b\n```"


def test_a_right_program_scores_one_and_a_wrong_one_zero(tool: LibraryTool) -> None:
    right, wrong = tool.score([sample(ASSERTS, GOOD), sample(ASSERTS, GOOD.replace("+", "-"))])
    assert (right.value, right.details["passed"], right.details["forgeable"]) == (1.0, 3, False)
    assert (wrong.value, wrong.status) == (0.0, "ok")
    assert wrong.explanation


HOSTILE = {
    "exits with success": "import sys\nsys.exit(0)",
    "exits in the call": "def add(a, b):\n    import os\n    os._exit(0)",
    "agrees with everything": "class E:\n    __eq__ = __ne__ = __lt__ = lambda s, o: True\n    __hash__ = lambda s: 0\ndef add(a, b):\n    return E()",
    "is a subclass that agrees": "class E(int):\n    def __eq__(s, o): return True\n    __hash__ = int.__hash__\ndef add(a, b):\n    return E(7)",
    "patches the builtins": "import builtins\nbuiltins.all = builtins.any = lambda *a: True\nbuiltins.AssertionError = Exception\nbuiltins.len = lambda x: 0\ndef add(a, b):\n    return None",
    "hunts for the tests": "import gc, sys\ndef add(a, b):\n    for o in gc.get_objects():\n        if isinstance(o, str) and 'assert add' in o:\n            import re\n            return eval(re.findall(r'== (.*)', o)[0])\n    return None",
    "prints what should be": "def add(a, b):\n    print(3, 0, 'ab', 'passed', '{\"verdict\": true}')",
    "loops": "def add(a, b):\n    while True: pass",
    "eats memory": "def add(a, b):\n    return [0] * 10**10",
    "returns nothing": "def add(a, b):\n    pass",
    "is not Python": "def add(a, b) return a + b",
    "has another name": "def plus(a, b):\n    return a + b",
    "is empty": "",
    "fails its own assert": "def add(a, b):\n    return a + b\n\nassert add(1, 1) == 3",
    "answers one case only": "def add(a, b):\n    return 3",
}  # fmt: skip


@pytest.mark.parametrize("program", HOSTILE.values(), ids=HOSTILE.keys())
def test_a_program_that_is_not_right_scores_zero_and_harms_nobody(tool: LibraryTool, program: str) -> None:
    assert (tool.score_one(sample(ASSERTS, program)).value, tool.score_one(sample(ASSERTS, GOOD)).value) == (0.0, 1.0)


def test_check_functions_calls_methods_and_unittests_are_run(tool: LibraryTool) -> None:
    header = 'def add(a, b):\n    """Sum."""\n'
    check = {"test": "def check(candidate):\n    assert candidate(1, 2) == 3\n", "entry_point": "add"}
    calls = {"tests": {"fn_name": "add", "inputs": [[1, 2], [0.1, 0.2]], "outputs": [[3], [0.3]]}}
    method = {
        "starter": "class Solution:\n    def add(self, a, b):\n        ",
        "tests": [{"input": "1\n2", "output": "3", "testtype": "functional"}],
    }
    units = {
        "tests": "import unittest\nclass T(unittest.TestCase):\n    def test_it(self):\n        self.assertEqual(add(1, 2), 3)\n"
    }
    named = {"tests": [{"input": {"a": 1, "b": 2}, "output": 3}], "starter": header, "name": "add"}
    solution = "class Solution:\n    def add(self, a, b):\n        return a + b"
    cases = [
        (header, "    return a + b\n", check, 1.0), (header, "    return a - b\n", check, 0.0), (header, GOOD, check, 1.0),
        ("Write a function add.", GOOD, calls, 1.0), ("Write a function add.", GOOD.replace("+", "*"), calls, 0.0),
        ("Write a function add.", solution, calls, 1.0),
        ("Write the method.", solution, method, 1.0), ("Write the method.", solution.replace("+", "-"), method, 0.0),
        ("Write add.", GOOD, units, 1.0), ("Write add.", GOOD.replace("+", "-"), units, 0.0),
        ("Write a function add.", GOOD, named, 1.0), ("Write a function add.", GOOD.replace("+", "-"), named, 0.0),
    ]  # fmt: skip
    scores = tool.score([sample(prompt, completion, **columns) for prompt, completion, columns, _ in cases])
    assert [score.value for score in scores] == [expected for *_, expected in cases], [
        s.explanation or s.error for s in scores
    ]


def test_objects_of_the_programs_classes_can_be_tested_without_forging(tool: LibraryTool) -> None:
    prompt = (
        "Write Stack.\n```python\ns = Stack()\ns.push(1)\ns.push(2)\nassert s.pop() == 2\nassert s.size() == 1\n```"
    )
    stack = "class Stack:\n    def __init__(self):\n        self.x = []\n    def push(self, v):\n        self.x.append(v)\n    def pop(self):\n        return self.x.pop()\n    def size(self):\n        return len(self.x)\n"
    right, wrong = tool.score([sample(prompt, stack), sample(prompt, stack.replace("len(self.x)", "7"))])
    assert (right.value, right.details["forgeable"], wrong.value) == (1.0, False, 0.0)


def test_tests_that_the_reference_fails_tell_nothing(tool: LibraryTool) -> None:
    prompt = "Write add.\nassert add(1, 2) == 4"
    reference = "def add(a, b):\n    return a + b"
    assert tool.score_one(sample(prompt, GOOD, reference)).status == "abstain"
    assert tool.score_one(sample(prompt, "def add(a, b):\n    return 4", reference)).value == 1.0
    assert tool.score_one(sample(prompt, GOOD)).value == 0.0


def test_visible_tests_learnt_by_rote_do_not_win_where_a_reference_tells(tool: LibraryTool) -> None:
    prompt = (
        "Write mirror.\nassert mirror('abcd') == 'dcba'\nassert mirror('hello') == 'olleh'\nassert mirror('') == ''"
    )
    reference = "def mirror(text):\n    return text[::-1]"
    rote = "def mirror(text):\n    return {'abcd': 'dcba', 'hello': 'olleh'}.get(text, '')"
    branches = "def mirror(t):\n    if t == 'abcd':\n        return 'dcba'\n    if t == 'hello':\n        return 'olleh'\n    return ''"
    honest = "def mirror(text):\n    out = ''\n    for c in text:\n        out = c + out\n    return out\n\nprint(mirror('abcd'), mirror('hello'))"
    scores = tool.score([sample(prompt, program, reference) for program in (rote, branches, honest, reference)])
    assert [score.value for score in scores] == [0.0, 0.0, 1.0, 1.0]


def test_worked_examples_alone_are_backed_by_the_reference(tool: LibraryTool) -> None:
    prompt = "Write a Python function mirror.\nmirror('ab') -> 'ba'"
    reference = "def mirror(text):\n    return text[::-1]"
    assert tool.score_one(sample(prompt, reference, reference)).value == 1.0
    assert tool.score_one(sample(prompt, "def mirror(text):\n    return text[-1] + text[0]", reference)).value == 0.0


def test_rows_without_tests_abstain(tool: LibraryTool) -> None:
    assert tool.score_one(Sample(prompt="p", completion=GOOD)).status == "abstain"
    assert tool.score_one(Sample(prompt="p", completion=GOOD, binding={"suite": {"kind": "?"}})).status == "abstain"


def test_suites_that_leave_traces_are_never_refused(tool: LibraryTool) -> None:
    one = sample("Write f.\nassert f(1) == sys.getrecursionlimit()", "def g(x):\n    return 1")
    assert {score.status for score in tool.score([one] * 30)} == {"ok"}


class _BrokenPool(Pool):
    """A sandbox whose processes are always lost."""

    def run_tests(self, *_args: Any, **_named: Any) -> RunResult:
        return RunResult(Status.REFUSED, "the sandbox's own process died under this call")


def test_a_broken_sandbox_is_a_failed_tool_and_never_a_number() -> None:
    broken = library_class("code_tests")(
        library_spec("code_tests"), Resources(lambda: _BrokenPool(tier="unsafe", accept_unsafe=True))
    )
    score = broken.score_one(sample(ASSERTS, GOOD))
    assert (score.value, score.status) == (None, "failed")


def test_plain_values_are_compared_as_tests_would() -> None:
    assert same_value((1, [2.0]), [1, (2,)])
    assert same_value({1: "a"}, {"1": "a"})
    assert same_value(0.1 + 0.2, 0.3)
    assert same_value(float("nan"), float("nan"))
    for one, other in (
        (1, 2),
        ([1], [1, 2]),
        ({"a": 1}, {"b": 1}),
        ("1", 1),
        (None, 0),
        ("a", "A"),
        (10**400, 1.0),
        ({1, 2}, {1}),
    ):
        assert not same_value(one, other)


# ------------------------------------------------------------------------------------------ whole programs


@pytest.fixture(scope="module")
def stdio(resources: Resources) -> LibraryTool:
    return library_class("code_stdio")(library_spec("code_stdio", {"seconds": 2.0}), resources)


DOUBLE = "Read n from standard input and print 2n and 3n on two lines."
PAIRS = {"tests": {"inputs": ["1\n", "5\n", "40\n"], "outputs": ["2\n3\n", "10\n15\n", "80\n120\n"]}}


@pytest.mark.parametrize(
    ("program", "value"),
    [
        ("n = int(input())\nprint(2 * n)\nprint(3 * n)", 1.0),
        ("import sys\nn = int(sys.stdin.read())\nsys.stdout.write(f'{2*n}\\n{3*n}')", 1.0),
        (
            "def main():\n    n = int(input())\n    print(2 * n, 3 * n, sep='\\n')\n\nif __name__ == '__main__':\n    main()",
            1.0,
        ),
        ("n = int(input())\nprint(2 * n)", 0.0),
        ("n = int(input())\nprint(2 * n)\nprint(3 * n)\nprint('done')", 0.0),
        ("print('2\\n3\\n10\\n15\\n80\\n120')", 0.0),
        ("n = int(input())\nprint(2 * n)\nprint(3 * n)\nraise SystemExit(1)", 0.0),
        ("n = int(input('n? '))\nprint(2 * n)\nprint(3 * n)", 0.0),
        ("while True: pass", 0.0),
        ("", 0.0),
    ],
)
def test_whole_programs_are_judged_by_all_they_print(stdio: LibraryTool, program: str, value: float) -> None:
    assert stdio.score_one(sample(DOUBLE, program, **PAIRS)).value == value


def test_a_reference_that_is_the_pairs_is_no_program_that_fails_them(stdio: LibraryTool) -> None:
    pairs = json.dumps(PAIRS["tests"])

    assert stdio.score_one(sample(DOUBLE, "n = int(input())\nprint(2 * n)\nprint(3 * n)", pairs)).value == 1.0
    assert stdio.score_one(sample(DOUBLE, "print(2)", pairs)).value == 0.0


def test_the_tools_are_offered_for_their_kinds() -> None:
    assert candidates(AnswerKind.CODE_TESTS) == ("code_tests",)
    assert candidates(AnswerKind.CODE_STDIO) == ("code_stdio",)
    assert candidates(AnswerKind.CODE_REFERENCE) == ("code_reference",)
    assert candidates(AnswerKind.SQL) == ("sql",)


# ------------------------------------------------------------------------------------------ real labels

LAB = Path(__file__).resolve().parents[3].parent / "shared" / "data" / "lab_humaneval_codegen_even.jsonl"


@pytest.mark.slow
@pytest.mark.skipif(not LAB.exists(), reason="the labelled completions are not beside this checkout")
def test_labels_by_execution_are_met(tool: LibraryTool) -> None:
    samples: list[Sample] = []
    labels: list[float] = []
    for line in LAB.read_text(encoding="utf-8").splitlines():
        problem = json.loads(line)
        meta = problem["meta"]
        for completion, label in zip(problem["responses"], problem["labels"], strict=True):
            samples.append(sample(problem["prompt"], completion, test=meta["test"], entry_point=meta["entry_point"]))
            labels.append(float(label))
    scores: list[Score] = tool.score(samples)
    agreeing = sum(score.value == label for score, label in zip(scores, labels, strict=True))
    assert agreeing / len(labels) >= 0.995
