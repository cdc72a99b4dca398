"""Whole programs and differential calls: output and values are compared outside the jail."""

from __future__ import annotations

import pytest

from rlar.sandbox import Limits, Opaque, Pool, Status
from rlar.sandbox.compare import same_output

DOUBLE = "n = int(input())\nprint(n * 2)\n"


def test_output_is_compared_per_case(pool: Pool) -> None:
    results = pool.run_stdio(DOUBLE, [("4\n", "8\n"), ("5", "10"), ("6\n", "13\n"), ("x", "0")])
    assert [r.status for r in results] == [Status.PASSED, Status.PASSED, Status.FAILED, Status.FAILED]
    assert results[2].output == "12\n"
    assert "ValueError" in results[3].explanation


def test_it_may_stop_after_the_first_failure(any_pool: Pool) -> None:
    results = any_pool.run_stdio(DOUBLE, [("1", "2"), ("1", "3"), ("1", "2")], stop_after_failure=True)
    assert [r.passed for r in results] == [True, False]


@pytest.mark.parametrize(
    ("program", "status"),
    [
        ("print(42)\nimport sys\nsys.exit()", Status.PASSED),
        ("print(42)\nexit()", Status.PASSED),
        ("print(42)\nquit(0)", Status.PASSED),
        ("print(42)\nexit(1)", Status.FAILED),
        ("print(42)\nimport os, sys\nsys.stdout.flush()\nos._exit(0)", Status.PASSED),
        ("print(42)\nimport sys\nsys.exit(1)", Status.FAILED),
        ("print(42)\n1 / 0", Status.FAILED),
        ("print(42, end='', flush=True)\nwhile True: pass", Status.TIMEOUT),
        ("print(42)\nimport os\nos.kill(os.getpid(), 11)", Status.CRASHED),
        ("print('4')\n", Status.FAILED),
        ("print('42 42')", Status.FAILED),
        ("import sys\nprint(42)\nprint('noise', file=sys.stderr)", Status.PASSED),
        ("if __name__ == '__main__':\n    print(42)", Status.PASSED),
        ("x = bytearray(10**10)", Status.MEMORY),
        ("import sys\nsys.stdout.write('4' * 10**7)", Status.FAILED),
    ],
)
def test_the_right_output_and_a_clean_end_pass(any_pool: Pool, program: str, status: Status) -> None:
    result = any_pool.run_stdio(program, [("", "42\n")], limits=Limits(seconds=1.0))[0]
    assert result.status is status, result


LATE_OUTPUT = {
    "a thread that nobody joins": "import threading\nthreading.Thread(target=lambda: print(42)).start()",
    "a thread that takes a moment": (
        "import threading, time\ndef main():\n    time.sleep(0.05)\n    print(42)\nthreading.Thread(target=main).start()"
    ),
    "a thread after an exit": "import sys, threading\nthreading.Thread(target=lambda: print(42)).start()\nsys.exit(0)",
    "a function at the exit": "import atexit\natexit.register(print, 42)",
    "a buffer written at the exit": (
        "import atexit, io, os, sys\nsys.stdout = io.BytesIO()\n"
        "atexit.register(lambda: os.write(1, sys.stdout.getvalue()))\nsys.stdout.write(b'42')"
    ),
    "a file that nobody closes": "out = open(1, 'w', closefd=False)\nout.write('42')",
    "an object's end": "class Last:\n    def __del__(self):\n        print(42)\nlast = Last()",
    "a stream of its own": "import sys\nsys.stdout = open(1, 'w', closefd=False)\nprint(42)",
    "a stream that it closes": "import sys\nprint(42)\nsys.stdout.close()",
    "a thread that fails after printing": (
        "import threading\ndef main():\n    print(42)\n    1 / 0\nthreading.Thread(target=main).start()"
    ),
}


@pytest.mark.parametrize("program", LATE_OUTPUT.values(), ids=LATE_OUTPUT.keys())
def test_what_a_program_prints_after_its_last_line_counts(pool: Pool, program: str) -> None:
    result = pool.run_stdio(program, [("", "42\n")], limits=Limits(seconds=2.0))[0]
    assert result.status is Status.PASSED, result


def test_a_thread_that_never_ends_is_a_timeout_unless_it_is_a_daemon(pool: Pool) -> None:
    if pool.tier in ("ll", "sec"):
        pytest.skip("no threads in this tier")
    program = "import threading\ndef spin():\n    while True: pass\nthreading.Thread(target=spin, daemon={}).start()\nprint(1)"
    ends = [pool.run_program(program.format(daemon), limits=Limits(seconds=1.0)).status for daemon in (True, False)]
    assert ends == [Status.PASSED, Status.TIMEOUT]


@pytest.mark.parametrize("path", ["/dev/stdin", "/dev/fd/0", "/proc/self/fd/0"])
def test_the_standard_input_can_be_opened_by_its_name(any_pool: Pool, path: str) -> None:
    readers = (
        f"open({path!r}).read()",
        f"__import__('pathlib').Path({path!r}).read_text()",
        f"__import__('os').read(__import__('os').open({path!r}, 0), 9).decode()",
    )
    for reader in readers:
        assert any_pool.run_program(f"print({reader})", "4 2").output.strip() == "4 2", reader


@pytest.mark.parametrize("size", ["1 << 26", "1 << 29", "2 ** 30"])
def test_a_large_stack_is_no_memory_of_the_program(pool: Pool, size: str) -> None:
    program = (
        "import sys, threading\nsys.setrecursionlimit(10**6)\n"
        f"threading.stack_size({size})\ndef depth(n):\n    return 0 if n == 0 else 1 + depth(n - 1)\n"
        "threading.Thread(target=lambda: print(depth(50000))).start()"
    )
    assert pool.run_program(program, limits=Limits(seconds=3.0, memory_mb=256)).output == "50000\n"


def test_a_program_that_prints_without_end_is_stopped_by_the_output_limit(any_pool: Pool) -> None:
    result = any_pool.run_program("while True: print('x' * 10000)", limits=Limits(seconds=3, output_bytes=50_000))
    assert result.status is Status.FAILED
    assert 40_000 < len(result.output) <= 50_000


def test_a_program_may_ask_for_a_larger_stack_in_a_thread(pool: Pool) -> None:
    program = (
        "import sys, threading\nsys.setrecursionlimit(10**5)\nthreading.stack_size(1 << 26)\n"
        "def depth(n): return 0 if n == 0 else 1 + depth(n - 1)\n"
        "def main(): print(depth(20000))\n"
        "t = threading.Thread(target=main)\nt.start()\nt.join()\n"
    )
    assert pool.run_stdio(program, [("", "20000")])[0].passed


@pytest.mark.parametrize("tier", ["ns", "ll"])  # sec opens no file, and asyncio is not imported beforehand
def test_an_event_loop_wakes_itself(pools: dict[str, Pool], tier: str) -> None:
    """asyncio needs a pair of sockets; what it may not have is a pair that sends elsewhere."""
    if tier not in pools:
        pytest.skip(f"tier {tier} is not available")
    program = """
import asyncio
async def grow(number):
    await asyncio.sleep(0.001)
    return number + 1
async def both(number):
    asyncio.get_running_loop().call_soon_threadsafe(lambda: None)
    return sum(await asyncio.gather(grow(number), grow(number)))
def twice(number):
    return asyncio.run(both(number))
"""
    assert pools[tier].run_tests(program, "assert twice(1) == 4", "twice").passed


def test_a_program_reads_large_input(any_pool: Pool) -> None:
    text = "7\n" * 500_000
    assert any_pool.run_stdio("import sys\nprint(sum(map(int, sys.stdin)))", [(text, "3500000")])[0].passed


@pytest.mark.parametrize(
    ("compare", "printed", "expected", "same"),
    [
        ("exact", "a\n", "a\n", True),
        ("exact", "a", "a\n", False),
        ("lines", "a  \nb\n\n", "a\nb", True),
        ("lines", "a\n\nb", "a\nb", False),
        ("lines", "a", "a\nb", False),
        ("lines", "", "a", False),
        ("tokens", " a\n b", "a b", True),
        ("tokens", "a b", "ab", False),
        ("numbers", "0.3333333", "0.33333333", True),
        ("numbers", "0.34", "0.33333333", False),
        ("numbers", "100000001", "100000000", False),
        ("numbers", "nan", "1.0", False),
        ("numbers", "1.0", "1", True),
        ("numbers", "1 2", "1 2 3", False),
    ],
)
def test_outputs_compare_as_named(compare: str, printed: str, expected: str, same: bool) -> None:
    assert same_output(printed, expected, compare) is same  # type: ignore[arg-type]


def test_a_function_may_compare(any_pool: Pool) -> None:
    result = any_pool.run_stdio(
        "print(3)", [("", "4")], compare=lambda printed, expected: abs(int(printed) - int(expected)) < 2
    )
    assert result[0].passed


def test_calls_give_plain_values(pool: Pool) -> None:
    program = "def f(x, y=1): return {'sum': x + y, 'pair': (x, [y]), 'set': {x}}\n"
    results = pool.call(program, "f", [[1], [2.5, 3]])
    assert [r.value for r in results] == [
        {"sum": 2, "pair": (1, [1]), "set": {1}},
        {"sum": 5.5, "pair": (2.5, [3]), "set": {2.5}},
    ]
    assert all(r.status is Status.PASSED for r in results)


def test_each_call_has_its_own_outcome(any_pool: Pool) -> None:
    program = (
        "import os\nclass Odd(ValueError): pass\ndef f(x):\n    if x == 1: raise Odd('no')\n    if x == 2: os._exit(0)\n"
        "    if x == 3:\n        while True: pass\n    if x == 4: return object()\n    return x\n"
    )
    results = any_pool.call(program, "f", [[0], [1], [2], [3], [4], [5]], limits=Limits(seconds=0.5))
    assert [r.status for r in results] == [
        Status.PASSED,
        Status.FAILED,
        Status.CRASHED,
        Status.TIMEOUT,
        Status.FAILED,
        Status.PASSED,
    ]
    assert results[1].error == "ValueError"
    assert results[5].value == 5


def test_a_program_that_always_dies_is_given_up(any_pool: Pool) -> None:
    results = any_pool.call("import os\ndef f(x): os._exit(1)", "f", [[i] for i in range(50)])
    assert [r.status for r in results] == [Status.CRASHED] * 50


def test_values_are_compared_without_running_their_code(any_pool: Pool) -> None:
    program = (
        "from decimal import Decimal\nfrom fractions import Fraction\n"
        "def f(x): return [Decimal('1e1000000'), Fraction(1, 3)][x]\n"
        "class E:\n    def __eq__(s, o): return True\n"
        "def g(x): return E()\n"
        "def h(x): return {i * (2**61 - 1) for i in range(1000)}\n"
        "def k(x): return {i: str(i) for i in range(20000)}\n"
    )
    big, third = any_pool.call(program, "f", [[0], [1]])
    assert isinstance(big.value, Opaque) and isinstance(third.value, Opaque) and big.value != third.value
    assert third.value == any_pool.call(program, "f", [[1]])[0].value
    assert any_pool.call(program, "g", [[0]])[0].status is Status.FAILED
    assert any_pool.call(program, "h", [[0]])[0].status is Status.FAILED  # colliding hashes stay in the jail
    assert any_pool.call(program, "k", [[0]])[0].value == {i: str(i) for i in range(20000)}


def test_a_missing_function_or_bad_arguments_are_told_apart(any_pool: Pool) -> None:
    assert "defines no" in any_pool.call("x = 1", "f", [[1], [2]])[1].explanation
    assert any_pool.call("def f(x): return x", "f", []) == []
    with pytest.raises(ValueError, match="plain data"):
        any_pool.call("def f(x): return x", "f", [[object()]])
    assert any_pool.call("def f(x): return x", "f", [[1]])[0].value == 1
