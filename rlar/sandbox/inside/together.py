"""Program and tests in one interpreter, for tests that cannot be split. What such a run says is marked forgeable."""

# ruff: noqa: BLE001

from __future__ import annotations

from .frames import MAX_FRAME, read_frame, write_frame
from .program import Program, describe, load
from .suite import read_suite
from .tester import Checks, report_of, run_suite


def run_same(channel: int) -> None:
    """Program and tests in one interpreter, for tests that cannot be split: the program can forge the verdict."""
    request = read_frame(channel, MAX_FRAME)
    checks = Checks(lambda: 1)
    try:
        namespace = load(request["source"], "program")
        entry = request["entry"]
        candidate = None
        if entry is not None:
            candidate = Program(channel, namespace).find(entry)
    except BaseException as error:
        text = describe(error)
        write_frame(channel, checks.report("memory" if text.startswith("MemoryError") else "loading", text))
        return
    try:
        suite = read_suite(request["tests"], request["prelude"], entry, shared=True)
    except BaseException as error:
        write_frame(channel, checks.report("unreadable", describe(error, "<tests>")))
        return
    ended: BaseException | None = None
    try:
        tests_namespace = dict(namespace)
        tests_namespace["__name__"] = "tests"
        run_suite(suite, entry, candidate, tests_namespace, checks, keep=namespace)
    except BaseException as error:
        ended = error
    write_frame(channel, report_of(ended, checks))
