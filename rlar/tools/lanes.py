"""Daemon threads that are used again: what hangs in one costs that thread, never the end of the process."""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable

IDLE_SECONDS = 30.0


class Lanes:
    """Runs calls beside the caller, each at once in a thread of its own. Thread-safe.

    There is no limit here: a pool that hung calls fill would hold up everybody else. Unlike those of
    concurrent.futures, these threads do not keep a process from ending.
    """

    def __init__(self) -> None:
        self._calls: queue.SimpleQueue[Callable[[], None] | None] = queue.SimpleQueue()
        self._lock = threading.Lock()
        self._idle = 0

    def start(self, call: Callable[[], None]) -> None:
        """Run a call that raises nothing."""
        with self._lock:
            is_fresh = self._idle == 0
            if not is_fresh:
                self._idle -= 1
        self._calls.put(call)
        if is_fresh:
            threading.Thread(target=self._work, name="rlar-lane", daemon=True).start()

    def close(self) -> None:
        """End the threads that have nothing to do."""
        with self._lock:
            ending, self._idle = self._idle, 0
        for _ in range(ending):
            self._calls.put(None)

    def _work(self) -> None:
        while True:
            try:
                call = self._calls.get(timeout=IDLE_SECONDS)
            except queue.Empty:
                with self._lock:
                    if self._idle:
                        self._idle -= 1
                        return
                continue  # somebody counts on this thread: a call is on its way
            if call is None:
                return
            call()
            del call  # it may hold a whole batch
            with self._lock:
                self._idle += 1
