"""`rlar agent trace`: the whole story of a build as one offline page: every step with its input and output, every
question to the LLM with its answer, every tool with its source, probes and cost.

It reads the checkpoints beside the registry and the registry itself, and changes neither. Also shows the builds in a
running dev server, so that Studio opens their whole trace.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import urlencode

from rlar._version import __version__
from rlar.agent.bench import Workbench
from rlar.agent.graph import GRAPH_NAME, Graph, make_graph
from rlar.agent.persistence import open_checkpoints, trace_errors, trace_path
from rlar.errors import ConfigError, boundary
from rlar.registry.engine import shown
from rlar.registry.registry import Registry
from rlar.report import page
from rlar.rows.atomic import write_errors, write_text_atomic
from rlar.types import Certificate, JsonObject

STUDIO_PAGE = "https://smith.langchain.com/studio/"
SHOWN_CHARACTERS = 20_000
"""Of one value on the page; what is cut says so."""
MOST_CALLS = 500
"""Questions to the LLM on the page, a task."""


def write_trace(registry: str, run: str | None, target: Path) -> str:
    """Write the page of a build; returns what to tell.

    Args:
        run: its thread id, or the beginning of one; None: the newest.

    Raises:
        ConfigError: no trace, or no such run.
        TraceError: the trace is damaged, or was not written by a build.
    """
    runs = traced_runs(registry)
    chosen = [each for each in runs if run is None or each.thread.startswith(run)]
    if not chosen or (run is not None and len(chosen) > 1):
        known = ", ".join(each.thread for each in runs) or "none"
        raise ConfigError(f"{run or 'the newest run'}: {len(chosen)} builds match; there are: {known}")
    story = read_story(registry, chosen[-1].thread)
    with write_errors(target):
        target.parent.mkdir(parents=True, exist_ok=True)
    write_text_atomic(target, render(story))
    return f"trace of build {chosen[-1].thread} -> {target}"


def read_story(registry: str, thread: str) -> JsonObject:
    """A build as data: what the page shows."""
    path = trace_path(registry)
    with open_checkpoints(path, readonly=True) as saver, Workbench() as bench, trace_errors(path):
        graph = make_graph(bench, saver)
        options: Any = {"configurable": {"thread_id": thread}}
        state = graph.get_state(options)
        steps = list(_steps(graph, options))
    values = state.values
    outcomes = {item["fingerprint"]: item for item in values.get("outcomes", [])}
    with Registry.open(registry, readonly=True) as opened:
        tasks = [_task(opened, task, outcomes.get(task["fingerprint"], {}), steps) for task in values.get("tasks", [])]
        calls = [_call(each) for each in opened.llm_calls("")][:MOST_CALLS]
    return {
        "thread": thread,
        "status": "finished" if not state.next else f"unfinished: next is {', '.join(state.next)}",
        "waiting": [item.value for item in state.interrupts],
        "settings": {key: values.get(key) for key in ("dataset", "registry", "llm", "seed", "hub", "web", "approve")},
        "rows": values.get("rows", {}),
        "readings": values.get("readings", []),
        "spent": (values.get("summary") or {}).get("spent"),
        "steps": [step for step in steps if not step["fingerprint"]],
        "calls": calls,
        "tasks": tasks,
    }


def _steps(graph: Graph, options: Any, fingerprint: str = "") -> Iterator[JsonObject]:
    """The steps of a graph, oldest first: what each node got, gave and raised; then those of its subgraphs."""
    for snapshot in reversed(list(graph.get_state_history(options))):
        for task in snapshot.tasks:
            given = dict(snapshot.values) if isinstance(snapshot.values, dict) else {}
            own = fingerprint or _fingerprint_of(task)
            yield {
                "node": task.name,
                "fingerprint": own,
                "at": snapshot.created_at,
                "given": given,
                "gave": task.result,
                "error": str(task.error) if task.error else "",
                "waits": [item.value for item in task.interrupts],
            }
            if isinstance(task.state, dict):
                yield from _steps(graph, task.state, own)


def _fingerprint_of(task: Any) -> str:
    """The task that a step of the outer graph worked on, from what its subgraph gave; "" where it is about them all."""
    outcomes = task.result.get("outcomes") if isinstance(task.result, dict) else None
    return str(outcomes[0]["fingerprint"]) if task.name == "build_task" and outcomes else ""


def _task(registry: Registry, task: JsonObject, outcome: JsonObject, steps: list[JsonObject]) -> JsonObject:
    fingerprint = task["fingerprint"]
    stored = registry.task(fingerprint)
    latest: dict[str, Certificate] = {each.tool_id: each for each in registry.certificates(fingerprint=fingerprint)}
    tools = []
    for certificate in sorted(latest.values(), key=lambda each: (not each.admitted, each.created_at, each.tool_id)):
        spec = registry.tool(certificate.tool_id)
        tools.append(
            {
                "spec": spec.model_dump(mode="json") if spec else {},
                "certificate": certificate.model_dump(mode="json"),
                "worst": [
                    {"check": check.name, **failure}
                    for check in certificate.checks
                    for failure in check.details.get("worst", [])[:3]
                ],
            }
        )
    return {
        "fingerprint": fingerprint,
        "label": task["label"],
        "description": task.get("description", ""),
        "contract": task["contract"],
        "criteria": list(stored.criteria) if stored else [],
        "witnesses": [each.model_dump(mode="json") for each in stored.witnesses] if stored else [],
        "outcome": outcome,
        "steps": [step for step in steps if step["fingerprint"] == fingerprint],
        "calls": [_call(each) for each in registry.llm_calls(fingerprint)][:MOST_CALLS],
        "tools": tools,
    }


def _call(call: Any) -> JsonObject:
    return {
        "node": call.node,
        "prompt": f"{call.prompt_name}@{call.prompt_hash}",
        "model": call.model,
        "messages": call.request.get("messages", []),
        "answer": call.answer,
        "tokens": f"{call.input_tokens:,} + {call.output_tokens:,}",
        "cost": call.cost,
    }


def render(story: JsonObject) -> str:
    """The page. Everything on it is data from outside: the template escapes all of it."""
    title = f"rlar build {story['thread']}"
    return page.render("trace.html.j2", title, filters={"shown": _shown}, story=story, version=__version__)


def _shown(value: Any) -> str:
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, indent=1, default=str)
    if len(text) <= SHOWN_CHARACTERS:
        return text
    return f"{text[:SHOWN_CHARACTERS]}\n[... {len(text) - SHOWN_CHARACTERS:,} characters more: see the trace file]"


# ------------------------------------------------------------------------------------------ the runs of a trace


class TracedRun(NamedTuple):
    """A build as the trace file knows it."""

    thread: str
    """UUID of its thread, which is also the id of the build in the registry."""
    finished: bool
    steps: int
    """Checkpoints of the outer graph."""


def traced_runs(registry: str) -> list[TracedRun]:
    """The builds in the trace file beside a registry, oldest first. Raises ConfigError when there is none, TraceError."""
    path = trace_path(registry)
    if not path.exists():
        raise ConfigError(f"{path}: no trace; `rlar agent build-tools --registry {shown(registry)}` writes one")
    with open_checkpoints(path, readonly=True) as saver, Workbench() as bench:
        graph = make_graph(bench, saver)
        steps: dict[str, int] = {}
        first: dict[str, str] = {}
        for item in saver.list(None):
            settings = item.config["configurable"]
            if settings.get("checkpoint_ns"):
                continue
            thread = settings["thread_id"]
            steps[thread] = steps.get(thread, 0) + 1
            first[thread] = item.checkpoint["ts"]
        ordered = sorted(steps, key=lambda thread: first[thread])
        return [
            TracedRun(thread, not graph.get_state({"configurable": {"thread_id": thread}}).next, steps[thread])
            for thread in ordered
        ]


def publish_runs(registry: str, url: str) -> list[str]:
    """Make a running dev server list the builds of a registry's trace; returns lines to tell.

    The server must have been started on the same trace file (RLAR_TRACE); see docs/studio.md.

    Raises:
        ConfigError: no trace, the extra is not installed, or no server answers at `url`.
    """
    try:
        from langgraph_sdk import get_sync_client
    except ImportError as error:
        raise ConfigError("the dev server's client is missing: pip install 'rlar[studio]'") from error
    runs = traced_runs(registry)
    client = get_sync_client(url=url)

    def unreachable(error: Exception) -> None:
        raise ConfigError(
            f"{url}: {type(error).__name__}; start the server with "
            f"`RLAR_TRACE={trace_path(registry)} langgraph dev --no-browser`"
        ) from error

    lines = []
    for run in runs:

        def create(run: TracedRun = run) -> None:
            client.threads.create(
                thread_id=run.thread, graph_id=GRAPH_NAME, metadata={"source": "cli"}, if_exists="do_nothing"
            )

        boundary(create, unreachable)
        state = "finished" if run.finished else "unfinished"
        lines.append(f"{run.thread}  {state}, {run.steps} steps")
    lines.append(f"open {STUDIO_PAGE}?{urlencode({'baseUrl': url})}")
    return lines
