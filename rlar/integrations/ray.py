"""A Scorer whose tools run on a Ray cluster: verifiers on CPU actors, reward models on GPU actors where there are GPUs.

Rows are routed and scores combined where `score` is called; what travels are ToolSpecs and chunks of samples. Tools that
are cheaper than the trip stay in the calling thread.
"""

from __future__ import annotations

import importlib
import logging
import re
import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Literal

from rlar.errors import ConfigError, boundary
from rlar.network import Network
from rlar.registry.registry import Registry
from rlar.scoring import runner as runs
from rlar.scoring.batch import ScoringBatch, Slice
from rlar.scoring.scorer import RoutedSample, Scorer
from rlar.tools.load import unusable, where
from rlar.types import Sample, Score, ToolSpec, failed, timed_out

__all__ = ["RayScorer", "RoutedSample"]

logger = logging.getLogger(__name__)

Place = Literal["cpu", "model"]

LARGEST_CHUNK = 256
SMALLEST_CHUNK: dict[str, int] = {"pool": 16, "sandbox": 4, "model": 32}
"""A trip takes about a millisecond: a chunk of so many samples of such a tool takes several times that."""
CHUNKS_PER_WORKER = 4
"""So many chunks a worker in one batch: few enough to be long, many enough to end at about the same time."""
IN_FLIGHT = 2
"""Chunks that a worker holds: one that it scores and one that is already there."""
TRIES = 3
"""So often a chunk may lose its worker before its samples are tried alone, and then each of them."""
PATIENCE_SECONDS = 600.0
"""Workers mind deadlines of their own; so long without any result is a cluster that does not work."""
NEVER = 1 << 31
_COLOURS = re.compile(r"\x1b\[[0-9;]*m")


class RayScorer(Scorer):
    """Rewards from a registry, equal to those of Scorer; its tools run on a Ray cluster. Use it as a context manager."""

    def __init__(
        self,
        registry: Registry | str | Path,
        *,
        cpu_workers: int | None = None,
        model_workers: int = 1,
        cpus_per_worker: float = 1.0,
        gpus_per_model_worker: float | None = None,
        **settings: Any,
    ) -> None:
        """
        Args:
            registry: a path or URL, or an open registry. Only this process reads it: no worker needs to reach it.
            cpu_workers: actors for verifiers; None: one for every CPU that the cluster has free, at least one.
            model_workers: actors for reward models; each loads the models that it is asked for.
            cpus_per_worker: what an actor reserves of its node.
            gpus_per_model_worker: what a model actor reserves; None: a whole GPU if the cluster has any, else none.
            settings: those of Scorer. `resources` cannot travel and is refused.

        Raises:
            ConfigError: Ray is not installed, or settings that cannot travel.
            RegistryError: the registry cannot be read.
        """
        if settings.get("resources") is not None:
            raise ConfigError("RayScorer: resources cannot be sent to other processes; every worker makes its own")
        super().__init__(registry, **settings)
        self._spread: dict[str, Any] = {
            "cpu_workers": cpu_workers,
            "model_workers": model_workers,
            "cpus_per_worker": cpus_per_worker,
            "gpus_per_model_worker": gpus_per_model_worker,
        }
        self._cluster = _Cluster(
            {
                "plugins": tuple(settings.get("plugins", ())),
                "deadline_seconds": settings.get("deadline_seconds", 10.0),
                # What is allowed is said where the scorer is made; secrets are read where they are sent from.
                "network": Network.of_user(settings.get("allow_hosts", ())),
            },
            **self._spread,
        )
        self._runner.cluster = self._cluster

    @property
    def rescored(self) -> int:
        """Samples that were sent again because their worker was lost."""
        return self._cluster.rescored

    def __reduce__(self) -> tuple[Any, ...]:
        if not self._owns_registry:
            raise TypeError("a RayScorer on an open Registry cannot be pickled; make it from a path")
        return _rebuild, (self._registry.address, {**self._settings, **self._spread})


def _rebuild(address: str, settings: dict[str, Any]) -> RayScorer:
    return RayScorer(address, **settings)


# ------------------------------------------------------------------------------------------ on the cluster


class _Worker:
    """What an actor is: a runner of its own, with one worker process for what may hang or crash."""

    def __init__(self, plugins: Sequence[str], deadline_seconds: float, network: Network) -> None:
        for name in plugins:
            importlib.import_module(name)
        # Only the caller sees every failure of a tool, so only the caller quarantines.
        self._runner = runs.Runner(
            None,
            workers=1,
            plugins=plugins,
            deadline_seconds=deadline_seconds,
            quarantine_after=NEVER,
            network=network,
        )

    def score(self, spec: ToolSpec, samples: Sequence[Sample]) -> list[Score]:
        """One Score per sample, in order."""
        if problem := unusable(spec):
            return [failed(f"on a Ray worker: {problem}")] * len(samples)
        return self._runner.run([(spec, samples)])[0]


# ------------------------------------------------------------------------------------------ at the caller


class _Actor:
    """An actor's handle and the chunks that it holds, oldest first."""

    def __init__(self, handle: Any) -> None:
        self.handle = handle
        self.held: list[_Chunk] = []


class _Chunk(Slice):
    """Some samples of a batch on their way."""

    __slots__ = ("actor", "losses")

    def __init__(self, indices: Sequence[int], losses: int = 0) -> None:
        super().__init__(indices)
        self.losses = losses
        """Workers that were lost while they scored it."""
        self.actor: _Actor | None = None


class _Cluster:
    """The workers on the cluster, started when they are first needed and replaced when they are lost. Thread-safe."""

    def __init__(
        self,
        settings: dict[str, Any],
        *,
        cpu_workers: int | None,
        model_workers: int,
        cpus_per_worker: float,
        gpus_per_model_worker: float | None,
    ) -> None:
        try:
            import ray
            import ray.exceptions
        except ImportError as error:
            raise ConfigError("RayScorer needs Ray: pip install 'rlar[ray]'") from error
        self.ray: Any = ray
        self._settings = settings
        self._wanted = {"cpu": cpu_workers, "model": model_workers}
        self._cpus = cpus_per_worker
        self._gpus = gpus_per_model_worker
        self._actors: dict[Place, list[_Actor]] = {}
        self._lock = threading.Lock()
        self._owns_ray = False
        self.rescored = 0

    def takes(self, spec: ToolSpec) -> bool:
        """Whether a tool is worth the trip."""
        return where(spec) != "inline"

    def score(self, batch: ScoringBatch, is_stopped: Callable[[], str | None]) -> None:
        """Give a batch its scores; returns when all are there, or nobody waits for them any more."""

        def broke(error: Exception) -> None:
            for index in range(len(batch.samples)):
                batch.give(index, failed(f"Ray cannot be used: {_last_line(error)}"))

        boundary(lambda: _Trip(self, batch, is_stopped).run(), broke)

    def of(self, place: Place) -> list[_Actor]:
        """The workers of a kind."""
        with self._lock:
            if not self.ray.is_initialized():
                self.ray.init(log_to_driver=False, include_dashboard=False)
                self._owns_ray = True
            if place not in self._actors:
                self._actors[place] = [_Actor(self._start(place)) for _ in range(self._count(place))]
            return list(self._actors[place])

    def _count(self, place: Place) -> int:
        free = float(self.ray.available_resources().get("CPU", 0.0))
        wanted = self._wanted[place]
        if wanted is None:
            wanted = max(1, int(free // max(self._cpus, 0.01)))
        if place == "cpu" and wanted * self._cpus > free:
            logger.warning(
                "Ray has %g free CPUs for %d workers of %g: those that find no place wait until one is given back",
                free, wanted, self._cpus,
            )  # fmt: skip
        return wanted

    def _start(self, place: Place) -> Any:
        options: dict[str, Any] = {"num_cpus": self._cpus, "max_restarts": 0, "max_task_retries": 0}
        if place == "model":
            gpus = self._gpus
            if gpus is None:
                gpus = 1.0 if self.ray.cluster_resources().get("GPU", 0.0) >= 1.0 else 0.0
            # Beside a full set of CPU workers there is no CPU left to reserve; the GPU, where there is one, is enough.
            options |= {"num_gpus": gpus, "num_cpus": 0}
        return self.ray.remote(_Worker).options(**options).remote(**self._settings)

    def send(self, batch: ScoringBatch, place: Place, chunk: _Chunk, *, is_first: bool) -> Any:
        """The reference of a chunk's scores, with the least busy worker; None when all have enough to do.

        Args:
            is_first: the batch has nothing on its way, so it may not wait for others' chunks to come back.
        """
        actors = self.of(place)
        with self._lock:
            actor = min(actors, key=lambda item: len(item.held))
            if len(actor.held) >= IN_FLIGHT and not is_first:
                return None
            actor.held.append(chunk)
            chunk.actor = actor
        return actor.handle.score.remote(batch.spec, [batch.samples[index] for index in chunk.indices])

    def came_back(self, chunk: _Chunk) -> bool:
        """Take a chunk off its worker's list; whether it was the one being scored."""
        with self._lock:
            if chunk.actor is None or chunk not in chunk.actor.held:
                return False
            was_first = chunk.actor.held[0] is chunk
            chunk.actor.held.remove(chunk)
            return was_first

    def replace(self, place: Place, lost: _Actor | None) -> None:
        """A new worker in the place of one that is lost; of several who say so, the first starts it."""
        with self._lock:
            actors = self._actors.get(place, [])
            for index, actor in enumerate(actors):
                if actor is lost:
                    actors[index] = _Actor(self._start(place))
                    self.ray.kill(actor.handle)

    def forget(self, place: Place, broken: _Actor | None) -> None:
        """Drop a worker that could not start. Its successor would fare no better now; without any, the next call tries."""
        with self._lock:
            left = [actor for actor in self._actors.get(place, []) if actor is not broken]
            if left:
                self._actors[place] = left
            else:
                self._actors.pop(place, None)

    def note_rescored(self, samples: int) -> None:
        """Count samples that are sent again."""
        with self._lock:
            self.rescored += samples

    def close(self) -> None:
        """End the workers, and Ray where it was started here."""
        with self._lock:
            actors, self._actors = self._actors, {}
            if self.ray.is_initialized():
                for actor in (item for group in actors.values() for item in group):
                    self.ray.kill(actor.handle)
                if self._owns_ray:
                    self.ray.shutdown()
                    self._owns_ray = False


class _Trip:
    """The chunks of one batch, from the first that leaves to the last that is back."""

    def __init__(self, cluster: _Cluster, batch: ScoringBatch, is_stopped: Callable[[], str | None]) -> None:
        self._cluster, self._batch, self._is_stopped = cluster, batch, is_stopped
        kind = where(batch.spec)
        self._place: Place = "model" if kind == "model" else "cpu"
        workers = len(cluster.of(self._place))
        size = min(LARGEST_CHUNK, max(SMALLEST_CHUNK[kind], -(-len(batch.samples) // (workers * CHUNKS_PER_WORKER))))
        everything = range(len(batch.samples))
        self._todo = deque(_Chunk(everything[start : start + size]) for start in range(0, len(everything), size))
        self._refs: dict[Any, _Chunk] = {}

    def run(self) -> None:
        """Wait for every chunk; send again what lost its worker."""
        self._fill()
        silent_until = time.monotonic() + PATIENCE_SECONDS
        while self._refs:
            if self._batch.is_over:
                return self._give_up("the caller waits no longer")
            if time.monotonic() > silent_until:
                return self._give_up(f"nothing came back from Ray for {PATIENCE_SECONDS:g} s")
            ready, _rest = self._cluster.ray.wait(list(self._refs), num_returns=1, timeout=1.0)
            for ref in ready:
                silent_until = time.monotonic() + PATIENCE_SECONDS
                self._take(ref, self._refs.pop(ref))
            self._fill()

    def _fill(self) -> None:
        """Send what the workers can take."""
        while self._todo:
            chunk = self._todo[0]
            if reason := self._is_stopped():
                self._todo.popleft()
                self._fail(chunk, reason, counts=False)
                continue
            try:
                ref = self._cluster.send(self._batch, self._place, chunk, is_first=not self._refs)
            except self._cluster.ray.exceptions.RayError as error:
                self._todo.popleft()
                self._cluster.came_back(chunk)
                self._fail(chunk, f"Ray cannot be used: {_last_line(error)}")
                continue
            if ref is None:
                break
            self._refs[ref] = self._todo.popleft()
            self._batch.begin(chunk)

    def _take(self, ref: Any, chunk: _Chunk) -> None:
        exceptions = self._cluster.ray.exceptions
        try:
            scores = self._cluster.ray.get(ref)
        except exceptions.RayTaskError as error:
            self._cluster.came_back(chunk)
            self._fail(chunk, f"on a Ray worker: {_last_line(error)}")
            return
        except (exceptions.RayActorError, exceptions.WorkerCrashedError, exceptions.ObjectLostError) as error:
            was_scored = self._cluster.came_back(chunk)
            if isinstance(error, exceptions.RayActorError) and error.actor_init_failed:
                self._cluster.forget(self._place, chunk.actor)
                self._fail(chunk, f"a Ray worker cannot be started: {_last_line(error)}")
            else:
                self._cluster.replace(self._place, chunk.actor)
                # Only what was being scored can have brought the worker down; what waited there is innocent.
                self._again(chunk, chunk.losses + was_scored, _last_line(error))
            return
        self._cluster.came_back(chunk)
        self._batch.finish(chunk, scores)

    def _again(self, chunk: _Chunk, losses: int, why: str) -> None:
        if losses < TRIES:
            again = [_Chunk(chunk.indices, losses)]
        elif len(chunk.indices) > 1:
            again = [_Chunk([index], 1) for index in chunk.indices]
        else:
            self._fail(chunk, f"its Ray worker was lost {losses} times: {why}")
            return
        self._batch.drop(chunk)
        logger.warning(
            "tool %s: a Ray worker was lost (%s); %d samples are scored again",
            self._batch.spec.id,
            why,
            len(chunk.indices),
        )
        self._cluster.note_rescored(len(chunk.indices))
        self._todo.extendleft(reversed(again))

    def _give_up(self, why: str) -> None:
        for ref, chunk in self._refs.items():
            self._cluster.ray.cancel(ref)
            self._cluster.came_back(chunk)
            if not self._batch.is_over:
                self._cluster.replace(self._place, chunk.actor)
        for chunk in (*self._refs.values(), *self._todo):
            self._batch.finish(chunk, [timed_out(why)] * len(chunk.indices), counts=False)

    def _fail(self, chunk: _Chunk, reason: str, *, counts: bool = True) -> None:
        self._batch.finish(chunk, [failed(reason)] * len(chunk.indices), counts=counts)


def _last_line(error: BaseException) -> str:
    """The kind of an error and its last line, where the cause stands: Ray's messages hold whole coloured tracebacks."""
    lines = [line.strip() for line in _COLOURS.sub("", str(error)).splitlines() if line.strip()]
    return f"{type(error).__name__}: {lines[-1][:300]}" if lines else type(error).__name__
