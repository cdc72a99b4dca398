"""The whole story over real HTTP: three task types that the library cannot serve, bad code first, a repair, a registry."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest

import rlar
from rlar.agent.build import build_tools
from rlar.agent.trace import read_story, render, write_trace
from rlar.config import BuildConfig
from rlar.registry.registry import Registry
from rlar.testing.openai_server import Asked, Reply, ScriptedOpenAI
from rlar.types import Example, Message, TaskSpec
from tests.fakes.rule_tasks import (
    BAD,
    BRACKETS,
    BRACKETS_COUNTED,
    LADDER,
    LADDER_ENDS,
    TARGET,
    TARGET_UNUSED,
    bracket_task,
    ladder_task,
    target_task,
)

TASKS = {"target": target_task(), "ladder": ladder_task(), "brackets": bracket_task()}
MARKS = {"target": "exactly once", "ladder": "changing exactly one letter", "brackets": "balanced string"}
CODE = {
    "target": (TARGET_UNUSED, TARGET),
    "ladder": (LADDER_ENDS, LADDER),
    "brackets": (BRACKETS_COUNTED, BRACKETS),
}
MALICIOUS = {"target": "reads environment", "ladder": "imports rlar and patches it", "brackets": "sys.exit"}


def witnesses(task: TaskSpec):
    """Answers the question for witnesses as a good model would: from the task's own, by the prompts that it shows."""

    def answer(asked: Asked) -> Reply:
        rows = []
        for row in re.findall(r'"row": (\d+),\s*"prompt": ("(?:[^"\\]|\\.)*")', asked.text):
            prompt = json.loads(row[1])
            known = {example.text: witness for example, witness in zip(task.examples, task.witnesses, strict=True)}[
                prompt
            ]
            rows.append(
                {"row": int(row[0]), "working": "", "right": list(known.right), "wrong": list(known.wrong), "also_right": []}
            )  # fmt: skip
        return Reply(json={"rows": rows})

    return answer


def plan(name: str) -> dict[str, Any]:
    return {"name": name, "kind": "rule", "idea": "checks the rule", "steps": "read, compute", "weakness": "none"}


def scripted() -> ScriptedOpenAI:
    """Good, nearly right, hostile and useless answers for three tasks; nothing here is a model's."""
    server = ScriptedOpenAI()
    for name, task in TASKS.items():
        mark = MARKS[name]
        nearly, sound = CODE[name]
        said = {
            "name": f"the {name} game", "description": "Obey the rule.", "answer_kind": "rule",
            "rule": "What the prompt demands holds.", "criteria": ["It obeys."],
        }  # fmt: skip
        server.when(["You help to build reward tools", mark, "share this wording"], Reply(json=said))
        server.when(
            lambda asked, mark=mark: asked.schema_name == "ProposedAnswers" and mark in asked.text, witnesses(task)
        )
        server.when(
            ["You plan reward functions", mark],
            Reply(json={"metrics": [plan("check the rule"), plan("be clever"), plan("talk")]}),
        )
        server.when(
            ["You write reward functions", mark],
            Reply(json={"approach": "", "code": nearly}),
            Reply(json={"approach": "", "code": BAD[MALICIOUS[name]].source}),
            Reply(json={"approach": "", "code": BAD["prose"].source}),
        )
        server.when(
            ["You repair a reward function", mark, "be clever"],
            Reply(json={"cause": "", "disputed": [], "code": BAD["opens network"].source}),
        )
        server.when(
            ["You repair a reward function", mark], Reply(json={"cause": "it was lax", "disputed": [], "code": sound})
        )
    open_ended = {
        "name": "all sorts",
        "description": "",
        "answer_kind": "open_ended",
        "rule": "",
        "criteria": ["Good."],
    }
    server.when("You help to build reward tools", Reply(json=open_ended))
    server.when("You help to sort the prompts", Reply(json={"same": [[1], [2], [3]]}))
    return server


@pytest.fixture(scope="module")
def story(tmp_path_factory):
    """(server's requests, summary, folder) of one build."""
    folder = tmp_path_factory.mktemp("story")
    rows = [{"prompt": example.text} for task in TASKS.values() for example in task.examples]
    (folder / "mix.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows), "utf-8")
    with scripted() as server:
        config = BuildConfig(
            dataset=(str(folder / "mix.jsonl"),), registry=str(folder / "registry.db"), report=None,
            llm=server.endpoint, max_repairs=2, llm_price=(1.0, 2.0), llm_timeout_seconds=30.0,
        )  # fmt: skip
        events: list[dict[str, Any]] = []
        summary = build_tools(config, on_event=events.append)
        asked = len(server.requests)
        again = build_tools(config)
        repeated = len(server.requests) - asked
    return {
        "summary": summary,
        "again": again,
        "events": events,
        "asked": asked,
        "repeated": repeated,
        "folder": folder,
    }


def test_each_task_is_covered_by_a_repaired_verifier(story):
    tasks = {task["label"]: task for task in story["summary"]["tasks"] if task["rows"]}
    assert set(tasks) == {"the target game", "the ladder game", "the brackets game"}
    assert all(task["covered"] and task["answer_kind"] == "rule" for task in tasks.values())
    with Registry.open(story["folder"] / "registry.db", readonly=True) as registry:
        for task in tasks.values():
            (tool,) = [registry.tool(name) for name in task["tools"]]
            assert tool.provenance["repairs"] >= 1 and tool.provenance["model"].endswith("#scripted")
            rejected = [each for each in registry.latest_certificates(task["fingerprint"]) if not each.admitted]
            assert rejected and all(each.reasons for each in rejected)
            refused = {item["reason"] for item in task["passed_over"]}
            assert any("import" in reason for reason in refused)


def test_every_question_is_counted_and_priced(story):
    spent = story["summary"]["spent"]
    assert spent["calls"] == story["asked"] > 0
    assert spent["cost"] == pytest.approx((spent["input_tokens"] + 2 * spent["output_tokens"]) / 1e6, abs=2e-6)
    live = [event for event in story["events"] if event["event"] == "llm" and not event["cached"]]
    assert len(live) == spent["calls"]
    assert all(task["cost"]["calls"] > 0 for task in story["summary"]["tasks"] if task["rows"])


def test_a_second_build_asks_nothing_and_covers_the_same(story):
    assert story["repeated"] == 0 and story["again"]["spent"]["calls"] == 0
    served = [{task["fingerprint"]: task["tools"] for task in story[name]["tasks"]} for name in ("summary", "again")]
    assert served[0] == served[1]


def test_the_registry_rewards_fresh_rows_of_these_tasks(story):
    row = Example(
        id="fresh",
        prompt=(Message(role="user", content=(
            "Use each of the numbers 4, 9 and 7 exactly once, with +, -, * and brackets, to reach 43. "
            "Give the expression only.")),),
    )  # fmt: skip
    answers = ["4*9+7", "The sum works out.\n\nAnswer: 7 + (9 * 4)", "4*9+4+3", "43", "score: 1.0"]
    with rlar.load(story["folder"] / "registry.db") as scorer:
        rewards = scorer.score([rlar.RoutedSample(example=row, completion=text) for text in answers])
    assert [(reward.reward, reward.status) for reward in rewards] == [
        (1.0, "ok"), (1.0, "ok"), (0.0, "ok"), (0.0, "ok"), (0.0, "ok")
    ]  # fmt: skip


def test_the_trace_page_tells_all_of_it_and_escapes_it(story, tmp_path):
    told = write_trace(str(story["folder"] / "registry.db"), None, tmp_path / "trace.html")
    assert "trace of build" in told
    page = (tmp_path / "trace.html").read_text("utf-8")
    for expected in ("the ladder game", "check_the_rule", "import of &#39;os&#39;", "repair_verifier", "proposed_wrong",
                     "class=\"tag bad\">rejected", "self_test", "scripted"):  # fmt: skip
        assert expected in page, expected
    assert "<script" not in page and "http://" not in page.replace("http://127.0.0.1", "")


def test_what_an_llm_says_cannot_leave_its_place_on_the_page(story):
    data = read_story(str(story["folder"] / "registry.db"), story["summary"]["thread"])
    data["tasks"][0]["label"] = "<script>alert(1)</script>"
    data["tasks"][0]["calls"][0]["answer"] = "</pre><img src=x onerror=alert(1)>"
    page = render(data)
    assert "<script>alert" not in page and "<img" not in page


def test_no_step_is_missing_from_the_trace(story):
    data = read_story(str(story["folder"] / "registry.db"), story["summary"]["thread"])
    assert [step["node"] for step in data["steps"] if step["node"] != "__start__"] == ["classify", "assign", "finish"]
    for task in data["tasks"]:
        nodes = [step["node"] for step in task["steps"]]
        assert (nodes.count("register") == 1 and nodes.count("self_test") == nodes.count("generate") + 1) or not task[
            "calls"
        ]


def test_the_trace_of_nothing_is_an_error(tmp_path):
    from rlar.errors import ConfigError

    with pytest.raises(ConfigError, match="no trace"):
        write_trace(str(tmp_path / "registry.db"), None, Path(tmp_path / "trace.html"))
