"""A pass needs an executed check of the program: suites that run to their end without one pass nobody."""

from __future__ import annotations

import itertools
import textwrap
from collections.abc import Iterator

import pytest

from rlar.kinds import library_class
from rlar.sandbox import Limits, Pool, RunResult, Status, probe
from rlar.tool import Resources
from rlar.tools.library import library_spec
from rlar.types import Sample

GOOD = "def add(a, b):\n    return a + b\n"
WRONG = "def add(a, b):\n    return a - b\n"

# Each runs for every program and says nothing of it.
CALLS = {
    "a call": "add(1, 2)",
    "a printed call": "print(add(1, 2))",
    "a kept call": "kept = add(1, 2)",
    "a call in a loop": "for i in range(3):\n    add(i, 2)",
}
IDLE = {
    "nothing": "",
    "check defined and not called, with its name taken": "def check(c):\n    assert c(1, 2) == 3\ncheck = None",
    "check shadowed": "def check(c):\n    assert c(1, 2) == 3\ndef check(c):\n    c(1, 2)",
    "check that returns its verdict": "def check(c):\n    return c(1, 2) == 3",
    "check of something else": "def check(c):\n    assert c(1, 2) == 3\nif 0:\n    check(add)\ncheck = print",
    "under if False": "if False:\n    assert add(1, 2) == 3",
    "under the main guard": "if __name__ == '__main__':\n    assert add(1, 2) == 3",
    "under not __debug__": "if not __debug__:\n    assert add(1, 2) == 3",
    "in a function never called": "def verify():\n    assert add(1, 2) == 3",
    "in a class never made": "class Verify:\n    def test_it(self):\n        assert add(1, 2) == 3",
    "in a lambda never called": "verify = lambda: [].pop() if add(1, 2) != 3 else 0",
    "in a loop over nothing": "for a, b, c in []:\n    assert add(a, b) == c",
    "in a loop that never starts": "while False:\n    assert add(1, 2) == 3",
    "after return": "def test_it():\n    return\n    assert add(1, 2) == 3",
    "in an async test": "async def test_it():\n    assert add(1, 2) == 3",
    "in a generator": "def test_it():\n    yield\n    assert add(1, 2) == 3",
    "in a generator expression": "def verify(a):\n    assert add(a, 2) == a + 2\nall_of = (verify(a) for a in range(3))",
    "in a test with a parameter": "def test_it(fixture):\n    assert add(1, 2) == 3",
    "assert True": "assert True",
    "assert a constant": "assert 1 + 1 == 2\nassert 'text'",
    "assert a tuple": "assert (add(1, 2) == 3, 'add(1, 2)')",
    "assert a list": "assert [add(1, 2) == 3]",
    "assert a generator": "assert (add(a, 2) == a + 2 for a in range(3))",
    "assert a lambda": "assert lambda: add(1, 2) == 3",
    "assert or True": "assert add(1, 2) == 3 or True",
    "assert not ()": "assert not ()",
    "assert of its own values": "expected = 3\nassert expected == 3",
    "assert of a module": "import math\nassert math.pi > 3",
    "a comparison without an assert": "add(1, 2) == 3",
    "unittest without tests": "import unittest\nclass T(unittest.TestCase):\n    def helper(self):\n        assert add(1, 2) == 3",
    "unittest skipped": (
        "import unittest\nclass T(unittest.TestCase):\n    @unittest.skip('later')\n    def test_it(self):\n"
        "        self.assertEqual(add(1, 2), 3)"
    ),
    "unittest that only runs": "import unittest\nclass T(unittest.TestCase):\n    def test_it(self):\n        add(1, 2)",
    "unittest of constants": (
        "import unittest\nclass T(unittest.TestCase):\n    def test_it(self):\n        add(1, 2)\n        self.assertTrue(True)"
    ),
    "suppressed": "import contextlib\nwith contextlib.suppress(Exception):\n    add(1, 2)",
}
# Tests that nothing runs, beside a check that holds for right and wrong programs.
UNRUN = {
    "a parametrized test": (
        "import pytest\n@pytest.mark.parametrize('a', [1, 2])\ndef test_it(a):\n    assert add(a, 2) == a + 2"
    ),
    "a test of a fixture": "def test_it(numbers):\n    assert add(*numbers) == 3",
    "an async test": "async def test_it():\n    assert add(1, 2) == 3",
    "a generator": "def test_it():\n    yield\n    assert add(1, 2) == 3",
    "a method with a parameter": "class TestAdd:\n    def test_it(self, a):\n        assert add(a, 2) == a + 2",
    "an async method": "class TestAdd:\n    async def test_it(self):\n        assert add(1, 2) == 3",
    "a test whose name is taken": "def test_it():\n    assert add(1, 2) == 3\ntest_it = None",
    "check whose name is taken": "def check(c):\n    assert c(1, 2) == 3\ncheck = None",
    "check as a generator": "def check(c):\n    yield\n    assert c(1, 2) == 3",
    "after exit": "import sys\nsys.exit()\nassert add(1, 2) == 3",
    "behind unittest.main": (
        "import unittest\nclass T(unittest.TestCase):\n    def test_it(self):\n        self.assertEqual(add(1, 2), 3)\nunittest.main()"
    ),
}  # fmt: skip
UNITTEST_MAY_FAIL = {"unittest without tests"}  # a case without tests is an error of the suite by itself
SWALLOWED = {
    "by except": "try:\n    assert add(1, 2) == 3\nexcept AssertionError:\n    pass",
    "by a bare except": "try:\n    assert add(1, 2) == 3\nexcept:\n    print('failed')",
    "by suppress": "import contextlib\nwith contextlib.suppress(AssertionError):\n    assert add(1, 2) == 3",
    "by return in finally": "def test_it():\n    try:\n        assert add(1, 2) == 3\n    finally:\n        return",
    "by an expected failure": (
        "import unittest\nclass T(unittest.TestCase):\n    @unittest.expectedFailure\n    def test_it(self):\n"
        "        assert add(1, 2) == 3"
    ),
    "around a method": (
        "import unittest\ncase = unittest.TestCase()\ntry:\n    case.assertEqual(add(1, 2), 3)\nexcept Exception:\n    pass"
    ),
    "beside one that holds": "for a in (0, 2):\n    try:\n        assert add(1, a) == 1 + a\n    except AssertionError:\n        pass",
    "where an exception had to come": (
        "try:\n    add(1, 2)\n    assert False, 'no exception'\nexcept Exception:\n    pass"
    ),
}
# Right programs pass these, wrong ones fail.
HONEST = {
    "asserts": "assert add(1, 2) == 3",
    "check": "def check(candidate):\n    assert candidate(1, 2) == 3",
    "check defined after a call of the program": "add(0, 0)\ndef check(c):\n    assert c(1, 2) == 3",
    "check that it calls": "def check(c):\n    assert c(1, 2) == 3\ncheck(add)",
    "check through a variable": "def check(c):\n    for a in range(4):\n        got = c(a, 2)\n        want = a + 2\n        assert got == want",
    "a helper": "def same(got, want):\n    assert got == want\nsame(add(1, 2), 3)",
    "a helper that raises": "def same(got, want):\n    if got != want:\n        raise ValueError(got)\nsame(add(1, 2), 3)",
    "a guard": "if add(1, 2) != 3:\n    raise AssertionError('no')",
    "a guard that leaves": "import sys\nif add(1, 2) != 3:\n    sys.exit(1)",
    "an else guard": "if add(1, 2) == 3:\n    pass\nelse:\n    assert False",
    "collected results": "results = []\nfor a in range(3):\n    results.append(add(a, 2))\nassert results == [2, 3, 4]",
    "a flag": "ok = True\nfor a in range(3):\n    if add(a, 2) != a + 2:\n        ok = False\nassert ok",
    "a flag from try": "try:\n    good = add(1, 2) == 3\nexcept Exception:\n    good = False\nassert good",
    "test functions": "def test_it():\n    assert add(1, 2) == 3",
    "a table": "TABLE = [((1, 2), 3), ((2, 2), 4)]\nfor arguments, want in TABLE:\n    assert add(*arguments) == want, arguments",
    "assertion of the evalplus kind": (
        "def assertion(out, exp, atol):\n    exact = out == exp\n    assert exact, f'{out} {exp}'\n"
        "def check(candidate):\n    inputs = [[1, 2], [2, 2]]\n    results = [3, 4]\n"
        "    for i, (inp, exp) in enumerate(zip(inputs, results)):\n        assertion(candidate(*inp), exp, 0)"
    ),
    "unittest": "import unittest\nclass T(unittest.TestCase):\n    def test_it(self):\n        self.assertEqual(add(1, 2), 3)",
    "unittest with fields": (
        "import unittest\nclass T(unittest.TestCase):\n    def setUp(self):\n        self.got = add(1, 2)\n"
        "    def test_it(self):\n        self.assertEqual(self.got, 3)"
    ),
    "a class that helps": "class Runner:\n    def run(self, a, b):\n        return add(a, b)\nassert Runner().run(1, 2) == 3",
    "a test class": "class TestAdd:\n    def test_it(self):\n        assert add(1, 2) == 3",
    "a test class that is set up": (
        "class TestAdd:\n    def setup_method(self, method):\n        self.got = add(1, 2)\n"
        "    def test_it(self):\n        assert self.got == 3\n    def teardown_method(self):\n        assert self.got == 3"
    ),
    "a test class beside check": (
        "def check(c):\n    assert c(0, 0) == 0\nclass TestAdd:\n    def test_it(self):\n        assert add(1, 2) == 3"
    ),
    "a test class of unittest with a mixin": (
        "import unittest\nclass TestMixin:\n    def test_it(self):\n        self.assertEqual(add(1, 2), 3)\n"
        "class TestAdd(TestMixin, unittest.TestCase):\n    pass"
    ),
    "a test with a default": "def test_it(a=1, *, b=2):\n    assert add(a, b) == 3",
    "a helper by the name of test": "def test(a, b, want):\n    assert add(a, b) == want\ntest(1, 2, 3)",
    "all of": "assert all(add(a, 2) == a + 2 for a in range(3))",
    "walrus": "assert (got := add(1, 2)) == 3, got",
    "any of": "assert add(1, 2) in (3,) or add(1, 2) == 3",
    "negated": "assert not add(1, 2) != 3",
}
RAISES_GOOD = "def root(x):\n    if x < 0:\n        raise ValueError('negative')\n    return x ** 0.5\n"
RAISES_WRONG = "def root(x):\n    return 0.0\n"
RAISES = {
    "try": "try:\n    root(-1)\n    assert False\nexcept ValueError:\n    pass",
    "try else": "try:\n    root(-1)\nexcept ValueError:\n    pass\nelse:\n    raise AssertionError('no exception')",
    "assertRaises": "import unittest\nclass T(unittest.TestCase):\n    def test_it(self):\n        with self.assertRaises(ValueError):\n            root(-1)",
    "assertRaises called": "import unittest\nclass T(unittest.TestCase):\n    def test_it(self):\n        self.assertRaises(ValueError, root, -1)",
    "a context of its own": (
        "class raises:\n    def __init__(self, kind):\n        self.kind = kind\n    def __enter__(self):\n        return self\n"
        "    def __exit__(self, kind, error, trace):\n        assert kind is self.kind\n        return True\n"
        "with raises(ValueError):\n    root(-1)"
    ),
    "a flag": "raised = False\ntry:\n    root(-1)\nexcept ValueError:\n    raised = True\nassert raised",
}


@pytest.fixture(scope="module")
def pool() -> Iterator[Pool]:
    if probe().best is None:
        pytest.skip("no native tier on this machine")
    with Pool(workers=1, limits=Limits(seconds=20)) as made:
        yield made


def judge(pool: Pool, program: str, tests: str, mode: str, entry: str = "add") -> RunResult:
    result = pool.run_tests(program, tests, entry, mode=mode)  # type: ignore[arg-type]
    assert result.forgeable is (mode == "same")
    return result


@pytest.mark.parametrize("mode", ["split", "same"])
@pytest.mark.parametrize("idle", IDLE, ids=str)
def test_a_suite_without_an_executed_check_cannot_tell(pool: Pool, idle: str, mode: str) -> None:
    for call, program in itertools.product(CALLS.values(), (GOOD, WRONG)):
        tests = f"{call}\n{IDLE[idle]}"
        if mode == "same" and idle in ("assert of its own values", "assert of a module"):
            continue  # in one interpreter the program may have set them
        result = judge(pool, program, tests, mode)
        assert result.status is Status.UNDECIDED or (idle in UNITTEST_MAY_FAIL and result.status is Status.FAILED), (
            tests,
            result,
        )


@pytest.mark.parametrize("mode", ["split", "same"])
@pytest.mark.parametrize("unrun", UNRUN, ids=str)
def test_a_suite_with_a_test_that_is_not_run_cannot_tell(pool: Pool, unrun: str, mode: str) -> None:
    for program in (GOOD, WRONG):
        result = judge(pool, program, f"assert add(0, 0) == 0\n{UNRUN[unrun]}", mode)
        assert result.status is Status.UNDECIDED, result


def test_a_helper_in_the_prelude_may_be_called_check(pool: Pool) -> None:
    prelude = "def check(got, want):\n    assert got == want\n"
    for program, status in ((GOOD, Status.PASSED), (WRONG, Status.FAILED)):
        result = pool.run_tests(program, "check(add(1, 2), 3)\nassert add(2, 2) == 4", "add", prelude=prelude)
        assert result.status is status, result


@pytest.mark.parametrize("mode", ["split", "same"])
@pytest.mark.parametrize("swallowed", SWALLOWED, ids=str)
def test_a_failed_assertion_that_is_swallowed_is_no_pass(pool: Pool, swallowed: str, mode: str) -> None:
    result = judge(pool, WRONG, SWALLOWED[swallowed], mode)
    assert result.status is Status.UNDECIDED, result


@pytest.mark.parametrize("mode", ["split", "same"])
@pytest.mark.parametrize("honest", HONEST, ids=str)
def test_honest_suites_of_every_make_judge(pool: Pool, honest: str, mode: str) -> None:
    """Alone, and behind a call of the program, and with their checks below a few levels of structure."""
    text = HONEST[honest]
    nested = (
        "def test_all():\n" + textwrap.indent(text, "    ") if honest in ("asserts", "a guard", "a table") else text
    )
    for tests in (text, f"add(1, 1)\n{text}", nested):
        assert judge(pool, GOOD, tests, mode).status is Status.PASSED, tests
        assert judge(pool, WRONG, tests, mode).status is Status.FAILED, tests


@pytest.mark.parametrize("mode", ["split", "same"])
@pytest.mark.parametrize("raises", RAISES, ids=str)
def test_an_exception_that_has_to_come_is_a_check(pool: Pool, raises: str, mode: str) -> None:
    assert judge(pool, RAISES_GOOD, RAISES[raises], mode, "root").status is Status.PASSED
    assert judge(pool, RAISES_WRONG, RAISES[raises], mode, "root").status is Status.FAILED


def test_a_programs_own_assertion_error_is_an_exception_like_others(pool: Pool) -> None:
    program = "def root(x):\n    assert x >= 0\n    return x ** 0.5\n"
    tests = "try:\n    root(-1)\n    raise ValueError\nexcept AssertionError:\n    pass"
    for mode in ("split", "same"):
        assert judge(pool, program, tests, mode, "root").status is Status.PASSED
        assert judge(pool, RAISES_WRONG, tests, mode, "root").status is Status.FAILED


def test_a_suite_that_checks_nothing_is_an_abstention_of_the_tool(pool: Pool) -> None:
    tool = library_class("code_tests")(library_spec("code_tests"), Resources(lambda: pool))

    def score(program: str, tests: str, reference: str | None = None) -> tuple[float | None, str]:
        suite = {"kind": "asserts", "tests": [tests], "entry_point": "add", "source": "columns"}
        made = tool.score_one(
            Sample(
                prompt="Write add.",
                completion=f"```python\n{program}```",
                reference=reference,
                binding={"suite": suite},
            )
        )
        return made.value, made.status

    idle = "def check(candidate):\n    candidate(1, 2)"
    assert score(GOOD, idle) == (None, "abstain")
    assert score(WRONG, idle) == (None, "abstain")
    assert score(WRONG, idle, GOOD) == (None, "abstain")
    # Whoever leads a suite past its checks, where the row's own reference meets them, is wrong.
    loops = "for value in add(1, 2):\n    assert value == 3"
    meets, avoids = "def add(a, b):\n    return [3]\n", "def add(a, b):\n    return []\n"
    assert score(meets, loops) == (1.0, "ok")
    assert score(avoids, loops) == (None, "abstain")
    assert score(avoids, loops, meets) == (0.0, "ok")


@pytest.mark.parametrize(
    "tests",
    ["import os\nos._exit(0)", "import os\nos.abort()", "import os\nos.write(3, b'x' * 50)", "import os\nos.close(3)",
     "assert add(1 ==", "assert add(1, 2) == '\0'", "assert add(1, 2) == " + "9" * 5000],
    ids=["exit", "abort", "garbage", "close", "syntax", "null", "number"],
)  # fmt: skip
def test_whatever_a_rows_tests_do_to_themselves_the_tool_is_not_broken(pool: Pool, tests: str) -> None:
    """Many rows of that kind would quarantine it for everybody."""
    tool = library_class("code_tests")(library_spec("code_tests"), Resources(lambda: pool))
    suite = {"kind": "asserts", "tests": [tests], "entry_point": "add", "source": "columns"}
    for reference in (None, GOOD):
        made = tool.score_one(
            Sample(prompt="Write add.", completion=GOOD, reference=reference, binding={"suite": suite})
        )
        assert made.status == "abstain", made
