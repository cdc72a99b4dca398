"""Samples to rewards at run time: find the task, look up what is served, score in batches, calibrate, combine.

The one thing that trainers call. It reads a registry and never writes it. Where each tool runs is the tool's own word:
"inline" in the calling thread, "pool" in warm worker processes under a deadline, "sandbox" (whatever waits for
something outside this process) in threads.
"""

from __future__ import annotations

import asyncio
import importlib
import json
import logging
import os
import threading
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Literal

from rlar.errors import RegistryError, boundary
from rlar.tools import runs
from rlar.tools.base import Resources
from rlar.tools.cache import LruCache
from rlar.tools.combine import combine, tool_score
from rlar.tools.records import RegistrySnapshot, Standing, tool_ids
from rlar.tools.registry import Registry
from rlar.types import (
    Assignment,
    Example,
    Frozen,
    JsonObject,
    Recipe,
    Reward,
    Sample,
    Score,
    TaskSpec,
    ToolScore,
    abstain,
    digest,
)

logger = logging.getLogger(__name__)


class RoutedSample(Frozen):
    """A completion with the row that it answers.

    Its task is, in this order: what is stored for the row; what is stored under `row_key`; without a reference what
    is stored for the prompt; `fingerprint`, where that is a known task; what the learned router says. A row without
    a prompt is told its task all the same, but every tool abstains: an answer that only repeats the question can't
    be told from a right one.
    """

    example: Example
    completion: str
    fingerprint: str | None = None
    """The row's task, as whoever prepared the data knew it."""
    row_key: str | None = None
    """Example.key of the row as it was stored, where a host hands over a changed prompt."""


class Scorer:
    """Rewards from a registry; use it as a context manager. Thread-safe, and picklable when made from a path."""

    def __init__(
        self,
        registry: Registry | str | Path,
        *,
        resources: Resources | None = None,
        workers: int | None = None,
        plugins: Sequence[str] = (),
        deadline_seconds: float = 10.0,
        quarantine_after: int = 16,
        cache_size: int = 50_000,
        follow: bool = True,
    ) -> None:
        """
        Args:
            registry: a path or URL (opened for reading, closed with the scorer) or an open registry.
            resources: what tools share (the sandbox); made and closed here when left out.
            workers: processes for tools that want one; None: one a CPU core, at most 8. 0: none, such tools run in
                the calling thread and nothing stops one that hangs (for debugging).
            plugins: modules to import first, here and in the workers; they may register tool kinds or library tools.
            deadline_seconds: for one sample in a worker.
            quarantine_after: so many failures of a tool in a row, and this scorer stops calling it (`quarantined`).
            cache_size: scores kept in memory, by content.
            follow: look for new builds at every call; off: what was there at the start is used to the end.

        Raises:
            RegistryError: the registry cannot be read.
        """
        self._settings: dict[str, Any] = {
            "workers": workers,
            "plugins": tuple(plugins),
            "deadline_seconds": deadline_seconds,
            "quarantine_after": quarantine_after,
            "cache_size": cache_size,
            "follow": follow,
        }
        for name in plugins:
            importlib.import_module(name)
        self._owns_registry = not isinstance(registry, Registry)
        self._registry = registry if isinstance(registry, Registry) else Registry.open(registry, readonly=True)
        self._runner = runs.Runner(
            resources,
            workers=default_workers() if workers is None else workers,
            plugins=plugins,
            deadline_seconds=deadline_seconds,
            quarantine_after=quarantine_after,
        )
        self._follow = follow
        self._lock = threading.RLock()
        self._process = os.getpid()
        self._scores: LruCache[tuple[str, str], Score] = LruCache(cache_size)
        self._routes: LruCache[str, tuple[Assignment, JsonObject | None]] = LruCache(cache_size)
        self._counts: Counter[tuple[str, str]] = Counter()
        self._state = self._load()

    # -------------------------------------------------------------------------------- what callers use

    def score(self, samples: Sequence[RoutedSample]) -> list[Reward]:
        """One Reward per sample, in order. Never raises because of a sample or a tool: both have statuses.

        All samples of a call are scored by the same recipe versions; put a whole group into one call.
        """
        state = self._current()
        identities = _identities(samples)
        routes = self._route_all(state, samples, identities)
        digests: dict[str, str] = {}
        plans = [
            self._plan(state, sample, identity, *route, digests)
            for sample, identity, route in zip(samples, identities, routes, strict=True)
        ]
        scores = self._score_all(state, plans)
        rewards = [_reward(state, plan, scores) for plan in plans]
        with self._lock:
            self._counts.update(("reward", reward.status) for reward in rewards)
            self._counts.update((item.tool, item.status) for reward in rewards for item in reward.scores)
        return rewards

    async def ascore(self, samples: Sequence[RoutedSample]) -> list[Reward]:
        """`score` beside the event loop."""
        return await asyncio.to_thread(self.score, samples)

    def assign(self, examples: Sequence[Example]) -> list[Assignment]:
        """The task of every row: as stored for that very row, else as routed, else unknown."""
        samples = [RoutedSample(example=example, completion="") for example in examples]
        routes = self._route_all(self._current(), samples, _identities(samples))
        return [assignment for assignment, _binding in routes]

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
        """Tools that broke too often in a row in this process, and how; they fail at once until `forgive`."""
        return self._runner.breaker.quarantined

    def forgive(self, tool_id: str) -> None:
        """Let a quarantined tool try again."""
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
            if self._follow and self._registry.data_version() != self._state.snapshot.data_version:
                self._state = self._load()
                self._routes.clear()
            return self._state

    def _load(self) -> _State:
        snapshot = self._registry.snapshot()
        problems = {}
        for tool_id in {tool for recipe in snapshot.recipes.values() for tool in tool_ids(recipe)}:
            spec = snapshot.tools.get(tool_id)
            problem = runs.unusable(spec) if spec is not None else "it is not in the registry"
            if problem:
                problems[tool_id] = problem
                logger.warning("tool %s is not used: %s", tool_id, problem)
        standings = {
            fingerprint: self._with_problems(found, problems) for fingerprint, found in snapshot.standings.items()
        }
        return _State(snapshot, standings, self._row_router(snapshot))

    @staticmethod
    def _with_problems(found: Standing, problems: Mapping[str, str]) -> Standing:
        for tool_id in tool_ids(found.recipe) if found.recipe is not None else ():
            if tool_id in problems:
                return Standing(recipe=None, reason=f"{tool_id}: {problems[tool_id]}")
        return found

    @staticmethod
    def _row_router(snapshot: RegistrySnapshot) -> Any:
        if not snapshot.router:
            return None
        from rlar.tasks.route import RowRouter

        return RowRouter.from_arrays(snapshot.router, tuple(snapshot.tasks.values()))

    # -------------------------------------------------------------------------------- from rows to tasks

    def _route_all(
        self, state: _State, samples: Sequence[RoutedSample], identities: Sequence[str]
    ) -> list[tuple[Assignment, JsonObject | None]]:
        """Task and stored binding (None: none is stored for this row) of every sample's row."""
        found: dict[str, tuple[Assignment, JsonObject | None]] = {}
        missing: dict[str, RoutedSample] = {}
        for identity, sample in zip(identities, samples, strict=True):
            if identity in found or identity in missing:
                continue
            if (known := self._routes.get(identity)) is not None:
                found[identity] = known
            else:
                missing[identity] = sample
        if missing:
            routed = self._route_new(state, missing)
            for identity, route in routed.items():
                self._routes.put(identity, route)
            found |= routed
        return [found[identity] for identity in identities]

    def _route_new(
        self, state: _State, samples: Mapping[str, RoutedSample]
    ) -> dict[str, tuple[Assignment, JsonObject | None]]:
        found: dict[str, tuple[Assignment, JsonObject | None]] = {}
        told_keys = {sample.row_key for sample in samples.values() if sample.row_key and _is_key(sample.row_key)}
        by_key = self._registry.rows(told_keys | {sample.example.key for sample in samples.values()})
        rows = {
            identity: by_key.get(sample.example.key) or by_key.get(sample.row_key or "")
            for identity, sample in samples.items()
        }
        bare = {
            identity: sample.example.prompt_key
            for identity, sample in samples.items()
            if rows[identity] is None and sample.example.reference is None
        }
        by_prompt = self._registry.rows_by_prompt(bare.values())
        rest: dict[str, Example] = {}
        for identity, sample in samples.items():
            row = rows[identity] or by_prompt.get(bare.get(identity, ""))
            if row is not None:
                told = Assignment(fingerprint=row.fingerprint, confidence=row.confidence, reason="stored for this row")
                found[identity] = (told, row.binding if row.fingerprint is not None else None)
            elif sample.fingerprint in state.snapshot.tasks:
                told = Assignment(fingerprint=sample.fingerprint, confidence=1.0, reason="told with the row")
                found[identity] = (told, None)
            elif not sample.example.text:
                lost = "it came without a prompt, and neither its row key nor its fingerprint is known here"
                found[identity] = (Assignment(fingerprint=None, confidence=0.0, reason=lost), None)
            else:
                rest[identity] = sample.example
        if rest and state.router is None:
            nothing = Assignment(fingerprint=None, confidence=0.0, reason="the registry holds no row router")
            return found | {identity: (nothing, None) for identity in rest}
        if rest:
            for identity, assignment in zip(rest, state.router.assign(list(rest.values())), strict=True):
                found[identity] = (assignment, None)
        return found

    def _plan(
        self,
        state: _State,
        sample: RoutedSample,
        identity: str,
        assignment: Assignment,
        binding: JsonObject | None,
        digests: dict[str, str],
    ) -> _Plan:
        fingerprint, example = assignment.fingerprint, sample.example
        if fingerprint is None or fingerprint not in state.snapshot.tasks:
            return _Plan(None, None, (), None, "")
        recipe = state.standings[fingerprint].recipe
        tools = tool_ids(recipe) if recipe is not None else state.guards(fingerprint)
        if not tools:
            return _Plan(fingerprint, recipe, (), None, "")
        if binding is None and not example.text:
            binding = {}  # what could be bound is in the prompt, and every tool abstains without it
        if binding is None:
            from rlar.tasks.bindings import bind

            contract = state.snapshot.tasks[fingerprint].contract
            failures: list[str] = []

            def broke(error: Exception) -> JsonObject:
                failures.append(f"this row's binding cannot be made: {type(error).__name__}: {error}")
                return {}

            binding = boundary(lambda: bind(example, contract), broke)
            if failures:
                return _Plan(fingerprint, recipe, tools, None, failures[0])
            self._routes.put(identity, (assignment, binding))
        asked = Sample(
            prompt=example.text,
            completion=sample.completion,
            reference=example.reference,
            references=example.references,
            binding=binding,
        )
        # A binding may be long (a test suite), and a group asks for it again and again.
        if identity not in digests:
            digests[identity] = digest(example.key, json.dumps(binding, sort_keys=True), size=32)
        key = digest(digests[identity], sample.completion, size=32)
        return _Plan(fingerprint, recipe, tools, asked, key)

    # -------------------------------------------------------------------------------- from samples to scores

    def _score_all(self, state: _State, plans: Sequence[_Plan]) -> dict[tuple[str, str], Score]:
        """The score of every (tool, sample) that the plans need: each distinct pair once, a batch a tool."""
        scores: dict[tuple[str, str], Score] = {}
        wanted: dict[str, dict[str, Sample]] = {}
        for plan in plans:
            if plan.sample is None:
                continue
            for tool in plan.tools:
                pair = (tool, plan.key)
                if pair in scores or plan.key in wanted.get(tool, ()):
                    continue
                if not plan.sample.prompt:
                    scores[pair] = abstain("the row came without its prompt")
                    continue
                known = self._scores.get(pair)
                if known is not None:
                    scores[pair] = known
                else:
                    wanted.setdefault(tool, {})[plan.key] = plan.sample
        batches = [(state.snapshot.tools[tool], list(samples.values())) for tool, samples in wanted.items()]
        for (tool, samples), results in zip(wanted.items(), self._runner.run(batches), strict=True):
            for key, score in zip(samples, results, strict=True):
                scores[tool, key] = score
                # A failure may pass; an answer stays.
                if score.status in ("ok", "abstain"):
                    self._scores.put((tool, key), score)
        return scores


class _State:
    """One state of the registry, as scoring uses it."""

    def __init__(self, snapshot: RegistrySnapshot, standings: dict[str, Standing], router: Any) -> None:
        self.snapshot = snapshot
        self.standings = standings
        self.router = router

    def guards(self, fingerprint: str) -> tuple[str, ...]:
        """Admitted guards of an uncovered task: listed with its completions, never a reward."""
        return tuple(
            tool_id
            for tool_id, certificate in self.snapshot.certificates[fingerprint].items()
            if certificate.admitted and certificate.role == "guard" and not runs.unusable(self.snapshot.tools[tool_id])
        )


class _Plan:
    """What one sample needs."""

    __slots__ = ("fingerprint", "key", "recipe", "sample", "tools")

    def __init__(
        self, fingerprint: str | None, recipe: Recipe | None, tools: tuple[str, ...], sample: Sample | None, key: str
    ) -> None:
        self.fingerprint = fingerprint
        self.recipe = recipe
        self.tools = tools
        self.sample = sample
        self.key = key
        """Content key of the sample; where there is none, why."""


def _reward(state: _State, plan: _Plan, scores: Mapping[tuple[str, str], Score]) -> Reward:
    if plan.fingerprint is None:
        return Reward(reward=None, status="unknown")
    if plan.tools and plan.sample is None:
        broken = (ToolScore(tool=tool, value=None, status="failed", explanation=plan.key) for tool in plan.tools)
        status: Literal["failed", "uncovered"] = "failed" if plan.recipe is not None else "uncovered"
        return Reward(reward=None, status=status, fingerprint=plan.fingerprint, scores=tuple(broken))
    snapshot, fingerprint = state.snapshot, plan.fingerprint
    found = {
        tool: tool_score(tool, scores[tool, plan.key], snapshot.calibration(fingerprint, tool)) for tool in plan.tools
    }
    if plan.recipe is None:
        return Reward(reward=None, status="uncovered", fingerprint=fingerprint, scores=tuple(found.values()))
    return combine(plan.recipe, found)


def _identities(samples: Sequence[RoutedSample]) -> list[str]:
    """What makes each row a row of its own: its key, its other columns (the tests may be there) and what it was told."""
    seen: dict[int, str] = {}
    identities = []
    for sample in samples:
        example = sample.example
        if id(example) not in seen:
            columns = json.dumps(example.columns, sort_keys=True, default=repr) if example.columns else ""
            seen[id(example)] = digest(example.key, columns, size=32) if columns else example.key
        identity = seen[id(example)]
        if sample.fingerprint or sample.row_key:
            identity = digest(identity, sample.fingerprint or "", sample.row_key or "", size=32)
        identities.append(identity)
    return identities


def _is_key(text: str) -> bool:
    return len(text) == 32 and all(letter in "0123456789abcdef" for letter in text)


def default_workers() -> int:
    """One worker a usable CPU core, at most 8."""
    return min(8, len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1)


def load(path: str | Path, **settings: Any) -> Scorer:
    """A Scorer on a registry: `rlar.load("registry.db")`. Settings are those of Scorer."""
    return Scorer(path, **settings)


def _rebuild(address: str, settings: dict[str, Any]) -> Scorer:
    return Scorer(address, **settings)
