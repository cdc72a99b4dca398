"""Run the build graph from Python or the command line: resume what was killed, repeat nothing, stop cleanly."""

from __future__ import annotations

import contextlib
import hashlib
import time
import uuid
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

from langgraph.checkpoint.base import BaseCheckpointSaver
from langgraph.errors import GraphDrained
from langgraph.runtime import RunControl
from langgraph.types import Command

from rlar.agent.bench import Workbench
from rlar.agent.graph import Graph, make_graph
from rlar.agent.persistence import open_checkpoints, trace_path
from rlar.config import BuildConfig
from rlar.discover.fingerprint import FINGERPRINT_VERSION
from rlar.errors import ApprovalNeeded, BuildStopped, ConfigError, DatasetError
from rlar.registry.engine import database_errors, keep_secrets, place
from rlar.rows.files import checked_file
from rlar.types import canonical_json

NAMESPACE = uuid.UUID("5f0f3b7e-6f0e-5d0c-9a53-7c1a52f0a1ce")
RUNS_LIMIT = 100_000
NOT_IDENTITY = frozenset({"parallel_tasks", "report"})
"""Settings that do not change what a build finds."""


def datasets_digest(paths: tuple[str, ...]) -> str:
    """SHA-256 over the bytes of the datasets. Raises DatasetError for a file that cannot be used."""
    hasher = hashlib.sha256()
    for path in paths:
        try:
            with checked_file(Path(path)).open("rb") as file:
                hasher.update(hashlib.file_digest(file, "sha256").digest())
        except OSError as error:
            raise DatasetError(f"{path}: cannot be read: {error.strerror or error}") from error
    return hasher.hexdigest()


def run_identity(config: BuildConfig) -> str:
    """What makes two builds the same: datasets by content, settings, registry, fingerprint version."""
    settings = config.model_dump(mode="json", exclude={"dataset", *NOT_IDENTITY})
    settings["registry"] = place(config.registry)
    return canonical_json([datasets_digest(config.dataset), settings, FINGERPRINT_VERSION])


def pick_thread(graph: Graph, identity: str, *, resume: bool) -> tuple[str, bool]:
    """The thread of this run, and whether it continues an unfinished one. Thread ids are UUIDs, as Studio wants."""
    for number in range(RUNS_LIMIT):
        thread = str(uuid.uuid5(NAMESPACE, f"{identity}|{number}"))
        snapshot = graph.get_state({"configurable": {"thread_id": thread}})
        if snapshot.created_at is None:
            return thread, False
        if snapshot.next and resume:
            return thread, True
    raise RuntimeError(f"{RUNS_LIMIT} builds of the same input in one trace file")


def check_settings(config: BuildConfig) -> None:
    """Raise InputError for what would only be found out later, after rows were read or money was spent."""
    if config.max_cost is not None and config.llm_price is None:
        raise ConfigError("--max-cost needs --llm-price: what a million input and output tokens cost, e.g. 0.4,1.6")
    if config.llm != "none":
        from rlar.llm.chat import check_key, parse_endpoint
        from rlar.network import Network

        check_key(parse_endpoint(config.llm), Network.of_user(llm=config.llm))
    if config.labelled is not None and not Path(config.labelled).is_file():
        raise DatasetError(f"{config.labelled}: no such file of labelled pairs")


Decide = Callable[[Mapping[str, Any]], Any]
"""A person's answer to an interrupt of node `approve` (its payload in, see rlar.agent.nodes)."""


class Stop:
    """Asks a running build to stop at the next step; safe to call from a signal handler."""

    def __init__(self) -> None:
        self.control = RunControl()

    def __call__(self) -> None:
        self.control.request_drain("asked to stop")


def build_tools(
    config: BuildConfig,
    *,
    resume: bool = True,
    on_event: Callable[[dict[str, Any]], None] = lambda event: None,
    decide: Decide | None = None,
    stop: Stop | None = None,
    bench: Workbench | None = None,
) -> dict[str, Any]:
    """Discover the tasks of a dataset, admit tools for each, write the registry. Returns the summary.

    A killed build continues where it stopped when called again with the same input (`resume=False` starts anew).

    Args:
        on_event: gets progress events, each {"event": name, ...}.
        decide: asked where the policy wants a person's decision; None stops the build there.
        stop: called by somebody else (SIGTERM), it ends the build after the steps that are running.
        bench: live collaborators; None makes and closes them.

    Raises:
        InputError: the input cannot be used; no registry was made or changed.
        RegistryError: the registry is damaged or another build is writing to it.
        ChatDenied, ChatUnavailable: the LLM cannot be used while the tasks are read; the same call continues later.
        TraceError: the trace beside the registry is damaged, or was not written by a build.
        BuildStopped: `stop` was called, or (ApprovalNeeded) a decision is needed and nobody is there to ask.
    """
    started = time.monotonic()
    check_settings(config)
    # The configuration goes into checkpoints, the registry, the summary and the report.
    config = config.model_copy(update={"registry": keep_secrets(config.registry)})
    identity = run_identity(config)
    trace = trace_path(config.registry)
    trace_is_new = not trace.exists()
    with contextlib.ExitStack() as stack:
        bench = bench or stack.enter_context(Workbench())
        try:
            with database_errors(str(trace)), open_checkpoints(trace) as checkpoints:
                summary = _run(config, identity, bench, checkpoints, resume=resume, on_event=on_event,
                               decide=decide, stop=stop or Stop())  # fmt: skip
        except DatasetError:
            if trace_is_new:
                for leftover in (trace, Path(f"{trace}-wal"), Path(f"{trace}-shm")):
                    leftover.unlink(missing_ok=True)
            raise
    return {**summary, "seconds": round(time.monotonic() - started, 2)}


def _run(
    config: BuildConfig,
    identity: str,
    bench: Workbench,
    checkpoints: BaseCheckpointSaver[Any],
    *,
    resume: bool,
    on_event: Callable[[dict[str, Any]], None],
    decide: Decide | None,
    stop: Stop,
) -> dict[str, Any]:
    # A stored state may come from somebody else: it decides neither what is written where, nor what is allowed to run.
    bench.config = config
    graph = make_graph(bench, checkpoints)
    thread, continues = pick_thread(graph, identity, resume=resume)
    on_event({"event": "started", "thread": thread, "resumed": continues})
    options: Any = {
        "configurable": {"thread_id": thread},
        # One more than tasks: langgraph waits for the nodes of a run in a thread out of the same number.
        "max_concurrency": config.parallel_tasks + 1,
        "recursion_limit": 100,
        "metadata": {"source": "cli"},
    }
    given: Any = None if continues else config.model_dump(mode="json")
    while True:
        try:
            for event in _events(graph, given, options, stop):
                on_event(event)
        except GraphDrained as error:
            raise BuildStopped(
                "stopped; everything up to here is kept, and the same command continues the build"
            ) from error
        state = graph.get_state(options)
        if not state.interrupts:
            break
        if decide is None:
            raise ApprovalNeeded(_needed(thread, [item.value for item in state.interrupts]))
        given = Command(resume={item.id: decide(item.value) for item in state.interrupts})
    summary: dict[str, Any] = state.values["summary"]
    return {**summary, "thread": thread, "resumed": continues}


def _needed(thread: str, waiting: list[Mapping[str, Any]]) -> str:
    lines = [
        f"  {each['subject']} for {item['task']}: {'; '.join(each['reasons'])}"
        for item in waiting
        for each in item["approvals"]
    ]
    return "\n".join(
        [
            f"build {thread} waits for a decision about {len(lines)} model(s) that the policy does not allow by itself:",
            *lines,
            "run the same command in a terminal to decide, or in Studio; or with --approve never or --approve auto",
        ]
    )


def _events(graph: Graph, given: Any, options: Any, stop: Stop) -> Iterator[dict[str, Any]]:
    """The custom events of a run, from the outer graph and from every task's subgraph."""
    parts = graph.stream(
        given, options, stream_mode=["custom"], subgraphs=True, durability="sync", version="v2", control=stop.control
    )
    for part in parts:
        if part["type"] == "custom":
            yield part["data"]
