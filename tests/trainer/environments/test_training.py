"""Whole runs with an environment: rewards, resume to the bit, several processes, what is written down."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from rlar.errors import ConfigError
from rlar.registry.registry import Registry
from rlar.trainer.config import read_train_config
from rlar.trainer.environments.play import EnvironmentBroke
from rlar.trainer.record.metrics import read_metrics
from rlar.trainer.start import run_training
from tests.fakes.small_policies import policy
from tests.fakes.thread_ranks import in_ranks
from tests.fakes.training_fakes import FakeScorer, run, same_bits, small_config, weights, write_rows

ECHO = {"name": "tests.fakes.environments:Echo", "max_turns": 3, "message_tokens": 12}
LONG = {"max_position_embeddings": 256}


def made():
    return policy(spread=2.0, linear="torch", config=LONG)


def config_of(tmp_path: Path, **more):
    return small_config(tmp_path, **{"environment": ECHO, "max_new_tokens": 6, **more})


class Killed(Exception):
    pass


@pytest.mark.parametrize("judge", ["environment", "registry"])
def test_a_killed_run_resumed_ends_with_the_same_weights_bit_for_bit(tmp_path: Path, judge: str):
    config = config_of(tmp_path, environment={**ECHO, "reward": judge}, resample_limit=1, loss={"beta": 0.02})
    whole, _ = run(config.model_copy(update={"output": str(tmp_path / "whole")}), made=made())

    def kill_at(step: int):
        def emit(event):
            if event["event"] == "step" and event["step"] == step:
                raise Killed

        return emit

    for step in (0, 3, 4):
        with pytest.raises(Killed):
            run(config, made=made(), emit=kill_at(step))
    torch.manual_seed(99)
    resumed, _ = run(config, made=made())
    assert same_bits(weights(whole), weights(resumed))
    first, second = (read_metrics(tmp_path / name) for name in ("whole", "run"))
    for one, other in zip(first, second, strict=True):
        for name in ("seconds", "tokens_per_second"):
            one.pop(name, None), other.pop(name, None)
    assert first == second


def test_two_processes_end_with_the_weights_of_one(tmp_path: Path):
    config = config_of(tmp_path, steps=3, score_chunks=2, learning_rate=1e-4)
    alone, _ = run(config.model_copy(update={"output": str(tmp_path / "alone")}), made=made())
    policies = [made() for _ in range(2)]

    def one(ranks):
        run(config, made=policies[ranks.rank], ranks=ranks)
        return weights(policies[ranks.rank])

    expected = weights(alone)
    for found in in_ranks(2, one):
        assert max(float((value - expected[name]).abs().max()) for name, value in found.items()) < 1e-6


def test_a_step_says_how_its_episodes_went(tmp_path: Path):
    run(config_of(tmp_path, steps=2, eval_every=0), made=made())
    for row in read_metrics(tmp_path / "run"):
        told = row["episodes"]
        assert sum(told["status"].values()) == 16 and set(told["status"]) <= {"done", "limit"}
        assert 1 < told["turns"] <= 3 and len(told["turn_rewards"]) <= 3
        assert told["environment_tokens"] > 0
        # the policy's tokens alone are its length; those of the environment are counted apart
        assert row["length"] == pytest.approx(told["turns"] * told["turn_length"])
        assert row["tasks"]["task a"]["status"]["ok"] + row["tasks"]["task b"]["status"]["ok"] == 16


def test_the_rewards_are_the_sums_of_what_the_environment_gave(tmp_path: Path):
    run(config_of(tmp_path, steps=1, eval_every=0, drift_every=1, audit_every=1), made=made())
    row = read_metrics(tmp_path / "run")[0]
    # mean over episodes of the sum = mean reward a turn x turns an episode, every turn being rewarded
    told = row["episodes"]
    assert told["rewarded_turns"] == told["turns"]
    assert row["tasks"]["task a"]["tools"].keys() == {"environment:tests.fakes.environments:Echo"}


@pytest.mark.slow
def test_what_pays_in_a_later_turn_is_learnt(tmp_path: Path):
    second = {"name": "tests.fakes.environments:SecondTurn", "max_turns": 2}
    config = config_of(tmp_path, environment=second, steps=40, learning_rate=3e-3, eval_every=0, checkpoint_every=0)
    run(config, made=made())
    paid = [row["episodes"]["turn_rewards"][1] for row in read_metrics(tmp_path / "run")]
    assert sum(paid[-8:]) > 1.5 * sum(paid[:8])  # seen: means of .19 and .36


def test_the_registrys_tools_judge_the_last_turn_where_the_settings_say_so(tmp_path: Path):
    scorer = FakeScorer()
    run(config_of(tmp_path, environment={**ECHO, "reward": "registry"}, steps=1, eval_every=0), scorer, made=made())
    assert sum(map(len, scorer.asked)) == 16
    (row,) = read_metrics(tmp_path / "run")
    assert row["tasks"]["task a"]["tools"].keys() == {"fake-1"}


def test_rows_that_no_tool_judges_are_trained_on_where_the_environment_does(tmp_path: Path):
    dataset = write_rows(tmp_path / "rows.jsonl", [f"{'ac?'[index % 3]}{index}" for index in range(12)])
    run(config_of(tmp_path, dataset=(dataset,), steps=3, eval_every=3, eval_rows=3), made=made())
    rows = read_metrics(tmp_path / "run")
    labels = set().union(*(row["tasks"] for row in rows if "loss" in row))
    assert labels >= {"task a", "environment tests.fakes.environments:Echo"}


def test_a_run_whose_environment_only_breaks_stops_and_says_why(tmp_path: Path):
    broken = {**ECHO, "name": "tests.fakes.environments:Hopeless"}
    with pytest.raises(EnvironmentBroke, match=r"all 16 episodes broke, the first by: RuntimeError: no service"):
        run(config_of(tmp_path, environment=broken, eval_every=0), made=made())


def test_a_gridworld_trains_from_a_file_of_settings_without_a_registry(tmp_path: Path):
    rows = write_rows(tmp_path / "rows.jsonl", [f"maze {index}" for index in range(12)])
    text = f"""
        dataset = ["{rows}"]
        registry = "{tmp_path / "none.db"}"
        output = "{tmp_path / "out"}"
        steps = 2
        prompts_per_step = 2
        group_size = 2
        max_new_tokens = 6
        eval_rows = 2
        tensorboard = false
        [model.scratch]
        hidden_size = 32
        num_hidden_layers = 1
        [environment]
        name = "gridworld"
        max_turns = 3
        size = 3
    """
    (tmp_path / "run.toml").write_text(text, "utf-8")
    summary = run_training(read_train_config(tmp_path / "run.toml", {}))
    assert summary["steps"] == 2
    rows_of_log = read_metrics(tmp_path / "out")
    assert "environment gridworld" in rows_of_log[0]["eval"]
    page = (tmp_path / "out" / "report.html").read_text("utf-8")
    assert "How episodes ended" in page and "Turns of an episode" in page
    Registry.open(tmp_path / "none.db", readonly=True).close()


def test_a_name_alone_is_an_environment_with_its_usual_settings(tmp_path: Path):
    found = read_train_config(None, {"dataset": ("x",), "environment": "gridworld"})
    assert found.environment.name == "gridworld" and found.environment.max_turns == 6
    with pytest.raises(ConfigError, match="max_turns"):
        read_train_config(None, {"dataset": ("x",), "environment": {"name": "gridworld", "max_turns": 0}})
