"""Many calls to something that makes us wait (a judge, a model server) at once: bounded, each with a time limit."""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from typing import Generic, TypeVar

from rlar.errors import boundary

T = TypeVar("T")


class Slots:
    """At most `count` calls at once, over all batches and tools that share it. A Closeable for Resources.shared."""

    def __init__(self, count: int) -> None:
        self.count = max(1, count)
        self._free = threading.Semaphore(self.count)

    def run(
        self,
        jobs: Sequence[Callable[[], T]],
        *,
        seconds: float,
        on_error: Callable[[Exception], T],
        late: Callable[[], T],
    ) -> list[T]:
        """What each job gives, in order; `late()` for one that is not done `seconds` after its own start.

        A late job cannot be ended: its daemon thread is left to end by itself, and its slot is given to the next.
        """
        if not jobs:
            return []
        return _Batch(self._free, self.count, jobs, seconds, on_error, late).wait()

    def close(self) -> None:
        """Nothing to end: threads are daemons and end with their calls."""


class _Batch(Generic[T]):
    def __init__(
        self,
        free: threading.Semaphore,
        count: int,
        jobs: Sequence[Callable[[], T]],
        seconds: float,
        on_error: Callable[[Exception], T],
        late: Callable[[], T],
    ) -> None:
        self._free, self._jobs, self._seconds, self._on_error, self._late = free, jobs, seconds, on_error, late
        self._waiting = deque(range(len(jobs)))
        self._started: dict[int, float] = {}
        self._found: dict[int, T] = {}
        self._changed = threading.Condition()
        for _ in range(min(count, len(jobs))):
            self._hire()

    def _hire(self) -> None:
        threading.Thread(target=self._work, name="rlar-waiting", daemon=True).start()

    def _work(self) -> None:
        while True:
            self._free.acquire()
            with self._changed:
                if not self._waiting:
                    self._free.release()
                    return
                index = self._waiting.popleft()
                self._started[index] = time.monotonic()
                self._changed.notify_all()
            result = boundary(self._jobs[index], self._on_error)
            with self._changed:
                if index in self._found:
                    # It was late, and its slot has been given away.
                    return
                self._found[index] = result
                self._free.release()
                self._changed.notify_all()

    def wait(self) -> list[T]:
        with self._changed:
            while len(self._found) < len(self._jobs):
                now = time.monotonic()
                running = [(start, index) for index, start in self._started.items() if index not in self._found]
                for start, index in running:
                    if now - start >= self._seconds:
                        self._found[index] = self._late()
                        self._free.release()
                        if self._waiting:
                            self._hire()
                left = [start + self._seconds - now for start, index in running if index not in self._found]
                if len(self._found) < len(self._jobs):
                    self._changed.wait(max(0.001, min(left)) if left else None)
            return [self._found[index] for index in range(len(self._jobs))]
