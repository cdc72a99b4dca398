"""Several "processes" that are threads of one, so that what they do together is tested without starting any."""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from torch import Tensor

from rlar.trainer.distributed import ProcessFailed, Ranks


class Meeting:
    """Where threads leave values for each other."""

    def __init__(self, size: int) -> None:
        self.size = size
        self.barrier = threading.Barrier(size, timeout=60)
        self.values: list[Any] = [None] * size

    def leave(self, rank: int, value: Any) -> list[Any]:
        self.values[rank] = value
        self._wait()
        found = list(self.values)
        self._wait()
        return found

    def _wait(self) -> None:
        try:
            self.barrier.wait()
        except threading.BrokenBarrierError:
            raise ProcessFailed("another thread has ended") from None


class ThreadLink:
    """See `rlar.trainer.distributed.Link`."""

    def __init__(self, meeting: Meeting, rank: int) -> None:
        self.meeting = meeting
        self.rank = rank

    def gather(self, value: Any) -> list[Any]:
        return self.meeting.leave(self.rank, value)

    def add(self, tensor: Tensor) -> None:
        found = self.meeting.leave(self.rank, tensor.clone())
        total = found[0].clone()
        for other in found[1:]:
            total += other
        tensor.copy_(total)


def in_ranks(size: int, work: Callable[[Ranks], Any]) -> list[Any]:
    """What `work` gave, or raised, in each rank."""
    meeting = Meeting(size)

    def one(rank: int) -> Any:
        try:
            return work(Ranks(rank, size, ThreadLink(meeting, rank)))
        except BaseException as error:  # noqa: BLE001
            if not isinstance(error, Exception):
                meeting.barrier.abort()  # as the end of a process would be noticed
            return error

    with ThreadPoolExecutor(size) as pool:
        return list(pool.map(one, range(size)))
