"""CPU time of every test, fixtures and children included, and the limit that a test of the fast suite keeps.

Wall time says how crowded the machine was; CPU time says what a test costs. Each report carries what its phase used, so
that the numbers of xdist's workers meet where the run is summed up.
"""

from __future__ import annotations

import gc
import resource
from collections import Counter
from collections.abc import Generator
from pathlib import Path

import pytest

LIMIT_SECONDS = 10.0
SHOWN = 20


def cpu_seconds() -> float:
    """User and system seconds of this process and of every child that has ended and been waited for."""
    own, ended = (resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    return own.ru_utime + own.ru_stime + ended.ru_utime + ended.ru_stime


def over_limit(item: pytest.Item, seconds: float, limit: float) -> str:
    """What to tell of a test that used so many seconds; empty where it may."""
    if not limit or seconds <= limit or item.get_closest_marker("slow") or item.get_closest_marker("studio"):
        return ""
    return f"{seconds:.1f} s of CPU; a test that is not marked slow may use {limit:g} (--cpu-limit)"


class CpuTime:
    """Measures wherever tests run, and sums up in the process that the user started."""

    def __init__(self, limit: float, log: Path | None) -> None:
        self._limit = limit
        self._log = log
        self._mark = 0.0
        self._seconds: Counter[str] = Counter()
        """Of every test that has a report, for the summary."""
        self._here: Counter[str] = Counter()
        """Of the test that runs in this process: set up and called, since a teardown ends what others shared."""

    @pytest.hookimpl(wrapper=True)
    def pytest_collection(self) -> Generator[None, object, object]:
        # What is imported stays: nothing of it is looked through for garbage, neither now nor while tests run.
        gc.disable()
        try:
            return (yield)
        finally:
            gc.freeze()
            gc.enable()
            self._mark = cpu_seconds()

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_makereport(
        self, item: pytest.Item, call: pytest.CallInfo[None]
    ) -> Generator[None, pytest.TestReport, pytest.TestReport]:
        report = yield
        now = cpu_seconds()
        report.cpu_seconds = now - self._mark
        self._mark = now
        if call.when == "setup":
            self._here.clear()
        self._here[item.nodeid] += report.cpu_seconds
        message = over_limit(item, self._here[item.nodeid], self._limit)
        if call.when == "call" and report.passed and message:
            report.outcome, report.longrepr = "failed", message
        return report

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        seconds = getattr(report, "cpu_seconds", 0.0)
        self._seconds[report.nodeid] += seconds
        if self._log is not None:
            with self._log.open("a", encoding="utf-8") as file:
                print(
                    f"{seconds:.3f}\t{report.duration:.3f}\t{report.when}\t{report.outcome}\t{report.nodeid}", file=file
                )

    def pytest_terminal_summary(self, terminalreporter: pytest.TerminalReporter) -> None:
        if len(self._seconds) > SHOWN:
            terminalreporter.section(
                f"CPU seconds: {sum(self._seconds.values()):.0f}; the {SHOWN} tests that used most"
            )
            for nodeid, seconds in self._seconds.most_common(SHOWN):
                terminalreporter.write_line(f"{seconds:6.2f} {nodeid}")


def pytest_addoption(parser: pytest.Parser) -> None:
    group = parser.getgroup("cpu time")
    group.addoption("--cpu-limit", type=float, default=LIMIT_SECONDS, metavar="SECONDS",
                    help="fail a test that is not marked slow and uses more CPU time; 0: none fails (default: %(default)g)")  # fmt: skip
    group.addoption("--cpu-log", type=Path, metavar="FILE",
                    help="add a line for every phase of every test: CPU seconds, seconds, phase, outcome, name")  # fmt: skip


def pytest_configure(config: pytest.Config) -> None:
    log = None if hasattr(config, "workerinput") else config.getoption("--cpu-log")
    config.pluginmanager.register(CpuTime(config.getoption("--cpu-limit"), log), "cpu_time")
