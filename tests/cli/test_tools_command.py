"""`rlar tools`, and what every command says of a registry that is not there."""

from __future__ import annotations

import json

import pytest

from tests.fakes.commands import run


@pytest.mark.parametrize("command", [["tasks", "list"], ["tools", "list"], ["tools", "show", "x"], ["tools", "lock"]])
def test_missing_registry_exits_with_1_and_the_way_out(command, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    code, _out, err = run(*command, "--registry", "none.db")
    assert code == 1 and "rlar agent build-tools" in err
    assert list(tmp_path.iterdir()) == []


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
