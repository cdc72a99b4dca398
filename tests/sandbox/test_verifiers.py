"""Verifiers in the jail: the score contract, warm and forked processes, and running a response without exec."""

from __future__ import annotations

import pytest

from rlar.sandbox import Limits, Pool, Status
from rlar.sandbox.scores import why_no_score

EQUAL = "def compute(prompt, response, reference):\n    return float(response == reference)\n"


@pytest.mark.parametrize("mode", ["forked", "warm"])
def test_scores_come_in_order(pool: Pool, mode: str) -> None:
    items = [["p", "a", "a" if i % 2 else "b"] for i in range(8)]
    results = pool.run_verifier(EQUAL, "compute", items, mode=mode)  # type: ignore[arg-type]
    assert [r.value for r in results] == [0.0, 1.0] * 4
    assert {(r.status, r.tier, r.unsafe) for r in results} == {(Status.PASSED, pool.tier, False)}


@pytest.mark.parametrize("mode", ["forked", "warm"])
@pytest.mark.parametrize(
    ("returned", "score"),
    [
        ("0.25", 0.25),
        ("True", 1.0),
        ("False", 0.0),
        ("1", 1.0),
        ("-0.0", 0.0),
        ("float('nan')", None),
        ("float('inf')", None),
        ("1.0000001", None),
        ("-1e-9", None),
        ("1e308", None),
        ("10**5000", None),
        ("-10**400", None),
        ("None", None),
        ("'1.0'", None),
        ("[1.0]", None),
        ("(1.0,)", None),
        ("{'score': 1.0}", None),
        ("1j", None),
        ("type('F', (float,), {})(0.5)", None),
        ("type('I', (int,), {'__le__': lambda s, o: True, '__ge__': lambda s, o: True})(7)", None),
        ("__import__('decimal').Decimal('0.5')", None),
        ("__import__('fractions').Fraction(1, 2)", None),
        ("exec('raise ValueError(1)')", None),
        ("exit()", None),
        ("__import__('os')._exit(0)", None),
        ("__import__('os').write(3, b'\\x06\\0\\0\\0[[1.0]')", None),
    ],
)
def test_a_score_is_an_exact_finite_number_in_range(
    any_pool: Pool, mode: str, returned: str, score: float | None
) -> None:
    source = f"def compute(response):\n    return {returned}\n"
    results = any_pool.run_verifier(source, "compute", [["x"]], mode=mode)  # type: ignore[arg-type]
    assert [r.value for r in results] == [score]
    assert results[0].status is Status.PASSED or results[0].explanation
    assert any_pool.run_verifier(EQUAL, "compute", [["p", "a", "a"]], mode=mode)[0].value == 1.0  # type: ignore[arg-type]


def test_the_declared_range_is_the_callers(any_pool: Pool) -> None:
    source = "def compute(x):\n    return x\n"
    results = any_pool.run_verifier(source, "compute", [[-20], [-20.5], [30]], low=-20, high=30)
    assert [r.value for r in results] == [-20.0, None, 30.0]


def test_why_no_score_never_trusts_a_subclass() -> None:
    class Always(float):
        def __le__(self, other: object) -> bool:
            return True

    assert why_no_score(Always(9.0), 0.0, 1.0)
    assert why_no_score(10**400, 0.0, 1.0)
    assert not why_no_score(1, 0.0, 1.0)


@pytest.mark.parametrize("mode", ["forked", "warm"])
def test_one_stuck_item_does_not_cost_the_others(any_pool: Pool, mode: str) -> None:
    source = "def compute(x):\n    while x == 'stuck':\n        pass\n    return 1.0\n"
    items = [["a"], ["b"], ["stuck"], ["c"], ["d"]]
    results = any_pool.run_verifier(source, "compute", items, mode=mode, limits=Limits(seconds=0.3))  # type: ignore[arg-type]
    assert [r.status for r in results] == [Status.PASSED] * 2 + [Status.TIMEOUT] + [Status.PASSED] * 2


@pytest.mark.parametrize("mode", ["forked", "warm"])
def test_one_dying_item_does_not_cost_the_others(any_pool: Pool, mode: str) -> None:
    source = "import os\ndef compute(x):\n    if x == 'die': os._exit(0)\n    return 0.5\n"
    results = any_pool.run_verifier(source, "compute", [["a"], ["die"], ["b"]], mode=mode)  # type: ignore[arg-type]
    assert [r.status for r in results] == [Status.PASSED, Status.CRASHED, Status.PASSED]


@pytest.mark.parametrize(
    ("source", "reason"),
    [
        ("def compute(x): return 1.0\nimport nonexistent", "ModuleNotFoundError"),
        ("def other(x): return 1.0", "defines no"),
        ("def compute(x) return", "SyntaxError"),
        ("raise SystemExit(0)", "SystemExit"),
        ("import os; os._exit(0)", "ended itself"),
        ("compute = 3", "not callable"),
        ("def compute(x, y): return 1.0", "TypeError"),
    ],
)
@pytest.mark.parametrize("mode", ["forked", "warm"])
def test_a_broken_verifier_says_why(any_pool: Pool, mode: str, source: str, reason: str) -> None:
    results = any_pool.run_verifier(source, "compute", [["a"], ["b"]], mode=mode)  # type: ignore[arg-type]
    assert [r.value for r in results] == [None, None]
    assert all(reason in r.explanation for r in results), results


def test_state_shows_in_warm_mode_only_and_the_check_finds_it(any_pool: Pool) -> None:
    counting = "seen = []\ndef compute(x):\n    seen.append(x)\n    return 1.0 / len(seen)\n"
    items = [["a"], ["b"], ["c"]]
    assert [r.value for r in any_pool.run_verifier(counting, "compute", items)] == [1.0, 1.0, 1.0]
    assert "item" in any_pool.check_state_independence(counting, "compute", items)
    assert any_pool.check_state_independence(EQUAL, "compute", [["p", "a", "a"], ["p", "b", "a"]]) == ""


def test_a_warm_verifier_is_replaced_after_a_timeout(any_pool: Pool) -> None:
    source = "calls = []\ndef compute(x):\n    calls.append(1)\n    while x == 1: pass\n    return len(calls) / 10\n"
    quick = Limits(seconds=0.3)
    first = any_pool.run_verifier(source, "compute", [[0]], mode="warm", limits=quick)
    any_pool.run_verifier(source, "compute", [[1]], mode="warm", limits=quick)
    after = any_pool.run_verifier(source, "compute", [[0]], mode="warm", limits=quick)
    assert first[0].value == after[0].value == 0.1


@pytest.mark.parametrize("mode", ["forked", "warm"])
def test_a_verifier_runs_a_response_in_a_process_of_its_own(any_pool: Pool, mode: str) -> None:
    source = (
        "def compute(response, stdin, expected):\n    answer = run_program(response, stdin)\n"
        "    return float(answer['status'] == 'passed' and answer['output'].strip() == expected)\n"
    )
    items = [
        ["print(int(input()) * 2)", "21", "42"],
        ["print(int(input()) * 3)", "21", "42"],
        ["import os; os._exit(1)", "21", ""],
        ["1 / 0", "", ""],
    ]
    results = any_pool.run_verifier(source, "compute", items, mode=mode)  # type: ignore[arg-type]
    assert [r.value for r in results] == [1.0, 0.0, 0.0, 0.0], results


def test_a_verifier_that_keeps_running_programs_is_stopped(any_pool: Pool) -> None:
    source = "def compute(x):\n    while True: run_program('1')\n"
    result = any_pool.run_verifier(source, "compute", [["x"]], limits=Limits(seconds=20))[0]
    assert result.status is Status.FAILED and "too often" in result.explanation


def test_slow_items_are_answered_in_parts(any_pool: Pool) -> None:
    source = "import time\ndef compute(x):\n    time.sleep(x)\n    return x\n"
    items = [[0.03 if i % 5 == 0 else 0.0] for i in range(40)]
    for _ in range(3):
        results = any_pool.run_verifier(source, "compute", items, mode="warm")
        assert [r.value for r in results] == [item[0] for item in items]


def test_unicode_large_and_odd_items_arrive(any_pool: Pool) -> None:
    source = "def compute(text, length, more):\n    return float(len(text) == length and more == {'a': [1, None]})\n"
    items = [[text, len(text), {"a": [1, None]}] for text in ("", "é漢🙂", "\ud800", "x" * 3_000_000, "\0\n")]
    for mode in ("forked", "warm"):
        results = any_pool.run_verifier(source, "compute", items, mode=mode)  # type: ignore[arg-type]
        assert [r.value for r in results] == [1.0] * 5, results


def test_no_items_are_no_scores(any_pool: Pool) -> None:
    assert any_pool.run_verifier(EQUAL, "compute", []) == []
