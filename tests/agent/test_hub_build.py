"""A whole build with the Hub switched on: exactly the models that learnt the task are admitted, each other one has its reason."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from rlar.registry.registry import Registry
from rlar.types import ToolKind
from tests.agent.test_build import ROOT, write_rows
from tests.fakes import toy_task
from tests.fakes.hub_server import HubServer
from tests.fakes.tiny_models import PLANTED, make_models

TRIED_ALL = "[hub]\ntop = 50\n"


@pytest.mark.slow
@pytest.mark.timeout(1500)
def test_exactly_the_models_that_learnt_the_task_are_admitted(tmp_path, capsys):
    settings = {
        "dataset": [write_rows(tmp_path / "mix.jsonl", [{"prompt": each.text} for each in toy_task.prompts()])],
        "registry": str(tmp_path / "registry.db"),
        "hub_cache": str(tmp_path / "cache"),
        "labelled": write_rows(tmp_path / "pairs.jsonl", [pair._asdict() for pair in toy_task.pairs(60)]),
        "policy": str(write_text(tmp_path / "policy.toml", TRIED_ALL)),
    }
    lines = [f"{name} = {json.dumps(value)}" for name, value in settings.items()]
    build = write_text(tmp_path / "build.toml", "\n".join(lines))
    command = [sys.executable, "-m", "rlar", "agent", "build-tools", "--config", str(build), "--hub", "--json"]
    with HubServer(make_models(tmp_path / "models")) as hub:
        ran = subprocess.run(
            [*command, "--registry", settings["registry"], "--llm", "none", "--report", ""],
            cwd=tmp_path,
            # The client reads its endpoint when it is imported, so it needs a process of its own.
            env={**os.environ, "HF_ENDPOINT": hub.url, "HF_HUB_DISABLE_TELEMETRY": "1", "PYTHONPATH": str(ROOT)},
            capture_output=True,
            text=True,
            timeout=1200,
            check=False,
        )
    assert ran.returncode in (0, 4), ran.stderr[-3000:]
    ends = how_each_ended(str(settings["registry"]), json.loads(ran.stdout))
    with capsys.disabled():
        print_table(ends)
    wanted = {"approval": "passed over", "vetting": "passed over", "load": "rejected", "gate": "rejected"}
    for planted in PLANTED:
        end, reason = ends[planted.repo]
        assert end == wanted.get(planted.ends, planted.ends), (planted.repo, reason)
        assert planted.reason in reason, (planted.repo, reason)


def write_text(path: Path, text: str) -> Path:
    path.write_text(text, "utf-8")
    return path


def how_each_ended(registry: str, summary: dict[str, Any]) -> dict[str, tuple[str, str]]:
    """By repository: admitted, rejected (by the gate) or passed over, and why."""
    ends: dict[str, tuple[str, str]] = {}
    (task,) = summary["tasks"]
    for each in task["passed_over"]:
        ends[each["subject"].split("@")[0]] = "passed over", each["reason"]
    with Registry.open(registry) as opened:
        for certificate in opened.latest_certificates(task["fingerprint"]):
            tool = opened.tool(certificate.tool_id)
            if tool is None or tool.kind is not ToolKind.REWARD_MODEL:
                continue
            repo = tool.source.split("@")[0]
            if certificate.admitted:
                ends[repo] = "admitted", ""
            elif repo not in ends:
                ends[repo] = "rejected", "; ".join(certificate.reasons)
    return ends


def print_table(ends: dict[str, tuple[str, str]]) -> None:
    print("\n| model | what | ends | why |\n|---|---|---|---|")
    for planted in PLANTED:
        end, reason = ends.get(planted.repo, ("missing", ""))
        print(f"| {planted.repo} | {planted.what} | {end} | {reason[:160]} |")
    print(
        json.dumps(
            {end: sum(each[0] == end for each in ends.values()) for end in sorted({e[0] for e in ends.values()})}
        )
    )
