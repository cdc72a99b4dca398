"""The dev server serves the same graph over HTTP, and opens the trace of a command line build."""

from __future__ import annotations

import json
import os
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from rlar.agent.bench import Workbench
from rlar.agent.build import build_tools
from rlar.agent.sources import NoWriter
from rlar.agent.trace import publish_runs, traced_runs
from rlar.config import BuildConfig
from rlar.errors import ApprovalNeeded, ConfigError
from tests.agent.test_build import small_mix, write_rows
from tests.agent.test_build_controls import MODEL, AsksFirst
from tests.agent.test_story import TASKS, scripted

ROOT = Path(__file__).resolve().parents[2]


def test_no_trace_is_said_so(tmp_path):
    with pytest.raises(ConfigError, match="no trace"):
        traced_runs(str(tmp_path / "registry.db"))


@pytest.fixture(scope="module")
def served(tmp_path_factory) -> Iterator[tuple[str, Path, dict[str, Any]]]:
    """A dev server on the trace file of a finished build: (url, folder, summary of the build)."""
    langgraph = Path(sys.executable).with_name("langgraph")
    if not langgraph.exists():
        pytest.skip("the dev server is not installed: pip install 'rlar[studio]'")
    folder = tmp_path_factory.mktemp("studio")
    mix = write_rows(folder / "mix.jsonl", small_mix())
    registry = str(folder / "registry.db")
    summary = build_tools(BuildConfig(dataset=(mix,), registry=registry, report=None))
    rows = [{"prompt": example.text} for example in TASKS["target"].examples]
    with scripted() as server:
        config = BuildConfig(
            dataset=(write_rows(folder / "target.jsonl", rows),), registry=registry, report=None, llm=server.endpoint,
            max_repairs=2,
        )  # fmt: skip
        summary["written"] = build_tools(config)
    with (
        Workbench(sources=lambda _config: (AsksFirst(),), writer=lambda _config: NoWriter()) as bench,
        pytest.raises(ApprovalNeeded),
    ):
        waiting = write_rows(folder / "waiting.jsonl", small_mix()[:30])
        build_tools(BuildConfig(dataset=(waiting,), registry=registry, report=None), bench=bench)
    for name in ("langgraph.json", "pyproject.toml", "README.md"):
        shutil.copy(ROOT / name, folder / name)
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    environment = {
        **os.environ,
        "PYTHONPATH": str(ROOT),
        "RLAR_TRACE": f"{registry}.trace",
        "LANGSMITH_TRACING": "false",
        "LANGGRAPH_CLI_NO_ANALYTICS": "1",
        "LANGGRAPH_NO_VERSION_CHECK": "1",
    }
    command = [str(langgraph), "dev", "--no-browser", "--no-reload", "--port", str(port)]
    log = (folder / "server.log").open("wb")
    server = subprocess.Popen(command, cwd=folder, env=environment, stdout=log, stderr=subprocess.STDOUT)
    url = f"http://127.0.0.1:{port}"
    try:
        wait_until_up(url, server, folder / "server.log")
        yield url, folder, summary
    finally:
        server.terminate()
        server.wait(30)


def wait_until_up(url: str, server: subprocess.Popen[bytes], log: Path) -> None:
    import httpx

    for _ in range(120):
        assert server.poll() is None, log.read_text("utf-8", "replace")[-3000:]
        try:
            if httpx.get(f"{url}/ok", timeout=2).status_code == 200:
                return
        except httpx.HTTPError:
            pass
        time.sleep(0.5)
    raise AssertionError("the dev server did not come up: " + log.read_text("utf-8", "replace")[-3000:])


@pytest.mark.studio
def test_studio_sees_every_step_of_a_command_line_build(served):
    from langgraph_sdk import get_sync_client

    url, folder, summary = served
    lines = publish_runs(str(folder / "registry.db"), url)
    assert summary["thread"] in lines[0] and "finished" in lines[0]
    client = get_sync_client(url=url)
    listed = {thread["thread_id"] for thread in client.threads.search()}
    assert {summary["thread"], summary["written"]["thread"]} < listed
    state = client.threads.get_state(summary["thread"])
    assert state["values"]["summary"]["coverage"] == summary["coverage"] == 0.8
    steps = {name for item in client.threads.get_history(summary["thread"], limit=50) for name in item["next"]}
    assert {"classify", "build_task", "assign", "finish"} <= steps


@pytest.mark.studio
def test_studio_draws_the_graph_and_runs_it(served):
    from langgraph_sdk import get_sync_client

    url, folder, _summary = served
    client = get_sync_client(url=url)
    assistant = client.assistants.search()[0]
    nodes = {node["id"] for node in client.assistants.get_graph(assistant["assistant_id"], xray=True)["nodes"]}
    assert {
        "classify",
        "build_task:retrieve",
        "build_task:self_test",
        "build_task:generate",
        "build_task:register",
    } <= nodes
    thread = client.threads.create()["thread_id"]
    given = {"dataset": [str(folder / "mix.jsonl")], "registry": str(folder / "studio.db"), "report": None}
    values = client.runs.wait(thread, "build-tools", input=given)
    assert values["summary"]["coverage"] == 0.8
    assert (folder / "studio.db").exists()


@pytest.mark.studio
def test_studio_tells_the_whole_story_of_a_written_tool(served):
    from langgraph_sdk import get_sync_client

    url, folder, summary = served
    publish_runs(str(folder / "registry.db"), url)
    client, thread = get_sync_client(url=url), summary["written"]["thread"]
    told = json.dumps(client.threads.get_state(thread, subgraphs=True))
    for item in client.threads.get_history(thread, limit=50):
        told += json.dumps(item)
        for task in item["tasks"]:
            inner = (task.get("checkpoint") or {}).get("checkpoint_ns")
            if inner:
                told += json.dumps(client.threads.get_history(thread, limit=50, checkpoint={"checkpoint_ns": inner}))
    # The rejected attempt with its probe, the refused import, the repaired source, the witnesses, the cost.
    for expected in ("proposed_wrong", "import of 'socket'", "sorted(used) == given", "witnesses", '"calls": '):
        assert expected in told, expected


@pytest.mark.studio
def test_an_approval_is_answered_and_a_run_is_forked_over_http(served):
    from langgraph_sdk import get_sync_client

    url, folder, _summary = served
    publish_runs(str(folder / "registry.db"), url)
    client = get_sync_client(url=url)
    (waiting,) = [run for run in traced_runs(str(folder / "registry.db")) if not run.finished]
    state = client.threads.get_state(waiting.thread)
    asked = [interrupt["value"] for task in state["tasks"] for interrupt in task["interrupts"]]
    assert asked and all(question["approvals"][0]["subject"] == MODEL for question in asked)
    ids = [interrupt["id"] for task in state["tasks"] for interrupt in task["interrupts"]]
    values = client.runs.wait(waiting.thread, "build-tools", command={"resume": dict.fromkeys(ids, False)})
    assert values["summary"]["coverage"] > 0  # the server's own sources went on with the library
    before = client.threads.get_history(waiting.thread, limit=50)
    at = next(item for item in before if item["next"] == ["finish"])
    client.runs.wait(waiting.thread, "build-tools", checkpoint=at["checkpoint"], input=None)
    after = client.threads.get_history(waiting.thread, limit=80)
    assert len(after) > len(before)
    assert {item["checkpoint_id"] for item in before} <= {item["checkpoint_id"] for item in after}
