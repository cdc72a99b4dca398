"""Runs a tool under suspicion on the serving runtime: it may raise, hang or return nonsense, and the build goes on.

A tool runs in this process, in a thread with a deadline: library tools are vetted, generated ones bring their own
sandbox. What this does not stop: a tool that hangs in C code holding the interpreter lock, or that kills the process.

No deadline and no latency is a matter of how busy the machine is: what takes longer than allowed is set against how
much longer a computation takes at the same moment.
"""

from __future__ import annotations

import resource
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from rlar.network import Network
from rlar.scoring.runner import Runner
from rlar.scoring.workers import LOAD_SECONDS
from rlar.tool import Resources, RewardTool
from rlar.types import Sample, Score, failed

CALIBRATION_SECONDS = 0.05
"""Processor time of the computation that tells how busy the machine is: several turns of a scheduler."""
CALIBRATED_SECONDS = 1.0
"""What a calibration is good for, and what it is worth its time for."""
MAX_SLOWDOWN = 64.0
"""No machine is so busy that a call may take longer than this times its limit."""


def slowdown() -> float:
    """How many times longer work takes now than on a processor of its own: wall time over processor time, in [1, 64]."""
    began, spent = time.perf_counter(), time.thread_time()
    while (computed := time.thread_time() - spent) < CALIBRATION_SECONDS:
        sum(range(1_000))
    return min(MAX_SLOWDOWN, max(1.0, (time.perf_counter() - began) / computed))


@dataclass
class Ran:
    """What came of one call, or of several."""

    scores: list[Score]
    """One per sample."""
    seconds: float
    """As on a machine that has nothing else to do."""
    problem: str = ""
    """Why the calls are unusable: out of time, or nobody to call."""
    hung: bool = False
    wall_seconds: float = 0.0


class Trial:
    """One tool on trial with the time that its certificate may take. Use it as a context manager.

    The time is that of a machine with nothing else to do: from the first second on, what passes is divided by how
    busy the machine is.
    """

    def __init__(self, tool: RewardTool, seconds: float) -> None:
        self.tool = tool
        self.seconds = seconds
        """For all calls but the ones that load."""
        self._spent = 0.0
        self._slowdown, self._calibrated = 1.0, -CALIBRATED_SECONDS
        # It loads nothing: its tools come to it alive, with resources of their own.
        self._runner = Runner(
            Resources(network=Network()), workers=0, plugins=(), deadline_seconds=seconds, quarantine_after=1
        )

    def __enter__(self) -> Trial:
        return self

    def __exit__(self, *_exc: object) -> None:
        self._runner.close()

    @property
    def left(self) -> float:
        """Seconds left; 0 when spent."""
        return max(0.0, self.seconds - self._spent)

    def warm_up(self, sample: Sample, tool: RewardTool | None = None) -> Ran:
        """A first call, which may take as long as the serving runtime lets a tool load, and is not on the clock."""
        return self._call(tool or self.tool, [sample], LOAD_SECONDS)

    def call(self, samples: Sequence[Sample], seconds: float, tool: RewardTool | None = None) -> Ran:
        """One call with a deadline; `seconds` of the result are as it would take on an idle machine if it took long."""
        ran = self._call(tool or self.tool, samples, min(seconds, self.left))
        self._spent += ran.seconds
        return ran

    def score_all(self, samples: Sequence[Sample], *, batch: int = 48, tool: RewardTool | None = None) -> Ran:
        """All samples in batches; what comes after the first hang or the end of the time is failed unscored."""
        scores: list[Score] = []
        problem, hung, took = "", False, 0.0
        for start in range(0, len(samples), batch):
            part = samples[start : start + batch]
            if hung or self.left <= 0:
                hung = True
                problem = problem or f"scored {start} of {len(samples)} probes in {self.seconds:.3g} s"
                scores.extend(failed("not scored: out of time") for _ in part)
                continue
            ran = self.call(part, self.left, tool)
            scores.extend(ran.scores)
            took += ran.seconds
            problem = problem or ran.problem
            hung = hung or ran.hung
        return Ran(scores, took, problem, hung)

    def _call(self, tool: RewardTool, samples: Sequence[Sample], seconds: float) -> Ran:
        began = time.monotonic()
        scores = self._runner.call(tool, list(samples), seconds=max(0.01, seconds), slowdown=self.slowdown)
        wall_seconds = time.monotonic() - began
        took = self.idle(wall_seconds)
        if scores is None:
            problem = f"did not come back within {seconds:.3g} s for {len(samples)} completion(s)"
            return Ran([failed(problem) for _ in samples], took, problem, True, wall_seconds)
        return Ran(scores, took, wall_seconds=wall_seconds)

    def idle(self, seconds: float) -> float:
        """What would have taken so many seconds, had the machine nothing else to do."""
        return seconds / self.slowdown() if seconds >= CALIBRATED_SECONDS else seconds

    def slowdown(self) -> float:
        """How busy the machine is, measured no longer ago than a calibration is good for."""
        if time.monotonic() - self._calibrated >= CALIBRATED_SECONDS:
            self._slowdown, self._calibrated = slowdown(), time.monotonic()
        return self._slowdown


class Memory:
    """How much this process has grown since it was made, in MiB: its high-water mark, or what it still holds.

    Other threads count, too, so the limits are wide.
    """

    def __init__(self) -> None:
        self._peak, self._held = _peak_mb(), _held_mb()

    @property
    def grown(self) -> float:
        """MiB; never negative."""
        return max(0.0, _peak_mb() - self._peak, _held_mb() - self._held)


def _peak_mb() -> float:
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak / (1 << 20) if sys.platform == "darwin" else peak / 1024


def _held_mb() -> float:
    """Resident size now; 0 where the system does not tell (then only the high-water mark counts)."""
    try:
        pages = int(Path("/proc/self/statm").read_text("ascii").split()[1])
    except (OSError, ValueError, IndexError):
        return 0.0
    return pages * resource.getpagesize() / (1 << 20)
