"""`rlar agent`: its promises about names, formats and exit codes."""

from __future__ import annotations

import json

import pytest

from tests.agent.test_build import small_mix, write_rows
from tests.fakes.commands import run


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
    from rlar.cli.build import usual_llm

    llm, told = usual_llm(environment)
    assert llm == expected
    assert (told == "") == (expected == "none") and "sk-1" not in told
