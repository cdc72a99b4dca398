"""Oracles pass by construction, mutants break: checked without the sandbox on our own small programs."""

from __future__ import annotations

import ast

from rlar.kinds.programs.mutants import mutate_program, oracle_program
from rlar.kinds.programs.rows import CallCase, StdioCase, TestSuite

PROGRAM = """def count(items, low, high):
    if low > high:
        return 0
    total = 0
    for item in items:
        if low <= item and item < high:
            total += 1
    return total
"""


def run(program: str, tests: str) -> None:
    namespace: dict[str, object] = {}
    exec(program, namespace)  # our own text, made from the tests below
    exec(tests, namespace)


def test_an_oracle_is_made_from_equalities() -> None:
    tests = (
        "assert f(1, [2]) == {'a': (1, 2)}",
        "assert f(2, []) is None",
        "assert f('x', k=1)",
        "assert not f('y')",
        "assert abs(f(3) - 0.5) < 1e-6",
    )
    program = oracle_program(TestSuite(kind="asserts", tests=tests, entry_point="f", entry_points=("f",)))
    assert program is not None
    run(program, "\n".join(tests))


def test_an_oracle_is_made_from_a_check_function_and_keeps_its_answers_apart() -> None:
    check = "def check(candidate):\n    a = 1\n    assert candidate([1]) == [1]\n"
    assert oracle_program(TestSuite(kind="check", tests=(check,), entry_point="f", entry_points=("f",))) is None
    check = "def check(g):\n    assert g([1]) == [1], 'message'\n    assert [2] == g([2])\n"
    program = oracle_program(TestSuite(kind="check", tests=(check,), entry_point="f", entry_points=("f",)))
    assert program is not None
    run(program, f"{check}\nx = f([1])\nx.append(2)\ncheck(f)")


def test_an_oracle_is_made_from_calls_methods_and_pairs() -> None:
    calls = (CallCase(arguments=([1, 2],), expected=3), CallCase(keywords={"b": 1, "a": 2}, expected="x"))
    program = oracle_program(
        TestSuite(kind="calls", calls=calls, entry_point="Solution.f", entry_points=("Solution.f",))
    )
    assert program is not None
    run(program, "assert Solution().f([1, 2]) == 3 and Solution().f(a=2, b=1) == 'x'")
    stdio = oracle_program(TestSuite(kind="stdio", stdio=(StdioCase(input="1\n", output="2\n"),)))
    assert stdio is not None
    assert "'1\\n': '2\\n'" in stdio


def test_tests_that_do_not_spell_the_answers_out_give_no_oracle() -> None:
    for test in (
        "assert f(1) > 0",
        "assert f(x) == 1",
        "assert f(1) == g(2)",
        "for i in range(3):\n    assert f(i) == i",
        "assert f(1) == 1\nassert f(1) == 2",
    ):
        assert oracle_program(TestSuite(kind="asserts", tests=(test,), entry_point="f", entry_points=("f",))) is None


def test_mutants_parse_differ_and_repeat() -> None:
    mutants = mutate_program(PROGRAM, seed=3, count=8)
    assert len(mutants) == len(set(mutants)) == 8
    assert mutants == mutate_program(PROGRAM, seed=3, count=8)
    assert mutants != mutate_program(PROGRAM, seed=4, count=8)
    for mutant in mutants:
        assert ast.dump(ast.parse(mutant)) != ast.dump(ast.parse(PROGRAM))
        assert "def count" in mutant


def test_what_has_nothing_to_break_has_no_mutant() -> None:
    assert mutate_program("", seed=0) == []
    assert mutate_program("x = y", seed=0) == []
    assert mutate_program("def f(: broken", seed=0) == []
    assert (
        mutate_program("def f():\n    pass\n\nif __name__ == '__main__':\n    print(1 + 1)\n\nassert 1 < 2", seed=0)
        == []
    )
