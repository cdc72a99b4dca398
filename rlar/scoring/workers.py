"""A warm pool of worker processes that score samples under a deadline; a hung or crashed call costs its own sample only.

Workers are started fresh (never forked from the trainer), get tools as ToolSpecs, and say in shared memory which sample
runs: when it passes its deadline the worker is killed, that sample is a timeout, and the rest goes to the worker's
successor. A worker has its next chunk before it is done with the last one, so that it never waits for this process.
"""

from __future__ import annotations

import json
import mmap
import tempfile
import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from typing import Any

from rlar.errors import ToolError, boundary
from rlar.process import Child, to_json
from rlar.scoring.batch import ScoringBatch, Slice
from rlar.types import Sample, Score, ToolSpec, failed, timed_out

LOAD_SECONDS = 120.0
"""What a worker may take to start and to load one tool (imports of scientific libraries on a busy machine)."""
CHUNK = 32
"""Samples that a worker is sent at once, at most."""
FIRST_CHUNK = 8
"""The same for a tool of unknown cost."""
CHUNK_SECONDS = 0.05
"""What a chunk should take: small enough that all workers end together."""
DRAIN_SECONDS = 1.0
"""What a worker may take for samples that it was sent and nobody waits for any more."""


class WorkerPool:
    """`workers` processes, each driven by its own thread. Thread-safe; started on first use."""

    def __init__(
        self, workers: int, *, plugins: Sequence[str] = (), memory_mb: int = 4096, hash_seed: str = "0"
    ) -> None:
        """
        Args:
            workers: processes.
            plugins: modules that each worker imports first; they may register tools.
            memory_mb: address space of one worker.
            hash_seed: PYTHONHASHSEED of the workers; equal input must give equal output.
        """
        self.workers = workers
        self.plugins = tuple(plugins)
        self.memory_mb = memory_mb
        self.hash_seed = hash_seed
        self.is_closed = False
        self._queue: deque[_Chunk] = deque()
        self._ready = threading.Condition()
        self._threads: list[threading.Thread] = []
        self._idle = 0
        self._costs: dict[str, float] = {}

    def submit(self, spec: ToolSpec, samples: Sequence[Sample], *, deadline_seconds: float) -> ScoringBatch:
        """Start scoring; `ScoringBatch.wait` gives the scores."""
        batch = ScoringBatch(spec, samples)
        self.score(batch, range(len(samples)), deadline_seconds=deadline_seconds)
        return batch

    def score(
        self,
        batch: ScoringBatch,
        indices: Sequence[int],
        *,
        deadline_seconds: float,
        is_stopped: Callable[[], str | None] = lambda: None,
        is_urgent: bool = False,
    ) -> None:
        """Start scoring some samples of a batch.

        Args:
            deadline_seconds: for one sample.
            is_stopped: asked again and again; a reason makes the rest fail with it at once.
            is_urgent: before what waits already.

        Raises:
            ToolError: the pool has been closed.
        """
        cost = self.cost(batch.spec.id)
        most = max(1, min(CHUNK, int(CHUNK_SECONDS / cost))) if cost else FIRST_CHUNK
        size = max(1, min(most, -(-len(indices) // (self.workers * 4))))
        with self._ready:
            if self.is_closed:
                raise ToolError("the worker pool has been closed")
            for start in range(0, len(indices), size):
                chunk = _Chunk(batch, indices[start : start + size], deadline_seconds, is_stopped)
                (self._queue.appendleft if is_urgent else self._queue.append)(chunk)
            self._ready.notify_all()
            while len(self._threads) < self.workers and self._idle < len(self._queue):
                self._idle += 1
                thread = threading.Thread(target=_WorkerThread(self).run, name="rlar-tool-worker", daemon=True)
                self._threads.append(thread)
                thread.start()

    def cost(self, tool_id: str) -> float:
        """Seconds a sample took lately; 0.0 for a tool that has not run here."""
        return self._costs.get(tool_id, 0.0)

    def note_cost(self, tool_id: str, seconds: float) -> None:
        """Take note of what a sample took."""
        self._costs[tool_id] = 0.8 * self._costs.get(tool_id, seconds) + 0.2 * seconds

    def close(self) -> None:
        """End the workers. What still waits fails."""
        with self._ready:
            self.is_closed = True
            waiting, self._queue = list(self._queue), deque()
            self._ready.notify_all()
        for chunk in waiting:
            chunk.fail("the worker pool has been closed")
        for thread in self._threads:
            thread.join(timeout=5.0)

    def next(self) -> _Chunk | None:
        """The next chunk, as soon as there is one; None when the pool has been closed."""
        with self._ready:
            while not self._queue and not self.is_closed:
                self._ready.wait()
            if not self._queue:
                return None
            self._idle -= 1
            return self._queue.popleft()

    def next_but_one(self) -> _Chunk | None:
        """A chunk for a worker that has one; None where idle workers may want what there is."""
        if not self._queue:
            return None
        with self._ready:
            starting = self.workers - len(self._threads)
            return self._queue.popleft() if len(self._queue) > self._idle + starting else None

    def rest(self) -> None:
        """A worker has nothing to do."""
        with self._ready:
            self._idle += 1


class _Chunk:
    """Samples that one worker is sent at once; those with a score leave it."""

    def __init__(
        self, batch: ScoringBatch, indices: Sequence[int], deadline_seconds: float, is_stopped: Callable[[], str | None]
    ) -> None:
        self.batch = batch
        self.indices = deque(indices)
        self.deadline_seconds = deadline_seconds
        self.is_stopped = is_stopped
        self.sent: list[int] = []
        """What its worker has been sent; empty before."""
        self.is_loading = False
        """The worker was sent the tool, too, and has not said whether it can be loaded."""
        self.running = Slice(())
        """For the batch: what is not yet known to be done."""

    def fail(self, reason: str) -> None:
        """No sample of the chunk gets a score."""
        self.batch.drop(self.running)
        while self.indices:
            self.batch.give(self.indices.popleft(), failed(reason))

    def take(self, scores: Sequence[Score]) -> None:
        """The scores of the next samples."""
        for score in scores:
            self.batch.give(self.indices.popleft(), score)
        self.mark()

    def take_one(self, index: int, score: Score) -> None:
        """The score of a sample out of turn: its worker was lost."""
        self.indices.remove(index)
        self.batch.give(index, score)
        self.batch.drop(self.running)
        self.sent = []

    def mark(self) -> None:
        """Tell the batch which sample runs."""
        self.batch.drop(self.running)
        if self.indices:
            self.running = Slice([self.indices[0]])
            self.batch.begin(self.running)


class _WorkerThread:
    """A thread with one worker at a time: keeps it busy, and replaces it when it is lost."""

    def __init__(self, pool: WorkerPool) -> None:
        self._pool = pool
        self._worker: _Worker | None = None
        self._chunks: deque[_Chunk] = deque()
        """With the worker, in the order in which it works them off."""

    def run(self) -> None:
        while (chunk := self._pool.next()) is not None:
            self._chunks.append(chunk)
            while self._chunks:
                boundary(self._step, self._broke)
            self._pool.rest()
        if self._worker is not None:
            self._worker.stop()

    def _step(self) -> None:
        chunk, worker = self._chunks[0], self._worker
        if reason := "the worker pool has been closed" if self._pool.is_closed else chunk.is_stopped():
            if chunk.sent and worker is not None:
                worker.stop()  # it is at it
            chunk.fail(reason)
        if not chunk.indices or (chunk.batch.is_over and not chunk.sent):
            self._chunks.popleft()
            return
        if worker is None or not worker.is_alive:
            worker = self._worker = _Worker(self._pool)
            for each in self._chunks:
                each.sent = []
        if len(self._chunks) < 2 and (more := self._pool.next_but_one()) is not None:
            self._chunks.append(more)
        for each in self._chunks:
            if not each.sent:
                worker.send(each)
        worker.receive(chunk)
        if not chunk.indices or (chunk.batch.is_over and not worker.is_alive):
            self._chunks.popleft()

    def _broke(self, error: Exception) -> None:
        # Whatever went wrong with the worker, nobody may wait for its samples forever.
        if self._worker is not None:
            self._worker.stop()
        while self._chunks:
            self._chunks.popleft().fail(f"its worker was lost: {type(error).__name__}: {str(error)[:300]}")


class _Worker:
    """One process and the pipes to it."""

    def __init__(self, pool: WorkerPool) -> None:
        self._pool = pool
        with tempfile.TemporaryFile() as page:
            page.truncate(mmap.PAGESIZE)
            self._running = mmap.mmap(page.fileno(), mmap.PAGESIZE)
            self._child = Child(
                "rlar.scoring.worker",
                environment={"PYTHONHASHSEED": pool.hash_seed, "OMP_NUM_THREADS": "1"},
                pass_fds=(page.fileno(),),
            )
            settings = {"running": page.fileno(), "plugins": list(pool.plugins), "memory_mb": pool.memory_mb}
        self._tools: set[str] = set()
        """Loaded there."""
        self._since = time.monotonic()
        """When it was last heard of, or got something to do."""
        self._greeting = [to_json(settings)]

    @property
    def is_alive(self) -> bool:
        """Until it is stopped or found lost."""
        return self._child.is_open

    def send(self, chunk: _Chunk) -> None:
        """Have the samples scored after those that it has already."""
        spec, batch = chunk.batch.spec, chunk.batch
        request: dict[str, Any] = {"tool": spec.id}
        chunk.sent = list(chunk.indices)
        chunk.is_loading = spec.id not in self._tools
        if chunk.is_loading:
            request["spec"] = spec.model_dump()
        request["samples"] = [batch.samples[index].model_dump(exclude={"written"}) for index in chunk.sent]
        greeting, self._greeting = self._greeting, []
        try:
            self._child.send(*greeting, to_json(request), until=time.monotonic() + LOAD_SECONDS)
        except (TimeoutError, OSError):
            pass  # it is gone; `receive` finds out how

    def receive(self, chunk: _Chunk) -> None:
        """Take what it has to say about the chunk next, or find out that the worker is lost."""
        now, batch = time.monotonic(), chunk.batch
        if not chunk.running.indices:
            self._since = now
            chunk.mark()
        limit = LOAD_SECONDS if chunk.is_loading else chunk.deadline_seconds
        until = self._since + limit
        try:
            reply = self._read(min(until, now + DRAIN_SECONDS) if batch.is_over else until, batch)
        except TimeoutError:
            self._timed_out(chunk, limit)
            return
        except (EOFError, OSError):
            self._crashed(chunk)
            return
        self._since = time.monotonic()
        if "scores" in reply:
            scores = [Score.model_validate(score) for score in reply["scores"]]
            self._pool.note_cost(batch.spec.id, reply["seconds"] / len(scores))
            chunk.take(scores)
        elif "loaded" in reply:
            chunk.is_loading = False
            self._tools.add(batch.spec.id)
        else:
            chunk.fail(f"{batch.spec.id} cannot be loaded: {reply['load_error']}")
        self._child.trim()

    def stop(self) -> None:
        """Kill the process and whatever it started."""
        self._child.close()
        self._running.close()

    def _timed_out(self, chunk: _Chunk, limit: float) -> None:
        culprit = self._culprit(chunk)
        self.stop()
        if self._pool.is_closed:
            chunk.fail("the worker pool has been closed")
        elif chunk.is_loading:
            chunk.fail(f"{chunk.batch.spec.id} cannot be loaded: was still loading after {limit:g} s")
        else:
            chunk.take_one(culprit, timed_out(f"no score after {limit:g} s; {chunk.batch.named(culprit)}"))

    def _crashed(self, chunk: _Chunk) -> None:
        culprit = self._culprit(chunk)
        end = self._child.end()
        how = f"crashed its worker ({end.signal})" if end.signal else f"ended its worker (exit code {end.code})"
        how = f"{how}: {end.line}" if end.line else how
        self._running.close()
        if chunk.is_loading:
            chunk.fail(f"{chunk.batch.spec.id} cannot be loaded: {how}")
        else:
            chunk.take_one(culprit, failed(f"{how}; {chunk.batch.named(culprit)}"))

    def _culprit(self, chunk: _Chunk) -> int:
        """The sample that was running."""
        running = int.from_bytes(self._running[:4], "little")
        done = len(chunk.sent) - len(chunk.indices)
        # What the worker has not told us yet is scored again, except for one: else a worker that dies early never ends.
        return chunk.sent[running] if done <= running < len(chunk.sent) else chunk.indices[0]

    def _read(self, until: float, batch: ScoringBatch) -> Any:
        """The next frame. TimeoutError also where nobody waits for it, and it is not about to come."""

        def is_given_up() -> bool:
            return self._pool.is_closed or (batch.is_over and until - time.monotonic() > DRAIN_SECONDS)

        return json.loads(self._child.receive(until=until, is_given_up=is_given_up))
