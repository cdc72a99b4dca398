"""Requests that arrive together become one call of the Scorer; bounded, and nothing accepted is ever dropped."""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from typing import NamedTuple

from rlar.errors import RlarError
from rlar.tools.router import RoutedSample
from rlar.types import Reward

logger = logging.getLogger(__name__)

Score = Callable[[list[RoutedSample]], Awaitable[list[Reward]]]


class QueueFull(RlarError):
    """More completions wait than the server may hold; ask again in a moment."""


class Draining(RlarError):
    """The server is stopping and takes nothing new."""


class Batcher:
    """Collects samples for a few milliseconds and scores them in one call, several calls at a time.

    A request's samples stay together, so that a group gets one recipe version. All methods run in one event loop.
    """

    def __init__(
        self, score: Score, *, window_seconds: float, max_batch: int, max_queue: int, max_concurrency: int
    ) -> None:
        self._score = score
        self._window_seconds = window_seconds
        self._max_batch = max_batch
        self._max_queue = max_queue
        self._max_concurrency = max_concurrency
        self._waiting: deque[_Waiting] = deque()
        self._waiting_samples = 0
        self._timer: asyncio.TimerHandle | None = None
        self._running: set[asyncio.Task[None]] = set()
        self._held = 0
        self.is_draining = False

    @property
    def held(self) -> int:
        """Samples accepted and not yet answered."""
        return self._held

    @property
    def running(self) -> int:
        """Batches being scored."""
        return len(self._running)

    async def score(self, samples: Sequence[RoutedSample]) -> list[Reward]:
        """One Reward per sample, in order.

        Raises:
            QueueFull: the queue has no room for all of them.
            Draining: the server is stopping.
        """
        if self.is_draining:
            raise Draining("the server is stopping; ask another one, or again when it is back")
        if not samples:
            return []
        if self._held and self._held + len(samples) > self._max_queue:
            raise QueueFull(
                f"{self._held:,} completions are waiting, and at most {self._max_queue:,} may; ask again in a moment"
            )
        answer: asyncio.Future[list[Reward]] = asyncio.get_running_loop().create_future()
        self._held += len(samples)
        self._waiting.append(_Waiting(list(samples), answer))
        self._waiting_samples += len(samples)
        self._wake()
        # A caller who goes away takes nothing from the others in the batch.
        return await asyncio.shield(answer)

    async def drain(self) -> None:
        """Take nothing new and return when all that was accepted is answered."""
        self.is_draining = True
        self._flush()
        while self._running or self._waiting:
            await asyncio.wait(self._running)

    def _wake(self) -> None:
        if len(self._running) >= self._max_concurrency:
            return  # the end of a batch starts the next
        if self._waiting_samples >= self._max_batch or not self._window_seconds:
            self._flush()
        elif self._timer is None:
            self._timer = asyncio.get_running_loop().call_later(self._window_seconds, self._flush)

    def _flush(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        while self._waiting and len(self._running) < self._max_concurrency:
            batch: list[_Waiting] = []
            size = 0
            while self._waiting and (not batch or size + len(self._waiting[0].samples) <= self._max_batch):
                batch.append(self._waiting.popleft())
                size += len(batch[-1].samples)
            self._waiting_samples -= size
            task = asyncio.get_running_loop().create_task(self._run(batch))
            self._running.add(task)
            task.add_done_callback(self._finish)

    def _finish(self, task: asyncio.Task[None]) -> None:
        self._running.discard(task)
        self._flush()

    async def _run(self, batch: list[_Waiting]) -> None:
        samples = [sample for waiting in batch for sample in waiting.samples]
        (found,) = await asyncio.gather(self._score(samples), return_exceptions=True)
        self._held -= len(samples)
        if isinstance(found, BaseException):
            error = found if isinstance(found, RlarError) else Broken(f"scoring broke: {found!r}")
            logger.error("a batch of %d completions was not scored: %s", len(samples), error, exc_info=found)
            for waiting in batch:
                if not waiting.answer.done():
                    waiting.answer.set_exception(error)
                    waiting.answer.exception()  # a caller who went away never asks for it
            return
        start = 0
        for waiting in batch:
            if not waiting.answer.done():
                waiting.answer.set_result(found[start : start + len(waiting.samples)])
            start += len(waiting.samples)


class _Waiting(NamedTuple):
    samples: list[RoutedSample]
    answer: asyncio.Future[list[Reward]]


class Broken(RlarError):
    """Scoring raised what it never should."""
