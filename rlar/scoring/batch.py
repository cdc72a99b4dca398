"""Samples of one tool on their way to their scores: whoever runs them gives, one caller waits, and nobody waits forever.

A ScoringBatch ends when every sample has its score, when its caller's time is over, or when its caller has gone. What has no
score by then is a timeout that says which sample it was: one that was running is the tool's fault, one that was not
started is not.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator, Sequence
from math import inf

from rlar.types import Sample, Score, ToolSpec, digest, failed, timed_out


class Waiting:
    """How long one call waits for its batches, and whether anybody still waits for it."""

    def __init__(self, seconds: float | None = None) -> None:
        """
        Args:
            seconds: for all batches of the call together; None: as long as their tools may take.
        """
        self.seconds = seconds
        self.until = inf if seconds is None else time.monotonic() + seconds
        self.is_cancelled = False
        self._lock = threading.Lock()
        self._batches: list[ScoringBatch] = []

    def add(self, batch: ScoringBatch) -> None:
        """Have a batch woken by `cancel`."""
        with self._lock:
            self._batches.append(batch)

    def cancel(self) -> None:
        """Nobody waits any more: what has not been started never is."""
        with self._lock:
            self.is_cancelled = True
            batches = list(self._batches)
        for batch in batches:
            batch.wake()


class Slice:
    """Some samples of a batch that go to the tool in one call."""

    __slots__ = ("at", "indices", "is_dropped", "limit_seconds", "until")

    def __init__(self, indices: Sequence[int], limit_seconds: float = inf) -> None:
        self.indices = indices
        self.limit_seconds = limit_seconds
        """What the call may take; inf where somebody else minds it."""
        self.until = inf
        self.at: int | None = None
        """Place in `indices` of the sample that runs, where that is known."""
        self.is_dropped = False
        """Its scores are not waited for any more."""


class Watched(list[Sample]):
    """A slice's samples; notes which one a tool that goes through them has reached."""

    def __init__(self, samples: Sequence[Sample], part: Slice) -> None:
        super().__init__(samples)
        self._part = part

    def __iter__(self) -> Iterator[Sample]:
        for place, sample in enumerate(super().__iter__()):
            self._part.at = place
            yield sample


class ScoringBatch:
    """The samples of one tool and, as they come, their scores. Thread-safe; one caller waits."""

    def __init__(
        self,
        spec: ToolSpec,
        samples: Sequence[Sample],
        on_score: Callable[[Sample, Score], None] = lambda _sample, _score: None,
    ) -> None:
        """
        Args:
            on_score: told every sample with its score, where the tool is answerable for that.
        """
        self.spec = spec
        self.samples = samples
        self.changed = threading.Condition()
        self.is_over = False
        """Nobody takes scores any more."""
        self.on_overdue: Callable[[Slice], None] = self.drop
        """Called, with the lock held, for a slice that ran past its limit; must drop it."""
        self._on_score = on_score
        self._scores: list[Score | None] = [None] * len(samples)
        self._left = len(samples)
        self._running: list[Slice] = []

    def begin(self, part: Slice) -> None:
        """The slice runs from now on."""
        with self.changed:
            part.until = time.monotonic() + part.limit_seconds
            self._running.append(part)
            if len(self._running) == 1 and part.until < inf:
                self.changed.notify_all()

    def finish(self, part: Slice, scores: Sequence[Score], *, counts: bool = True) -> None:
        """Take a slice's scores, unless it was given up meanwhile.

        Args:
            counts: whether the tool is answerable for them.
        """
        with self.changed:
            if part.is_dropped:
                return
            self.drop(part)
            for index, score in zip(part.indices, scores, strict=True):
                self._take(index, score, counts)

    def give(self, index: int, score: Score, *, counts: bool = True) -> None:
        """Take the score of one sample; the first one stays."""
        with self.changed:
            self._take(index, score, counts)

    def drop(self, part: Slice) -> None:
        """Forget a slice that ran."""
        with self.changed:
            part.is_dropped = True
            if part in self._running:
                self._running.remove(part)

    def has(self, index: int) -> bool:
        """Whether this sample has its score."""
        return self._scores[index] is not None

    def wake(self) -> None:
        """Have the caller look again whether it still wants to wait."""
        with self.changed:
            self.changed.notify_all()

    def wait(self, waiting: Waiting | None = None) -> list[Score]:
        """One Score per sample, in order."""
        waiting = waiting or Waiting()
        waiting.add(self)
        with self.changed:
            while self._left and not waiting.is_cancelled:
                now = time.monotonic()
                for part in [part for part in self._running if part.until <= now]:
                    self.on_overdue(part)
                end = min([waiting.until, *(part.until for part in self._running)])
                if waiting.until <= now:
                    break
                if self._left:
                    self.changed.wait(None if end == inf else max(0.0, end - now))
            if self._left:
                self._end(waiting)
            self.is_over = True
            return [score for score in self._scores if score is not None]

    def named(self, index: int) -> str:
        """Which sample it is, without its completion."""
        sample = self.samples[index]
        head = " ".join(sample.prompt[:200].split())[:60]
        return f"prompt {head!r}, completion {digest(sample.completion)} of {len(sample.completion)} characters"

    def _end(self, waiting: Waiting) -> None:
        whole = "" if waiting.seconds is None else f" the batch's {waiting.seconds:g} s"
        for part in list(self._running):
            for place, index in enumerate(part.indices):
                if waiting.is_cancelled or part.at not in (None, place):
                    continue
                self._take(index, timed_out(f"no score within{whole}; {self.named(index)}"))
            part.is_dropped = True
        self._running.clear()
        rest = failed("cancelled") if waiting.is_cancelled else timed_out(f"not started within{whole}")
        for index, score in enumerate(self._scores):
            if score is None:
                self._take(index, rest, counts=False)

    def _take(self, index: int, score: Score, counts: bool = True) -> None:
        if self._scores[index] is not None or self.is_over:
            return
        self._scores[index] = score
        self._left -= 1
        if counts:
            self._on_score(self.samples[index], score)
        if not self._left:
            self.changed.notify_all()
