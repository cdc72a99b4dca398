"""How busy the machine is decides about no tool: deadlines and latencies are those of a machine with nothing else to do."""

from __future__ import annotations

import json
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import SimpleNamespace

import pytest

from rlar.gate import run as gate_run
from rlar.gate.run import Trial
from rlar.registry.registry import Registry
from rlar.types import Sample, Score, ToolKind, ToolSpec, ok

SAMPLE = Sample(prompt="What is 2 + 2?", completion="4", reference="4", references=("4",))


class Loading:
    """Its first call loads, and takes long; the ones after it do not."""

    def __init__(self, seconds: float) -> None:
        self.spec = ToolSpec(kind=ToolKind.LIBRARY, name="loading", source="test:loading")
        self.seconds = seconds
        self.go_on = threading.Event()

    def score(self, samples: Sequence[Sample]) -> list[Score]:
        self.go_on.wait(self.seconds)
        self.seconds = 0.0
        return [ok(1.0)] * len(samples)


def test_what_loading_takes_is_no_hang_and_not_on_the_clock():
    with Trial(Loading(0.3), 0.2) as trial:
        assert not trial.warm_up(SAMPLE).hung
        assert trial.left == trial.seconds
        assert not trial.call([SAMPLE], 0.1).hung


def test_a_call_on_a_machine_that_is_ten_times_as_slow_may_take_ten_times_as_long(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(gate_run, "slowdown", lambda: 10.0)
    with Trial(Loading(0.4), 30.0) as trial:
        assert not trial.call([SAMPLE], 0.1).hung


def test_a_call_that_never_comes_back_hangs_on_a_busy_machine_too(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(gate_run, "slowdown", lambda: 3.0)
    tool = Loading(60.0)
    with Trial(tool, 30.0) as trial:
        ran = trial.call([SAMPLE], 0.1)
    tool.go_on.set()

    assert ran.hung and ran.scores[0].status == "failed"
    assert ran.problem == "did not come back within 0.1 s for 1 completion(s)"


def test_the_clock_of_a_certificate_runs_as_slowly_as_the_machine(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(gate_run, "slowdown", lambda: 4.0)
    with Trial(Loading(0.0), 60.0) as trial:
        assert trial.idle(8.0) == 2.0
        assert trial.idle(0.5) == 0.5  # measuring would cost more than it tells


def test_a_machine_is_as_slow_as_others_take_its_processor(monkeypatch: pytest.MonkeyPatch):
    """50 ms of processor time that took 200 ms to get."""
    wall, spent = iter((100.0, 100.2)), iter((7.0, 7.0, 7.06))
    clock = SimpleNamespace(perf_counter=lambda: next(wall), thread_time=lambda: next(spent), monotonic=time.monotonic)
    monkeypatch.setattr(gate_run, "time", clock)

    assert gate_run.slowdown() == pytest.approx(0.2 / 0.06)


@contextmanager
def busy(processes: int) -> Iterator[None]:
    """Other programs that take all that they can get."""
    code = "import os\nparent = os.getppid()\nwhile os.getppid() == parent: sum(range(10_000))"
    loops = [subprocess.Popen([sys.executable, "-c", code]) for _ in range(processes)]
    try:
        yield
    finally:
        for loop in loops:
            loop.kill()
            loop.wait()


def sums(path: Path) -> Path:
    """Rows with numbers to find, which `number` and `math` (SymPy in a helper process) may both judge."""
    rows = [
        {"prompt": f"Ann has {n} apples and buys {n * 3} more. How many has she?", "reference": str(4 * n)}
        for n in range(3, 21)
    ]
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), "utf-8")
    return path


def build(folder: Path, name: str) -> str:
    """The content digest of a small build."""
    registry = folder / f"{name}.db"
    command = [sys.executable, "-m", "rlar", "agent", "build-tools", "--llm", "none", "-r", str(registry)]
    rows = sums(folder / "sums.jsonl")
    subprocess.run([*command, "-d", str(rows), "--report", ""], check=True, timeout=1800, capture_output=True)
    with Registry.open(str(registry), readonly=True) as opened:
        assert "math" in {spec.name for spec in opened.tools()}
        return opened.content_digest()


@pytest.mark.slow
def test_a_build_alone_and_one_on_a_crowded_machine_are_equal(tmp_path: Path):
    alone = build(tmp_path, "alone")
    with busy(12):
        assert build(tmp_path, "crowded") == alone
