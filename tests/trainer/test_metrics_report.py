"""What a run writes down, and what a reader sees of it."""

from __future__ import annotations

import io
import json
from pathlib import Path

import pytest

from rlar.trainer.record.checkpoint import CheckpointError
from rlar.trainer.record.metrics import MetricsLog, read_metrics, repetition, task_metrics
from rlar.trainer.record.page import chart, eval_table, smooth, write_report
from rlar.trainer.record.progress import TrainProgress
from rlar.types import Reward, ToolScore
from tests.fakes.training_fakes import small_config


def step(number: int, **more):
    return {
        "step": number, "loss": 0.1, "reward": 0.5, "kl": 0.01, "entropy": 1.2, "repetition": 0.0, "tokens_per_second": 9.0,
        "groups": {"groups": 2, "informative": 1, "zero_variance": 1, "too_few": 0, "unscored": 0},
        "seconds": {"step": 2.0, "generate": 1.0, "score_wait": 0.0, "update": 1.0},
        "tasks": {"sums": {"reward": 0.5, "scored": 3, "status": {"ok": 3, "failed": 1}, "length": 4.0, "tools": {"math-1": 0.5}}},
        **more,
    }  # fmt: skip


def evaluation(number: int, accuracy: float | None, completion: str = "4"):
    example = {"task": "sums", "prompt": "2+2", "completion": completion, "reward": accuracy, "status": "ok", "why": ""}
    return {
        "step": number, "eval": {"sums": {"reward": accuracy, "accuracy": accuracy, "rows": 5, "unscored": 0}},
        "eval_macro": accuracy, "examples": [example],
    }  # fmt: skip


def log_of(folder: Path, from_step: int) -> MetricsLog:
    return MetricsLog(folder, from_step=from_step)


def test_a_resumed_run_drops_what_it_will_do_again(tmp_path: Path):
    log = log_of(tmp_path, 0)
    for row in (evaluation(0, 0.1), step(0), step(1), evaluation(2, 0.2), step(2), step(3), evaluation(4, 0.3)):
        log.write(row)
    log.close()
    log_of(tmp_path, 2).close()
    kept = [(row["step"], "eval" in row) for row in read_metrics(tmp_path)]
    assert kept == [(0, True), (0, False), (1, False), (2, True)]
    log_of(tmp_path, 0).close()  # before the first checkpoint everything is done again
    assert read_metrics(tmp_path) == []


def test_a_line_that_a_kill_cut_off_is_dropped(tmp_path: Path):
    whole = json.dumps(step(0))
    (tmp_path / "metrics.jsonl").write_text(f"{whole}\n{json.dumps(step(1))[:40]}")
    assert [row["step"] for row in read_metrics(tmp_path)] == [0]
    log = log_of(tmp_path, 5)
    log.write(step(5))
    log.close()
    assert [row["step"] for row in read_metrics(tmp_path)] == [0, 5]


def test_a_log_that_cannot_be_written_is_a_clear_error(tmp_path: Path):
    (tmp_path / "metrics.jsonl").mkdir()
    with pytest.raises(CheckpointError, match=r"metrics\.jsonl cannot be written"):
        log_of(tmp_path, 0)


def test_unscored_rewards_are_counted_and_never_averaged():
    scored = Reward(
        reward=1.0, status="ok", fingerprint="f", scores=(ToolScore(tool="math-1", value=1.0, status="ok"),)
    )
    broken = Reward(
        reward=None, status="failed", fingerprint="f", scores=(ToolScore(tool="math-1", value=None, status="failed"),)
    )
    texts = ["So it is \\boxed{4}.", "It is four.\nOr is it?", "4"]
    found = task_metrics([scored, broken, Reward(reward=None, status="unknown")], {"f": "sums"}, [2, 4, 6], texts)
    assert found == {
        "sums": {
            "reward": 1.0,
            "scored": 1,
            "status": {"failed": 1, "ok": 1},
            "length": 3.0,
            "searched": 0.5,
            "tools": {"math-1": 1.0},
            "calls": {"math-1": {"failed": 1, "ok": 1}},
        },
        "unknown": {
            "reward": None,
            "scored": 0,
            "status": {"unknown": 1},
            "length": 6.0,
            "searched": 0.0,
            "tools": {},
            "calls": {},
        },
    }


def test_repetition_is_the_share_of_words_that_repeat_the_one_before():
    assert repetition(["a a b", "c"]) == 0.5  # of two places, one repeats
    assert repetition(["", "one"]) == 0.0


def test_smoothing_averages_over_a_window_that_ends_at_the_point():
    assert smooth([(0, 1.0), (1, 3.0), (2, 8.0)], window=2) == [(0, 1.0), (1, 2.0), (2, 5.5)]


def test_a_chart_of_nothing_is_nothing_and_of_a_constant_is_drawn():
    assert chart("empty", {}) == chart("empty", {"a": []}) == ""
    assert chart("flat", {"a": [(0, 2.0)]}).count("<polyline") == 1


def test_the_report_shows_curves_tables_and_completions(tmp_path: Path):
    config = small_config(tmp_path)
    log = log_of(tmp_path, 0)
    audit = {"sums": {"tool": "number-1", "reward": 0.9, "audit": 0.2, "gap": 0.7, "samples": 8}}
    for row in (evaluation(0, 0.25), step(0, audit=audit), step(1, audit=audit), evaluation(2, 0.75)):
        log.write(row)
    evolved = {"unknown": 3, "quarantined": ["math-1"], "changed": True, "rows_before": 5, "rows_after": 8}
    log.write({"step": 2, "evolved": evolved})
    log.write({"step": 2, "drift": [{"task": "sums", "tool": "math-1", "kind": "failing", "text": "fails & fails"}]})
    log.close()
    page = write_report(tmp_path, config).read_text("utf-8")
    for title in (
        "Accuracy on held-out rows",
        "Reward by task",
        "Score by tool",
        "Reward minus audit",
        "KL",
        "Seconds a step",
    ):
        assert f"<figcaption>{title}" in page, title
    assert "<td>sums</td><td>0.250</td><td>0.750</td><td>5</td>" in page
    assert "6 ok" in page and "2 failed" in page
    assert "3 unknown rows" in page and "math-1" in page
    assert "<script" not in page and "http" not in page.replace("http-equiv", "")
    assert "after 2 steps: sums: math-1 (failing): fails &amp; fails" in page
    told = (tmp_path / "report.md").read_text("utf-8")
    assert "| sums | 0.250 | 0.750 | 5 |" in told and "- after 2 steps: sums: math-1 (failing): fails & fails" in told


def test_the_report_escapes_what_a_policy_wrote(tmp_path: Path):
    log = log_of(tmp_path, 0)
    evil = "</pre><script>alert(1)</script>"
    row = step(0)
    row["tasks"] = {f"<b>{evil}": row["tasks"]["sums"]}
    log.write(row)
    log.write(evaluation(1, None, evil))
    log.close()
    page = write_report(tmp_path, small_config(tmp_path)).read_text("utf-8")
    assert "<script>" not in page and "<b>" not in page
    assert "&lt;script&gt;alert(1)" in page


def test_a_run_without_a_step_has_a_report(tmp_path: Path):
    page = write_report(tmp_path, small_config(tmp_path)).read_text("utf-8")
    assert "0 steps" in page and eval_table([]) == []


def test_progress_tells_every_kind_of_event():
    shown = io.StringIO()
    with TrainProgress(shown) as progress:
        progress({"event": "training", "step": 4, "steps": 9, "train": 12, "held_out": 3, "left_out": {"unknown": 2}, "parameters": 1000})  # fmt: skip
        progress({"event": "warmup", "step": 1, "steps": 5, "loss": 3.2})
        progress({"event": "eval", **evaluation(4, None)})
        progress({"event": "step", **step(10)})
        progress({"event": "checkpoint", "path": "run/step-000010", "step": 10})
        progress({"event": "note", "text": "[red]rows[/red] changed"})
        drift = {"task": "sums", "tool": "math-1", "kind": "failing", "text": "fails on 90% of its calls"}
        progress({"event": "drift", "step": 9, "drift": [drift]})
        evolved = {
            "unknown": 3,
            "quarantined": [],
            "drifted": ["math-1"],
            "changed": True,
            "rows_before": 5,
            "rows_after": 8,
        }
        progress({"event": "evolved", "step": 9, "evolved": evolved})
    text = " ".join(shown.getvalue().split())
    for part in ("resumed at step 4", "2 unknown", "warm-up 1/5", "sums -", "groups 1/2", "kl 0.010", "run/step-000010",
                 "[red]rows[/red] changed", "sums: math-1 fails on 90% of its calls", "3 unknown rows, 0 quarantined and 1 drifted"):  # fmt: skip
        assert part in text, part
