"""Tests that look into the program, where only its stand-ins are: a wrong program never passes by that, unmarked.

Every suite here is right for one program and wrong for another when all share an interpreter. Apart it cannot tell. No
list of ways to look decides that, so the ways below are as odd as we could think of.
"""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from rlar.sandbox import Limits, Pool, Status, probe

# (what the right program has, what the wrong one has, the tests)
FUNCTION = 'def add(a: int, b: int = 2) -> int:\n    "The sum."\n    return a + b\n'
BARE = "def add(a, b):\n    return a + b\n"
LAMBDA = "add = lambda *a: a[0] + a[1]\n"
FUNCTIONS = {
    "documentation": "assert add.__doc__",
    "documentation by getattr": "assert getattr(add, '__d' + 'oc__')",
    "no attribute": "assert hasattr(add, '__defaults__') and add.__defaults__",
    "a swallowed look": "try:\n    bare = not add.__annotations__\nexcept BaseException:\n    bare = False\nassert not bare",
    "attrgetter": "import operator\nassert operator.attrgetter('__code__.co_argcount')(add) == 2 and add.__doc__",
    "type hints": "import typing\nassert typing.get_type_hints(add)",
    "wraps": "import functools\n@functools.wraps(add)\ndef mine(*a):\n    return add(*a)\nassert mine.__doc__",
    "update_wrapper": "import functools\nassert functools.update_wrapper(lambda: 0, add).__doc__",
    "dir": "assert dir(add) and add.__doc__",
    "vars": "vars(add)\nassert not vars(add) and add.__doc__",
    "pydoc": "import importlib\npydoc = importlib.import_module('pydoc')\nassert 'sum' in pydoc.render_doc(add)",
    "inspect by another way": (
        "look = __import__('importlib').import_module('ins' + 'pect')\nassert look.signature(add).parameters['b'].default == 2"
    ),
    "what it is not": "assert not isinstance(add, int) and add.__doc__",
    "an attribute of its own": "add.seen = 1\nassert add.seen == 1 and add.__doc__",
    "an attribute by setattr": "setattr(add, 'seen', 1)\nassert add.seen == 1 and add.__doc__",
}
SPIES = {
    "a builtin": "import builtins\nseen = []\nkept = builtins.sorted\ndef spy(*a, **k):\n    seen.append(a)\n    return kept(*a, **k)\nsetattr(builtins, 'sorted', spy)\n",
    "a builtin through a dict": "import builtins\nseen = []\nkept = sorted\ndef spy(*a, **k):\n    seen.append(a)\n    return kept(*a, **k)\nvars(builtins).update(sorted=spy)\n",
    "a function of a module": "import heapq\nseen = []\nsetattr(heapq, 'heapify', lambda x: seen.append(x))\nimport builtins\nvars(builtins)['sorted'] = lambda x: seen.append(1) or x\n",
    "a function of a module alone": "import bisect\nseen = []\nbisect.__dict__['insort'] = lambda *a: seen.append(a)\n",
    "the output": "import io, sys\nbuffer = io.StringIO()\nsetattr(sys, 'stdout', buffer)\nseen = property(lambda self: buffer.getvalue())\n",
    "calls": "import sys\nseen = []\nsys.setprofile(lambda frame, event, arg: seen.append(event) if frame.f_code.co_name == 'helper' else None)\n",
    "lines": "import sys\nseen = []\nsys.settrace(lambda frame, event, arg: seen.append(event) if frame.f_code.co_name == 'helper' else None)\n",
}
SPIED = "assert order([2, 1]) == [1, 2]\nassert not seen"
# It does what the spies look for.
SPYABLE = (
    "import bisect, heapq\ndef helper(x):\n    return x\n"
    "def order(x):\n    print('sorting')\n    helper(x)\n    bisect.insort([], 1)\n    heapq.heapify([])\n    return sorted(x)\n"
)
CLASS = (
    "import functools\n@functools.total_ordering\nclass Money:\n    'An amount.'\n    def __init__(self, n): self.n = n\n"
    "    def __eq__(self, o): return self.n == o.n\n    def __lt__(self, o): return self.n < o.n\n"
    "    def __hash__(self): return hash(self.n)\n    def __repr__(self): return f'Money({self.n})'\n"
    "    def __add__(self, o):\n        if not isinstance(o, Money): raise TypeError\n        return Money(self.n + o.n)\n"
    "    def __len__(self): return self.n\n    def __bool__(self): return self.n > 0\n    def __getitem__(self, i): return range(self.n)[i]\n"
    "    def __call__(self): return self.n\n    def __enter__(self): return self\n    def __exit__(self, *a): return False\n"
    "    def value(self): return self.n\n"
)
# Equal to nothing, unequal to nothing, adds everything, and so on.
WRONG_CLASS = (
    "class Money:\n    def __init__(self, n): self.n = n\n    def __eq__(self, o): return False\n    def __ne__(self, o): return False\n"
    "    def __hash__(self): return 0\n    def __lt__(self, o): return False\n    def __add__(self, o): return self\n    def __len__(self): return 0\n"
    "    def __bool__(self): return True\n    def __getitem__(self, i): return 7\n    def __call__(self): return -1\n"
    "    def __repr__(self): return 'x'\n    def __enter__(self): return None\n    def __exit__(self, *a): return True\n    def value(self): return self.n\n"
)
MADE = "one, two, same = Money(1), Money(2), Money(1)\nassert one.value() == 1\n"
OPERATORS = {
    "not equal": "assert one != two",
    "equal by operator": "import operator\nassert operator.eq(one, same) and operator.ne(one, two)",
    "in a list": "assert one not in [two] and one in [same]",
    "in a set": "assert len({one, two}) == 2 and hash(one) != hash(two)",
    "less": "assert one < two",
    "sorted": "assert [m.value() for m in sorted([two, one])] == [1, 2]",
    "a refused operator": "try:\n    one + 1\n    refused = False\nexcept TypeError:\n    refused = True\nassert refused",
    "a refused operator, by unittest": (
        "import unittest\nclass T(unittest.TestCase):\n    def test_it(self):\n        with self.assertRaises(TypeError):\n            one + 1"
    ),
    "length": "assert len(two) == 2",
    "truth": "assert two and not Money(0)",
    "text": "assert repr(one) == 'Money(1)'",
    "text that is not the usual": "assert '<' not in str(one) and f'{one}' == 'Money(1)'",
    "a call": "assert one() == 1",
    "an item": "assert two[1] == 1",
    "a context": "with one as entered:\n    assert entered is not None and entered.value() == 1",
    "iteration": "assert list(two) == [0, 1]",
    "its documentation": "assert one.__doc__ or Money.__doc__",
    "documentation of the class": "assert Money.__doc__",
    "no attribute of the class": "assert hasattr(Money, '__total_ordering__') or '__gt__' in vars(Money)",
    "bases": "assert not issubclass(Money, Exception) and Money.__mro__ and Money.__doc__",
    "a derived class": "made = type('Rich', (Money,), {})\nassert made(3).value() == 3 and made(3) == Money(3)",
    "a copy": "import copy\nassert copy.copy(one) == one",
    "pickle": "import pickle\nassert pickle.loads(pickle.dumps(one)) == one",
    "a patched method": "setattr(Money, 'value', lambda self: 5)\nassert one != two",
}


@pytest.fixture(scope="module")
def pool() -> Iterator[Pool]:
    if probe().best is None:
        pytest.skip("no native tier on this machine")
    with Pool(workers=1, limits=Limits(seconds=20)) as made:
        yield made


def assert_fails_safe(pool: Pool, wrong: str, tests: str) -> None:
    for mode in ("auto", "split"):
        result = pool.run_tests(wrong, tests, mode=mode)  # type: ignore[arg-type]
        assert not result.passed or result.forgeable, result


@pytest.mark.parametrize("look", FUNCTIONS, ids=str)
def test_a_look_at_a_function(pool: Pool, look: str) -> None:
    tests = f"assert add(1, 2) == 3\n{FUNCTIONS[look]}"
    assert_fails_safe(pool, BARE, tests)
    assert_fails_safe(pool, LAMBDA, tests)
    right = pool.run_tests(FUNCTION, tests)
    assert right.status is Status.UNDECIDED or (right.passed and right.forgeable), right


@pytest.mark.parametrize("spy", SPIES, ids=str)
def test_a_spy_in_the_tests_own_interpreter(pool: Pool, spy: str) -> None:
    assert_fails_safe(pool, SPYABLE, SPIES[spy] + SPIED)


@pytest.mark.parametrize("look", OPERATORS, ids=str)
def test_an_operator_of_a_class(pool: Pool, look: str) -> None:
    tests = MADE + OPERATORS[look]
    assert_fails_safe(pool, WRONG_CLASS, tests)
    right = pool.run_tests(CLASS, tests)
    assert right.status is Status.UNDECIDED or (right.passed and right.forgeable) or "patched" in look, right


def test_looking_where_a_test_failed_does_not_choose_the_mode(pool: Pool) -> None:
    """Else a program would fail in order to be judged in its own interpreter."""
    tests = "if add(1, 2) != 3:\n    print(add.__doc__)\nassert add(1, 2) == 3"
    forger = "class E:\n    def __eq__(s, o): return True\n    def __ne__(s, o): return False\nodd = iter([E()])\ndef add(a, b):\n    return next(odd, E())\n"
    assert pool.run_tests(BARE, tests).status is Status.PASSED
    for program in (forger, "def add(a, b):\n    return 0\n"):
        result = pool.run_tests(program, tests)
        assert not result.passed and not result.forgeable, result


def test_what_unittest_and_threads_look_at_is_no_look(pool: Pool) -> None:
    tests = (
        "import functools, threading, unittest\nclass T(unittest.TestCase):\n    def test_it(self):\n"
        "        self.assertRaises(TypeError, add, 1)\n        self.assertEqual(functools.partial(add, 1)(2), 3)\n"
        "        self.assertTrue(callable(add))\n        self.assertEqual(list(map(add, [1], [2])), [3])\n"
    )
    result = pool.run_tests(BARE, tests)
    assert result.passed and not result.forgeable, result


def test_a_program_given_eval_does_not_run_in_the_tests_process(pool: Pool) -> None:
    tests = "assert use(eval, '1 + 1') == 2\nassert use(len, 'abc') == 3"
    result = pool.run_tests("def use(f, x):\n    return f(x)\n", tests)
    assert result.passed and result.forgeable, result
    forger = (
        "def use(f, x):\n    return f('__import__(\"builtins\").__dict__.update(AssertionError=SystemExit) or 2')\n"
    )
    assert not pool.run_tests(forger, tests, mode="split").passed
