"""The loop: what it updates, what it leaves alone, how it stops and goes on."""

from __future__ import annotations

import json
import math
from pathlib import Path

import pytest
import torch

from rlar.errors import ConfigError, DatasetError
from rlar.trainer import train as train_module
from rlar.trainer import update as update_module
from rlar.trainer.collect import Collector, replace_groups
from rlar.trainer.credit import per_token
from rlar.trainer.record import checkpoint
from rlar.trainer.record.checkpoint import CheckpointError, latest_checkpoint
from rlar.trainer.record.metrics import read_metrics
from rlar.trainer.record.run import Run, read_data
from rlar.trainer.rollout import LocalSampler
from rlar.trainer.update import TrainingDiverged, learning_rate
from rlar.types import Reward
from tests.fakes.training_fakes import (
    FakeScorer,
    prompts,
    run,
    same_bits,
    small_config,
    small_policy,
    weights,
    write_rows,
)


class Killed(BaseException):
    """Stands for SIGKILL: nothing catches it."""


def make_run(tmp_path: Path, scorer=None, **more) -> Run:
    config, made = small_config(tmp_path, **more), small_policy()
    scorer = scorer or FakeScorer()
    return Run(config, made, LocalSampler(made), scorer, read_data(config, made, scorer, strict=False), lambda e: None)


# ------------------------------------------------------------------------------------------ learning


def test_training_raises_the_reward_it_is_given(tmp_path: Path):
    # digits: a fifth of what a flat policy writes
    config = small_config(tmp_path, steps=25, prompts_per_step=8, learning_rate=5e-3, eval_every=0, checkpoint_every=0)
    run(config)
    rewards = [row["reward"] for row in read_metrics(Path(config.output)) if "loss" in row]
    assert sum(rewards[-5:]) / 5 > sum(rewards[:5]) / 5 + 0.1


def test_the_rate_rises_then_falls_linearly(tmp_path: Path):
    # 4 updates of rate 1, 2 of warm-up, down to a fifth: 1/2 * 1, 1 * (1 - 0.8/4), 1 - 1.6/4, 1 - 2.4/4
    config = small_config(tmp_path, steps=4, learning_rate=1.0, warmup_updates=2, final_learning_rate_fraction=0.2)
    assert [learning_rate(config, step) for step in range(4)] == pytest.approx([0.5, 0.8, 0.6, 0.4])
    config = config.model_copy(update={"schedule": "cosine"})  # (1 - cos(pi t)) / 2 is .5 half-way, .1464 at a quarter
    expected = [0.5, 1 - 0.8 * 0.14645, 0.6, 1 - 0.8 * 0.85355]
    assert [learning_rate(config, step) for step in range(4)] == pytest.approx(expected, abs=1e-4)


def test_unscored_rollouts_get_advantage_0_and_do_not_count(tmp_path: Path):
    one = make_run(tmp_path)
    batch = one.collector.collect(one.data, 0)
    nothing = Reward(reward=None, status="failed")
    rewards = [Reward(reward=value, status="ok") for value in (1.0, 0.0)] + [nothing] * 2
    changed = batch.groups([0])
    changed.rewards[:] = rewards
    advantages_N_T, _counted_N, _signals = one.updater.advantages(changed)
    mask_N_T = changed.rollouts.mask_N_T
    expected_N_T = per_token(torch.tensor([1.0, -1.0, 0.0, 0.0]), mask_N_T)
    assert torch.allclose(advantages_N_T, expected_N_T, atol=1e-3) and bool(mask_N_T.any(1).all())
    assert [status for status in batch.rewards_P_G.isnan().flatten().tolist()].count(True) == sum(
        reward.reward is None for reward in batch.rewards
    )


def test_a_step_without_any_reward_changes_no_weight(tmp_path: Path):
    class Broken(FakeScorer):
        def reward(self, sample):
            return Reward(reward=None, status="timeout", fingerprint=f"f1-{sample.example.text[0]}")

    config = small_config(tmp_path, steps=2, eval_every=0)
    made, _summary = run(config, Broken())
    assert same_bits(weights(made), weights(small_policy()))
    rows = read_metrics(Path(config.output))
    assert [row["reward"] for row in rows] == [None, None]
    assert rows[0]["groups"] == {"groups": 4, "too_few": 4, "zero_variance": 0, "informative": 0, "unscored": 16}


def test_a_signal_is_normalised_in_its_group_and_skips_unscored_rollouts(tmp_path: Path):
    one = make_run(tmp_path, signals={"brevity": 0.5}, max_new_tokens=8)
    batch = one.collector.collect(one.data, 0).groups([0])
    batch.rewards[:] = [Reward(reward=1.0, status="ok")] * 3 + [Reward(reward=None, status="failed")]
    batch.rollouts.lengths_N[:] = torch.tensor([2, 4, 6, 1])
    advantages_N_T, _counted_N, means = one.updater.advantages(batch)
    # equal rewards give 0; brevity is .75, .5, .25: mean .5, deviation sqrt(2/3)/4 = .2041; .25 / .2041 * .5 = .612
    expected_N_T = per_token(torch.tensor([0.612, 0.0, -0.612, 0.0]), batch.rollouts.mask_N_T)
    assert torch.allclose(advantages_N_T, expected_N_T, atol=1e-2)
    assert means == {"brevity": pytest.approx(0.5)}


def test_several_passes_over_a_batch_differ_from_one_and_stay_finite(tmp_path: Path):
    once, _ = run(small_config(tmp_path, steps=2, eval_every=0))
    config = small_config(tmp_path, steps=2, eval_every=0, updates_per_batch=3, output=str(tmp_path / "three"))
    thrice, _ = run(config)
    assert not same_bits(weights(once), weights(thrice))
    assert all(0.0 <= row["clip_fraction"] <= 1.0 for row in read_metrics(tmp_path / "three"))


def test_groups_that_teach_nothing_are_drawn_again(tmp_path: Path):
    class FirstEqual(FakeScorer):
        """Every group of the first call is of one reward."""

        def score(self, samples):
            found = super().score(samples)
            return [Reward(reward=0.5, status="ok", fingerprint="f1-a")] * len(found) if len(self.asked) == 1 else found

    one = make_run(tmp_path, FirstEqual("a"), resample_limit=2, score_chunks=1, dataset=(write_rows(
        tmp_path / "a.jsonl", [f"a{index}=" for index in range(20)]),))  # fmt: skip
    batch = one.collector.collect(one.data, 0)
    assert len(batch.rows) == 4 and len(batch.rollouts) == len(batch.rewards) == 16
    assert len(one.scorer.asked) >= 2
    spread = batch.rewards_P_G.amax(1) > batch.rewards_P_G.amin(1)
    assert bool(spread.any())
    for row, prompt in zip(batch.rows, batch.rollouts.prompts, strict=True):
        assert list(row.prompt_ids) == prompt


def test_replaced_groups_keep_rows_rollouts_and_rewards_together(tmp_path: Path):
    one = make_run(tmp_path)
    first, second = one.collector.collect(one.data, 0), one.collector.collect(one.data, 1)
    for index in range(16):
        second.rewards[index] = Reward(reward=index / 16, status="ok")  # all four groups teach
    mixed = replace_groups(first, torch.tensor([True, False, True, False]), second)
    assert mixed.rows == [first.rows[0], second.rows[0], first.rows[2], second.rows[1]]
    assert mixed.rewards == first.rewards[:4] + second.rewards[:4] + first.rewards[8:12] + second.rewards[4:8]
    assert mixed.rollouts.texts[4:8] == second.rollouts.texts[:4]


# ------------------------------------------------------------------------------------------ stopping and going on

VARIANTS = {
    "plain": {},
    "kl": {"loss": {"beta": 0.05}},
    "passes": {"updates_per_batch": 2},
    "resampled": {"resample_limit": 1, "signals": {"variety": 0.3}},
}


@pytest.mark.parametrize("variant", VARIANTS)
def test_a_killed_run_resumed_ends_with_the_same_weights_bit_for_bit(tmp_path: Path, variant: str):
    config = small_config(tmp_path, steps=7, **VARIANTS[variant])
    whole, _ = run(config.model_copy(update={"output": str(tmp_path / "whole")}))

    def kill_at(step: int):
        def emit(event):
            if event["event"] == "step" and event["step"] == step:
                raise Killed

        return emit

    for step in (0, 3, 4):  # before the first checkpoint, between two, and again after the same one
        with pytest.raises(Killed):
            run(config, emit=kill_at(step))
    torch.manual_seed(99)  # whatever the process drew in between does not matter
    resumed, summary = run(config)
    assert summary["steps"] == 7
    assert same_bits(weights(whole), weights(resumed))
    logged = [
        [(row["step"], row.get("loss"), row.get("eval")) for row in read_metrics(tmp_path / name)]
        for name in ("whole", "run")
    ]
    assert logged[0] == logged[1]


def test_a_stop_saves_and_the_next_run_goes_on(tmp_path: Path):
    config = small_config(tmp_path, checkpoint_every=0)
    whole, _ = run(config.model_copy(update={"output": str(tmp_path / "whole")}))
    asked = iter([False, False, True])
    _, summary = run(config, should_stop=lambda: next(asked))
    assert summary["stopped"] and summary["steps"] == 3
    assert latest_checkpoint(tmp_path / "run" / "checkpoints").name == "step-000003"
    resumed, summary = run(config)
    assert not summary["stopped"] and summary["steps"] == 6
    assert same_bits(weights(whole), weights(resumed))


def test_a_finished_run_run_again_does_nothing_and_keeps_its_log(tmp_path: Path):
    config = small_config(tmp_path)
    first, _ = run(config)
    log = (tmp_path / "run" / "metrics.jsonl").read_text()
    again, summary = run(config)
    assert summary["steps"] == 6 and same_bits(weights(first), weights(again))
    assert (tmp_path / "run" / "metrics.jsonl").read_text() == log


def test_fresh_starts_anew_and_keeps_the_old_checkpoints(tmp_path: Path):
    config = small_config(tmp_path)
    run(config)
    told = []
    run(config.model_copy(update={"steps": 2}), resume=False, emit=told.append)
    assert latest_checkpoint(tmp_path / "run" / "checkpoints").name == "step-000002"
    assert (tmp_path / "run" / "checkpoints-before-1" / "step-000006").is_dir()
    assert any("checkpoints-before-1" in event.get("text", "") for event in told)


def test_going_on_with_another_dataset_or_seed_is_refused(tmp_path: Path):
    config = small_config(tmp_path)
    run(config)
    with pytest.raises(ConfigError, match=r"another seed, group_size; say --fresh"):
        run(config.model_copy(update={"seed": 1, "group_size": 5, "steps": 9}))


def test_more_steps_may_be_asked_for_later(tmp_path: Path):
    run(small_config(tmp_path, steps=2))
    _, summary = run(small_config(tmp_path, steps=3))
    assert summary["steps"] == 3


# ------------------------------------------------------------------------------------------ what goes wrong


@pytest.mark.parametrize("what", ["loss", "gradient"])
def test_a_loss_that_is_not_finite_names_the_rows_and_updates_nothing(tmp_path: Path, monkeypatch, what: str):
    config, made = small_config(tmp_path, eval_every=0), small_policy()
    real, calls, before = update_module.policy_loss_backward, [], {}

    def spoiled(policy, *args, **more):
        stats = real(policy, *args, **more)
        calls.append(1)
        if len(calls) < 4:
            return stats
        before.update(weights(policy))
        if what == "gradient":
            policy.parameters()[0].grad = torch.full_like(policy.parameters()[0], float("nan"))
            return stats
        return type(stats)(**{**vars(stats), "loss": math.nan})

    monkeypatch.setattr(update_module, "policy_loss_backward", spoiled)
    with pytest.raises(TrainingDiverged, match=r"step 3: .*nan.*rows r\d+, r\d+, r\d+, r\d+\. Last good.*step-000002"):
        run(config, made=made)
    assert same_bits(before, weights(made))
    assert latest_checkpoint(tmp_path / "run" / "checkpoints").name == "step-000002"


def test_weights_that_are_not_finite_are_never_saved(tmp_path: Path, monkeypatch):
    config = small_config(tmp_path, eval_every=0)
    made = small_policy()
    real = train_module.train_step

    def spoil(one, step):
        row = real(one, step)
        if step == 3:
            with torch.no_grad():
                one.policy.parameters()[0][0, 0] = float("nan")
        return row

    monkeypatch.setattr(train_module, "train_step", spoil)
    with pytest.raises(TrainingDiverged, match=r"weights after step 4 .*not saved.*step-000002"):
        run(config, made=made)
    assert [path.name for path in checkpoint.checkpoints(tmp_path / "run" / "checkpoints")] == ["step-000002"]


def test_a_policy_that_is_not_finite_is_noticed_before_its_rollouts_are_used(tmp_path: Path):
    made = small_policy()
    with torch.no_grad():
        for parameter in made.parameters():
            parameter[...] = float("nan")
    with pytest.raises(TrainingDiverged, match=r"step 0: the policy's log-probabilities.*none yet"):
        run(small_config(tmp_path, eval_every=0), made=made)


def test_a_full_disk_keeps_the_checkpoint_before(tmp_path: Path, monkeypatch):
    config = small_config(tmp_path)
    real = checkpoint.save_file

    def full(tensors, path, **more):
        if "000004" in str(path):
            raise OSError(28, "No space left on device")
        real(tensors, path, **more)

    with monkeypatch.context() as patch:
        patch.setattr(checkpoint, "save_file", full)
        with pytest.raises(CheckpointError, match=r"step-000004: not written: No space left.*step-000002"):
            run(config)
    whole, _ = run(config.model_copy(update={"output": str(tmp_path / "whole")}))
    resumed, _ = run(config)
    assert same_bits(weights(whole), weights(resumed))


def test_an_output_that_cannot_be_written_is_told_before_any_step(tmp_path: Path):
    (tmp_path / "file").write_text("")
    with pytest.raises(CheckpointError, match="cannot be written"):
        run(small_config(tmp_path, output=str(tmp_path / "file" / "run")))


def test_unknown_uncovered_and_long_rows_are_left_out_and_counted(tmp_path: Path):
    rows = [*prompts(12), "?1", "?2", "?3", "c1", "a" * 60]
    config = small_config(tmp_path, dataset=(write_rows(tmp_path / "mixed.jsonl", rows),), steps=1)
    scorer = FakeScorer()
    _, summary = run(config, scorer)
    assert summary["left_out"] == {"rejected": 0, "unknown": 3, "uncovered": 1, "too_long": 1}
    assert {sample.example.text[0] for asked in scorer.asked for sample in asked} <= {"a", "b"}


def test_rows_without_a_reward_are_an_error_where_that_is_asked_for(tmp_path: Path):
    dataset = write_rows(tmp_path / "mixed.jsonl", ["a1", "?1"])
    with pytest.raises(DatasetError, match=r"mixed\.jsonl:2: unknown task"):
        run(small_config(tmp_path, dataset=(dataset,), unknown="error"))


def test_a_dataset_of_unknown_rows_only_is_an_error_with_counts(tmp_path: Path):
    dataset = write_rows(tmp_path / "odd.jsonl", ["?1", "?2", "c3"])
    with pytest.raises(DatasetError, match=r"no row to train on \(2 unknown, 1 uncovered\)"):
        run(small_config(tmp_path, dataset=(dataset,)))


def test_prompts_longer_than_the_context_only_are_an_error_with_counts(tmp_path: Path):
    dataset = write_rows(tmp_path / "long.jsonl", ["a" * 57])  # 57 + 8 tokens do not fit 64
    with pytest.raises(DatasetError, match="1 too_long"):
        run(small_config(tmp_path, dataset=(dataset,)))
    dataset = write_rows(tmp_path / "fits.jsonl", ["a" * 56])
    run(small_config(tmp_path, dataset=(dataset,), steps=1, eval_every=0))


def test_no_room_for_a_prompt_is_an_error_with_numbers(tmp_path: Path):
    with pytest.raises(ConfigError, match="max_new_tokens = 64 leaves no room for a prompt: the context is 64"):
        run(small_config(tmp_path, max_new_tokens=64))


def test_a_scorer_that_breaks_ends_the_run_and_not_silently(tmp_path: Path):
    class Raises(FakeScorer):
        def score(self, samples):
            raise RuntimeError("registry gone")

    with pytest.raises(RuntimeError, match="registry gone"):
        run(small_config(tmp_path, eval_every=0), Raises())


# ------------------------------------------------------------------------------------------ evolution


def test_unknown_rows_and_quarantined_tools_go_to_the_agent_and_come_back_as_rows(tmp_path: Path):
    dataset = write_rows(tmp_path / "mixed.jsonl", [*prompts(12), *(f"d{index}" for index in range(10))])
    config = small_config(tmp_path, dataset=(dataset,), steps=4, evolve_every=2)
    scorer, handed, told = FakeScorer(), [], []
    scorer.quarantined = {"fake-1": "16 failures"}

    def evolve(examples, quarantined):
        handed.append(([example.text for example in examples], dict(quarantined)))
        scorer.covered = "abd"
        return True

    run(config, scorer, evolve=evolve, emit=told.append)
    assert handed == [([f"d{index}" for index in range(10)], {"fake-1": "16 failures"})]  # once: then all is known
    assert scorer.forgiven == ["fake-1"]
    after = [sample.example.text[0] for asked in scorer.asked[-5:] for sample in asked]
    assert "d" in after
    event = next(event["evolved"] for event in told if event["event"] == "evolved")
    assert event["changed"] and event["unknown"] == 10 and event["rows_after"] > event["rows_before"]
    assert any("evolved" in row for row in read_metrics(Path(config.output)))


def test_an_agent_that_finds_nothing_changes_nothing(tmp_path: Path):
    dataset = write_rows(tmp_path / "mixed.jsonl", [*prompts(12), "d1"])
    config = small_config(tmp_path, dataset=(dataset,), steps=4, evolve_every=1)
    plain, _ = run(config.model_copy(update={"output": str(tmp_path / "plain"), "evolve_every": 0}))
    evolved, _ = run(config, evolve=lambda examples, quarantined: False)
    assert same_bits(weights(plain), weights(evolved))


def test_an_agent_that_fails_is_told_and_training_goes_on(tmp_path: Path):
    def evolve(examples, quarantined):
        raise DatasetError("too few rows")

    dataset = write_rows(tmp_path / "mixed.jsonl", [*prompts(12), "d1"])
    told = []
    config = small_config(tmp_path, dataset=(dataset,), steps=2, evolve_every=1)
    _, summary = run(config, evolve=evolve, emit=told.append)
    assert summary["steps"] == 2
    assert [event["evolved"]["problem"] for event in told if event["event"] == "evolved"] == ["too few rows"]


def test_nothing_unknown_asks_nobody(tmp_path: Path):
    def evolve(examples, quarantined):
        raise AssertionError("asked")

    run(small_config(tmp_path, steps=2, evolve_every=1), evolve=evolve)


# ------------------------------------------------------------------------------------------ what is told


def test_the_log_says_what_happened_in_every_step(tmp_path: Path):
    config = small_config(tmp_path, steps=3)
    _, _summary = run(config)
    rows = read_metrics(Path(config.output))
    assert [(row["step"], "loss" in row) for row in rows] == [(0, False), (0, True), (1, True), (2, True), (3, False)]
    step = rows[1]
    assert sum(sum(task["status"].values()) for task in step["tasks"].values()) == 16
    assert set(step["seconds"]) == {"step", "generate", "score_wait", "update"}
    for task in step["tasks"].values():
        assert task["tools"]["fake-1"] == pytest.approx(task["reward"])
    held_out = rows[0]["eval"]
    assert {name: entry["rows"] + entry["unscored"] for name, entry in held_out.items()} == {"task a": 2, "task b": 2}
    stored = json.loads((tmp_path / "run" / "checkpoints" / "step-000003" / "state.json").read_text())["state"]
    assert stored["config"]["steps"] == 3 and stored["linear"] == "torch"


def test_the_scoring_of_a_part_waits_for_no_other_part(tmp_path: Path):
    scorer = FakeScorer()
    one = make_run(tmp_path, scorer, score_chunks=4)
    assert isinstance(one.collector, Collector)
    batch = one.collector.collect(one.data, 0)
    assert [len(asked) for asked in scorer.asked] == [4, 4, 4, 4]
    texts = [sample.completion for asked in scorer.asked for sample in asked]
    assert texts == batch.rollouts.texts  # in the order of the rows
