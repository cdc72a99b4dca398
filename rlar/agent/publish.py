"""Show the command line's builds in a running dev server, so that Studio opens their whole trace."""

from __future__ import annotations

from typing import NamedTuple
from urllib.parse import urlencode

from rlar.agent.graph import GRAPH_NAME
from rlar.agent.persistence import open_checkpoints, trace_path
from rlar.errors import ConfigError, boundary
from rlar.registry.engine import shown

STUDIO_PAGE = "https://smith.langchain.com/studio/"


class TracedRun(NamedTuple):
    """A build as the trace file knows it."""

    thread: str
    """UUID of its thread, which is also the id of the build in the registry."""
    finished: bool
    steps: int
    """Checkpoints of the outer graph."""


def traced_runs(registry: str) -> list[TracedRun]:
    """The builds in the trace file beside a registry, oldest first. Raises ConfigError when there is none, TraceError."""
    from rlar.agent.bench import Workbench
    from rlar.agent.graph import make_graph

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
