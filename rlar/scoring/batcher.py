"""Requests that arrive together become one call of the Scorer; bounded, and nothing accepted is ever dropped."""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from typing import NamedTuple

from rlar.errors import RlarError
from rlar.scoring.scorer import RoutedSample
from rlar.types import Reward

logger = logging.getLogger(__name__)

ScoreCall = Callable[[list[RoutedSample]], Awaitable[list[Reward]]]
TakesLong = Callable[[list[RoutedSample]], Awaitable[bool]]


class QueueFull(RlarError):
    """More completions wait than the server may hold; ask again in a moment."""


class Draining(RlarError):
    """The server is stopping and takes nothing new."""


class Batcher:
    """Collects samples for a few milliseconds and scores them in one call, several calls at a time.

    A request's samples stay together, so that a group gets one recipe version. Where it is told which requests take
    long, those are batched among themselves: an answer that takes a millisecond does not wait for programs to run.
    All methods run in one event loop.
    """

    def __init__(
        self,
        score: ScoreCall,
        *,
        window_seconds: float,
        max_batch: int,
        max_queue: int,
        max_concurrency: int,
        takes_long: TakesLong | None = None,
    ) -> None:
        """
        Args:
            max_concurrency: batches at a time, of requests that take long and of others each.
            takes_long: whether a request does; None: all are batched together.
        """
        self._lane = _Lane(score, window_seconds, max_batch, max_concurrency)
        self._slow_lane = _Lane(score, window_seconds, max_batch, max_concurrency)
        self._takes_long = takes_long
        self._max_queue = max_queue
        self._held = 0
        self._tasks: set[asyncio.Task[list[Reward]]] = set()
        self.is_draining = False

    @property
    def held(self) -> int:
        """Samples accepted and not yet answered."""
        return self._held

    @property
    def running(self) -> int:
        """Batches being scored."""
        return len(self._lane.running) + len(self._slow_lane.running)

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
        self._held += len(samples)
        # A caller who goes away takes nothing from the others in the batch.
        task = asyncio.get_running_loop().create_task(self._accepted(list(samples)))
        self._tasks.add(task)
        task.add_done_callback(self._answered)
        try:
            return await asyncio.shield(task)
        except asyncio.CancelledError:
            self._tasks.discard(task)  # nobody waits for it any more, and neither does `drain`
            raise

    async def _accepted(self, samples: list[RoutedSample]) -> list[Reward]:
        try:
            lane = self._lane
            if self._takes_long is not None:
                (takes_long,) = await asyncio.gather(self._takes_long(samples), return_exceptions=True)
                if takes_long is not False:  # what could not be told is said when it is scored
                    lane = self._slow_lane
            return await lane.add(samples)
        finally:
            self._held -= len(samples)

    def _answered(self, task: asyncio.Task[list[Reward]]) -> None:
        self._tasks.discard(task)
        if not task.cancelled():
            task.exception()  # a caller who went away never asks for it

    async def drain(self) -> None:
        """Take nothing new and return when all that was accepted, and is still waited for, is answered."""
        self.is_draining = True
        for lane in (self._lane, self._slow_lane):
            lane.flush()
        if self._tasks:
            await asyncio.wait(self._tasks)


class _Lane:
    """Requests that are batched with one another."""

    def __init__(self, score: ScoreCall, window_seconds: float, max_batch: int, max_concurrency: int) -> None:
        self._score = score
        self._window_seconds = window_seconds
        self._max_batch = max_batch
        self._max_concurrency = max_concurrency
        self._waiting: deque[_Waiting] = deque()
        self._waiting_samples = 0
        self._timer: asyncio.TimerHandle | None = None
        self.running: set[asyncio.Task[None]] = set()

    def add(self, samples: list[RoutedSample]) -> asyncio.Future[list[Reward]]:
        """The rewards of a request, once its batch has been scored."""
        answer: asyncio.Future[list[Reward]] = asyncio.get_running_loop().create_future()
        self._waiting.append(_Waiting(samples, answer))
        self._waiting_samples += len(samples)
        if len(self.running) >= self._max_concurrency:
            return answer  # the end of a batch starts the next
        if self._waiting_samples >= self._max_batch or not self._window_seconds:
            self.flush()
        elif self._timer is None:
            self._timer = asyncio.get_running_loop().call_later(self._window_seconds, self.flush)
        return answer

    def flush(self) -> None:
        """Start what waits, as far as there is room."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        while self._waiting and len(self.running) < self._max_concurrency:
            batch: list[_Waiting] = []
            size = 0
            while self._waiting and (not batch or size + len(self._waiting[0].samples) <= self._max_batch):
                batch.append(self._waiting.popleft())
                size += len(batch[-1].samples)
            self._waiting_samples -= size
            task = asyncio.get_running_loop().create_task(self._run(batch))
            self.running.add(task)
            task.add_done_callback(self._finish)

    def _finish(self, task: asyncio.Task[None]) -> None:
        self.running.discard(task)
        self.flush()

    async def _run(self, batch: list[_Waiting]) -> None:
        samples = [sample for waiting in batch for sample in waiting.samples]
        (rewards,) = await asyncio.gather(self._score(samples), return_exceptions=True)
        if isinstance(rewards, BaseException):
            error = rewards if isinstance(rewards, RlarError) else Broken(f"scoring broke: {rewards!r}")
            logger.error("a batch of %d completions was not scored: %s", len(samples), error, exc_info=rewards)
            for waiting in batch:
                if not waiting.answer.done():
                    waiting.answer.set_exception(error)
            return
        start = 0
        for waiting in batch:
            if not waiting.answer.done():
                waiting.answer.set_result(rewards[start : start + len(waiting.samples)])
            start += len(waiting.samples)


class _Waiting(NamedTuple):
    samples: list[RoutedSample]
    answer: asyncio.Future[list[Reward]]


class Broken(RlarError):
    """Scoring raised what it never should."""
