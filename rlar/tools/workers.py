"""A warm pool of worker processes that score samples under a deadline; a hung or crashed call costs its own sample only.

Workers are started fresh (never forked from the trainer), get tools as ToolSpecs, and answer sample by sample, so the
pool knows which sample is running: when it passes its deadline the worker is killed, that sample is a timeout, and the
rest goes to the worker's successor.
"""

from __future__ import annotations

import json
import os
import selectors
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import IO, Any

from rlar.errors import ToolError, boundary
from rlar.tools.batch import Batch, Slice
from rlar.tools.worker import encode
from rlar.types import Sample, Score, ToolSpec, failed, timed_out

LOAD_SECONDS = 120.0
"""What a worker may take to start and to load one tool (imports of scientific libraries on a busy machine)."""
CHUNK = 32
DRAIN_SECONDS = 1.0
"""What a worker may take for samples that it was sent and nobody waits for any more."""
STDERR_BYTES = 1_000_000


class WorkerPool:
    """`workers` processes, each minded by a thread of its own. Thread-safe; started on first use."""

    def __init__(self, workers: int, *, plugins: Sequence[str] = (), memory_mb: int = 4096) -> None:
        """
        Args:
            workers: processes.
            plugins: modules that each worker imports first; they may register tools.
            memory_mb: address space of one worker.
        """
        self.workers = workers
        self._plugins = tuple(plugins)
        self._memory_mb = memory_mb
        self._queue: deque[_Chunk] = deque()
        self._ready = threading.Condition()
        self._threads: list[threading.Thread] = []
        self._idle = 0
        self._is_closed = False

    def submit(self, spec: ToolSpec, samples: Sequence[Sample], *, deadline_seconds: float) -> Batch:
        """Start scoring; `Batch.wait` gives the scores."""
        batch = Batch(spec, samples)
        self.score(batch, range(len(samples)), deadline_seconds=deadline_seconds)
        return batch

    def score(
        self,
        batch: Batch,
        indices: Sequence[int],
        *,
        deadline_seconds: float,
        is_stopped: Callable[[], str | None] = lambda: None,
    ) -> None:
        """Start scoring some samples of a batch.

        Args:
            deadline_seconds: for one sample.
            is_stopped: asked before each sample is sent; a reason makes the rest fail with it at once.

        Raises:
            ToolError: the pool has been closed.
        """
        size = max(1, min(CHUNK, -(-len(indices) // (self.workers * 4))))
        with self._ready:
            if self._is_closed:
                raise ToolError("the worker pool has been closed")
            for start in range(0, len(indices), size):
                self._queue.append(_Chunk(batch, indices[start : start + size], deadline_seconds, is_stopped))
            self._ready.notify_all()
            while len(self._threads) < self.workers and self._idle < len(self._queue):
                self._idle += 1
                thread = threading.Thread(target=self._mind, name="rlar-tool-worker", daemon=True)
                self._threads.append(thread)
                thread.start()

    def close(self) -> None:
        """End the workers. What still waits fails."""
        with self._ready:
            self._is_closed = True
            waiting, self._queue = list(self._queue), deque()
            self._ready.notify_all()
        for chunk in waiting:
            chunk.fail("the worker pool has been closed")
        for thread in self._threads:
            thread.join(timeout=5.0)

    def _next(self) -> _Chunk | None:
        with self._ready:
            while not self._queue and not self._is_closed:
                self._ready.wait()
            if not self._queue:
                return None
            self._idle -= 1
            return self._queue.popleft()

    def _mind(self) -> None:
        worker: _Worker | None = None

        def run() -> None:
            nonlocal worker
            if worker is None or not worker.is_alive:
                worker = _Worker(self._plugins, self._memory_mb)
            worker.run(chunk, lambda: self._is_closed)

        def broke(error: Exception) -> None:
            # Whatever went wrong with the worker, nobody may wait for its samples forever.
            if worker is not None:
                worker.stop()
            chunk.fail(f"its worker was lost: {type(error).__name__}: {str(error)[:300]}")

        while (found := self._next()) is not None:
            chunk = found
            while chunk.indices and not chunk.batch.is_over:
                boundary(run, broke)
            with self._ready:
                self._idle += 1
        if worker is not None:
            worker.stop()


class _Chunk:
    """Samples that one worker is sent at once; those with a score leave it."""

    def __init__(
        self, batch: Batch, indices: Sequence[int], deadline_seconds: float, is_stopped: Callable[[], str | None]
    ) -> None:
        self.batch = batch
        self.indices = deque(indices)
        self.deadline_seconds = deadline_seconds
        self.is_stopped = is_stopped

    def fail(self, reason: str) -> None:
        """No sample of the chunk gets a score."""
        while self.indices:
            self.batch.give(self.indices.popleft(), failed(reason))


class _Worker:
    """One process and the pipes to it."""

    def __init__(self, plugins: Sequence[str], memory_mb: int) -> None:
        self._stderr: IO[bytes] = tempfile.TemporaryFile()  # noqa: SIM115
        paths = [path or str(Path.cwd()) for path in sys.path]
        environment = {
            **os.environ,
            "PYTHONPATH": os.pathsep.join(paths),
            "PYTHONHASHSEED": "0",
            "OMP_NUM_THREADS": "1",
        }
        self._process = subprocess.Popen(
            [sys.executable, "-P", "-m", "rlar.tools.worker"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._stderr,
            env=environment,
            bufsize=0,
            start_new_session=True,
        )
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._to, self._from = self._process.stdin.fileno(), self._process.stdout.fileno()
        os.set_blocking(self._to, False)
        os.set_blocking(self._from, False)
        self._buffer = bytearray()
        self.is_alive = True
        settings = {"parent": os.getpid(), "plugins": list(plugins), "memory_mb": memory_mb}
        self._greeting: bytes = encode(settings)

    def run(self, chunk: _Chunk, is_closed: Callable[[], bool]) -> None:
        """Score the chunk's samples until it is empty or the worker is lost."""
        batch = chunk.batch
        if reason := batch.load_error or chunk.is_stopped():
            chunk.fail(reason)
            return
        samples = [batch.samples[index].model_dump() for index in chunk.indices]
        greeting, self._greeting = self._greeting, b""
        try:
            until = time.monotonic() + LOAD_SECONDS
            self._send(greeting + encode({"spec": batch.spec.model_dump(), "samples": samples}), until)
            reply = self._receive(until, is_closed)
        except (TimeoutError, EOFError, OSError) as error:
            reply = {"load_error": self._post_mortem(error, f"was still loading after {LOAD_SECONDS:g} s")}
        if "load_error" in reply:
            batch.load_error = f"{batch.spec.id} cannot be loaded: {reply['load_error']}"
            chunk.fail(batch.load_error)
            return
        drained_by = float("inf")
        while chunk.indices:
            if reason := chunk.is_stopped():
                self.stop()
                chunk.fail(reason)
                return
            if batch.is_over and drained_by == float("inf"):
                # Quick samples are worked off, so that the worker lives on; nobody waits for slow ones.
                drained_by = time.monotonic() + DRAIN_SECONDS
            index = chunk.indices.popleft()
            part = Slice([index])
            batch.begin(part)
            try:
                until = min(time.monotonic() + chunk.deadline_seconds, drained_by)
                score = Score.model_validate(self._receive(until, is_closed, batch))
            except TimeoutError:
                self.stop()
                score = timed_out(f"no score after {chunk.deadline_seconds:g} s; {batch.named(index)}")
            except (EOFError, OSError) as error:
                score = failed(f"{self._post_mortem(error, '')}; {batch.named(index)}")
            batch.finish(part, [score])
            if not self.is_alive:
                return
        if os.fstat(self._stderr.fileno()).st_size > STDERR_BYTES:
            self._stderr.truncate(0)

    def stop(self) -> None:
        """Kill the process and whatever it started."""
        if self.is_alive:
            self.is_alive = False
            try:
                os.killpg(self._process.pid, signal.SIGKILL)
            except ProcessLookupError:
                pass
            self._process.wait()
            for stream in (self._process.stdin, self._process.stdout, self._stderr):
                if stream is not None:
                    stream.close()

    def _post_mortem(self, error: Exception, on_timeout: str) -> str:
        """Why the worker was lost, with the last line it said; the worker is stopped."""
        if isinstance(error, TimeoutError):
            self.stop()
            return on_timeout
        try:
            self._process.wait(timeout=1.0)
        except subprocess.TimeoutExpired:
            pass
        code = self._process.poll()
        self._stderr.seek(max(0, self._stderr.seek(0, os.SEEK_END) - 2000))
        lines = self._stderr.read().decode("utf-8", "replace").strip().splitlines()
        self.stop()
        if code is not None and code < 0:
            how = f"crashed its worker ({signal.Signals(-code).name})"
        else:
            how = f"ended its worker (exit code {code})"
        return f"{how}: {lines[-1][:300]}" if lines else how

    def _send(self, data: bytes, until: float) -> None:
        view = memoryview(data)
        with selectors.DefaultSelector() as selector:
            selector.register(self._to, selectors.EVENT_WRITE)
            while view:
                if not selector.select(max(0.0, until - time.monotonic())):
                    raise TimeoutError
                view = view[os.write(self._to, view) :]

    def _receive(self, until: float, is_closed: Callable[[], bool], batch: Batch | None = None) -> Any:
        """The next frame. TimeoutError also where the batch's caller has gone and the sample is not about to end."""
        with selectors.DefaultSelector() as selector:
            selector.register(self._from, selectors.EVENT_READ)
            while True:
                if len(self._buffer) >= 4:
                    end = 4 + int.from_bytes(self._buffer[:4], "little")
                    if len(self._buffer) >= end:
                        body = bytes(self._buffer[4:end])
                        del self._buffer[:end]
                        return json.loads(body)
                left = until - time.monotonic()
                if left <= 0 or is_closed() or (batch is not None and batch.is_over and left > DRAIN_SECONDS):
                    raise TimeoutError
                if not selector.select(min(left, 0.5)):
                    continue
                data = os.read(self._from, 1 << 16)
                if not data:
                    raise EOFError
                self._buffer += data
