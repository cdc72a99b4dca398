"""The limit that keeps the fast suite fast."""

from __future__ import annotations

import subprocess
import sys
import time

import pytest

from tests.fakes.cpu_time import CpuTime, cpu_seconds, over_limit

BURN = "import time\nwhile time.process_time() < 0.2: pass"


def test_the_time_of_a_child_counts_once_it_has_ended():
    before = cpu_seconds()
    subprocess.run([sys.executable, "-S", "-c", BURN], check=True)
    assert cpu_seconds() - before >= 0.2


def test_waiting_costs_nothing():
    before = cpu_seconds()
    time.sleep(0.2)
    assert cpu_seconds() - before < 0.1


class Item:
    nodeid = "tests/test_x.py::test_x"

    def __init__(self, *markers: str) -> None:
        self.get_closest_marker = markers.count


@pytest.mark.parametrize(
    ("markers", "seconds", "limit", "may"),
    [([], 4.9, 5.0, True), ([], 5.1, 5.0, False), (["slow"], 60.0, 5.0, True), (["studio"], 60.0, 5.0, True),
     (["hypothesis"], 5.1, 5.0, False), ([], 60.0, 0.0, True)],
)  # fmt: skip
def test_a_test_keeps_the_limit_unless_it_is_marked_slow(markers: list[str], seconds: float, limit: float, may: bool):
    assert (over_limit(Item(*markers), seconds, limit) == "") == may  # type: ignore[arg-type]


class Call:
    def __init__(self, when: str) -> None:
        self.when = when


class Report:
    nodeid = Item.nodeid
    outcome = "passed"
    longrepr = None
    passed = True


def report_after(measure: CpuTime, when: str, seconds: float) -> Report:
    """The report of a phase that burnt so much CPU time."""
    hook = measure.pytest_runtest_makereport(Item(), Call(when))  # type: ignore[arg-type]
    next(hook)
    until = time.process_time() + seconds
    while time.process_time() < until:
        pass
    with pytest.raises(StopIteration) as ended:
        hook.send(Report())  # type: ignore[arg-type]
    return ended.value.value


def test_what_its_own_fixtures_used_counts_and_what_ends_with_it_does_not():
    measure = CpuTime(limit=0.2, log=None)
    measure._mark = cpu_seconds()
    report_after(measure, "setup", 0.15)
    called = report_after(measure, "call", 0.15)
    assert called.outcome == "failed" and "not marked slow may use 0.2" in str(called.longrepr)
    report_after(measure, "setup", 0.0)
    assert report_after(measure, "call", 0.05).outcome == "passed"
    assert report_after(measure, "teardown", 0.3).outcome == "passed"
