"""The command line: its promises about names, formats, exit codes and speed."""

from __future__ import annotations

import gzip
import json
import resource
import subprocess
import sys
from pathlib import Path

import pytest
from test_build import small_mix, write_rows
from typer.testing import CliRunner

from rlar.cli import app


def run(*arguments: object) -> tuple[int, str, str]:
    """(exit code, stdout, stderr) of a command in this process."""
    result = CliRunner().invoke(app, [str(each) for each in arguments])
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        raise result.exception
    return result.exit_code, result.stdout, result.stderr


@pytest.fixture(scope="module")
def built(tmp_path_factory) -> tuple[Path, dict]:
    """A folder with registry.db, and the JSON summary of its build."""
    folder = tmp_path_factory.mktemp("cli")
    mix = write_rows(folder / "mix.jsonl", small_mix())
    code, out, _err = run(
        "agent",
        "build-tools",
        "--dataset",
        mix,
        "--registry",
        folder / "registry.db",
        "--report",
        folder / "report",
        "--json",
    )
    assert code == 0
    return folder, json.loads(out)


def test_json_summary_has_the_promised_fields(built):
    folder, summary = built
    assert summary["rows_read"] == 60 and summary["rows_rejected"] == 0 and summary["llm_calls"] == 0
    assert summary["seconds"] > 0 and (folder / "registry.db").exists() and (folder / "report" / "index.html").exists()
    for task in summary["tasks"]:
        assert set(task) >= {"fingerprint", "label", "answer_kind", "rows", "covered", "tools"}
        assert task["covered"] == bool(task["tools"])
    assert all(entry["reason"] for entry in summary["uncovered"])


def test_json_goes_to_stdout_and_progress_to_stderr(built, tmp_path):
    mix = write_rows(tmp_path / "mix.jsonl", small_mix())
    code, out, err = run("agent", "build-tools", "-d", mix, "-r", tmp_path / "r.db", "--report", "", "--json")
    assert code == 0 and json.loads(out)["report"] is None
    assert "tasks found" in err and "tasks found" not in out


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["agent", "build-tools"], "no dataset"),
        (["agent", "build-tools", "-d", "nowhere.jsonl"], "nowhere.jsonl"),
        (["agent", "build-tools", "-d", "nowhere.jsonl", "--llm", "gpt"], "--llm takes"),
        (["agent", "build-tools", "-d", "nowhere.jsonl", "--max-cost", "1", "--llm", "openai:gpt"], "llm-price"),
        (["agent", "build-tools", "-d", "nowhere.jsonl", "--llm-price", "cheap"], "two numbers"),
        (["agent", "build-tools", "-d", "nowhere.jsonl", "--max-download", "much"], "no size"),
        (["agent", "build-tools", "-d", "nowhere.jsonl", "--labelled", "gone.jsonl"], "gone.jsonl"),
        (["agent", "build-tools", "-d", "nowhere.jsonl", "--sandbox-tier", "bubble"], "sandbox_tier"),
        (["agent", "build-tools", "-d", "nowhere.jsonl", "--config", "nowhere.toml"], "nowhere.toml"),
        (["agent", "runs", "-r", "nowhere.db"], "no trace"),
    ],
)
def test_input_that_cannot_be_used_exits_with_2_and_says_why(arguments, said, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    code, _out, err = run(*arguments)
    assert code == 2 and said in err and "Traceback" not in err
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("command", [["tasks", "list"], ["tools", "list"], ["tools", "show", "x"], ["tools", "lock"]])
def test_missing_registry_exits_with_1_and_the_way_out(command, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    code, _out, err = run(*command, "--registry", "none.db")
    assert code == 1 and "rlar agent build-tools" in err
    assert list(tmp_path.iterdir()) == []


def test_assign_gives_every_row_back_in_order_with_three_new_fields(built, tmp_path):
    folder, summary = built
    rows = [
        {"id": "a", "prompt": "A box holds 9 pens. How many pens do 7 boxes hold?", "reference": "63", "kept": [1, 2]},
        {"id": "b", "prompt": "Name the capital.", "reference": "SELECT name FROM towns WHERE capital = 1"},
        {"id": "c", "text": "no prompt"},
        {"id": "d", "prompt": "Tell me something interesting about goats, please."},
    ]
    source, target = write_rows(tmp_path / "rows.jsonl", rows), tmp_path / "out.jsonl"
    code, _out, err = run("tasks", "assign", "-r", folder / "registry.db", "--input", source, "--output", target)
    assert code == 0, err
    out = [json.loads(line) for line in target.read_text("utf-8").splitlines()]
    assert [row["id"] for row in out] == ["a", "b", "c", "d"]
    fingerprints = {task["answer_kind"]: task["fingerprint"] for task in summary["tasks"]}
    assert [row["fingerprint"] for row in out] == [
        fingerprints["number"],
        "unknown",
        "unknown",
        fingerprints["open_ended"],
    ]
    assert out[0]["kept"] == [1, 2] and 0.0 <= out[0]["confidence"] <= 1.0 and out[0]["task"]
    assert out[1]["task"] is None and "rows.jsonl:3" in out[2]["error"]


def test_score_writes_one_row_each_with_a_reward_per_completion(built, tmp_path):
    folder, _summary = built
    prompt = "A box holds 9 pens. How many pens do 7 boxes hold?"
    rows = [
        {"id": 1, "prompt": prompt, "reference": "63", "completions": ["It is 63.", "62", "1 2 3 60 61 62 63 64"]},
        {"id": 2, "prompt": prompt, "reference": "63", "completion": "\\boxed{63}"},
        {"id": 3, "prompt": "Tell me something interesting about goats, please.", "completion": "They climb."},
        {"id": 4, "prompt": prompt, "reference": "63"},
        {"id": 5, "prompt": prompt, "reference": "63", "completions": []},
    ]
    target = tmp_path / "out.jsonl.gz"
    code, _out, err = run(
        "score", "-r", folder / "registry.db", "-i", write_rows(tmp_path / "in.jsonl", rows), "-o", target
    )
    assert code == 0, err
    out = [json.loads(line) for line in gzip.decompress(target.read_bytes()).decode().splitlines()]
    assert [row["id"] for row in out] == ["1", "2", "3", "4", "5"] or [row["id"] for row in out] == [1, 2, 3, 4, 5]
    assert [[reward["reward"] for reward in row["rewards"]] for row in out] == [[1.0, 0.0, 0.0], [1.0], [None], [], []]
    assert out[2]["rewards"][0]["status"] == "uncovered" and "no completion" in out[3]["error"]
    score = out[0]["rewards"][0]["scores"][0]
    assert set(score) >= {"tool", "value", "status", "explanation"} and score["value"] == 1.0


def test_unusable_rows_leave_no_output(built, tmp_path):
    folder, _summary = built
    source = write_rows(tmp_path / "in.jsonl", [{"prompt": "What is 2 + 2?", "reference": "4"}])
    code, _out, err = run("score", "-r", folder / "registry.db", "-i", source, "-o", tmp_path / "out.jsonl")
    assert code == 2 and "no completion" in err
    assert [path.name for path in tmp_path.iterdir()] == ["in.jsonl"]


def test_tools_list_show_lock_and_diff_agree(built, tmp_path, monkeypatch):
    folder, summary = built
    monkeypatch.chdir(tmp_path)
    registry = folder / "registry.db"
    tool = summary["tasks"][0]["tools"][0]
    code, out, _err = run("tools", "list", "-r", registry, "--json")
    assert code == 0 and tool in {entry["tool"] for entry in json.loads(out)}
    code, out, _err = run("tools", "show", tool[:12], "-r", registry, "--json")
    shown = json.loads(out)
    assert shown["tool"]["id"] == tool and {check["name"] for check in shown["certificates"][0]["checks"]} >= {
        "oracle",
        "floor",
        "hack_panel",
    }
    assert run("tools", "lock", "-r", registry, "-o", "a.lock")[0] == 0
    code, out, _err = run("tools", "diff", "a.lock", registry)
    assert code == 0 and "no difference" in out
    assert run("tools", "show", "zzz", "-r", registry)[0] == 1


def test_retest_reaches_the_same_verdict(built):
    folder, summary = built
    tool = next(task["tools"][0] for task in summary["tasks"] if task["answer_kind"] == "choice")
    code, out, err = run("tools", "test", tool, "-r", folder / "registry.db", "--json")
    assert code == 0, err
    entries = json.loads(out)
    assert entries and all(entry["admitted"] and entry["was_admitted"] for entry in entries)


HELP = [["--help"], ["agent", "--help"], ["agent", "build-tools", "--help"], ["tasks", "assign", "--help"], ["tools", "test", "--help"], ["score", "--help"], ["train", "--help"]]  # fmt: skip


@pytest.mark.parametrize("arguments", HELP, ids=" ".join)
def test_help_is_quick(arguments):
    """0.7 s is promised on an idle machine; on a shared one the processor time of the best of three is looked at."""
    best = 9.0
    for _ in range(3):
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        found = subprocess.run(
            [sys.executable, "-m", "rlar.cli", *arguments], capture_output=True, check=True, text=True
        )
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        best = min(best, after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime)
        if best < 0.7:
            break
    assert "Usage" in found.stdout and best < 0.7


@pytest.mark.parametrize(
    ("environment", "expected"),
    [
        ({}, "none"),
        ({"OPENAI_API_KEY": "sk-1"}, "openai:gpt-4.1-mini"),
        ({"OPENAI_API_KEY": "sk-1", "RLAR_LLM": "http://localhost:8000/v1#m"}, "http://localhost:8000/v1#m"),
        ({"OPENAI_API_KEY": "", "RLAR_LLM": ""}, "none"),
    ],
)
def test_the_environment_names_the_llm_where_nobody_does_and_it_is_said(environment, expected):
    from rlar.cli import usual_llm

    llm, told = usual_llm(environment)
    assert llm == expected
    assert (told == "") == (expected == "none") and "sk-1" not in told
