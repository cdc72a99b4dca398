"""`rlar tasks`."""

from __future__ import annotations

import json

from tests.agent.test_build import write_rows
from tests.fakes.commands import run


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
