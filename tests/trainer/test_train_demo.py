"""The small parts of examples/train_demo.py and its tasks; the run itself takes minutes."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parents[2] / "examples"))

import tiny_tasks
import train_demo


def test_seeds_are_a_number_or_a_range():
    assert train_demo.seeds_of("3") == [3]
    assert train_demo.seeds_of("0-4") == [0, 1, 2, 3, 4]


def test_every_task_counts_the_same_in_the_mean():
    found = {"sum": 0.0, "cipher": 1.0, "words": 0.5, "capitals": 0.5, "cpu": 30.0}
    assert train_demo.mean_of_tasks(found) == pytest.approx(0.5)


def test_the_static_rewards_are_what_they_say():
    assert train_demo.overlap("35", "35") == pytest.approx(1.0)
    assert 0 < train_demo.overlap("53", "35") < 0.6  # the same characters, another pair of them
    assert train_demo.overlap("fog", None) is None
    assert train_demo.length("a" * 8, None) == 0.5
    assert train_demo.length("a" * 99, "35") == 1.0


@pytest.mark.parametrize(
    ("kind", "prompt", "reference", "right", "wrong"),
    [
        ("sum", "What is 30 + 5?", "35", "35", "53"),
        ("cipher", "Encode abc.", "eah", "eah", "bcd"),
        ("words", "Say 2 words about ice.", None, "fog sea", "fog sea sun"),
        ("capitals", "Use all caps: ice.", None, "FOG SEA", "FOG sea"),
        ("capitals", "Use all caps: ice.", None, "FOG", ""),
    ],
)
def test_the_check_takes_the_very_answer_only(kind, prompt, reference, right, wrong):
    assert tiny_tasks.is_right(kind, prompt, reference, right)
    assert not tiny_tasks.is_right(kind, prompt, reference, wrong)


def test_most_of_the_warm_up_is_wrong_and_no_prompt_of_the_test_is_trained_on(tmp_path):
    tiny_tasks.make(tmp_path, seed=3)
    rows, warm, test = (
        [json.loads(line) for line in (tmp_path / name).read_text().splitlines()]
        for name in ("rows.jsonl", "warmup.jsonl", "test.jsonl")
    )
    asked = {row["prompt"] for row in test}
    assert len(asked) == len(test) == 100 and not asked & {row["prompt"] for row in rows + warm}
    capitals = [row["completion"] for row in warm if "caps" in row["prompt"]]
    assert 0.3 < sum(text.isupper() for text in capitals) / len(capitals) < 0.5
    sums = [row for row in rows if row["prompt"].startswith("What")]
    assert all(eval(row["prompt"][8:-1]) == int(row["reference"]) for row in sums)  # our own text
