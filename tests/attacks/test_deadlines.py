"""An item of a verifier has one deadline, whatever runs inside; what a program does with its time is the program's fault."""

from __future__ import annotations

import time
from collections.abc import Iterator

import pytest

from rlar.sandbox import Limits, Pool, Status, probe

SECONDS = 1.5
"""A verifier has a fifth of it left after its programs ran out of time: enough to answer on a busy machine."""
LOOP = "while True: pass"
MARK = "def mark(answer):\n    return float(answer['status'] == 'passed')\n"
"""Generated verifiers score what `run_program` says about the completion."""


@pytest.fixture(scope="module")
def pool() -> Iterator[Pool]:
    report = probe()
    if report.best is None:
        pytest.skip("no native tier on this machine")
    with Pool(tier=report.best, workers=2) as made:  # type: ignore[arg-type]
        made.run_verifier(MARK + "def compute(x): return mark(run_program('1'))", "compute", [["warm up"]])
        yield made


def timed(
    pool: Pool, source: str, items: list[list[str]], mode: str
) -> tuple[list[tuple[float | None, Status]], float]:
    started = time.monotonic()
    results = pool.run_verifier(
        MARK + source,
        "compute",
        items,
        mode=mode,
        limits=Limits(seconds=SECONDS),  # type: ignore[arg-type]
    )
    return [(result.value, result.status) for result in results], time.monotonic() - started


@pytest.mark.parametrize("mode", ["forked", "warm"])
@pytest.mark.parametrize("runs", [pytest.param(1, marks=pytest.mark.slow), 2, pytest.param(30, marks=pytest.mark.slow)])
def test_programs_that_never_end_are_wrong_and_take_no_more_than_an_items_time(pool: Pool, mode: str, runs: int):
    source = f"def compute(x):\n    return max([mark(run_program(x)) for _ in range({runs})])\n"
    found, seconds = timed(pool, source, [[LOOP]] * 2, mode)
    assert found == [(0.0, Status.PASSED)] * 2  # the completion's fault is the completion's
    assert seconds < 2 * SECONDS + 2.0


@pytest.mark.parametrize("mode", ["forked", "warm"])
@pytest.mark.parametrize(
    "before",
    [
        pytest.param("", marks=pytest.mark.slow),
        "    run_program(x)\n",
        pytest.param("    [run_program('1') for _ in range(5)]\n", marks=pytest.mark.slow),
    ],
)
def test_a_verifier_that_hangs_around_its_programs_ends_at_its_deadline(pool: Pool, mode: str, before: str):
    source = f"def compute(x):\n{before}    while True: pass\n"
    found, seconds = timed(pool, source, [[LOOP]] * 3, mode)
    assert found == [(None, Status.TIMEOUT)] * 3
    # A warm batch of one message tries once to find out whose fault it is.
    assert seconds < (3 + 1) * SECONDS + 2.0


@pytest.mark.parametrize("mode", ["forked", "warm"])
def test_slow_programs_take_nothing_from_the_other_items(pool: Pool, mode: str):
    items = [[LOOP], ["print(1)"], ["import time; time.sleep(60)"], ["print(2)"], [LOOP], ["1/0"]]
    found, seconds = timed(pool, "def compute(x):\n    return mark(run_program(x))\n", items, mode)
    assert [value for value, _status in found] == [0.0, 1.0, 0.0, 1.0, 0.0, 0.0]
    assert seconds < len(items) * SECONDS + 2.0


@pytest.mark.parametrize("mode", ["forked", "warm"])
def test_only_so_many_programs_are_run_for_an_item_and_the_verifier_hears_of_it(pool: Pool, mode: str):
    source = "def compute(x):\n    found = [run_program('1')['status'] for _ in range(int(x))]\n"
    source += "    return found.count('refused') / 100\n"
    limits = Limits(seconds=20)
    results = pool.run_verifier(source, "compute", [["32"], ["40"]], mode=mode, limits=limits)  # type: ignore[arg-type]
    assert [result.value for result in results] == [0.0, 0.08]


def test_loading_counts_towards_the_item_in_a_process_of_its_own(pool: Pool):
    loading = f"import time\ntime.sleep({0.7 * SECONDS})\n"
    source = loading + f"def compute(x):\n    time.sleep({0.7 * SECONDS})\n    return 1.0\n"
    found, seconds = timed(pool, source, [["x"]], "forked")
    assert found == [(None, Status.TIMEOUT)] and seconds < SECONDS + 2.0


def test_a_program_that_is_slow_in_every_case_ends_for_all_of_them(pool: Pool):
    assert Limits(seconds=5).whole_seconds == 60
    limits = Limits(seconds=0.5, total_seconds=1.0)
    cases = 100
    started = time.monotonic()
    runs = pool.run_stdio("import time\ntime.sleep(0.1)\nprint(input())", [("1", "1")] * cases, limits=limits)
    program = "import time\ndef f(x):\n    time.sleep(0.1)\n    return x\n"
    calls = pool.call(program, "f", [[1]] * cases, limits=limits)
    assert time.monotonic() - started < 2 * limits.whole_seconds + 2.0
    for results in (runs, calls):
        assert len(results) == cases and results[-1].status is Status.TIMEOUT
        assert results[0].status is Status.PASSED
    assert pool.call(program, "f", [[1]] * 3)[-1].value == 1
