"""The first filter over code that an LLM wrote: says what to change, and lets honest code through."""

from __future__ import annotations

import pytest

from rlar.tools.source_check import check_source, code_of
from tests.fakes.rule_tasks import BAD, BRACKETS, LADDER, NUMBER, TARGET, returning, target_task

HEAD = "def compute(prompt, response, reference, binding):\n"
RIGHT = [text for witness in target_task().witnesses for text in witness.right]
PROMPTS = [each.text for each in target_task().examples]


@pytest.mark.parametrize("source", [TARGET, LADDER, BRACKETS, NUMBER], ids=["target", "ladder", "brackets", "number"])
def test_honest_code_passes(source: str):
    assert check_source(source, answers=RIGHT, prompts=PROMPTS).problems == ()


@pytest.mark.parametrize("name", [name for name, bad in BAD.items() if bad.stopped_by == "static"])
def test_code_that_breaks_a_rule_openly_is_not_even_tried(name: str):
    assert check_source(BAD[name].source, answers=RIGHT, prompts=PROMPTS).problems


@pytest.mark.parametrize("name", [name for name, bad in BAD.items() if bad.stopped_by != "static"])
def test_what_only_a_trial_can_show_is_left_to_the_gate(name: str):
    assert check_source(BAD[name].source, answers=RIGHT, prompts=PROMPTS).problems == ()


@pytest.mark.parametrize(
    ("source", "told"),
    [
        ("", "0 top-level functions 'compute'; exactly one is needed"),
        (HEAD + "    return 1.0\n" + HEAD + "    return 0.0\n", "2 top-level functions 'compute'"),
        (HEAD + "    pass\n", "never returns a score"),
        (HEAD + "    def inner():\n        return 1.0\n", "never returns a score"),
        (HEAD + "    yield 1.0\n    return 1.0\n", "not be a generator"),
        ("async " + HEAD + "    return 1.0\n", "exactly one is needed"),
        (
            "import functools\n\n@functools.cache\n" + HEAD + "    return 1.0\n",
            "line 4: compute must not be decorated",
        ),
        ("def compute(prompt, response, reference, binding, *rest):\n    return 1.0\n", "the signature must be"),
        ("def compute(prompt, response, reference=None, binding=None):\n    return 1.0\n", "the signature must be"),
        ("if True:\n    X = 1\n" + returning("1.0"), "line 1: only imports, constants"),
        ("compute = lambda *a: 1.0\n" + returning("1.0"), "'compute' must not be bound again"),
        (returning("1.0", "from .gate import certify"), "import of '.gate'"),
        (returning("1.0", "from urllib.request import urlopen"), "'urllib.request'"),
        (returning("1.0", "import numpy.random"), "the same answer must always get the same score"),
        (returning("np.random.rand()", "import numpy as np"), "'.random'"),
        (returning("1.0", "from math import *"), "import names one by one"),
        (returning("1.0", "from operator import attrgetter"), "'attrgetter'"),
        (returning("float(sympify(response) == 1)", "from sympy import sympify"), "evaluates text as a program"),
        (returning("float(sympy.S(response) == 1)", "import sympy"), "evaluates text as a program"),
        (returning("getattr(response, 'upper')()"), "'getattr'"),
        (returning("float('{0.__class__}'.format(response) == 'x')"), "the text '{0.__class__}'"),
        (returning("__builtins__['open']('x')"), "'__builtins__'"),
        (returning("hash(response) % 2"), "it may differ between processes"),
        ("class A:\n    def __del__(self):\n        pass\n\n\n" + returning("1.0"), "'__del__' is not needed"),
        (HEAD + "    try:\n        return 1.0\n    except:\n        return 0.0\n", "catch ValueError and its like"),
        (
            HEAD + "    try:\n        return 1.0\n    except (ValueError, BaseException):\n        return 0.0\n",
            "BaseException",
        ),
        ("N = 0\n\n\n" + HEAD + "    global N\n    N += 1\n    return 1.0\n", "'global'"),
        ("SEEN = []\n\n\n" + HEAD + "    SEEN.append(1)\n    return 1.0\n", "'SEEN' is changed"),
        (HEAD + "    compute.calls = 1\n    return 1.0\n", "'compute' is changed"),
        ("def f(seen=[]):\n    return seen\n\n\n" + returning("1.0"), "a changeable default value"),
        ("class A:\n    n = 0\n\n\n" + HEAD + "    A.n += 1\n    return 1.0\n", "'A' is changed"),
        ("def rlar_entry():\n    return 1\n\n\n" + returning("1.0"), "must not be defined here"),
        (returning("1.0") + "#" * 20_000, "at most 20000 are allowed"),
        (HEAD + "    return [" + "1," * 9_000 + "]\n", "syntax nodes, at most"),
        (HEAD + "    return " + "(" * 300 + "1" + ")" * 300 + "\n", "this is not"),
        (returning("1.0") + "# \x1b[2J\n", "invisible or control characters"),
        (returning("float(response == 'a\u202eb')"), "invisible or control characters"),
    ],
)
def test_every_problem_is_told_in_words_that_a_writer_can_act_on(source: str, told: str):
    assert any(told in problem for problem in check_source(source).problems), check_source(source).problems


def test_what_belongs_to_one_call_may_be_changed():
    source = (
        HEAD
        + "    SEEN = []\n    SEEN.append(1)\n    table = {}\n    table['a'] = 1\n    table.update(b=2)\n    return float(len(SEEN))\n"
    )

    assert check_source("SEEN = (1, 2)\n\n\n" + source).problems == ()


def test_the_image_follows_from_the_imports():
    assert check_source(returning("1.0", "import math")).image == "light"
    assert check_source(returning("1.0", "import numpy as np")).image == "heavy"
    assert check_source(returning("1.0", "from sympy import Rational")).image == "heavy"


def test_answers_and_pieces_of_single_prompts_may_not_stand_in_the_code():
    prompts = [f"Rearrange the letters of the secret word number {n}, and say which bird it names." for n in range(3)]
    own = prompts[1][:70]
    shared = "Rearrange the letters of the secret word number"

    assert check_source(returning(f"float(response in [{RIGHT[0]!r}])"), answers=RIGHT).problems
    assert check_source(returning(f"float(prompt.startswith({own!r}))"), prompts=prompts).problems
    assert not check_source(returning(f"float(prompt.startswith({shared!r}))"), prompts=prompts).problems


def test_code_in_a_fence_is_found_and_prose_stays_prose():
    assert code_of(f"Here it is:\n\n```python\n{TARGET}```\nGood luck.") == TARGET.strip("\n") + "\n"
    assert code_of(TARGET) == TARGET.strip("\n") + "\n"
    assert code_of("I would compare the two.") == "I would compare the two.\n"
