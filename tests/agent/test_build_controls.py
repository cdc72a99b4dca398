"""What a person can do to a build: decide, stop, limit; and what the LLM's faults do to it."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from rlar.agent.bench import Workbench
from rlar.agent.build import Stop, build_tools
from rlar.agent.sources import Approval, Found, NoWriter, PassedOver
from rlar.config import BuildConfig
from rlar.discover.discover import discover
from rlar.errors import ApprovalNeeded, BuildStopped, ChatDenied, ChatUnavailable, DatasetError
from rlar.gate.labelled import labelled_pairs
from rlar.registry.registry import Registry
from rlar.testing.openai_server import Fault, Reply, ScriptedOpenAI
from rlar.tools.library import library_spec
from rlar.types import Example, Message
from tests.agent.test_build import ROOT, write_rows
from tests.fakes.thinning import thinned

SECRET = "sk-very-secret-0123456789"


def pens(count: int = 20) -> list[dict[str, str]]:
    return [
        {"prompt": f"A box holds {n} pens. How many do {n + 3} boxes hold?", "reference": str(n * (n + 3))}
        for n in range(2, 2 + count)
    ]


def config_for(folder: Path, rows: list[dict[str, Any]] | None = None, **settings: Any) -> BuildConfig:
    mix = write_rows(folder / "mix.jsonl", rows or pens())
    return BuildConfig(dataset=(mix,), registry=str(folder / "registry.db"), report=None, **settings)


# ------------------------------------------------------------------------------------------ decisions

MODEL = f"acme/judge-rm@{'a' * 40}"


class AsksFirst:
    """A source whose only candidate needs a person's yes."""

    name = "asks"

    def __init__(self) -> None:
        self.decisions: list[dict[str, bool]] = []

    def find(self, task, decisions) -> Found:
        self.decisions.append(dict(decisions))
        if MODEL not in decisions:
            return Found(approvals=(Approval(subject=MODEL, reasons=("licence other",), facts={"bytes": 7}),))
        if not decisions[MODEL]:
            return Found(passed_over=(PassedOver(subject=MODEL, reason="a person said no"),))
        return Found(tools=(library_spec("number"),))


def build(folder: Path, source: AsksFirst, **options: Any) -> dict[str, Any]:
    with Workbench(sources=lambda _config: (source,), writer=lambda _config: NoWriter()) as bench:
        return build_tools(config_for(folder), bench=bench, **options)


@pytest.mark.parametrize(
    ("answer", "covered"),
    [
        (True, True),
        ({MODEL: True}, True),
        ([MODEL], True),
        (False, False),
        ({}, False),
        ({MODEL: "yes"}, False),  # only true is a yes
        (["acme/judge-rm"], False),
        ("approve everything", False),
        (None, False),
    ],
)
def test_a_person_decides_and_whatever_is_no_clear_yes_is_a_no(tmp_path, answer, covered):
    asked: list[Any] = []

    def decide(question: Any) -> Any:
        asked.append(question)
        return answer

    summary = build(tmp_path, AsksFirst(), decide=decide)
    assert [(question["fingerprint"], question["approvals"][0]["subject"]) for question in asked] == [
        (summary["tasks"][0]["fingerprint"], MODEL)
    ]
    assert summary["tasks"][0]["covered"] is covered
    if not covered:
        assert summary["tasks"][0]["passed_over"] == [
            {"source": "asks", "subject": MODEL, "reason": "a person said no"}
        ]


def test_without_a_person_the_build_waits_and_goes_on_where_it_stopped(tmp_path):
    source = AsksFirst()
    with pytest.raises(ApprovalNeeded, match="acme/judge-rm") as raised:
        build(tmp_path, source)
    assert "--approve never" in str(raised.value)
    assert source.decisions == [{}]
    summary = build(tmp_path, source, decide=lambda _question: True)
    assert summary["resumed"] and summary["tasks"][0]["covered"]
    assert source.decisions == [{}, {MODEL: True}]  # the search before the question is not done again


# ------------------------------------------------------------------------------------------ stopping


def test_a_stopped_build_keeps_what_was_done_and_continues(tmp_path):
    stop = Stop()
    events: list[str] = []

    def watch(event: dict[str, Any]) -> None:
        events.append(event["event"])
        if event["event"] == "classified":
            stop()

    config = config_for(tmp_path)
    with pytest.raises(BuildStopped, match="same command"):
        build_tools(config, on_event=watch, stop=stop)
    assert "registered" not in events
    events.clear()
    summary = build_tools(config, on_event=watch)
    assert summary["resumed"] and "classified" not in events and summary["tasks"][0]["covered"]


@pytest.mark.slow
def test_sigterm_drains_the_command_line_build(tmp_path):
    rows = pens() + [
        {"prompt": f"Say {word}.", "reference": word}
        for word in ["ab", "cd", "ef", "gh", "ij", "kl", "mn", "op", "qr", "st"]
    ]
    config = config_for(tmp_path, rows)
    command = [sys.executable, "-m", "rlar", "agent", "build-tools", "-d", config.dataset[0], "-r", config.registry,
               "--report", "", "--llm", "none"]  # fmt: skip
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    process = subprocess.Popen(command, env=environment, stderr=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    assert process.stderr is not None
    for line in process.stderr:
        if "tasks found" in line:
            process.send_signal(signal.SIGTERM)
            break
    _out, err = process.communicate(timeout=120)
    assert process.returncode == 1 and "same command continues" in err
    done = subprocess.run([*command, "--json"], env=environment, capture_output=True, text=True, check=True)
    assert json.loads(done.stdout)["resumed"] is True


# ------------------------------------------------------------------------------------------ faults and budgets

NUMBER = {"name": "pens", "description": "Multiply.", "answer_kind": "number", "rule": "", "criteria": ["Right."]}


def everything(folder: Path, *texts: str) -> bytes:
    """All that a build wrote or said."""
    files = [path.read_bytes() for path in folder.rglob("*") if path.is_file()]
    return b"".join(files) + "".join(texts).encode()


def test_a_refused_key_ends_the_build_with_one_message_and_no_key(tmp_path, monkeypatch):
    monkeypatch.setenv("RLAR_LLM_KEY", SECRET)
    with ScriptedOpenAI() as server:
        server.when([], Fault(401, message=f"Incorrect API key provided: {SECRET}"))
        with pytest.raises(ChatDenied) as raised:
            build_tools(config_for(tmp_path, llm=server.endpoint))
        assert len(server.requests) == 1  # asking again is no use
    assert SECRET.encode() not in everything(tmp_path, str(raised.value), repr(raised.value.__cause__))
    with Registry.open(tmp_path / "registry.db", readonly=True) as registry:
        assert registry.tasks() == []  # nothing half-written


@pytest.mark.parametrize(
    "fault",
    thinned(
        [
            Fault(429, retry_after=0.01),
            Fault(500),
            Fault(503, retry_after=0.01),
            Fault(200, body="{", content_type="application/json"),
            Fault(200, body="<html>", content_type="text/html"),
            Fault(200, cut=True),
        ],
        every=3,
    ),
    ids=["429", "500", "503", "malformed", "html", "cut"],
)
def test_a_passing_fault_is_retried_and_leaves_no_trace_in_the_result(tmp_path, fault):
    with ScriptedOpenAI() as server:
        server.when([], fault, Reply(json=NUMBER))
        summary = build_tools(config_for(tmp_path, llm=server.endpoint))
        assert len(server.requests) == 2
    assert [task["label"] for task in summary["tasks"]] == ["pens"]
    assert summary["spent"]["calls"] == 1


def test_an_llm_that_stays_down_stops_the_build_which_then_continues(tmp_path, monkeypatch):
    monkeypatch.setattr(
        "rlar.llm.chat.OpenAIChat.__init__.__kwdefaults__",
        {"timeout_seconds": 5.0, "retries": 1, "patience_seconds": 2.0},
    )
    with ScriptedOpenAI() as server:
        server.when([], Fault(500), Fault(500), Reply(json=NUMBER))
        config = config_for(tmp_path, llm=server.endpoint)
        with pytest.raises(ChatUnavailable):
            build_tools(config)
        summary = build_tools(config)
    assert summary["resumed"] and summary["tasks"][0]["covered"]


@pytest.mark.parametrize(
    "answer", thinned([Reply(refusal="I cannot."), Reply(json=NUMBER, finish_reason="length"), Reply("prose")], every=3)
)
def test_an_answer_that_cannot_be_used_leaves_the_task_to_its_rows(tmp_path, answer):
    with ScriptedOpenAI() as server:
        server.when([], answer)
        summary = build_tools(config_for(tmp_path, llm=server.endpoint))
    assert [(task["label"], task["covered"]) for task in summary["tasks"]] == [("number answer", True)]
    assert "cannot be used" in summary["readings"][0]["note"]


def test_a_spent_budget_ends_in_order_with_what_was_done(tmp_path):
    rows = pens() + [{"prompt": f"Chat with me about {word} and what it means to you."} for word in
                     ["sun", "moon", "stars", "rain", "wind", "snow", "hail", "fog", "mist", "dew"]]  # fmt: skip
    with ScriptedOpenAI() as server:
        server.when([], Reply(json=NUMBER, usage=(100, 50)))
        summary = build_tools(config_for(tmp_path, rows, llm=server.endpoint, max_llm_calls=1))
        assert len(server.requests) == summary["spent"]["calls"] == 1
    covered = {task["answer_kind"]: task["covered"] for task in summary["tasks"]}
    assert covered == {"number": True, "open_ended": False}
    assert any("max_llm_calls" in reading["note"] for reading in summary["readings"])


# ------------------------------------------------------------------------------------------ labelled pairs


def test_labelled_pairs_find_their_task(tmp_path):
    rows = [Example(id=str(n), prompt=(Message(role="user", content=row["prompt"]),), reference=row["reference"],
                    references=(row["reference"],)) for n, row in enumerate(pens())]  # fmt: skip
    found = discover(rows)
    path = write_rows(tmp_path / "pairs.jsonl", [
        {"prompt": "A box holds 9 pens. How many do 4 boxes hold?", "reference": "36", "better": "36", "worse": "35"},
        {"prompt": "A box holds 8 pens. How many do 4 boxes hold?", "reference": "32",
         "chosen": [{"role": "assistant", "content": "32"}], "rejected": [{"role": "assistant", "content": "2"}]},
        {"prompt": "A box holds 7 pens. How many do 4 boxes hold?", "reference": "28",
         "responses": ["1", "28", "27", "0"], "labels": [0, 2, 1, None]},
    ])  # fmt: skip
    pairs = labelled_pairs(path, found.router, found.tasks)
    assert {name: [(pair.better, pair.worse) for pair in held] for name, held in pairs.items()} == {
        found.tasks[0].fingerprint: [("36", "35"), ("32", "2"), ("28", "1"), ("27", "1"), ("28", "27")]
    }


def test_a_row_that_is_no_pair_is_named(tmp_path):
    path = write_rows(tmp_path / "pairs.jsonl", [{"prompt": "Hello?", "better": "Hi."}])
    with pytest.raises(DatasetError, match=r"pairs\.jsonl:1.*no labelled pair"):
        labelled_pairs(path, discover([]).router, ())


@pytest.mark.slow
def test_one_task_at_a_time_is_possible(tmp_path):
    summary = build_tools(config_for(tmp_path, parallel_tasks=1))
    assert summary["tasks"][0]["covered"]
