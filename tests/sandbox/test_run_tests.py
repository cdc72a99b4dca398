"""Programs against suites: what passes, what fails, and what cannot talk its way to a pass."""

from __future__ import annotations

import pytest

from rlar.sandbox import Limits, Pool, Status

CHECK = "def check(candidate):\n    assert candidate(1, 2) == 3\n    assert candidate(-1, 1) == 0\n"
GOOD = "def add(a, b):\n    return a + b\n"
WRONG = "def add(a, b):\n    return a + b + 1\n"
QUICK = Limits(seconds=0.4)


def test_a_right_program_passes_and_a_wrong_one_fails_on_every_tier(pool: Pool) -> None:
    passed = pool.run_tests(GOOD, CHECK, "add")
    assert (passed.status, passed.tier, passed.forgeable, passed.unsafe) == (Status.PASSED, pool.tier, False, False)
    assert passed.memory_mb is not None and 5 < passed.memory_mb < 200
    failed = pool.run_tests(WRONG, CHECK, "add")
    assert failed.status is Status.FAILED
    assert "AssertionError" in failed.explanation


@pytest.mark.parametrize(
    ("program", "status"),
    [
        ("while True: pass", Status.TIMEOUT),
        ("def add(a, b):\n    import time\n    while True: time.sleep(0.01)", Status.TIMEOUT),
        ("import os\nos._exit(0)", Status.CRASHED),
        ("import sys\nsys.exit(0)", Status.FAILED),
        ("def add(a, b):\n    import os\n    os._exit(0)", Status.CRASHED),
        ("import os, signal\nos.kill(os.getpid(), signal.SIGSEGV)", Status.CRASHED),
        ("block = bytearray(10**10)", Status.MEMORY),
        ("def add(a, b):\n    return [0] * 10**9", Status.MEMORY),
        ("def add(a, b) return", Status.FAILED),
        ("def sub(a, b):\n    return a - b", Status.FAILED),
        ("", Status.FAILED),
        ("add = 3", Status.FAILED),
    ],
)
def test_every_way_to_fail_has_its_status(pool: Pool, program: str, status: Status) -> None:
    result = pool.run_tests(program, CHECK, "add", limits=QUICK)
    assert result.status is status, result
    assert result.explanation
    assert pool.run_tests(GOOD, CHECK, "add").passed


@pytest.mark.parametrize(
    "value",
    [
        "type('E', (), {'__eq__': lambda s, o: True, '__hash__': lambda s: 0})()",
        "type('I', (int,), {'__eq__': lambda s, o: True, '__hash__': lambda s: 0})(7)",
        "type('F', (float,), {'__eq__': lambda s, o: True})(7.0)",
        "type('L', (list,), {'__eq__': lambda s, o: True})()",
        "type('S', (str,), {'__eq__': lambda s, o: True, '__hash__': lambda s: 0})('x')",
        "(i for i in range(10**9))",
        "__import__('unittest.mock').mock.ANY",
        "lambda *a: True",
        "type",
        "NotImplemented",
        "float('nan')",
    ],
)
def test_no_object_equals_the_expected_value(any_pool: Pool, value: str) -> None:
    program = f"def add(a, b):\n    return {value}\n"
    for tests in (
        CHECK,
        "assert add(1, 2) == 3\nassert 3 == add(1, 2)",
        "assert not add(1, 2) != 3",
        "assert add(1, 2) in [3]",
        "assert abs(add(1, 2) - 3) < 1e-6",
        "import math\nassert math.isclose(add(1, 2), 3)",
        "import unittest\nclass T(unittest.TestCase):\n    def test_it(self):\n        self.assertEqual(add(1, 2), 3)",
    ):
        assert not any_pool.run_tests(program, tests, "add", limits=Limits(seconds=5)).passed, (value, tests)


def test_a_class_named_like_the_entry_point_does_not_choose_the_mode(any_pool: Pool) -> None:
    program = "class add:\n    def __init__(s, a, b): pass\n    def __eq__(s, o): return True\n"
    result = any_pool.run_tests(program, "assert add(1, 2) == add(2, 1)\nassert add(1, 2) == 3", "add")
    assert result.status is Status.FAILED
    assert not result.forgeable


def test_an_object_has_no_truth_value_and_its_methods_are_not_asked(any_pool: Pool) -> None:
    program = (
        "class Yes:\n    def __bool__(s): return True\n    def startswith(s, p): return True\n"
        "def greet(name): return Yes()\n"
    )
    assert not any_pool.run_tests(program, "assert greet('x')", "greet").passed
    assert not any_pool.run_tests(program, "assert greet('x').startswith('Hello')", "greet").passed


def test_assert_lines_may_name_several_functions_and_constants(any_pool: Pool) -> None:
    program = "LIMIT = {'a': [1, 2]}\ndef inc(x): return x + 1\ndef double(x): return 2 * x\n"
    tests = "assert double(inc(3)) == 8\nassert sorted(map(inc, [2, 1])) == [2, 3]\nassert LIMIT['a'] == [1, 2]"
    assert any_pool.run_tests(program, tests).passed
    assert any_pool.run_tests(program, tests, "inc").passed


def test_classes_of_the_program_are_constructed_across_the_boundary(any_pool: Pool) -> None:
    program = (
        "class Pair:\n    count = 7\n    def __init__(self, a, b=0): self.a, self.b = a, b\n"
        "    def total(self): return self.a + self.b\n    @staticmethod\n    def zero(): return 0\n"
        "def longest(pairs, n): return max(p.total() for p in pairs) + n\n"
        "def make(a): return Pair(a)\n"
    )
    tests = (
        "p = Pair(5, b=24)\nassert longest([Pair(1, 2), p], 4) == 33\nassert p.total() == 29\nassert p.a == 5\n"
        "assert Pair.count == 7\nassert Pair.zero() == 0\nassert isinstance(p, Pair)\nassert make(3).a == 3\n"
    )
    result = any_pool.run_tests(program, tests)
    assert result.passed and not result.forgeable, result
    assert not any_pool.run_tests(program.replace("self.a + self.b", "self.a"), tests).passed


def test_a_class_may_be_the_entry_point(any_pool: Pool) -> None:
    program = "class Stack:\n    def __init__(s): s.x = []\n    def push(s, v): s.x.append(v)\n    def pop(s): return s.x.pop()\n"
    tests = "def check(candidate):\n    s = candidate()\n    s.push(4)\n    s.push([5])\n    assert s.pop() == [5]\n    assert s.x == [4]"
    assert any_pool.run_tests(program, tests, "Stack").passed


def test_a_method_of_solution_may_be_the_entry_point(any_pool: Pool) -> None:
    program = "class Solution:\n    def twice(self, x): return 2 * x\n"
    assert any_pool.run_tests(program, "def check(candidate):\n    assert candidate(4) == 8", "Solution.twice").passed


def test_functions_of_the_tests_are_called_back(any_pool: Pool) -> None:
    program = "def apply(f, xs): return [f(x) for x in xs]\ndef twice(f, x): return f(f(x))\ndef inc(x): return x + 1\n"
    tests = "assert apply(lambda x: x * x, [1, 2]) == [1, 4]\nassert apply(abs, [-1]) == [1]\n"
    result = any_pool.run_tests(program, tests)
    assert result.passed and not result.forgeable, result
    through_its_own = "assert twice(inc, 1) == 3\nassert apply(lambda x: inc(x), [1]) == [2]\n"
    result = any_pool.run_tests(program, through_its_own)
    assert result.passed and result.forgeable, result


def test_what_the_program_does_to_its_arguments_is_seen(any_pool: Pool) -> None:
    program = "def rotate(m):\n    m[0][0], m[1][1] = m[1][1], m[0][0]\n    m.append([9])\n"
    tests = "m = [[1, 2], [3, 4]]\nassert rotate(m) is None\nassert m == [[4, 2], [3, 1], [9]]"
    assert any_pool.run_tests(program, tests).passed


def test_exceptions_arrive_as_the_nearest_builtin_kind(any_pool: Pool) -> None:
    program = "class TooBig(ValueError): pass\ndef check_it(x):\n    if x > 3: raise TooBig('too', x)\n    raise KeyError('k')\n"
    tests = (
        "try:\n    check_it(4)\n    assert False\nexcept ValueError as error:\n    assert error.args == ('too', 4)\n"
        "try:\n    check_it(1)\n    assert False\nexcept KeyError as error:\n    assert str(error) == \"'k'\"\n"
    )
    assert any_pool.run_tests(program, tests).passed


def test_a_program_that_dies_fails_tests_that_swallow_everything(any_pool: Pool) -> None:
    tests = "try:\n    add(1, 2)\nexcept BaseException:\n    pass"
    assert any_pool.run_tests("def add(a, b):\n    import os\n    os._exit(0)", tests, "add").status is Status.CRASHED
    assert any_pool.run_tests("def add(a, b): return object", tests, "add").status is Status.UNDECIDED
    assert not any_pool.run_tests("import sys\ndef add(a, b): return sys", tests, "add").forgeable


def test_a_program_cannot_end_the_tests_own_loop(any_pool: Pool) -> None:
    program = "def f(x): raise StopIteration\n"
    assert not any_pool.run_tests(program, "assert all(map(lambda c: f(c) == c, [1, 2]))", "f").passed
    assert not any_pool.run_tests(
        program, "for x in map(f, [1]):\n    assert x == 1\nassert list(map(f, [1])) == []", "f"
    ).passed


def test_tests_that_share_an_interpreter_must_check_something(any_pool: Pool) -> None:
    assert any_pool.run_tests(GOOD, "add(1, 2)", "add", mode="same").status is Status.UNDECIDED
    assert any_pool.run_tests(GOOD, "assert add(1, 2) == 3", "add", mode="same").passed


def test_exact_types_cross(any_pool: Pool) -> None:
    program = "def same(x): return x\n"
    values = [
        "None",
        "True",
        "1",
        "-1",
        "10**300",
        "1.5",
        "float('inf')",
        "'é\\ud800'",
        "b'\\x00\\xff'",
        "1j",
        "[]",
        "[1,[2]]",
        "()",
        "(1,(2,))",
        "{}",
        "{1:2,(3,):[4]}",
        "set()",
        "{1,2}",
        "frozenset({1})",
        "range(3)",
        "-0.0",
    ]
    lines = [f"v = {value}\nr = same(v)\nassert r == v and type(r) is type(v)" for value in values]
    lines += [
        "from collections import *\nfrom fractions import Fraction\nfrom decimal import Decimal\nimport datetime",
        "for v in (deque([1], 3), Counter('aab'), OrderedDict(a=1), Fraction(1, 3), Decimal('1.10'),"
        " datetime.date(2020, 2, 29), datetime.timedelta(1, 2)):\n    assert same(v) == v and type(same(v)) is type(v)",
        "assert list(same(iter([1, 2]))) == [1, 2]",
    ]
    result = any_pool.run_tests(program, "\n".join(lines))
    assert result.passed, result


def test_tests_may_import_the_program_by_any_name(any_pool: Pool) -> None:
    program = "def inc(x): return x + 1\nclass Box:\n    def __init__(s, v): s.v = v\n"
    tests = "from solution import inc as plus, Box\nfrom your_module import *\nimport sys\nassert plus(1) == 2 and Box(3).v == 3 < sys.maxsize"
    result = any_pool.run_tests(program, tests)
    assert result.passed and not result.forgeable, result
    assert not any_pool.run_tests(program.replace("+ 1", "+ 2"), tests).passed


def test_tests_that_read_what_is_printed_share_the_interpreter(any_pool: Pool) -> None:
    program = "def hello(): print('hi')\n"
    tests = (
        "import io\nfrom contextlib import redirect_stdout\nout = io.StringIO()\nwith redirect_stdout(out):\n    hello()\n"
        "assert out.getvalue() == 'hi\\n'"
    )
    result = any_pool.run_tests(program, tests)
    assert result.passed and result.forgeable


def test_the_prelude_wins_over_the_program(any_pool: Pool) -> None:
    prelude = "def poly(xs, x): return sum(c * x**i for i, c in enumerate(xs))\ndef root(xs):\n    '''doc'''\n"
    tests = "def check(candidate):\n    assert abs(poly([-2, 1], candidate([-2, 1]))) < 1e-6\n"
    good = prelude + "def root(xs): return 2\n"
    cheat = "def poly(xs, x): return 0\ndef root(xs): return 99\n"
    assert any_pool.run_tests(good, tests, "root", prelude=prelude).passed
    assert not any_pool.run_tests(cheat, tests, "root", prelude=prelude).passed


def test_modules_that_only_the_program_imports_are_there_for_the_tests(any_pool: Pool) -> None:
    program = "import math\ndef half(x): return x / 2\n"
    assert any_pool.run_tests(program, "assert math.isclose(half(3), 1.5)", "half").passed
    cheat = "class math:\n    @staticmethod\n    def isclose(a, b): return True\ndef half(x): return 0\n"
    assert not any_pool.run_tests(cheat, "assert math.isclose(half(3), 1.5)", "half").passed


def test_tests_may_be_functions_or_unittest_cases(any_pool: Pool) -> None:
    functions = "def test_one():\n    assert add(1, 2) == 3\ndef test_two():\n    assert add(2, 2) == 4\n"
    cases = (
        "import unittest\nclass TestAdd(unittest.TestCase):\n    def setUp(self):\n        self.x = 1\n"
        "    def test_it(self):\n        self.assertEqual(add(self.x, 2), 3)\n"
        "    def test_error(self):\n        with self.assertRaises(TypeError):\n            add('a', 1)\n"
    )
    for tests in (functions, cases):
        assert any_pool.run_tests(GOOD, tests, "add").passed
        assert any_pool.run_tests(WRONG, tests, "add").status is Status.FAILED


@pytest.mark.parametrize("tests", ["", "x = 1", "METADATA = {}", "def check(candidate):\n    pass", "assert True"])
def test_a_suite_that_never_calls_the_program_passes_nothing(any_pool: Pool, tests: str) -> None:
    result = any_pool.run_tests(GOOD, tests, "add")
    assert result.status is Status.UNDECIDED
    assert "checked nothing" in result.explanation


def test_tests_that_are_no_python_are_refused(any_pool: Pool) -> None:
    assert any_pool.run_tests(GOOD, "assert (", "add").status is Status.UNDECIDED
    assert any_pool.run_tests(GOOD, "x" + "(" * 5000, "add").status is Status.UNDECIDED
    assert any_pool.run_tests(GOOD, CHECK, "add").passed


def test_what_cannot_be_split_runs_in_one_interpreter_and_says_so(any_pool: Pool) -> None:
    program = "class P:\n    def __init__(s, a): s.a = a\n    def __eq__(s, o): return s.a == o.a\n"
    tests = "assert P(1) == P(1)\nassert not P(1) == P(2)"
    result = any_pool.run_tests(program, tests)
    assert result.passed and result.forgeable
    assert any_pool.run_tests(program, "class Q(P):\n    pass\nassert Q(1).a == 1").forgeable
    assert any_pool.run_tests(program, "import inspect\nassert inspect.isclass(P)").forgeable
    passes_objects = "class Mine:\n    x = 1\nassert read(Mine()) == 1"
    assert any_pool.run_tests("def read(o): return o.x", passes_objects).forgeable
    assert any_pool.run_tests("def read(o): return o.x", passes_objects, mode="split").status is Status.REFUSED
    wrong = any_pool.run_tests(program.replace("s.a == o.a", "False"), tests)
    assert wrong.status is Status.FAILED and wrong.forgeable


def test_a_stuck_suite_is_a_timeout_and_the_next_one_runs(any_pool: Pool) -> None:
    result = any_pool.run_tests(GOOD, "add(1, 2)\nwhile True:\n    pass", "add", limits=QUICK)
    assert result.status is Status.TIMEOUT
    assert any_pool.run_tests(GOOD, CHECK, "add").passed


def test_a_large_program_that_is_never_read_does_not_block(any_pool: Pool) -> None:
    program = "import os\nos._exit(1)\n" + "# " + "x" * (8 << 20)
    assert any_pool.run_tests(program, CHECK, "add").status in (Status.CRASHED, Status.FAILED)


def test_what_a_program_prints_is_kept_up_to_the_limit(any_pool: Pool) -> None:
    result = any_pool.run_tests("print('hello')\n" + GOOD, CHECK, "add")
    assert result.passed and result.output == "hello\n"
    flood = "def add(a, b):\n    print('x' * 10**7)\n    return a + b\n"
    result = any_pool.run_tests(flood, CHECK, "add", limits=Limits(output_bytes=1000))
    assert len(result.output) <= 1000


def test_randomness_and_hashes_repeat(any_pool: Pool) -> None:
    program = "import random\ndef draw(): return [random.random(), hash('text'), list({'a', 'b', 'c'})]\n"
    first, second = (any_pool.call(program, "draw", [[]])[0].value for _ in range(2))
    assert first == second


def test_a_verdict_that_rests_on_a_helper_of_the_program_is_marked_forgeable(pool):
    tests = "def check(candidate):\n    assert abs(poly([2, -4], candidate([2, -4]))) < 1e-4\n"
    honest = "def poly(c, x): return c[0] * x + c[1]\ndef root(c): return -c[1] / c[0]\n"
    cheat = "def poly(c, x): return 0\ndef root(c): return 7\n"
    assert pool.run_tests(honest, tests, "root").forgeable
    assert pool.run_tests(cheat, tests, "root").forgeable
    prelude = "def poly(c, x): return c[0] * x + c[1]\n"
    assert pool.run_tests(cheat, tests, "root", prelude=prelude).status == "failed"
    kept = pool.run_tests(honest, tests, "root", prelude=prelude)
    assert kept.status == "passed" and not kept.forgeable


def test_the_helper_is_found_through_a_variable(pool):
    program = "def shut(s): return s\ndef open_(s): return s\n"
    assert pool.run_tests(program, "x = shut('ab')\nassert open_(x) == 'ab'").forgeable


def test_functions_that_are_judged_one_by_one_are_not_forgeable(pool):
    two = "def add(a, b): return a + b\ndef neg(a): return -a\n"
    assert not pool.run_tests(two, "assert add(1, 2) == 3\nassert neg(1) == -1").forgeable
    assert not pool.run_tests("def add(a, b): return a + b", "assert add(1, 2) == 3\nassert add(0, 0) == 0").forgeable
