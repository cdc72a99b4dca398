"""Loaded models, shared by all tools of a process: loaded once, the least recently used unloaded where memory runs short."""

from __future__ import annotations

import os
import sys
import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rlar.errors import ToolError
from rlar.tool import Resources

SHARED_NAME = "reward_models"
PATIENCE_SECONDS = 600.0
"""How long to wait for others to be done with a model that has to go first."""
CACHE_VARIABLE = "RLAR_HUB_CACHE"
"""Environment variable with the folder of downloaded models, where it is not the Hub client's own."""


@dataclass
class _Held:
    size_bytes: int
    model: Any = None
    users: int = 0
    ready: bool = False


class ModelStore:
    """Models by key within a byte budget; thread-safe. A model in use is never unloaded."""

    def __init__(self, *, cache_dir: str | Path | None = None, limit_bytes: int | None = None) -> None:
        """`limit_bytes` None: half of this machine's (or this container's) memory, or 80% of the GPU's."""
        self.cache_dir = cache_dir or os.environ.get(CACHE_VARIABLE) or None
        self._limit = limit_bytes
        self._held: OrderedDict[str, _Held] = OrderedDict()
        self._changed = threading.Condition()

    @property
    def limit_bytes(self) -> int:
        """The budget."""
        if self._limit is None:
            self._limit = default_limit()
        return self._limit

    @property
    def loaded(self) -> list[str]:
        """Keys of the loaded models, least recently used first."""
        with self._changed:
            return [key for key, held in self._held.items() if held.ready]

    @contextmanager
    def lease(self, key: str, size_bytes: int, load: Callable[[], Any]) -> Iterator[Any]:
        """The model of a key while the block runs; loaded first where it is not, by one thread.

        Raises:
            ToolError: larger than the budget, or no room within PATIENCE_SECONDS; and what `load` raises.
        """
        held = self._take(key, size_bytes)
        try:
            if not held.ready:
                self._load(key, held, load)
            yield held.model
        finally:
            with self._changed:
                held.users -= 1
                self._changed.notify_all()

    def _take(self, key: str, size_bytes: int) -> _Held:
        """The entry of a key with one more user; not ready where the caller is the one to load it."""
        if size_bytes > self.limit_bytes:
            raise ToolError(
                f"{key} needs {size_bytes / 1e9:.1f} GB in memory, more than the {self.limit_bytes / 1e9:.1f} GB for models"
            )
        until = time.monotonic() + PATIENCE_SECONDS
        with self._changed:
            while True:
                held = self._held.get(key)
                if held is not None and held.ready:
                    held.users += 1
                    self._held.move_to_end(key)
                    return held
                if held is None and self._make_room(size_bytes):
                    self._held[key] = held = _Held(size_bytes, users=1)
                    return held
                left = until - time.monotonic()
                if left <= 0:
                    raise ToolError(f"no room for {key}: other models have been in use for {PATIENCE_SECONDS:.0f} s")
                self._changed.wait(left)

    def _load(self, key: str, held: _Held, load: Callable[[], Any]) -> None:
        try:
            model = load()
        except BaseException:
            with self._changed:
                self._held.pop(key, None)
                self._changed.notify_all()
            raise
        with self._changed:
            held.model, held.ready = model, True
            self._changed.notify_all()

    def _make_room(self, size_bytes: int) -> bool:
        """Unload idle models, least recently used first, until the new one fits; the lock is held."""
        used = sum(held.size_bytes for held in self._held.values())
        idle = [key for key, held in self._held.items() if held.ready and not held.users]
        for key in idle:
            if used + size_bytes <= self.limit_bytes:
                break
            used -= self._held.pop(key).size_bytes
            _release_gpu()
        return used + size_bytes <= self.limit_bytes

    def close(self) -> None:
        """Unload everything."""
        with self._changed:
            self._held.clear()
        _release_gpu()


def model_store(resources: Resources) -> ModelStore:
    """The store that the tools of these resources share; to give it a folder or a budget, make it first:
    `resources.shared(SHARED_NAME, lambda: ModelStore(cache_dir=...))`.
    """
    return resources.shared(SHARED_NAME, ModelStore)


def default_limit() -> int:
    """Half of the memory of this machine or container, or 80% of the GPU's."""
    torch = sys.modules.get("torch")
    if torch is not None and torch.cuda.is_available():
        return int(0.8 * torch.cuda.get_device_properties(0).total_memory)
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    for name in ("/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory/memory.limit_in_bytes"):
        try:
            memory = min(memory, int(Path(name).read_text("ascii")))
        except (OSError, ValueError):  # no such limit here ("max")
            continue
    return memory // 2


def _release_gpu() -> None:
    torch = sys.modules.get("torch")
    if torch is not None and torch.cuda.is_available() and torch.cuda.is_initialized():
        torch.cuda.empty_cache()
