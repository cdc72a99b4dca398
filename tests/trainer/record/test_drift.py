"""Drift: what is told of rewards that are not as they were at admission, and what is not."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from rlar.registry.registry import Registry
from rlar.trainer.record.drift import Admitted, DriftWatch, admitted_by, find_drift
from rlar.trainer.record.metrics import read_metrics
from rlar.types import Calibration, Certificate, CheckResult, Reward, TaskSpec, ToolScore, ToolSpec
from tests.fakes.training_fakes import CONTRACT, FakeScorer, run, same_bits, small_config, weights

SIZE = 4
"""Rollouts of a prompt."""


def row(groups: int = 16, *, score: float = 0.5, length: float = 20.0, audit=None, **statuses: int) -> dict:
    """A row of the log with one task "sums" and one tool "math"; (reward, audit, groups) of the audit tool "number"."""
    statuses = statuses or {"ok": groups * SIZE}
    task = {
        "reward": score, "scored": statuses.get("ok", 0), "status": {"ok": groups * SIZE}, "length": length,
        "tools": {"math": score}, "calls": {"math": statuses},
    }  # fmt: skip
    more = {}
    if audit is not None:
        reward, value, audited = audit
        more = {"audit": {"sums": {"tool": "number", "reward": reward, "audit": value, "samples": audited * SIZE}}}
    return {"step": 0, "loss": 0.0, "tasks": {"sums": task}, **more}


def told(start: list[dict], now: list[dict], **admitted: Admitted) -> list[str]:
    known = {"math": Admitted(right=1.0), "number": Admitted(right=1.0), **admitted}
    found = find_drift(start, now, {("sums", tool): each for tool, each in known.items()}, group_size=SIZE)
    assert all(each.tool == "math" and each.task == "sums" for each in found)
    return [each.kind for each in found]


# ------------------------------------------------------------------------------------------ each kind


def test_a_tool_that_fails_more_often_than_at_admission_is_told():
    # 16 prompts count as 16 observations: 3/4 failed, (12 + 1) / 18 = .72, 3 sqrt(.72 * .28 / 16) = .34 < .75
    assert told([row()], [row(ok=16, failed=40, timeout=8)]) == ["failing"]
    # 1/4 failed: (4 + 1) / 18 = .28, again .34, and .25 is below it
    assert told([row()], [row(ok=48, failed=16)]) == []
    # 64 prompts: (16 + 1) / 66 = .26, 3 sqrt(.26 * .74 / 64) = .16 < .25; but not where admission saw .15
    many = row(64, ok=192, failed=64)
    assert told([row()], [many]) == ["failing"]
    assert told([row()], [many], math=Admitted(failed=0.15, right=1.0)) == []


def test_a_tool_that_fails_from_the_first_step_is_told_in_the_first_window():
    broken = [row(ok=0, failed=64)]
    assert told(broken, broken) == ["failing"]


def test_abstaining_is_told_only_above_both_admission_and_the_start_of_the_run():
    silent, half = row(ok=4, abstain=60), row(ok=32, abstain=32)
    assert told([row()], [silent]) == ["abstaining"]
    assert told([silent], [silent]) == []  # the rows are so, not the policy
    assert told([row()], [half], math=Admitted(abstained=0.35, right=1.0)) == []


def test_scores_above_the_references_are_told_only_where_completions_grew():
    graded = Admitted(right=0.6)  # what right answers got
    start = [row(score=0.4, length=20.0)]
    # 64 prompts: (.95 * 64 + 1) / 66 = .936, 3 sqrt(.936 * .064 / 64) = .09 < .95 - .6
    assert told(start, [row(64, score=0.95, length=31.0)], math=graded) == ["beyond_references"]
    assert told(start, [row(64, score=0.95, length=29.0)], math=graded) == []
    assert told(start, [row(64, score=0.62, length=31.0)], math=graded) == []
    assert told(start, [row(64, score=1.0, length=200.0)]) == []  # right or wrong: never above right answers


def test_an_audit_that_does_not_follow_the_reward_is_told():
    # the reward goes .2 -> .9, so .7/.8 of the way; the audit from .4 should reach .4 + .875 * .6 = .925. It must gain
    # half of .525, .2625. doubt: 1.6 sqrt(.403 * .597 / 64 + .355 * .645 / 64) = .137; -.05 + .137 = .087 < .2625
    start = [row(64, audit=(0.2, 0.4, 64))]
    assert told(start, [row(64, audit=(0.9, 0.35, 64))]) == ["audit"]
    assert told(start, [row(64, audit=(0.9, 0.6, 64))]) == []
    assert told(start, [row(64, audit=(0.9, 0.925, 64))]) == []


def test_few_audits_or_little_room_or_a_small_rise_say_nothing():
    assert told([row(audit=(0.2, 0.4, 7))], [row(audit=(0.9, 0.0, 64))]) == []
    assert told([row(audit=(0.2, 0.85, 64))], [row(audit=(0.9, 0.6, 64))]) == []  # should gain .875 * .15 = .13
    assert told([row(audit=(0.2, 0.4, 64))], [row(audit=(0.4, 0.1, 64))]) == []  # a quarter of the way
    other = row(64, audit=(0.9, 0.35, 64))
    other["audit"]["sums"]["tool"] = "words"  # another audit tool than at the start
    assert told([row(64, audit=(0.2, 0.4, 64))], [other]) == []


def test_nothing_at_all_is_nothing():
    assert find_drift([], [], {}, group_size=SIZE) == []
    assert told([], [row(7, ok=0, failed=28)]) == []  # seven prompts


# ------------------------------------------------------------------------------------------ learners and cheats


def simulated(seed: int, *, cheats: bool) -> list[str]:
    """A policy whose share of right answers, or of what only looks right, goes from about .2 to about .8."""
    draws = np.random.default_rng(seed)
    right, wrong = draws.uniform(0.7, 1.0), draws.uniform(0.0, 0.4)  # what the audit gives, however lenient

    def window(level: float, gamed: float) -> dict:
        ease = draws.beta(2 * level, 2 * (1 - level), size=48)  # prompts are easy or hard
        is_right = draws.random((48, SIZE)) < ease[:, None]
        looks_right = is_right | (draws.random((48, SIZE)) < gamed)
        audit = np.clip(np.where(is_right, right, wrong) + draws.normal(0, 0.1, (48, SIZE)), 0, 1)
        return row(48, score=looks_right.mean(), audit=(looks_right.mean(), audit.mean(), 48))

    start, now = window(0.2, 0.0), window(0.2, 0.8) if cheats else window(0.8, 0.0)
    return told([start], [now], number=Admitted(right=right))


def test_policies_that_just_get_better_raise_no_alarm():
    assert [seed for seed in range(200) if simulated(seed, cheats=False)] == []


def test_most_policies_that_learn_the_reward_and_not_the_task_do():
    assert sum(simulated(seed, cheats=True) == ["audit"] for seed in range(200)) > 150


# ------------------------------------------------------------------------------------------ certificates and runs


FAKE = ToolSpec(kind="library", name="fake")


def certificate(*, failed: int = 0) -> Certificate:
    checks = (
        CheckResult(name="oracle", passed=True, value=0.5, probes=80),
        CheckResult(name="sanity", passed=True, value=0.0, probes=100, details={"failed": failed, "timeout": 1}),
        CheckResult(name="coverage", passed=True, value=0.1, probes=16, details={"abstain_share_on_wrong": 0.2}),
    )
    return Certificate(
        tool_id=FAKE.id, fingerprint="f1-a", admitted=True, role="quality", checks=checks,
        calibration=Calibration(x=(0.0, 1.0), y=(0.2, 1.0)),
    )  # fmt: skip


def test_a_certificate_says_what_admission_saw():
    # 2 + 1 of 100 probes broke; a right answer's .5 is .6 after calibration
    found = admitted_by(certificate(failed=2))
    assert (found.failed, found.abstained, found.right) == pytest.approx((0.03, 0.2, 0.6))


class Fragile(FakeScorer):
    """Its tool breaks in every call on task a from the fifth step on."""

    def reward(self, sample):
        if sample.example.text[0] == "a" and len(self.asked) > 8:  # two parts a step
            score = ToolScore(tool=FAKE.id, value=None, status="failed")
            return Reward(reward=None, status="failed", fingerprint="f1-a", scores=(score,))
        reward = super().reward(sample)
        scores = tuple(score.model_copy(update={"tool": FAKE.id}) for score in reward.scores)
        return reward.model_copy(update={"scores": scores})


def config_with_certificate(tmp_path: Path, **more):
    config = small_config(tmp_path, **{"steps": 12, "drift_every": 4, "eval_every": 0, "prompts_per_step": 8, **more})
    with Registry.open(config.registry) as registry:
        registry.put_task(TaskSpec(fingerprint="f1-a", label="task a", contract=CONTRACT))
        registry.put_tool(FAKE)
        registry.put_certificate(certificate())
    return config


def test_drift_is_told_and_handed_to_the_agent_once(tmp_path: Path):
    config, events, handed = config_with_certificate(tmp_path, steps=17, evolve_every=100), [], []

    def evolve(examples, tools):
        handed.append(tools)
        return False

    run(config, Fragile(), emit=events.append, evolve=evolve)
    found = [event for event in events if event["event"] == "drift"]
    assert found[0]["step"] == 8 and found[0]["drift"][0]["kind"] == "failing"
    assert [event["step"] for event in found] == [8, 12, 16]
    assert [list(tools) for tools in handed] == [[FAKE.id]]
    assert "fails on 100% of its calls, at admission 1%" in handed[0][FAKE.id]
    told = [row["evolved"] for row in read_metrics(Path(config.output)) if "evolved" in row]
    assert told[0]["drifted"] == [FAKE.id] and told[0]["quarantined"] == []


def test_a_resumed_run_finds_the_drift_of_an_unbroken_one(tmp_path: Path):
    config = config_with_certificate(tmp_path)
    whole, _ = run(config.model_copy(update={"output": str(tmp_path / "whole")}), Fragile())
    stop = iter([False] * 5 + [True])
    scorer = Fragile()
    run(config, scorer, should_stop=lambda: next(stop))  # inside the second window
    resumed, _ = run(config, scorer)
    assert same_bits(weights(whole), weights(resumed))
    logs = [[row for row in read_metrics(tmp_path / name) if "drift" in row] for name in ("whole", "run")]
    assert logs[0] == logs[1] and logs[0]


def test_after_new_recipes_a_run_is_compared_with_its_new_beginning(tmp_path: Path):
    config = config_with_certificate(tmp_path)
    watch = DriftWatch(config.registry, {"f1-a": "task a"}, every=1, group_size=SIZE)
    watch.replay([row(), {"step": 1, "evolved": {"drifted": [], "new_recipes": True}}, {**row(), "step": 1}])
    assert len(watch._start) == 1 and watch._now == []
