"""Several processes: the same weights as one, the same errors everywhere, one set of files."""

from __future__ import annotations

import json
import threading
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch

from rlar.errors import ConfigError, DatasetError
from rlar.trainer.advantage import counted_rollouts, group_advantages
from rlar.trainer.distributed import (
    ALONE,
    Launch,
    ProcessFailed,
    become_torchrun,
    process_device,
    read_launch,
    share_groups,
)
from rlar.trainer.record.checkpoint import checkpoints
from rlar.trainer.record.metrics import read_metrics
from rlar.trainer.start import run_training
from rlar.trainer.update import Updater, denominator
from rlar.types import Reward
from tests.fakes.small_policies import policy, rollouts_of
from tests.fakes.thinning import thinned
from tests.fakes.thread_ranks import in_ranks
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
from tests.trainer.test_train import Killed


def largest_gap(one: dict, other: dict) -> float:
    return max(float((one[name] - other[name]).abs().max()) for name in one)


def run_in(size: int, config, *, scorers=None, per_rank=lambda rank: {}, **options):
    """(policies, outcomes) of a run in several ranks."""
    made = [small_policy() for _ in range(size)]
    scorers = scorers or [FakeScorer() for _ in range(size)]

    def work(ranks):
        more = {**options, **per_rank(ranks.rank)}
        return run(config, scorers[ranks.rank], made=made[ranks.rank], ranks=ranks, **more)[1]

    return made, in_ranks(size, work)


# ------------------------------------------------------------------------------------------ shares


def test_the_dearest_groups_go_first_each_to_who_has_least():
    # 9 -> first; 5, 4 -> second; 3 -> first or second at 9 each: first
    assert share_groups([3, 9, 5, 4], 2) == [[0, 1], [2, 3]]
    assert share_groups([1, 1], 3) == [[0], [1], []]
    assert share_groups([0, 0, 7], 2) == [[2], [0, 1]]


def test_the_denominator_counts_tokens_or_rows_and_never_is_zero():
    lengths, counted = torch.tensor([3, 5, 7]), torch.tensor([True, False, True])
    assert denominator(lengths, counted, per_token=True) == 10
    assert denominator(lengths, counted, per_token=False) == 2
    assert denominator(lengths, torch.zeros(3, dtype=torch.bool), per_token=True) == 1


LOSSES = {
    "token": {},
    "sequence": {"normalisation": "sequence"},
    "constant": {"normalisation": "constant", "kind": "gspo"},
    "bonus": {"entropy_bonus": 0.01, "mask_overlong": True},
    "capped": {"importance_cap": 2.0},
}


@pytest.mark.parametrize("loss", LOSSES)
@pytest.mark.parametrize("size", [2, 3])
def test_gradients_and_statistics_of_the_shares_add_up_to_those_of_the_batch(tmp_path: Path, loss: str, size: int):
    config = small_config(tmp_path, loss=LOSSES[loss], steps=1, warmup_updates=0, max_gradient_norm=1e9)
    rewards_P_G = torch.tensor([[1.0, 0.0, 0.5, float("nan")], [0.3, 0.3, 0.3, 0.3], [float("nan"), 0.0, 0.0, 1.0]])

    class Given:
        def __init__(self, made):
            self.rollouts, self.rewards_P_G = rollouts_of(made), rewards_P_G
            self.rows = [SimpleNamespace(has_tools=True)] * len(rewards_P_G)

    policies = [policy(spread=2.0) for _ in range(size)]  # torch's seed is shared by threads

    def one(ranks):
        made = policies[ranks.rank]
        updater, found = Updater(config, made, ranks), {}
        updater.optimiser.step = lambda: found.update(
            {name: value.grad.clone() for name, value in made.model.named_parameters()}
        )
        return found, updater.update(Given(made), 0)

    alone, expected = one(ALONE)
    policies[0] = policy(spread=2.0)
    for found, update in in_ranks(size, one):
        assert found.keys() == alone.keys()
        assert largest_gap(found, alone) < 1e-6 < max(float(value.abs().max()) for value in alone.values())
        for name in ("loss", "entropy", "clip_fraction", "importance_mean", "tokens", "rows", "counted_rows"):
            assert getattr(update.stats, name) == pytest.approx(getattr(expected.stats, name), abs=1e-6), name
        assert update.gradient_norm == pytest.approx(expected.gradient_norm, rel=1e-5)


def test_whitening_sees_the_rewards_of_all_processes():
    # per process the rewards are equal and every advantage would be 0
    rewards_P_G = torch.tensor([[1.0, 1.0], [0.0, 0.0]])
    assert group_advantages(rewards_P_G, estimator="reinforce++").flatten().tolist() == pytest.approx(
        [1, 1, -1, -1], abs=1e-3
    )
    assert counted_rollouts(rewards_P_G).tolist() == [True] * 4


# ------------------------------------------------------------------------------------------ whole runs

RUNS = {
    "plain": {},
    "kl": {"loss": {"beta": 0.05}, "estimator": "reinforce++"},
    "passes": {"updates_per_batch": 2, "loss": {"normalisation": "sequence"}},
    "resampled": {"resample_limit": 1, "signals": {"variety": 0.3}, "loss": {"mask_overlong": True}},
}


@pytest.mark.parametrize("variant", thinned(RUNS, every=4))
def test_a_run_of_two_or_three_processes_ends_with_the_weights_of_one(tmp_path: Path, variant: str):
    # Adam's first step makes rounding in a gradient near 0 a share of the learning rate: 1% of it was seen, in one weight
    config = small_config(tmp_path, score_chunks=4, learning_rate=1e-4, **RUNS[variant])
    whole, _ = run(config.model_copy(update={"output": str(tmp_path / "whole")}))
    reference = [row for row in read_metrics(tmp_path / "whole") if "loss" in row]
    for size in (2, 3):
        output = tmp_path / f"run{size}"
        made, summaries = run_in(size, config.model_copy(update={"output": str(output)}))
        assert [summary["steps"] for summary in summaries] == [6] * size
        assert all(same_bits(weights(made[0]), weights(other)) for other in made[1:])
        assert largest_gap(weights(whole), weights(made[0])) < 2e-6
        rows = [row for row in read_metrics(output) if "loss" in row]
        for mine, theirs in zip(rows, reference, strict=True):
            assert mine["tasks"] == theirs["tasks"] and mine["groups"] == theirs["groups"]  # the same rollouts
            for name in ("loss", "entropy", "gradient_norm"):
                assert mine[name] == pytest.approx(theirs[name], abs=1e-5)


def test_every_process_scores_its_share_only_and_the_first_alone_writes_and_tells(tmp_path: Path):
    scorers, told = [FakeScorer(), FakeScorer()], [[], []]
    config = small_config(tmp_path, steps=2, eval_every=0)
    run_in(2, config, scorers=scorers, per_rank=lambda rank: {"emit": told[rank].append})
    assert [[len(asked) for asked in scorer.asked] for scorer in scorers] == [[8, 8], [8, 8]]
    assert not told[1] and {"training", "step", "checkpoint"} <= {event["event"] for event in told[0]}
    assert [row["step"] for row in read_metrics(tmp_path / "run")] == [0, 1]


def test_held_out_rows_are_shared_and_reported_once(tmp_path: Path):
    run(small_config(tmp_path, steps=1, output=str(tmp_path / "one")))
    run_in(3, small_config(tmp_path, steps=1, score_chunks=3, output=str(tmp_path / "three")))
    one, three = (
        next(row["eval"] for row in read_metrics(tmp_path / name) if "eval" in row) for name in ("one", "three")
    )
    assert one == three


def test_a_killed_run_resumed_with_as_many_processes_is_the_same_bit_for_bit(tmp_path: Path):
    config = small_config(tmp_path, steps=7)
    whole, _ = run_in(2, config.model_copy(update={"output": str(tmp_path / "whole")}))

    def kill(event):
        if event["event"] == "step" and event["step"] == 3:
            raise Killed

    _, outcomes = run_in(2, config, per_rank=lambda rank: {"emit": kill})
    assert isinstance(outcomes[0], Killed) and isinstance(outcomes[1], ProcessFailed)
    resumed, _ = run_in(2, config)
    assert same_bits(weights(whole[0]), weights(resumed[0])) and same_bits(weights(whole[1]), weights(resumed[1]))
    assert [row["step"] for row in read_metrics(tmp_path / "run") if "loss" in row] == list(range(7))


def test_another_number_of_processes_may_go_on_with_a_checkpoint(tmp_path: Path):
    config = small_config(tmp_path, learning_rate=1e-4)
    whole, _ = run(config.model_copy(update={"output": str(tmp_path / "whole")}))
    asked = iter([False, False, False, True])
    run_in(2, config, per_rank=lambda rank: {"should_stop": lambda: next(asked)} if rank else {})
    made, summary = run(config)
    assert summary["steps"] == 6 and largest_gap(weights(whole), weights(made)) < 2e-6


def test_a_stop_in_one_process_stops_all_after_the_step_and_saves_once(tmp_path: Path):
    config = small_config(tmp_path, checkpoint_every=0, eval_every=0)
    asked = iter([False, False, True])
    told = []
    options = [{"emit": told.append}, {"should_stop": lambda: next(asked)}]  # only the second got the signal
    _, summaries = run_in(2, config, per_rank=options.__getitem__)
    assert [(summary["steps"], summary["stopped"]) for summary in summaries] == [(3, True)] * 2
    assert [event["step"] for event in told if event["event"] == "checkpoint"] == [3]
    assert [path.name for path in checkpoints(tmp_path / "run" / "checkpoints")] == ["step-000003"]


# ------------------------------------------------------------------------------------------ errors


@pytest.mark.parametrize("failing", [0, 1])
def test_an_error_in_one_process_stops_all_with_its_message(tmp_path: Path, failing: int):
    class Breaks(FakeScorer):
        def score(self, samples):
            if len(self.asked) == 2:
                raise RuntimeError("registry gone")
            return super().score(samples)

    scorers = [FakeScorer(), FakeScorer()]
    scorers[failing] = Breaks()
    _, outcomes = run_in(2, small_config(tmp_path, eval_every=0), scorers=scorers)
    assert isinstance(outcomes[failing], RuntimeError) and str(outcomes[failing]) == "registry gone"
    other = outcomes[1 - failing]
    assert isinstance(other, ProcessFailed) and f"process {failing} of 2 failed: RuntimeError: registry gone" in str(
        other
    )
    assert checkpoints(tmp_path / "run" / "checkpoints")[-1].name == "step-000002"


def test_a_log_that_cannot_be_written_stops_all(tmp_path: Path):
    (tmp_path / "file").write_text("")
    _, outcomes = run_in(2, small_config(tmp_path, output=str(tmp_path / "file" / "run")))
    assert "cannot be written" in str(outcomes[0]) and "process 0 of 2 failed: CheckpointError" in str(outcomes[1])


def test_bad_rows_are_the_same_error_everywhere(tmp_path: Path):
    config = small_config(tmp_path, dataset=(write_rows(tmp_path / "odd.jsonl", ["?1", "?2"]),))
    _, outcomes = run_in(2, config)
    assert all(isinstance(outcome, DatasetError) for outcome in outcomes)


def test_a_loss_that_is_not_finite_in_one_share_is_told_everywhere(tmp_path: Path):
    made = [small_policy(), small_policy()]
    with torch.no_grad():
        made[1].parameters()[0][...] = float("nan")  # as by a broken GPU
    config = small_config(tmp_path, eval_every=0)

    def work(ranks):
        return run(config, made=made[ranks.rank], ranks=ranks)

    outcomes = in_ranks(2, work)
    assert all("are not finite" in str(outcome) and "rows r" in str(outcome) for outcome in outcomes)


def test_processes_whose_weights_differ_never_save(tmp_path: Path):
    made = [small_policy(), small_policy()]
    with torch.no_grad():
        made[1].parameters()[0][...] += 0.01
    config = small_config(tmp_path)
    outcomes = in_ranks(2, lambda ranks: run(config, made=made[ranks.rank], ranks=ranks))
    assert all("do not have the same weights after step 2" in str(outcome) for outcome in outcomes)
    assert not checkpoints(tmp_path / "run" / "checkpoints")


def test_the_first_process_alone_asks_the_agent_and_all_take_up_what_it_built(tmp_path: Path):
    dataset = write_rows(tmp_path / "mixed.jsonl", [*prompts(12), *(f"d{index}" for index in range(10))])
    scorers, handed = [FakeScorer(), FakeScorer()], []
    scorers[1].quarantined = {"fake-1": "16 failures"}  # seen by the second process only

    def evolve(examples, quarantined):
        handed.append((threading.get_ident(), len(examples), dict(quarantined)))
        for scorer in scorers:
            scorer.covered = "abd"
        return True

    run_in(2, small_config(tmp_path, dataset=(dataset,), steps=4, evolve_every=2), scorers=scorers, evolve=evolve)
    assert [(count, tools) for _who, count, tools in handed] == [(10, {"fake-1": "16 failures"})]
    assert [scorer.forgiven for scorer in scorers] == [["fake-1"], ["fake-1"]]
    rows = read_metrics(tmp_path / "run")
    assert [row["evolved"]["rows_after"] > row["evolved"]["rows_before"] for row in rows if "evolved" in row] == [True]


def test_work_in_common_must_not_start_other_work_in_common():
    with pytest.raises(AssertionError, match="must not start other"):
        ALONE.together(lambda: ALONE.first(lambda: 1))


# ------------------------------------------------------------------------------------------ torchrun


def test_what_torchrun_says_is_read_and_several_machines_are_refused():
    assert read_launch({}) == Launch(0, 1)
    assert read_launch({"RANK": "1", "WORLD_SIZE": "2", "LOCAL_WORLD_SIZE": "2"}) == Launch(1, 2)
    with pytest.raises(ConfigError, match="one machine, not 8 processes on several; use TRL or verl"):
        read_launch({"RANK": "1", "WORLD_SIZE": "8", "LOCAL_WORLD_SIZE": "4"})


def test_processes_that_torchrun_started_are_not_started_again(monkeypatch):
    ran = []
    monkeypatch.setattr("os.execv", lambda program, command: ran.append(command[1:]))
    become_torchrun(2, Launch(1, 2), ["train"])
    with pytest.raises(ConfigError, match="--processes 2, but torchrun started 3"):
        become_torchrun(2, Launch(1, 3), ["train"])
    assert ran == []
    become_torchrun(2, Launch(), ["train", "--processes", "2"])
    assert ran[0][-7:] == ["--nproc-per-node", "2", "-m", "rlar", "train", "--processes", "2"]


def test_every_process_takes_a_gpu_of_its_own_or_says_that_there_are_too_few(monkeypatch):
    monkeypatch.setattr("torch.cuda.device_count", lambda: 2)
    assert process_device("cuda", Launch(1, 2)) == "cuda:1"
    assert process_device("cuda:1", Launch()) == "cuda:1"
    assert process_device("cpu", Launch(1, 2)) == "cpu"
    with pytest.raises(ConfigError, match='say "cuda"'):
        process_device("cuda:0", Launch(1, 2))
    with pytest.raises(ConfigError, match="3 processes for 2 GPUs"):
        process_device("cuda", Launch(1, 3))


def test_more_processes_than_parts_of_a_step_are_told_what_to_set(tmp_path: Path):
    with pytest.raises(ConfigError, match="3 processes share the 2 parts of a step: set score_chunks = 3"):
        run_training(small_config(tmp_path), launch=Launch(0, 3))


def test_a_process_that_has_nothing_to_score_is_no_trouble(tmp_path: Path):
    class Only(FakeScorer):
        def reward(self, sample):
            return Reward(reward=None, status="timeout", fingerprint=f"f1-{sample.example.text[0]}")

    config = small_config(tmp_path, steps=2, eval_every=0)
    made, _ = run_in(2, config, scorers=[Only(), Only()])
    assert same_bits(weights(made[0]), weights(small_policy()))
    assert json.loads((tmp_path / "run" / "config.json").read_text())["steps"] == 2
