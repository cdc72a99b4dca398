"""Runs batches of tools where each belongs: a thread of this process, worker processes, many threads; with a circuit breaker.

Every call returns one valid Score per sample whatever a tool does; see `rlar.tool.score_checked` for what is valid. No call
waits past a limit: worker processes are killed at a sample's deadline; a call in a thread of this process is left behind
(its thread cannot be ended), its sample becomes a timeout and another thread goes on with the rest.
"""

from __future__ import annotations

import logging
import threading
import time
from asyncio import CancelledError
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Protocol

from rlar.errors import boundary
from rlar.network import Network
from rlar.process import Lanes
from rlar.scoring.batch import ScoringBatch, Slice, Waiting, Watched
from rlar.scoring.workers import WorkerPool
from rlar.tool import Resources, RewardTool, group_indices, group_key, needs_whole_groups, score_checked
from rlar.tools.load import KindOfTool, Place, batch_size, kind_of, load_tool, where, why_not_loaded
from rlar.types import Sample, Score, ToolSpec, digest, failed, timed_out

logger = logging.getLogger(__name__)

EXITS = (SystemExit, KeyboardInterrupt, GeneratorExit, CancelledError)
"""What a tool may raise beside an Exception; it would end the thread and leave the caller waiting."""
START_ORDER: tuple[Place, ...] = ("model", "sandbox", "pool", "inline")

INLINE_CHARACTERS = 20_000
"""Longer completions of inline tools go to a worker: no pattern is quick on everything a policy may write."""
INLINE_SLICE = 64
"""Samples of an inline tool between two looks at the breaker."""
MODEL_SLICE = 128
"""Samples of a reward model in one call; what it computes at once is its own affair."""
PATIENCE_SECONDS = 600.0
"""For one call of what has deadlines of its own (sandbox, network, models): this long without a result is a hang."""
TRIAL_ROWS = 3
"""Rows on which a suspected tool is tried."""


@dataclass
class _Suspicion:
    """What speaks against a tool since it last worked."""

    rows: set[str] = field(default_factory=set)
    completions: set[str] = field(default_factory=set)
    samples: list[Sample] = field(default_factory=list)
    """Failed ones of different rows, the first few."""
    error: str = ""
    is_tried: bool = False
    """The tool is being tried on samples that no policy wrote."""

    def note(self, sample: Sample, score: Score) -> None:
        row = group_key(sample)
        if row not in self.rows and len(self.samples) < TRIAL_ROWS:
            self.samples.append(sample)
        self.rows.add(row)
        self.completions.add(digest(sample.completion, size=32))
        self.error = score.error or score.status


class Breaker:
    """Tells tools that are broken from rows and completions that break them, and quarantines the former; thread-safe.

    A tool is suspected when `after` different rows with as many different completions got no score from it, and nothing
    got one in between. Even then it may be the policy that found out how to stop it: so a suspected tool is tried on what no
    policy wrote, and on the sample that it last could score (`count` hands them out, `decide` is told how it went).
    Only one that fails them all is quarantined.

    A quarantined tool is tried again by itself after a while (`retry_seconds`, doubled each time it fails at once): a
    server that was down comes back.
    """

    MAX_RETRY_SECONDS = 3600.0

    def __init__(self, after: int, *, retry_seconds: float = 60.0) -> None:
        self._after = after
        self._retry_seconds = retry_seconds
        self._suspicions: dict[str, _Suspicion] = {}
        self._worked: dict[str, Sample] = {}
        """Tool -> what it scored last."""
        self._quarantined: dict[str, str] = {}
        self._retries: dict[str, tuple[float, float]] = {}
        """Tool -> when it is tried again, and how long it was kept out the last time."""
        self._warned: set[str] = set()
        self._lock = threading.Lock()

    @property
    def quarantined(self) -> dict[str, str]:
        """Why each quarantined tool is out, by id."""
        with self._lock:
            return dict(self._quarantined)

    def stopped(self, tool_id: str) -> str | None:
        """Why the tool may not be called; None when it may."""
        if not self._quarantined:
            return None
        with self._lock:
            why = self._quarantined.get(tool_id)
            if why is not None and time.monotonic() >= self._retries[tool_id][0]:
                del self._quarantined[tool_id]
                why = None
        return why

    def count(self, tool_id: str, sample: Sample, score: Score) -> list[Sample]:
        """Take note of one result. The samples to try the tool on, where that is due; `decide` wants their scores."""
        if score.status in ("ok", "abstain"):
            self._worked[tool_id] = sample
            if tool_id in self._suspicions or tool_id in self._retries:
                with self._lock:
                    self._acquit(tool_id)
            return []
        with self._lock:
            suspicion = self._suspicions.setdefault(tool_id, _Suspicion())
            suspicion.note(sample, score)
            needed = 1 if tool_id in self._retries else self._after  # it was out before: one failure is enough to ask
            failures = min(len(suspicion.rows), len(suspicion.completions))
            is_due = failures >= needed and not suspicion.is_tried and tool_id not in self._quarantined
            suspicion.is_tried |= is_due
            is_news = tool_id not in self._warned
            self._warned.add(tool_id)
        if is_news:
            logger.warning("tool %s: %s: %s. Further ones are only counted.", tool_id, score.status, score.error)
        if not is_due:
            return []
        worked = self._worked.get(tool_id)
        return [*([worked] if worked is not None else []), *map(_by_no_policy, suspicion.samples)]

    def decide(self, tool_id: str, scores: Sequence[Score]) -> None:
        """Quarantine a suspected tool that scored none of the samples it was tried on."""
        with self._lock:
            suspicion = self._suspicions.get(tool_id)
            if suspicion is None or not suspicion.is_tried:
                return  # it has worked meanwhile
            number = min(len(suspicion.rows), len(suspicion.completions))
            if is_fine := any(score.status in ("ok", "abstain") for score in scores):
                self._acquit(tool_id)
            else:
                kept_out = self._retry_seconds
                if tool_id in self._retries:
                    kept_out = min(self.MAX_RETRY_SECONDS, 2 * self._retries[tool_id][1])
                why = (
                    f"quarantined in this process after failures on {number} different rows and completions in a row, "
                    f"and on samples that no policy wrote; the last: {suspicion.error}"
                )
                self._retries[tool_id] = (time.monotonic() + kept_out, kept_out)
                self._quarantined[tool_id] = why
                del self._suspicions[tool_id]
        if is_fine:
            logger.warning(
                "tool %s gave no score for %d different rows and completions in a row but works on others; it stays",
                tool_id,
                number,
            )
        else:
            logger.warning(
                "tool %s is %s. Its completions get no reward; it is tried again in %g s.", tool_id, why, kept_out
            )

    def forgive(self, tool_id: str) -> None:
        """Let the tool be called again."""
        with self._lock:
            self._quarantined.pop(tool_id, None)
            self._retries.pop(tool_id, None)
            self._suspicions.pop(tool_id, None)

    def _acquit(self, tool_id: str) -> None:
        """With the lock held: the tool works."""
        self._suspicions.pop(tool_id, None)
        if tool_id not in self._quarantined and self._retries.pop(tool_id, None) is not None:
            logger.warning("tool %s works again", tool_id)


def _by_no_policy(sample: Sample) -> Sample:
    """The row with a completion that no policy wrote: its reference, or a plain sentence."""
    references = sample.references or ((sample.reference,) if sample.reference else ())
    return sample.model_copy(update={"completion": references[0] if references else "I do not know."})


class Cluster(Protocol):
    """Machines that take batches off this one."""

    def takes(self, spec: ToolSpec) -> bool:
        """Whether a tool runs there."""
        ...

    def score(self, batch: ScoringBatch, is_stopped: Callable[[], str | None]) -> None:
        """Give a batch its scores, and raise nothing. `is_stopped` is asked again and again; a reason ends it at once."""
        ...

    def close(self) -> None:
        """Let go of the machines."""
        ...


class Runner:
    """Scores batches; owns the worker pool, and the resources where none were handed in."""

    def __init__(
        self,
        resources: Resources | None,
        *,
        workers: int,
        plugins: Sequence[str],
        deadline_seconds: float,
        quarantine_after: int,
        patience_seconds: float = PATIENCE_SECONDS,
        network: Network | None = None,
    ) -> None:
        self.breaker = Breaker(quarantine_after)
        self._owns_resources = resources is None
        self._resources = resources if resources is not None else Resources(network=network)
        self._pool = WorkerPool(workers, plugins=plugins) if workers else None
        self._threads = max(1, workers)
        self._deadline_seconds = deadline_seconds
        self._patience_seconds = patience_seconds
        self.cluster: Cluster | None = None
        """Other machines, where tools that are worth the trip run; closed with this runner."""
        self._lanes = Lanes()
        self._tools: dict[str, RewardTool] = {}
        self._manners: dict[str, tuple[Place, KindOfTool]] = {}
        self._loading: dict[str, threading.Lock] = {}
        self._lock = threading.Lock()

    def run(
        self, batches: Sequence[tuple[ToolSpec, Sequence[Sample]]], waiting: Waiting | None = None
    ) -> list[list[Score]]:
        """The scores of every batch, in order; all run at the same time."""
        waiting = waiting or Waiting()
        started = {
            place: self._start(*batches[place]) for place in sorted(range(len(batches)), key=self._rank(batches))
        }
        return [started[place].wait(waiting) for place in range(len(batches))]

    def call(
        self,
        tool: RewardTool,
        samples: Sequence[Sample],
        *,
        seconds: float,
        slowdown: Callable[[], float] = lambda: 1.0,
    ) -> list[Score] | None:
        """The scores of one call of a live tool that is on trial: nothing is cut, sorted, counted, kept out or put right.

        None for a call that is not back in time; it is left behind in its thread.

        Args:
            seconds: what the call may take on a machine that has nothing else to do.
            slowdown: asked once they are over: how many times longer it may take now, at least 1.
        """
        batch, part = ScoringBatch(tool.spec, samples), Slice(range(len(samples)), seconds)
        began, is_late = time.monotonic(), False

        def overdue(part: Slice) -> None:
            nonlocal is_late
            part.until = began + seconds * slowdown()
            if part.until <= time.monotonic():
                is_late = True
                batch.finish(part, [timed_out("left behind")] * len(samples))

        batch.on_overdue = overdue
        batch.begin(part)
        self.lane(lambda: batch.finish(part, _scores(tool, samples, is_bounded=False, on_trial=True)))
        scores = batch.wait()
        return None if is_late else scores

    def _count(self, spec: ToolSpec, sample: Sample, score: Score) -> None:
        if trial := self.breaker.count(spec.id, sample, score):
            self.lane(lambda: boundary(lambda: self._try(spec, trial), lambda _error: None))

    def _try(self, spec: ToolSpec, trial: Sequence[Sample]) -> None:
        """Find out whether a suspected tool works at all."""
        self.breaker.decide(spec.id, self._start(spec, trial, is_trial=True).wait())

    def _rank(self, batches: Sequence[tuple[ToolSpec, Sequence[Sample]]]) -> Callable[[int], tuple[int, float]]:
        """Calls that wait for other machines start first, then the most expensive ones in the pool: what ends last begins first."""

        def rank(place: int) -> tuple[int, float]:
            spec = batches[place][0]
            cost = self._pool.cost(spec.id) if self._pool is not None else 0.0
            return START_ORDER.index(self.manner(spec)[0]), -cost

        return rank

    def _start(self, spec: ToolSpec, samples: Sequence[Sample], *, is_trial: bool = False) -> ScoringBatch:
        breaker, tool_id = self.breaker, spec.id
        batch = ScoringBatch(spec, samples) if is_trial else ScoringBatch(spec, samples, partial(self._count, spec))
        everything: Sequence[int] = range(len(samples))
        if reason := breaker.stopped(tool_id):
            for index in everything:
                batch.give(index, failed(reason), counts=False)
            return batch
        if (cluster := self.cluster) is not None and cluster.takes(spec):
            self.lane(lambda: cluster.score(batch, lambda: breaker.stopped(tool_id)))
            return batch
        place, kind = self.manner(spec)
        to_pool: Sequence[int] = ()
        if place == "pool" and self._pool is not None:
            to_pool, everything = everything, ()
        elif place == "inline" and kind.is_ours and self._pool is not None:
            to_pool = [index for index in everything if len(samples[index].completion) > INLINE_CHARACTERS]
            if to_pool:
                everything = [index for index in everything if len(samples[index].completion) <= INLINE_CHARACTERS]
        if to_pool and self._pool is not None:
            self._pool.score(
                batch,
                to_pool,
                deadline_seconds=self._deadline_seconds,
                is_stopped=lambda: breaker.stopped(tool_id),
                is_urgent=is_trial,
            )
        if everything:
            _Feed(self, batch, everything, place, kind).start()
        return batch

    def manner(self, spec: ToolSpec) -> tuple[Place, KindOfTool]:
        """Where a tool runs, and the row of its kind; looked up once a tool."""
        manner = self._manners.get(spec.id)
        if manner is None:
            manner = self._manners[spec.id] = (where(spec), kind_of(spec))
        return manner

    def lane(self, call: Callable[[], None]) -> None:
        """Run a call in a thread of its own."""
        self._lanes.start(call)

    def loaded(self, tool_id: str) -> RewardTool | None:
        """The live tool, if it has been loaded."""
        return self._tools.get(tool_id)

    def load(self, spec: ToolSpec) -> RewardTool | str:
        """The live tool, loaded now if need be, or why there is none."""
        with self._lock:
            loading = self._loading.setdefault(spec.id, threading.Lock())
        with loading:
            if (tool := self._tools.get(spec.id)) is not None:
                return tool
            loaded: RewardTool | str = boundary(lambda: load_tool(spec, self._resources), why_not_loaded)
            if isinstance(loaded, str):
                return f"{spec.id} cannot be loaded: {loaded}"
            self._tools[spec.id] = loaded
            return loaded

    def limit(self, place: Place) -> float:
        """What one call of a tool that runs in a thread may take, in seconds."""
        return self._patience_seconds if place in ("sandbox", "model") else self._deadline_seconds

    @property
    def patience_seconds(self) -> float:
        """What loading a tool may take."""
        return self._patience_seconds

    @property
    def threads(self) -> int:
        """Calls at a time, for tools that do not say."""
        return self._threads

    def close(self) -> None:
        """End the workers here and elsewhere, idle threads, and the resources where they were made here."""
        if self.cluster is not None:
            self.cluster.close()
        if self._pool is not None:
            self._pool.close()
        self._lanes.close()
        if self._owns_resources:
            self._resources.close()


def _scores(tool: RewardTool, samples: Sequence[Sample], *, is_bounded: bool, on_trial: bool = False) -> list[Score]:
    try:
        return score_checked(tool, samples, is_bounded=is_bounded, on_trial=on_trial)
    except EXITS as error:
        return [failed(f"the tool raised {type(error).__name__}")] * len(samples)


class _Feed:
    """Feeds samples of a batch to its tool in threads of this process, a slice a call.

    A slice that runs past its limit is given up and its thread left behind; another one goes on with the rest.
    """

    def __init__(
        self, runner: Runner, batch: ScoringBatch, indices: Sequence[int], place: Place, kind: KindOfTool
    ) -> None:
        self._runner = runner
        self._batch = batch
        self._indices = indices
        self._place = place
        self._kind = kind
        self._limit = runner.limit(place)
        self._slices: deque[Slice] = deque()
        batch.on_overdue = self._replace

    def start(self) -> None:
        tool = self._runner.loaded(self._batch.spec.id)
        if tool is not None:
            self._spread(tool)
        else:
            # Loading may take long, and hang.
            part = Slice(self._indices, self._runner.patience_seconds)
            self._batch.begin(part)
            self._runner.lane(lambda: self._load(part))

    def _load(self, part: Slice) -> None:
        tool = self._runner.load(self._batch.spec)
        if part.is_dropped:
            return
        if isinstance(tool, str):
            self._batch.finish(part, [failed(tool)] * len(self._indices))
            return
        self._batch.drop(part)
        self._spread(tool)

    def _spread(self, tool: RewardTool) -> None:
        slices, threads = self._cut(tool)
        self._slices.extend(Slice(indices, self._limit) for indices in slices)
        for _ in range(min(threads, len(slices))):
            self._runner.lane(lambda: self._work(tool))

    def _cut(self, tool: RewardTool) -> tuple[list[Sequence[int]], int]:
        """The samples of each call, and how many calls are made at a time."""
        samples, indices = self._batch.samples, self._indices
        if self._place in ("inline", "pool"):
            return _parts(indices, INLINE_SLICE), 1
        concurrency = int(getattr(tool, "concurrency", 0))
        if self._place == "model":
            # Alike lengths side by side: a padded batch costs as much as its longest row.
            by_length = sorted(indices, key=lambda index: len(samples[index].prompt) + len(samples[index].completion))
            threads = max(1, concurrency)
            fair = -(-len(indices) // (2 * threads)) if threads > 1 else MODEL_SLICE
            return _parts(by_length, max(1, min(MODEL_SLICE, fair))), threads
        # Twice as many as there are workers: what a call does in this process must not leave the sandbox waiting.
        threads = concurrency or 2 * self._runner.threads
        size = int(getattr(tool, "batch_size", 0)) or batch_size(tool.spec, len(indices), threads)
        if needs_whole_groups(tool.spec):
            # A score depends on the other completions of its prompt.
            groups = group_indices([samples[index] for index in indices])
            return [[indices[place] for place in group] for group in groups], threads
        return _parts(indices, max(1, size)), threads

    def _work(self, tool: RewardTool) -> None:
        batch, breaker = self._batch, self._runner.breaker
        while True:
            with batch.changed:
                if batch.is_over or not self._slices:
                    return
                part = self._slices.popleft()
                if not (reason := breaker.stopped(batch.spec.id)):
                    batch.begin(part)
            if reason:
                batch.finish(part, [failed(reason)] * len(part.indices), counts=False)
                continue
            samples = [batch.samples[index] for index in part.indices]
            # Only our own tools are known to go through their samples one after the other.
            is_watched = self._place == "inline" and self._kind.is_ours
            handed = Watched(samples, part) if is_watched else samples
            scores = _scores(tool, handed, is_bounded=self._kind.is_bounded)
            if part.is_dropped:
                return  # another thread has taken over
            batch.finish(part, scores)

    def _replace(self, part: Slice) -> None:
        """With the batch's lock held."""
        hung = part.indices if part.at is None else [part.indices[part.at]]
        tool = self._runner.loaded(self._batch.spec.id)
        what = "no score" if tool is not None else "its tool was still loading"
        several = f"one of {len(hung)} samples, the first: " if len(hung) > 1 else ""
        why = f"{what} after {part.limit_seconds:g} s; {several}{self._batch.named(hung[0])}"
        self._batch.drop(part)
        for index in hung:
            self._batch.give(index, timed_out(why))
        rest = [index for index in part.indices if index not in hung]
        if rest:
            self._slices.appendleft(Slice(rest, self._limit))
        if tool is not None and self._slices:
            self._runner.lane(lambda: self._work(tool))


def _parts(indices: Sequence[int], size: int) -> list[Sequence[int]]:
    return [indices[start : start + size] for start in range(0, len(indices), size)]
