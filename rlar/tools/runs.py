"""Runs batches of tools where each belongs: calling thread, worker processes or threads; with a circuit breaker.

Every call returns one valid Score per sample whatever a tool does; see `rlar.tools.checked` for what is valid.
"""

from __future__ import annotations

import logging
import threading
import time
from collections import deque
from collections.abc import Sequence
from typing import Literal

from rlar.errors import RlarError, boundary
from rlar.tools.base import TOOL_KINDS, Resources, RewardTool, load_tool, module_hash
from rlar.tools.checked import score_checked
from rlar.tools.groups import needs_whole_groups, pieces
from rlar.tools.workers import Job, WorkerPool
from rlar.types import Sample, Score, ToolKind, ToolSpec, failed, timed_out

logger = logging.getLogger(__name__)

INLINE_CHARACTERS = 20_000
"""Longer completions of inline tools go to a worker: no pattern is quick on everything a policy may write."""
PATIENCE_SECONDS = 600.0
"""Threads drive things with deadlines of their own (sandbox, network); this long without any result is a hang."""
RUNS_OF_KIND: dict[ToolKind, Literal["inline", "pool", "sandbox"]] = {
    ToolKind.GENERATED: "sandbox",
    ToolKind.REWARD_MODEL: "inline",
    ToolKind.JUDGE: "sandbox",
    ToolKind.COMPOSITE: "sandbox",
    ToolKind.HTTP: "sandbox",
}
"""Where tools of a kind run; library tools say it themselves."""


def where(spec: ToolSpec) -> Literal["inline", "pool", "sandbox"]:
    """Where a tool runs."""
    if spec.kind is ToolKind.LIBRARY:
        from rlar.tools.library import library_class

        return library_class(spec.name).runs
    return RUNS_OF_KIND.get(spec.kind, "sandbox")


def unusable(spec: ToolSpec) -> str:
    """Why this version of rlar cannot run the tool as it was certified; empty when it can."""
    if spec.kind not in TOOL_KINDS:
        return f"this version of rlar has no tools of kind {spec.kind.value!r}"
    if spec.kind is ToolKind.LIBRARY:
        from rlar.tools.library import LIBRARY

        if LIBRARY.get(spec.name) != spec.source:
            return f"library tool {spec.name!r} ({spec.source}) is not in this version of rlar"
        if spec.code_hash and module_hash(spec.source.split(":")[0]) != spec.code_hash:
            return "its code has changed since it was certified; run `rlar agent build-tools` again"
    if spec.kind is ToolKind.JUDGE:
        from rlar.tools.judge import outdated

        return outdated(spec)
    if spec.kind is ToolKind.GENERATED:
        from rlar.tools.generated import source_hash

        if spec.code_hash != source_hash(spec.source):
            return "it is not called as it was when it was certified; run `rlar agent build-tools` again"
    return ""


def batch_size(spec: ToolSpec, samples: int, threads: int) -> int:
    """Samples handed to a tool at once: few, so that many calls wait at the same time; many where a call is cheap.

    A warm verifier costs ten times less in a full message than alone.
    """
    if spec.kind is ToolKind.GENERATED and spec.params.get("mode") == "warm":
        from rlar.tools.generated import WARM_BATCH

        return max(1, min(WARM_BATCH, -(-samples // threads)))
    return max(1, min(16, samples // (threads * 4)))


class Breaker:
    """Counts failures in a row by tool and quarantines the tool at `after`; thread-safe."""

    def __init__(self, after: int) -> None:
        self._after = after
        self._in_a_row: dict[str, int] = {}
        self._quarantined: dict[str, str] = {}
        self._lock = threading.Lock()

    @property
    def quarantined(self) -> dict[str, str]:
        with self._lock:
            return dict(self._quarantined)

    def stopped(self, tool_id: str) -> str | None:
        """Why the tool may not be called; None when it may."""
        with self._lock:
            return self._quarantined.get(tool_id)

    def count(self, tool_id: str, score: Score) -> None:
        """Take note of one result."""
        with self._lock:
            if score.status in ("ok", "abstain"):
                self._in_a_row[tool_id] = 0
                return
            self._in_a_row[tool_id] = self._in_a_row.get(tool_id, 0) + 1
            if self._in_a_row[tool_id] != self._after or tool_id in self._quarantined:
                return
            why = f"quarantined in this process after {self._after} failures in a row; the last: {score.error}"
            self._quarantined[tool_id] = why
        logger.warning("tool %s is %s. Its completions get no reward until it is forgiven.", tool_id, why)

    def forgive(self, tool_id: str) -> None:
        with self._lock:
            self._quarantined.pop(tool_id, None)
            self._in_a_row[tool_id] = 0


class Runner:
    """Scores batches; owns the worker pool, and the resources where none were handed in."""

    def __init__(
        self,
        resources: Resources | None,
        *,
        workers: int,
        plugins: Sequence[str],
        deadline_seconds: float,
        quarantine_after: int,
    ) -> None:
        self.breaker = Breaker(quarantine_after)
        self._owns_resources = resources is None
        self._resources = resources if resources is not None else Resources()
        self._pool = WorkerPool(workers, plugins=plugins) if workers else None
        self._threads = max(1, workers)
        self._deadline_seconds = deadline_seconds
        self._tools: dict[str, RewardTool] = {}
        self._lock = threading.Lock()

    def run(self, batches: Sequence[tuple[ToolSpec, Sequence[Sample]]]) -> list[list[Score]]:
        """The scores of every batch, in order. What can wait elsewhere is started first, then the inline tools run."""
        waiting: list[_Pending] = [self._start(spec, samples) for spec, samples in batches]
        for pending in waiting:
            pending.finish_inline()
        return [pending.scores() for pending in waiting]

    def _start(self, spec: ToolSpec, samples: Sequence[Sample]) -> _Pending:
        if reason := self.breaker.stopped(spec.id):
            return _Pending(done=[failed(reason)] * len(samples))
        place = where(spec)
        if place == "pool" and self._pool is not None:
            return _Pending(job=self._submit(self._pool, spec, samples))
        tool = self._tool(spec)
        if isinstance(tool, str):
            scores = [failed(tool) for _sample in samples]
            for score in scores:
                self.breaker.count(spec.id, score)
            return _Pending(done=scores)
        if place == "sandbox":
            return _Pending(threads=_Threads(tool, samples, self.breaker, self._threads))
        if spec.kind is ToolKind.LIBRARY and self._pool is not None:
            long = [sample for sample in samples if len(sample.completion) > INLINE_CHARACTERS]
            short = [sample for sample in samples if len(sample.completion) <= INLINE_CHARACTERS]
            job = self._submit(self._pool, spec, long) if long else None
            return _Pending(inline=_Inline(tool, short, self.breaker), job=job, order=samples)
        return _Pending(inline=_Inline(tool, samples, self.breaker))

    def _submit(self, pool: WorkerPool, spec: ToolSpec, samples: Sequence[Sample]) -> Job:
        return pool.submit(
            spec,
            samples,
            deadline_seconds=self._deadline_seconds,
            is_stopped=lambda: self.breaker.stopped(spec.id),
            on_score=lambda _sample, score: self.breaker.count(spec.id, score),
        )

    def _tool(self, spec: ToolSpec) -> RewardTool | str:
        """The live tool, or why there is none."""
        with self._lock:
            tool = self._tools.get(spec.id)
            if tool is not None:
                return tool
            loaded = boundary(lambda: _load(spec, self._resources), _why)
            if isinstance(loaded, str):
                return f"{spec.id} cannot be loaded: {loaded}"
            self._tools[spec.id] = loaded
            return loaded

    def close(self) -> None:
        if self._pool is not None:
            self._pool.close()
        if self._owns_resources:
            self._resources.close()


def _load(spec: ToolSpec, resources: Resources) -> RewardTool | str:
    return load_tool(spec, resources)


def _why(error: Exception) -> RewardTool | str:
    return str(error) if isinstance(error, RlarError) else f"{type(error).__name__}: {error}"


class _Pending:
    """A batch on its way: done, in the pool, in threads, or to be run inline."""

    def __init__(
        self,
        *,
        done: list[Score] | None = None,
        job: Job | None = None,
        threads: _Threads | None = None,
        inline: _Inline | None = None,
        order: Sequence[Sample] | None = None,
    ) -> None:
        self._done = done
        self._job = job
        self._threads = threads
        self._inline = inline
        self._order = order

    def finish_inline(self) -> None:
        if self._inline is not None:
            self._inline.run()

    def scores(self) -> list[Score]:
        if self._done is not None:
            return self._done
        if self._threads is not None:
            return self._threads.wait()
        if self._inline is None:
            assert self._job is not None
            return self._job.wait()
        if self._job is None:
            return self._inline.found
        assert self._order is not None
        short, long = iter(self._inline.found), iter(self._job.wait())
        return [next(long if len(sample.completion) > INLINE_CHARACTERS else short) for sample in self._order]


class _Inline:
    """A batch in the calling thread, in slices so that the breaker can step in."""

    SLICE = 64

    def __init__(self, tool: RewardTool, samples: Sequence[Sample], breaker: Breaker) -> None:
        self._tool = tool
        self._samples = samples
        self._breaker = breaker
        self.found: list[Score] = []

    def run(self) -> None:
        for start in range(0, len(self._samples), self.SLICE):
            part = self._samples[start : start + self.SLICE]
            if reason := self._breaker.stopped(self._tool.spec.id):
                self.found += [failed(reason)] * len(part)
                continue
            scores = score_checked(self._tool, part)
            for score in scores:
                self._breaker.count(self._tool.spec.id, score)
            self.found += scores


class _Threads:
    """A batch in daemon threads of its own, a few samples at a time, so that many calls wait at once."""

    def __init__(self, tool: RewardTool, samples: Sequence[Sample], breaker: Breaker, threads: int) -> None:
        self._tool = tool
        self._samples = samples
        self._breaker = breaker
        # Tools that wait for an endpoint know best how much they can have in flight.
        threads = int(getattr(tool, "concurrency", 0)) or threads
        size = int(getattr(tool, "batch_size", 0)) or batch_size(tool.spec, len(samples), threads)
        self._queue = deque(pieces(samples, size, whole_groups=needs_whole_groups(tool.spec)))
        self._found: dict[int, Score] = {}
        self._changed = threading.Condition()
        for _ in range(min(threads, len(self._queue))):
            threading.Thread(target=self._work, name="rlar-tool-thread", daemon=True).start()

    def _work(self) -> None:
        while True:
            with self._changed:
                if not self._queue:
                    return
                indices = self._queue.popleft()
            part = [self._samples[index] for index in indices]
            reason = self._breaker.stopped(self._tool.spec.id)
            scores = [failed(reason)] * len(part) if reason else score_checked(self._tool, part)
            with self._changed:
                for index, score in zip(indices, scores, strict=True):
                    self._found[index] = score
                    if not reason:
                        self._breaker.count(self._tool.spec.id, score)
                self._changed.notify_all()

    def wait(self) -> list[Score]:
        """All scores; a hang that outlives PATIENCE_SECONDS is a timeout (its thread cannot be ended, and is left)."""
        with self._changed:
            known, until = -1, 0.0
            while len(self._found) < len(self._samples):
                if len(self._found) != known:
                    known, until = len(self._found), time.monotonic() + PATIENCE_SECONDS
                left = until - time.monotonic()
                if left <= 0:
                    self._queue.clear()
                    break
                self._changed.wait(left)
            hung = timed_out(f"no score after {PATIENCE_SECONDS:g} s")
            scores = [self._found.get(index, hung) for index in range(len(self._samples))]
        for index, score in enumerate(scores):
            if index not in self._found:
                self._breaker.count(self._tool.spec.id, score)
        return scores
