"""Runs a tool under suspicion: it may raise, hang, return nonsense or leak state, and the build goes on.

A tool runs in this process, in a thread with a deadline: library tools are vetted, generated ones bring their own
sandbox. What this does not stop: a tool that hangs in C code holding the interpreter lock, or that kills the process.
"""

from __future__ import annotations

import math
import resource
import sys
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from rlar.errors import boundary
from rlar.tool import RewardTool
from rlar.types import Sample, Score, failed

STATUSES = frozenset({"ok", "abstain", "failed", "timeout"})


@dataclass
class Ran:
    """What came of one call."""

    scores: list[Score]
    """One per sample; synthetic failures where the call gave nothing usable."""
    seconds: float
    problem: str = ""
    """Why the call itself is unusable: raised, hung, wrong type, wrong length, not a number."""
    hung: bool = False


def call(tool: RewardTool, samples: Sequence[Sample], seconds: float) -> Ran:
    """`tool.score(samples)` with a deadline; never raises."""
    box: list[Any] = []
    problems: list[str] = []

    def work() -> None:
        def on_error(error: Exception) -> None:
            problems.append(f"raised {type(error).__name__}: {_short(str(error))}")

        try:
            boundary(lambda: box.append(tool.score(list(samples))), on_error)
        except SystemExit as error:
            problems.append(f"raised SystemExit: {_short(str(error))}")

    thread = threading.Thread(target=work, name=f"probing {tool.spec.id}", daemon=True)
    started = time.perf_counter()
    thread.start()
    thread.join(max(0.01, seconds))
    took = time.perf_counter() - started
    if thread.is_alive():
        problem = f"did not come back within {seconds:.3g} s for {len(samples)} completion(s)"
        return Ran([failed(problem) for _ in samples], took, problem, hung=True)
    if not box:
        problem = problems[0] if problems else "ended its thread without a result"
        return Ran([failed(problem) for _ in samples], took, problem)
    return _checked(box[0], len(samples), took)


def _checked(result: Any, expected: int, took: float) -> Ran:
    if not isinstance(result, list | tuple):
        problem = f"returned {type(result).__name__}, not a list of Score"
    elif len(result) != expected:
        problem = f"returned {len(result)} scores for {expected} completions"
    else:
        scores, problem = [], ""
        for score in result:
            fault = score_fault(score)
            problem = problem or fault
            scores.append(failed(fault) if fault else score)
        return Ran(scores, took, problem)
    return Ran([failed(problem) for _ in range(expected)], took, problem)


def score_fault(score: Any) -> str:
    """What is wrong with a Score, or "": tools may build one past its validation."""
    if not isinstance(score, Score):
        return f"returned {type(score).__name__}, not Score"
    if score.status not in STATUSES:
        return f"returned a Score with the unknown status {score.status!r}"
    if score.status != "ok":
        return "" if score.value is None else f"returned a value with status {score.status!r}"
    if isinstance(score.value, bool) or not isinstance(score.value, int | float):
        return f"returned {type(score.value).__name__} as value"
    return "" if math.isfinite(score.value) else f"returned {score.value!r} as value"


def _short(text: str) -> str:
    line = " ".join(text.split())
    return line if len(line) <= 160 else line[:157] + "..."


@dataclass
class Clock:
    """The wall-clock budget of one certificate."""

    seconds: float
    started: float = field(default_factory=time.monotonic)

    @property
    def left(self) -> float:
        """Seconds left; 0 when spent."""
        return max(0.0, self.seconds - (time.monotonic() - self.started))


def score_all(tool: RewardTool, samples: Sequence[Sample], clock: Clock, *, batch: int = 48) -> Ran:
    """All samples in batches within the clock; what comes after the first hang or the deadline is failed unscored."""
    scores: list[Score] = []
    problem, hung, took = "", False, 0.0
    for start in range(0, len(samples), batch):
        part = samples[start : start + batch]
        if hung or clock.left <= 0:
            hung = True
            problem = problem or f"scored {start} of {len(samples)} probes in {clock.seconds:.3g} s"
            scores.extend(failed("not scored: out of time") for _ in part)
            continue
        ran = call(tool, part, clock.left)
        scores.extend(ran.scores)
        took += ran.seconds
        problem = problem or ran.problem
        hung = hung or ran.hung
    return Ran(scores, took, problem, hung)


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
