"""Child processes: frames whole or not at all, nobody waits forever, nothing is left behind."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from rlar.process import Child, Crew, End, to_json

linux = pytest.mark.skipif(sys.platform != "linux", reason="the kernel's part is Linux's")


@pytest.fixture
def child(monkeypatch: pytest.MonkeyPatch) -> Iterator[Child]:
    monkeypatch.syspath_prepend(str(Path(__file__).parent))
    with Child("tests.fakes.echo_child") as started:
        yield started


def ask(child: Child, order: str, value: Any) -> Any:
    child.send(to_json([order, value]))
    return json.loads(child.receive(until=time.monotonic() + 60))


def is_running(pid: int) -> bool:
    try:
        return (Path("/proc") / str(pid) / "stat").read_text().rsplit(")", 1)[1].split()[0] not in "ZX"
    except OSError:
        return False


def ends(pid: int) -> bool:
    until = time.monotonic() + 30
    while is_running(pid) and time.monotonic() < until:
        time.sleep(0.01)
    return not is_running(pid)


@pytest.mark.parametrize(
    "value", ["", "\ud83d \u2028\n", "x" * 3_000_000, [10**40, 0.1, None, float("inf")]], ids=["empty", "surrogate", "long", "numbers"]
)  # fmt: skip
def test_a_frame_comes_back_as_it_went(child: Child, value: object):
    assert ask(child, "echo", value) == value


def test_what_a_child_prints_is_no_frame(child: Child):
    assert ask(child, "print", "\x05\x00\x00\x00\x00\x00\x00\x00false") == "\x05\x00\x00\x00\x00\x00\x00\x00false"


def test_a_deadline_is_kept_and_so_is_the_caller_who_gives_up(child: Child):
    assert ask(child, "echo", 1) == 1
    child.send(to_json(["sleep", 600]))

    with pytest.raises(TimeoutError):
        child.receive(until=time.monotonic() + 0.05)
    with pytest.raises(TimeoutError):
        child.receive(is_given_up=lambda: True)


def test_a_child_that_reads_nothing_does_not_hold_up_who_sends(child: Child):
    child.send(to_json(["sleep", 600]))
    with pytest.raises(TimeoutError):
        child.send(b"x" * 10_000_000, until=time.monotonic() + 0.2)


def test_the_end_of_a_child_is_told_with_its_code_and_last_line(child: Child):
    child.send(to_json(["exit", [3, "one\nthe cause"]]))

    with pytest.raises(EOFError):
        child.receive(until=time.monotonic() + 60)
    assert child.end() == End(3, "the cause")
    assert not child.is_open and str(End(3, "the cause")) == "exit code 3: the cause"


def test_a_killed_child_says_by_which_signal(child: Child):
    os.kill(child.pid, signal.SIGKILL)
    with pytest.raises(EOFError):
        child.receive(until=time.monotonic() + 60)
    assert str(child.end()) == "killed by SIGKILL"


@linux
def test_a_closed_child_takes_along_what_it_started_and_leaves_no_zombie(child: Child):
    grandchild = ask(child, "spawn", None)
    child.close()

    assert ends(grandchild)
    assert not (Path("/proc") / str(child.pid)).exists()


@linux
def test_a_limit_of_memory_ends_in_an_error_and_not_in_swap(child: Child):
    assert ask(child, "fill", 1 << 20) == 1 << 20
    assert ask(child, "fill", 1 << 30) == "MemoryError"


@linux
def test_a_child_that_is_stuck_ends_with_a_parent_that_was_killed():
    code = (
        "import sys; sys.path.insert(0, sys.argv[1])\n"
        "from rlar.process import Child, to_json\n"
        "child = Child('tests.fakes.echo_child', 'orphan')\n"
        "child.send(to_json(['echo', 1])); child.receive()\n"
        "child.send(to_json(['sleep', 600]))\n"
        "print(child.pid, flush=True); sys.stdin.read()\n"
    )
    command = [sys.executable, "-c", code, str(Path(__file__).parent)]
    root = str(Path(__file__).resolve().parents[1])
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, env={**os.environ, "PYTHONPATH": root}
    ) as parent:
        assert parent.stdout is not None
        pid = int(parent.stdout.readline())
        assert is_running(pid)
        parent.kill()
    assert ends(pid)


def test_a_crew_answers_every_frame_and_replaces_a_child_that_ended(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.syspath_prepend(str(Path(__file__).parent))
    with Crew(lambda: Child("tests.fakes.echo_child"), 1) as crew:
        bodies = [to_json([order, value]) for order, value in (("echo", 1), ("exit", [4, "gone"]), ("echo", 2))]
        answers = [crew.submit(body).result(timeout=60) for body in bodies]

    assert answers == [b"1", End(4, "gone"), b"2"]
