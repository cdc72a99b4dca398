"""Which rows are trained on, which are held out, and in what order."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

from rlar.trainer.data import TrainData, load_rows
from tests.fakes.training_fakes import FakeScorer, prompts, write_rows


def load(path: str, *, held_out: int = 0, seed: int = 0, scorer: FakeScorer | None = None) -> TrainData:
    return load_rows(
        [path], scorer or FakeScorer(), lambda example: [ord(c) for c in example.text],
        held_out=held_out, max_prompt_tokens=50, seed=seed, strict=False,
    )  # fmt: skip


def texts(rows) -> list[str]:
    return [row.example.text for row in rows]


def test_every_row_comes_once_a_pass_whatever_the_batch_size(tmp_path: Path):
    data = load(write_rows(tmp_path / "rows.jsonl", prompts(10)))
    for size in (1, 3, 10):
        drawn = [row.example.text for step in range(30 // size) for row in data.batch(step, size, seed=4)]
        assert Counter(drawn[:10]) == Counter(drawn[10:20]) == Counter(prompts(10))
        assert drawn[:10] != drawn[10:20]


def test_a_batch_depends_on_its_step_and_not_on_what_was_drawn_before(tmp_path: Path):
    path = write_rows(tmp_path / "rows.jsonl", prompts(10))
    one, other = load(path), load(path)
    for step in range(5):
        one.batch(step, 4, seed=0)
    assert texts(one.batch(5, 4, seed=0)) == texts(other.batch(5, 4, seed=0))
    assert texts(other.batch(0, 10, seed=0)) != texts(other.batch(0, 10, seed=1))


def test_held_out_rows_are_spread_over_the_tasks_and_never_trained_on(tmp_path: Path):
    rows = [f"a{index}" for index in range(90)] + [f"b{index}" for index in range(10)]
    data = load(write_rows(tmp_path / "rows.jsonl", rows), held_out=20)
    # ten a task were asked for; of ten rows only a fifth may go
    assert Counter(text[0] for text in texts(data.held_out)) == {"a": 10, "b": 2}
    assert not set(texts(data.held_out)) & set(texts(data.train))
    assert len(data.train) == 88


def test_rows_of_one_prompt_are_never_on_both_sides(tmp_path: Path):
    rows = [f"a{index % 7}" for index in range(70)]
    data = load(write_rows(tmp_path / "rows.jsonl", rows), held_out=12)
    assert data.held_out and not set(texts(data.held_out)) & set(texts(data.train))


def test_a_task_of_one_prompt_keeps_all_its_rows(tmp_path: Path):
    data = load(write_rows(tmp_path / "rows.jsonl", ["a"] * 30), held_out=5)
    assert (len(data.train), len(data.held_out)) == (30, 0)


def test_more_rows_do_not_turn_held_out_prompts_into_others(tmp_path: Path):
    few = load(write_rows(tmp_path / "few.jsonl", prompts(40)), held_out=4)
    more = load(write_rows(tmp_path / "more.jsonl", [*prompts(40), *(f"d{index}" for index in range(40))]),
                held_out=6, scorer=FakeScorer("abd"))  # fmt: skip
    assert set(texts(few.held_out)) <= set(texts(more.held_out))


def test_unknown_rows_are_kept_for_the_agent(tmp_path: Path):
    data = load(write_rows(tmp_path / "rows.jsonl", ["a1", "?x", "c2", "?y"]))
    assert [example.text for example in data.unrouted] == ["?x", "?y"]
    assert data.left_out == {"rejected": 0, "unknown": 2, "uncovered": 1}
