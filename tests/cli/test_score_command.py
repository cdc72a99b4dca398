"""`rlar score`."""

from __future__ import annotations

import gzip
import json

from tests.agent.test_build import write_rows
from tests.fakes.commands import run


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
