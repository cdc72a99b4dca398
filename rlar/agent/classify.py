"""Node `classify`: read the rows once, find the tasks in a bounded sample, keep the router. And node `assign`:
one streaming pass that gives every row its task and its binding."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Iterator
from itertools import islice
from typing import Any

import numpy as np

from rlar.agent.llm import Llm
from rlar.agent.read_bindings import UnreadClauses
from rlar.agent.understand import GroupReader
from rlar.agent.workbench import Emit, Workbench
from rlar.config import BuildConfig
from rlar.tasks.data import ColumnMap, RowStats, usable_rows
from rlar.tasks.discover import discover
from rlar.tasks.route import RowRouter
from rlar.tasks.stream import WORTH_PROCESSES, assign_stream, processors
from rlar.tools.outdated import what_is_outdated
from rlar.tools.registry import Registry, RowRecord
from rlar.types import Example, TaskSpec

CHUNK = 2_000
"""Rows assigned and committed at a time."""
SHOWN_REJECTS = 50
"""Rejected rows kept by name; all are counted."""


def rows_of(config: BuildConfig, stats: RowStats) -> Iterator[Example]:
    """Every usable row of the datasets; raises DatasetError at the end when too many were not."""
    columns = ColumnMap(prompt=config.prompt_column, reference=config.reference_column)
    return usable_rows(config.dataset, stats, columns=columns, max_bad_fraction=config.max_bad_fraction)


def router_digest(arrays: dict[str, np.ndarray]) -> str:
    """16 hex digits over a router's arrays."""
    hasher = hashlib.sha256()
    for name in sorted(arrays):
        array = np.ascontiguousarray(arrays[name])
        hasher.update(f"{name}|{array.dtype.str}|{array.shape}|".encode())
        hasher.update(array.tobytes())
    return hasher.hexdigest()[:16]


def classify_rows(bench: Workbench, config: BuildConfig, emit: Emit) -> dict[str, Any]:
    """Discover the tasks of the datasets and write them, with the router, to the registry.

    The registry is created only after the whole input proved usable. Raises DatasetError.
    """
    stats = RowStats()

    def counted() -> Iterator[Example]:
        for example in rows_of(config, stats):
            yield example
            if stats.used % 5_000 == 0:
                emit({"event": "read", "rows": stats.used})

    known = known_tasks(config.registry)

    def asked() -> Llm:
        llm = bench.llm(config)
        assert llm is not None, config.llm
        return llm

    reader = GroupReader(asked, emit) if config.llm != "none" else None
    discovery = discover(counted(), sample_size=config.sample_size, seed=config.seed, known=known, read=reader)

    registry = bench.registry(config.registry)
    if outdated := what_is_outdated(registry.served_tools()):
        emit({"event": "outdated", "line": outdated})
    tasks = [keep_or_add(registry, task) for task in discovery.tasks]
    arrays = discovery.router.to_arrays()
    registry.put_router(arrays)
    rows = {"read": stats.read, "rejected": stats.rejected, "accepted": stats.used}
    emit({"event": "classified", "rows": rows, "tasks": [task_line(task) for task in tasks]})
    return {
        "tasks": [task.model_dump(mode="json") for task in tasks],
        "rows": rows,
        "rejected_rows": [row._asdict() for row in stats.first_rejected[:SHOWN_REJECTS]],
        "router": router_digest(arrays),
        "readings": reader.records if reader else [],
        "reading_cost": asked().spent("").model_dump(mode="json") if reader else {},
    }


def known_tasks(address: str) -> tuple[TaskSpec, ...]:
    """The tasks of an existing registry; none where there is no registry yet."""
    if not Registry.exists(address):
        return ()
    with Registry.open(address, readonly=True) as registry:
        return tuple(registry.tasks())


def keep_or_add(registry: Registry, task: TaskSpec) -> TaskSpec:
    """The stored TaskSpec where the task is known, so that its certificates keep their rows; else the new one, stored."""
    stored = registry.task(task.fingerprint)
    if stored is not None:
        return stored.model_copy(update={"rows": task.rows})
    registry.put_task(task)
    return task


def task_line(task: TaskSpec) -> dict[str, Any]:
    """What a progress display needs of a task."""
    return {
        "fingerprint": task.fingerprint,
        "label": task.label,
        "answer_kind": task.contract.answer_kind.value,
        "rows": task.rows,
    }


def assign_rows(bench: Workbench, config: BuildConfig, emit: Emit, *, expected_rows: int = 0) -> dict[str, Any]:
    """Give every row its task and binding, in chunks that are committed one by one; running it again changes nothing.

    Args:
        expected_rows: usable rows of the datasets, as far as known; many are shared among processes.

    Raises:
        RlarError: a process was lost; what was committed stays.
    """
    registry = bench.registry(config.registry)
    router = RowRouter.from_arrays(registry.router_arrays(), tuple(registry.tasks()), source=registry.name)
    counts: Counter[str] = Counter()
    unread = UnreadClauses()
    workers = processors() if expected_rows >= WORTH_PROCESSES else 1
    rows = assign_stream(router, rows_of(config, RowStats()), workers=workers)
    done = 0
    while chunk := [RowRecord._make(row) for row in islice(rows, CHUNK)]:
        counts.update(row.fingerprint or "unknown" for row in chunk)
        registry.put_rows(chunk)
        for row in chunk:
            unread.notice(row)
        done += len(chunk)
        emit({"event": "assigned", "rows": done})
    found: dict[str, Any] = {"counts": dict(sorted(counts.items()))}
    if (llm := bench.llm(config)) is not None:
        before = llm.spent("")
        changed, found["bindings"] = unread.read(llm)
        registry.put_rows(changed)
        found["bindings"]["calls"] = llm.spent("").calls - before.calls
    return found
