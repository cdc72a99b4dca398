"""Samples to rewards at run time: find the task, look up what is served, score in batches, calibrate, combine.

The one thing that trainers call. It reads a registry and never writes it. Rows find their tasks in `rlar.scoring.routes`,
tools run in `rlar.scoring.runner`, and what scores mean together is said in `rlar.scoring.combine`.
"""

from __future__ import annotations

import asyncio
import importlib
import logging
import os
import threading
import time
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import partial
from hashlib import blake2b
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

from rlar.errors import ConfigError, RegistryError, UnknownTaskError, boundary
from rlar.network import Network
from rlar.process import Lanes
from rlar.registry.records import RegistrySnapshot, Standing, tool_ids
from rlar.registry.registry import Registry
from rlar.scoring import runner as runs
from rlar.scoring.batch import Waiting
from rlar.scoring.cache import DiskCache, LruCache
from rlar.scoring.combine import combine, combine_group
from rlar.scoring.routes import KEY_BYTES, Route, RoutedSample, Routes, with_prompt
from rlar.scoring.unknown import UnknownQueue
from rlar.text.answer_format import with_sentence
from rlar.tool import Resources, needs_whole_groups
from rlar.tools.load import kind_of, unusable
from rlar.types import Assignment, Example, Reward, Sample, Score, TaskSpec, ToolScore, ToolSpec

if TYPE_CHECKING:
    from rlar.scoring.lock_file import LockFile

__all__ = ["RoutedSample", "Scorer", "default_workers", "load"]

logger = logging.getLogger(__name__)

RETRY_SECONDS = 10.0
"""After the registry could not be asked for news."""


class Scorer:
    """Rewards from a registry; use it as a context manager. Thread-safe, and picklable when made from a path."""

    def __init__(
        self,
        registry: Registry | str | Path,
        *,
        lock: LockFile | str | Path | None = None,
        resources: Resources | None = None,
        workers: int | None = None,
        plugins: Sequence[str] = (),
        deadline_seconds: float = 10.0,
        patience_seconds: float = runs.PATIENCE_SECONDS,
        quarantine_after: int = 16,
        cache_size: int = 50_000,
        cache: str | Path | None = None,
        cache_mb: float = 1024.0,
        follow: bool = True,
        on_unknown: Literal["abstain", "raise", "queue"] = "abstain",
        unknown_path: str | Path | None = None,
        combination: Literal["recipe", "group_z"] = "recipe",
        allow_hosts: Sequence[str] = (),
    ) -> None:
        """
        Args:
            registry: a path or URL (opened for reading, closed with the scorer) or an open registry.
            lock: serve what this lock file says, whatever the registry serves by now.
            resources: what tools share (the sandbox); made and closed here when left out.
            workers: processes for tools that want one; None: one a CPU core, at most 8. 0: none, such tools run in
                a thread of this process, and one that hangs is left behind there (for debugging).
            plugins: modules to import first, here and in the workers; they may register tool kinds or library tools.
            deadline_seconds: for one sample in a worker.
            patience_seconds: for one call of what has deadlines of its own (sandbox, network, models), and for loading.
            quarantine_after: so many different rows and completions in a row without a score, and this scorer tries
                whether the tool works at all; where not, it stops calling it (`quarantined`).
            cache_size: contents (row with completion) whose scores are kept in memory.
            cache: a file of scores that outlive this process and that other processes may share.
            cache_mb: about as large as that file may grow.
            follow: look for new builds at every call; off: what was there at the start is used to the end.
            on_unknown: what rows of no known task do: "abstain" (no reward, status "unknown"), "raise"
                UnknownTaskError, or "queue": as "abstain", and the row is written to `unknown_path`.
            unknown_path: JSONL of the unknown rows, each once: `rlar agent build-tools --dataset` takes it.
            combination: "recipe": gates times the weighted mean of calibrated qualities, in [0, 1]. "group_z": a sum of
                z-scores among the completions of a row in one call, centred on 0 (`rlar.scoring.combine.combine_group`).
            allow_hosts: hosts ("https://judge.example") that judges and servers of the registry may be asked at, and
                models be fetched from, besides those of RLAR_ALLOW_HOSTS. Not with `resources`, which have their own.

        Raises:
            RegistryError: the registry cannot be read, or is not the one that the lock was written from.
            ConfigError: settings that do not go together.
        """
        if (on_unknown == "queue") != (unknown_path is not None):
            raise ConfigError('on_unknown="queue" and unknown_path="unknown.jsonl" go together')
        if resources is not None and allow_hosts:
            raise ConfigError("allow_hosts belongs to what is shared: Resources(network=Network.of_user(hosts))")
        network = Network.of_user(allow_hosts) if resources is None else resources.network
        self._settings: dict[str, Any] = {
            "lock": lock,
            "workers": workers,
            "plugins": tuple(plugins),
            "deadline_seconds": deadline_seconds,
            "patience_seconds": patience_seconds,
            "quarantine_after": quarantine_after,
            "cache_size": cache_size,
            "cache": cache,
            "cache_mb": cache_mb,
            "follow": follow,
            "on_unknown": on_unknown,
            "unknown_path": unknown_path,
            "combination": combination,
            "allow_hosts": tuple(allow_hosts),
        }
        for name in plugins:
            importlib.import_module(name)
        self._disk = DiskCache(cache, max_mb=cache_mb) if cache is not None else None
        self._queue = UnknownQueue(unknown_path) if unknown_path is not None else None
        self._raises_on_unknown = on_unknown == "raise"
        self._is_grouped = combination == "group_z"
        self._lock_file, self._lock_name = _read_lock(lock)
        self._owns_registry = not isinstance(registry, Registry)
        self._registry = registry if isinstance(registry, Registry) else Registry.open(registry, readonly=True)
        self._cache_size = cache_size
        self._follow = follow
        self._frozen = 0
        self._ask_again = 0.0
        self._is_deaf = False
        self._lock = threading.RLock()
        self._process = os.getpid()
        self._scores: LruCache[bytes, Mapping[str, Score]] = LruCache(cache_size)
        self._counts: Counter[tuple[str, str]] = Counter()
        try:
            self._state = self._load()
        except BaseException:
            if self._owns_registry:
                self._registry.close()
            raise
        self._lanes = Lanes()
        self._runner = runs.Runner(
            resources,
            network=network,
            workers=default_workers() if workers is None else workers,
            plugins=plugins,
            deadline_seconds=deadline_seconds,
            quarantine_after=quarantine_after,
            patience_seconds=patience_seconds,
        )

    # -------------------------------------------------------------------------------- what callers use

    def score(self, samples: Sequence[RoutedSample], *, deadline_seconds: float | None = None) -> list[Reward]:
        """One Reward per sample, in order. Never raises because of a sample or a tool: both have statuses.

        All samples of a call are scored by the same recipe versions; put a whole group into one call, or its pieces
        into calls inside `frozen()`.

        Args:
            deadline_seconds: for the whole call. What has no score by then is a timeout; the explanation names the
                samples that were running.

        Raises:
            UnknownTaskError: a row of no known task, with `on_unknown="raise"`.
        """
        return self._score(samples, Waiting(deadline_seconds))

    async def ascore(self, samples: Sequence[RoutedSample], *, deadline_seconds: float | None = None) -> list[Reward]:
        """`score` beside the event loop. When it is cancelled, what has not started is not scored."""
        waiting = Waiting(deadline_seconds)
        loop = asyncio.get_running_loop()
        done: asyncio.Future[list[Reward]] = loop.create_future()

        def tell(outcome: list[Reward] | Exception) -> None:
            if done.done():
                return
            if isinstance(outcome, Exception):
                done.set_exception(outcome)
            else:
                done.set_result(outcome)

        def work() -> None:
            outcome: list[Reward] | Exception = boundary(lambda: self._score(samples, waiting), _itself)
            try:
                loop.call_soon_threadsafe(tell, outcome)
            except RuntimeError:
                pass  # the loop has been closed meanwhile: nobody waits

        self._lanes.start(work)
        try:
            return await done
        except asyncio.CancelledError:
            waiting.cancel()
            raise

    def takes_long(self, samples: Sequence[RoutedSample]) -> bool:
        """Whether scoring them waits for a server or a model; what is remembered in memory is waited for no more."""
        state = self._current()
        if not state.distant:
            return False
        contents = [
            (tool, route.key(sample.completion))
            for sample, route in zip(samples, state.routes.of(samples), strict=True)
            if route.nothing is None
            for tool in route.tools
            if tool in state.distant
        ]
        known = self._scores.get_many(key for _tool, key in contents)
        return any(scores is None or tool not in scores for (tool, _key), scores in zip(contents, known, strict=True))

    @contextmanager
    def frozen(self) -> Iterator[None]:
        """Inside, new builds are not taken up: a group that is scored in pieces has one recipe version.

        Holds for all threads that use this scorer.
        """
        self._current()
        with self._lock:
            self._frozen += 1
        try:
            yield
        finally:
            with self._lock:
                self._frozen -= 1

    def assign(self, examples: Sequence[Example]) -> list[Assignment]:
        """The task of every row: as stored for that very row, else as routed, else unknown."""
        return self._current().routes.assign(examples)

    def formatted(self, examples: Sequence[Example]) -> list[Example]:
        """The rows as a policy should be asked: with the sentence that asks for the answer format of a row's task.

        A row whose task has none comes back as it is. The completions of either spelling of a row are scored alike.
        """
        formatted: list[Example] = []
        for example, assignment in zip(examples, self.assign(examples), strict=True):
            recipe = self.standing(assignment.fingerprint).recipe if assignment.fingerprint is not None else None
            answer_format = recipe.answer_format if recipe is not None else None
            if answer_format is not None:
                example = with_prompt(example, partial(with_sentence, answer_format=answer_format))
            formatted.append(example)
        return formatted

    def standing(self, fingerprint: str) -> Standing:
        """What this scorer serves for a task, or why nothing."""
        return self._current().standings.get(fingerprint) or Standing(
            recipe=None, reason=f"no task {fingerprint} in the registry"
        )

    def tasks(self) -> list[TaskSpec]:
        """The tasks it knows, ordered by fingerprint, without examples."""
        return list(self._current().snapshot.tasks.values())

    @property
    def quarantined(self) -> dict[str, str]:
        """Tools that are broken in this process, and how; they fail at once until they are tried again."""
        return self._runner.breaker.quarantined

    def forgive(self, tool_id: str) -> None:
        """Let a quarantined tool try again now."""
        self._runner.breaker.forgive(tool_id)

    def status_counts(self) -> dict[str, dict[str, int]]:
        """How often each status came so far: by tool id, and under "reward" for the combined rewards."""
        counts: dict[str, dict[str, int]] = {}
        with self._lock:
            for (name, status), number in sorted(self._counts.items()):
                counts.setdefault(name, {})[status] = number
        return counts

    def close(self) -> None:
        """End the workers and whatever else was started here."""
        self._runner.close()
        self._lanes.close()
        if self._disk is not None:
            self._disk.close()
        if self._owns_registry:
            self._registry.close()

    def __enter__(self) -> Scorer:
        return self

    def __exit__(self, *_exc: object) -> None:
        self.close()

    def __reduce__(self) -> tuple[Any, ...]:
        if not self._owns_registry:
            raise TypeError("a Scorer on an open Registry cannot be pickled; make it from a path")
        return _rebuild, (self._registry.address, self._settings)

    # -------------------------------------------------------------------------------- the registry's state

    def _check_process(self) -> None:
        if os.getpid() != self._process:
            raise RegistryError(
                "this Scorer was made before a fork, and its threads and database do not survive one; "
                "make it in the process that scores (rlar.load(path)), or start processes with spawn"
            )

    def _current(self) -> _State:
        self._check_process()
        with self._lock:
            if self._follow and not self._frozen and time.monotonic() >= self._ask_again:
                self._take_up_news()
            return self._state

    def _take_up_news(self) -> None:
        """Follow the registry; where it cannot be asked now, what was read last goes on."""
        try:
            if self._registry.data_version() != self._state.snapshot.data_version:
                self._state = self._load()
        except RegistryError as error:
            self._ask_again = time.monotonic() + RETRY_SECONDS
            if not self._is_deaf:
                self._is_deaf = True
                logger.warning("no news from the registry, scoring goes on with what was read before: %s", error)
            return
        if self._is_deaf:
            self._is_deaf = False
            logger.warning("the registry answers again")

    def _load(self) -> _State:
        snapshot = self._registry.snapshot()
        if self._lock_file is not None:
            from rlar.scoring.lock_file import pinned

            snapshot = pinned(self._registry, self._lock_file, self._lock_name)
        problems = {}
        for tool_id in {tool for recipe in snapshot.recipes.values() for tool in tool_ids(recipe)}:
            spec = snapshot.tools.get(tool_id)
            problem = unusable(spec) if spec is not None else "it is not in the registry"
            if problem:
                problems[tool_id] = problem
                logger.warning("tool %s is not used: %s", tool_id, problem)
        standings = {
            fingerprint: self._with_problems(standing, problems) for fingerprint, standing in snapshot.standings.items()
        }
        routes = Routes(self._registry, snapshot, standings, self._row_router(snapshot), self._cache_size)
        return _State(snapshot, standings, routes)

    @staticmethod
    def _with_problems(standing: Standing, problems: Mapping[str, str]) -> Standing:
        for tool_id in tool_ids(standing.recipe) if standing.recipe is not None else ():
            if tool_id in problems:
                return Standing(recipe=None, reason=f"{tool_id}: {problems[tool_id]}")
        return standing

    def _row_router(self, snapshot: RegistrySnapshot) -> Any:
        if not snapshot.router:
            return None
        from rlar.discover.row_router import RowRouter

        return RowRouter.from_arrays(snapshot.router, tuple(snapshot.tasks.values()), source=self._registry.name)

    # -------------------------------------------------------------------------------- from samples to rewards

    def _score(self, samples: Sequence[RoutedSample], waiting: Waiting) -> list[Reward]:
        state = self._current()
        routes = state.routes.of(samples)
        self._mind_unknown(routes)
        keys: list[bytes] = []
        contents: dict[bytes, _Asked] = {}
        for sample, route in zip(samples, routes, strict=True):
            key = route.key(sample.completion)
            keys.append(key)
            if key not in contents and route.nothing is None:
                contents[key] = _Asked(route, sample.completion, route.tools)
        rewards = self._combined(keys, routes, self._tool_scores(state, contents, waiting))
        counts = Counter([("reward", reward.status) for reward in rewards])
        counts.update([(item.tool, item.status) for reward in rewards for item in reward.scores])
        with self._lock:
            self._counts.update(counts)
        return rewards

    def _mind_unknown(self, routes: Sequence[Route]) -> None:
        if self._queue is None and not self._raises_on_unknown:
            return
        unknown = [route.example for route in routes if route.nothing is not None and route.nothing.status == "unknown"]
        if not unknown:
            return
        if self._queue is not None:
            self._queue.add(unknown)
            return
        first = unknown[0]
        raise UnknownTaskError(
            f"{first.origin or first.id}: a row of no known task"
            f"{f', and {len(unknown) - 1} more' if len(unknown) > 1 else ''}; "
            'build its tools first, or load with on_unknown="abstain"'
        )

    def _combined(
        self, keys: Sequence[bytes], routes: Sequence[Route], scored: Mapping[bytes, Mapping[str, ToolScore]]
    ) -> list[Reward]:
        made: dict[bytes, Reward] = {}
        rewards: list[Reward] = []
        groups: dict[int, list[int]] = {}
        for place, (key, route) in enumerate(zip(keys, routes, strict=True)):
            reward = route.nothing or made.get(key)
            if reward is None:
                assert route.serving is not None
                recipe = route.serving.recipe
                if recipe is None:
                    listed = tuple(scored[key].values())
                    reward = Reward(
                        reward=None, status="uncovered", fingerprint=route.serving.fingerprint, scores=listed
                    )
                else:
                    reward = combine(recipe, scored[key])
                made[key] = reward
            if self._is_grouped and reward.recipe_version is not None:
                groups.setdefault(id(route), []).append(place)
            rewards.append(reward)
        for places in groups.values():
            serving = routes[places[0]].serving
            assert serving is not None and serving.recipe is not None
            grouped = combine_group(serving.recipe, [scored[keys[place]] for place in places])
            for place, reward in zip(places, grouped, strict=True):
                rewards[place] = reward
        return rewards

    def _tool_scores(
        self, state: _State, completions: Mapping[bytes, _Asked], waiting: Waiting
    ) -> dict[bytes, dict[str, ToolScore]]:
        """What every tool says to every distinct content, calibrated: from memory, from disk, else by running it."""
        routes = {id(item.route): item.route for item in completions.values() if item.route.own_answers}
        contents = {**completions, **_own_answers(routes.values())}
        table: dict[bytes, Mapping[str, Score]] = {}
        missing: dict[str, list[bytes]] = {}
        for (key, item), known in zip(contents.items(), self._scores.get_many(contents), strict=True):
            table[key] = scores = known if known is not None else {}
            for tool in item.tools:
                if tool not in scores:
                    missing.setdefault(tool, []).append(key)
        if missing:
            specs = {tool: state.snapshot.tools[tool] for tool in missing}
            new = self._from_disk(specs, missing)
            still = {tool: [key for key in keys if tool not in new.get(key, {})] for tool, keys in missing.items()}
            for key, scores in self._run(specs, still, contents, waiting).items():
                new.setdefault(key, {}).update(scores)
            lasting: dict[bytes, Mapping[str, Score]] = {}
            for key, scores in new.items():
                stays = {tool: score for tool, score in scores.items() if _lasts(specs[tool], score)}
                lasting[key] = {**table[key], **stays}
                table[key] = {**table[key], **scores}
            self._scores.put_many(lasting)
        unread = {name: route.unread_by(table) for name, route in routes.items()}
        return {
            key: item.route.calibrated(
                {**table[key], **unread.get(id(item.route), {})} if unread else table[key], item.text
            )
            for key, item in completions.items()
        }

    def _from_disk(
        self, specs: Mapping[str, ToolSpec], missing: Mapping[str, Sequence[bytes]]
    ) -> dict[bytes, dict[str, Score]]:
        stored: dict[bytes, dict[str, Score]] = {}
        if self._disk is not None:
            pairs = [(tool, key) for tool, keys in missing.items() for key in keys]
            read = self._disk.get_many([_disk_key(specs[tool], key) for tool, key in pairs])
            for (tool, key), score in zip(pairs, read, strict=True):
                if score is not None:
                    stored.setdefault(key, {})[tool] = score
        return stored

    def _run(
        self,
        specs: Mapping[str, ToolSpec],
        wanted: Mapping[str, Sequence[bytes]],
        contents: Mapping[bytes, _Asked],
        waiting: Waiting,
    ) -> dict[bytes, dict[str, Score]]:
        samples: dict[tuple[bytes, bool], Sample] = {}
        batches: list[tuple[ToolSpec, list[Sample]]] = []
        for tool, keys in wanted.items():
            batch: list[Sample] = []
            for key in keys:
                route, text, _tools, is_own = contents[key]
                handed = key, route.reads_format(tool)
                if handed not in samples:
                    samples[handed] = route.sample(text, tool, is_own=is_own)
                batch.append(samples[handed])
            batches.append((specs[tool], batch))
        scores_of: dict[bytes, dict[str, Score]] = {key: {} for keys in wanted.values() for key in keys}
        for (tool, keys), scores in zip(wanted.items(), self._runner.run(batches, waiting), strict=True):
            for key, score in zip(keys, scores, strict=True):
                scores_of[key][tool] = score
        if self._disk is not None:
            self._disk.put_many(
                {
                    _disk_key(specs[tool], key): score
                    for key, scores in scores_of.items()
                    for tool, score in scores.items()
                    if _lasts(specs[tool], score)
                }
            )
        return scores_of


class _Asked(NamedTuple):
    """What some tools are asked about a row."""

    route: Route
    text: str
    """A completion, or one of the row's own answers."""
    tools: tuple[str, ...]
    is_own: bool = False


def _own_answers(routes: Iterable[Route]) -> dict[bytes, _Asked]:
    """The rows' own answers by content key, for the tools that have to accept them."""
    contents: dict[bytes, _Asked] = {}
    for route in routes:
        for tool, answers in route.own_answers.items():
            for answer in answers:
                key = route.own_key(answer)
                others = contents[key].tools if key in contents else ()
                contents[key] = _Asked(route, answer, (*others, tool), is_own=True)
    return contents


class _State:
    """One state of the registry, as scoring uses it."""

    def __init__(self, snapshot: RegistrySnapshot, standings: dict[str, Standing], routes: Routes) -> None:
        self.snapshot = snapshot
        self.standings = standings
        self.routes = routes
        self.distant = frozenset(tool for tool, spec in snapshot.tools.items() if kind_of(spec).is_distant)
        """Tools that take seconds, not milliseconds."""


def _lasts(spec: ToolSpec, score: Score) -> bool:
    """A failure may pass; an answer stays, unless it depends on the group that it was given in."""
    return score.status in ("ok", "abstain") and not needs_whole_groups(spec)


def _disk_key(spec: ToolSpec, content: bytes) -> bytes:
    """Tool with its code, and what it looks at."""
    return blake2b(f"{spec.id}\0{spec.code_hash}\0".encode() + content, digest_size=KEY_BYTES).digest()


def _read_lock(lock: LockFile | str | Path | None) -> tuple[LockFile | None, str]:
    if lock is None:
        return None, ""
    from rlar.scoring.lock_file import LockFile

    return (lock, "the lock") if isinstance(lock, LockFile) else (LockFile.read(lock), str(lock))


def default_workers() -> int:
    """One worker a usable CPU core, at most 8."""
    return min(8, len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1)


def load(path: str | Path, registry: str | Path | None = None, **settings: Any) -> Scorer:
    """A Scorer on a registry: `rlar.load("registry.db")`, or a URL. Settings are those of Scorer.

    Or on a lock file and the registry that it was written from: `rlar.load("rlar.lock", registry="registry.db")`. The
    lock says which tools, recipes and calibrations count; the registry brings the rows and the router.
    """
    from rlar.scoring.lock_file import is_lock_file

    if is_lock_file(path):
        if registry is None:
            raise RegistryError(
                f"{path} is a lock file: it holds no rows and no router; say rlar.load({str(path)!r}, registry=...)"
            )
        return Scorer(registry, lock=path, **settings)
    if registry is not None:
        raise RegistryError(f"{path} is no lock file, so there is no place for registry={str(registry)!r}")
    return Scorer(path, **settings)


def _itself(error: Exception) -> Any:
    return error


def _rebuild(address: str, settings: dict[str, Any]) -> Scorer:
    return Scorer(address, **settings)
