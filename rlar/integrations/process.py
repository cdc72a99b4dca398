"""One Scorer a process, made when it is first needed, for hosts that pickle, fork or call a bare function."""

from __future__ import annotations

import asyncio
import logging
import os
import threading
import weakref
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from rlar.scoring.batcher import Batcher
from rlar.scoring.hosts import Item
from rlar.scoring.scorer import RoutedSample, Scorer
from rlar.types import Reward

logger = logging.getLogger(__name__)

_SCORERS: dict[tuple[int, str, str], Scorer] = {}
"""By process, registry and settings. A bare function (verl's compute_score) has no other place to keep it."""
_LOCK = threading.Lock()
WINDOW_SECONDS = 0.003
MAX_BATCH = 512
MAX_CONCURRENCY = 4


class HostScorer:
    """Scores what a host hands over, by the registry at `registry`; picklable, alive in any process.

    Args:
        registry: path or URL.
        settings: those of rlar.Scorer (workers, deadline_seconds, plugins ...).
    """

    def __init__(self, registry: str | Path, **settings: Any) -> None:
        self.registry = str(registry)
        self.settings = settings
        self._reset()

    def _reset(self) -> None:
        self._batchers: weakref.WeakKeyDictionary[asyncio.AbstractEventLoop, Batcher] = weakref.WeakKeyDictionary()
        self._logged: set[str] = set()
        self._process = os.getpid()

    def __getstate__(self) -> dict[str, Any]:
        return {"registry": self.registry, "settings": self.settings}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state)
        self._reset()

    @property
    def scorer(self) -> Scorer:
        """This process's Scorer. Raises RegistryError where the registry can't be read."""
        if self._process != os.getpid():
            self._reset()
        key = (os.getpid(), self.registry, repr(sorted(self.settings.items())))
        with _LOCK:
            if key not in _SCORERS:
                _SCORERS[key] = Scorer(self.registry, **self.settings)
            return _SCORERS[key]

    def close(self) -> None:
        """End this process's Scorer and its workers."""
        key = (os.getpid(), self.registry, repr(sorted(self.settings.items())))
        with _LOCK:
            scorer = _SCORERS.pop(key, None)
        if scorer is not None:
            scorer.close()

    def score(self, items: Sequence[Item]) -> list[Reward | None]:
        """One Reward per item, in order; None where row or completion could not be read (said in the log, once a reason)."""
        samples = [item for item in items if isinstance(item, RoutedSample)]
        return self._sorted(items, self.scorer.score(samples) if samples else [])

    async def ascore(self, items: Sequence[Item]) -> list[Reward | None]:
        """`score` beside the event loop; calls that come together are scored together."""
        samples = [item for item in items if isinstance(item, RoutedSample)]
        return self._sorted(items, await self._batcher().score(samples))

    def _batcher(self) -> Batcher:
        scorer = self.scorer
        loop = asyncio.get_running_loop()
        if loop not in self._batchers:
            self._batchers[loop] = Batcher(
                scorer.ascore,
                window_seconds=WINDOW_SECONDS,
                max_batch=MAX_BATCH,
                max_queue=2**40,
                max_concurrency=MAX_CONCURRENCY,
            )
        return self._batchers[loop]

    def _sorted(self, items: Sequence[Item], rewards: Sequence[Reward]) -> list[Reward | None]:
        left = iter(rewards)
        for item in items:
            if isinstance(item, str) and item not in self._logged and len(self._logged) < 100:
                self._logged.add(item)
                logger.warning("no reward: %s", item)
        return [None if isinstance(item, str) else next(left) for item in items]


def status_of(reward: Reward | None) -> str:
    """A reward's status; "unusable" where there is none because row or completion could not be read."""
    return "unusable" if reward is None else reward.status


def number_of(reward: Reward | None, neutral: float) -> float:
    """The reward, or for a host that has no word for "no reward" the neutral number."""
    return neutral if reward is None or reward.reward is None else reward.reward
