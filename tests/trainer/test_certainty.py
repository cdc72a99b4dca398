"""Certainty (Intuitor): the number, where it is recorded, what it trains, and the signs that it collapses."""

from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from pydantic import ValidationError

from rlar.errors import DatasetError
from rlar.trainer.config import TrainConfig
from rlar.trainer.context import Context
from rlar.trainer.credit import token_advantages
from rlar.trainer.model.logprob import self_certainty
from rlar.trainer.record.collapse import signs_of_collapse
from rlar.trainer.record.metrics import read_metrics
from rlar.trainer.record.run import read_data
from rlar.trainer.rollout import LocalSampler
from rlar.trainer.signals import signal
from rlar.types import Reward
from tests.fakes.small_policies import PROMPTS, policy
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

LABEL_FREE = {"reward": {"source": "none"}, "signals": {"certainty": 1.0}, "loss": {"beta": 0.05}}


def sampled(kind="qwen3", *, temperature=1.0, certainty=True, **more):
    made = policy(kind, **more)
    sampler = LocalSampler(made, certainty=certainty)
    rollouts = sampler.sample(PROMPTS, group_size=4, max_new_tokens=10, temperature=temperature,
                              generator=torch.Generator().manual_seed(1))  # fmt: skip
    return Context(rollouts, torch.zeros(3, 4), made)


# ------------------------------------------------------------------------------------------ the number


def test_certainty_is_the_divergence_from_uniform_up_to_log_v():
    logits = torch.tensor([[1.0, 0.0, 0.0, 0.0], [2.0, 2.0, 2.0, 2.0]], dtype=torch.float64)
    # p = e/(e+3), 1/(e+3): -1/4 (ln 4p1 + 3 ln 4p2) = .10737; uniform: ln 4 and nothing more
    values = self_certainty(logits, known=4) - math.log(4)
    assert values.tolist() == pytest.approx([0.10737, 0.0], abs=1e-5)
    assert torch.allclose(self_certainty(logits + 7.0, known=4), self_certainty(logits, known=4))
    probabilities = logits.softmax(-1)
    assert torch.allclose(values, -(4 * probabilities).log().mean(-1))


def test_rows_of_the_output_layer_beyond_the_tokenizer_do_not_move_the_mean():
    logits = torch.tensor([[1.0, 0.0, -60.0]])
    assert float(self_certainty(logits, known=2)) == pytest.approx(math.log(math.e + 1) - 0.5)


@pytest.mark.parametrize("kind", ["qwen3", "gpt2"])
@pytest.mark.parametrize("temperature", [1.0, 0.7])
def test_certainty_recorded_at_the_draw_is_that_of_a_forward(kind, temperature):
    drawn = sampled(kind, temperature=temperature, spread=2.0)
    forward = Context(replace(drawn.rollouts, certainty_N_T=None), drawn.rewards_P_G, drawn.policy)
    known = len(drawn.policy.tokenizer)
    values_N_T = forward.over_logits(lambda logits, _tokens: self_certainty(logits, known=known))
    assert torch.allclose(drawn.rollouts.certainty_N_T, values_N_T, atol=1e-4)
    one, other = (signal("certainty")(each).values for each in (drawn, forward))
    assert torch.allclose(one, other, atol=1e-4) and not one.requires_grad and not other.requires_grad


def test_recording_changes_nothing_that_is_drawn():
    one, other = sampled(certainty=True).rollouts, sampled(certainty=False).rollouts
    assert other.certainty_N_T is None and one.texts == other.texts
    assert torch.equal(one.logprobs_N_T, other.logprobs_N_T)


def test_a_sequence_said_twice_is_as_certain_as_once_and_nothing_said_is_nothing():
    given = sampled()
    rollouts = given.rollouts
    rollouts.certainty_N_T[:3] = 0.0
    rollouts.certainty_N_T[0, :2], rollouts.certainty_N_T[1, :4] = (
        torch.tensor([1.0, 3.0]),
        torch.tensor([1, 3, 1, 3.0]),
    )
    rollouts.lengths_N[:3] = torch.tensor([2, 4, 0])
    values = signal("certainty")(given).values
    assert values[:2].tolist() == [2.0, 2.0] and values[2].isnan()


def test_a_scale_of_37_and_a_shift_of_minus_12_leave_the_credit():
    given = sampled()
    credit, turns_N_T = signal("certainty")(given), given.rollouts.turn_of_N_T
    other = replace(credit, values=37.0 * credit.values - 12.0)
    one, two = (token_advantages(each, turns_N_T, group_size=4) for each in (credit, other))
    assert torch.allclose(one, two, atol=1e-2) and float(one.abs().max()) > 0.5  # the epsilon beside the deviation


# ------------------------------------------------------------------------------------------ what it trains


class NoTools(FakeScorer):
    """Whatever the tools say, it is this."""

    def __init__(self, value: float | None):
        super().__init__()
        self.value = value

    def reward(self, sample):
        status = "failed" if self.value is None else "ok"
        return Reward(reward=self.value and self.value / (1 + len(sample.completion)), status=status,
                      fingerprint=f"f1-{sample.example.text[0]}")  # fmt: skip


def test_without_a_paying_tool_no_verdict_of_a_tool_reaches_the_weights(tmp_path: Path):
    """Three verdicts, a broken tool among them: the same weights, and other than at the start."""
    trained = []
    for name, value in (("a", 1.0), ("b", 0.2), ("c", None)):
        config = small_config(tmp_path, output=str(tmp_path / name), steps=3, eval_every=0, **LABEL_FREE)
        trained.append(weights(run(config, NoTools(value))[0]))
    assert same_bits(trained[0], trained[1]) and same_bits(trained[0], trained[2])
    assert not same_bits(trained[0], weights(small_policy()))


def test_tools_look_on_and_the_log_says_what_they_saw(tmp_path: Path):
    config, events = small_config(tmp_path, steps=3, **LABEL_FREE), []
    run(config, emit=events.append)
    rows = [row for row in read_metrics(Path(config.output)) if "loss" in row]
    assert all(row["reward"] is not None and row["signals"]["certainty"] > 0 for row in rows)
    notes = [event["text"] for event in events if event["event"] == "note"]
    assert "no tool pays in this run, only certainty; tools look on" in notes


def test_certainty_raises_certainty(tmp_path: Path):
    config = small_config(tmp_path, steps=20, prompts_per_step=8, learning_rate=5e-3, eval_every=0, **LABEL_FREE)
    run(config)
    values = [row["signals"]["certainty"] for row in read_metrics(Path(config.output)) if "loss" in row]
    assert sum(values[-4:]) > sum(values[:4]) + 0.2


def test_rows_without_tools_are_trained_on_only_when_the_user_says_so_and_are_never_held_out(tmp_path: Path):
    dataset = (write_rows(tmp_path / "mixed.jsonl", [*prompts(20), "c1", "c2", "?x", "?y"]),)
    config, made = small_config(tmp_path, dataset=dataset, **LABEL_FREE), small_policy()
    skipped = read_data(config, made, FakeScorer(), strict=False)
    assert len(skipped.train) + len(skipped.held_out) == 20 and skipped.left_out["unknown"] == 2
    told = config.model_copy(update={"unknown": "train"})
    data = read_data(told, made, FakeScorer(), strict=False)
    assert sorted(row.example.text for row in data.train if not row.has_tools) == ["?x", "?y", "c1", "c2"]
    assert all(row.has_tools for row in data.held_out) and len(data.held_out) == len(skipped.held_out)
    assert [example.text for example in data.unrouted] == ["?x", "?y"]  # the agent may still find their tools
    events = []
    run(told.model_copy(update={"steps": 2}), emit=events.append)
    notes = [event["text"] for event in events if event["event"] == "note"]
    assert "4 rows have no tool: what they learn from is certainty" in notes


def test_a_dataset_that_no_tool_covers_can_be_trained_on(tmp_path: Path):
    dataset = (write_rows(tmp_path / "unknown.jsonl", [f"?{index}" for index in range(8)]),)
    config = small_config(tmp_path, dataset=dataset, steps=2, unknown="train", **LABEL_FREE)
    with pytest.raises(DatasetError, match="no row to train on"):
        run(config.model_copy(update={"unknown": "skip"}))
    made, _summary = run(config)
    assert not same_bits(weights(made), weights(small_policy()))


def test_where_tools_pay_a_row_without_one_learns_from_the_signal_and_a_broken_tool_still_masks(tmp_path: Path):
    from tests.trainer.test_train import make_run

    dataset = (write_rows(tmp_path / "mixed.jsonl", ["?x", "a1", "a2", "a3", "a4", "a5"]),)
    one = make_run(
        tmp_path, dataset=dataset, unknown="train", signals={"brevity": 1.0}, prompts_per_step=6, eval_every=0
    )
    batch = one.collector.collect(one.data, 0)
    place = [row.example.text for row in batch.rows].index("?x")
    tools = 0 if place else 1
    batch.rollouts.lengths_N[:] = batch.rollouts.lengths_N.clamp(min=1)
    for group, rewards in ((place, [None] * 4), (tools, [1.0, 0.0, None, None])):
        for member, value in enumerate(rewards):
            status = "ok" if value is not None else "unknown" if group == place else "failed"
            batch.rewards[4 * group + member] = Reward(reward=value, status=status)
            batch.rollouts.lengths_N[4 * group + member] = 1 + member
    advantages_N_T, counted_N, _means = one.updater.advantages(batch)
    assert counted_N[4 * place : 4 * place + 4].all()
    assert counted_N[4 * tools : 4 * tools + 4].tolist() == [True, True, False, False]
    # brevity alone: evenly spaced, so (1.5, .5, -.5, -1.5) / sqrt(1.25); epsilon 1e-4 beside a deviation of .14
    values = advantages_N_T[4 * place : 4 * place + 4, 0].tolist()
    assert values == pytest.approx([1.342, 0.447, -0.447, -1.342], abs=2e-3)
    assert not advantages_N_T[4 * tools + 2 : 4 * tools + 4].any()


@pytest.mark.parametrize("values, match", [
    ({"reward": {"source": "none"}}, "leaves nothing to learn from"),
    ({"reward": {"source": "none"}, "signals": {"certainty": 0.0}}, "leaves nothing to learn from"),
    ({"unknown": "train"}, "needs something that pays rows without tools"),
])  # fmt: skip
def test_a_run_that_nothing_pays_is_refused(values, match):
    with pytest.raises(ValidationError, match=match):
        TrainConfig.model_validate({"dataset": ["a.jsonl"], **values})


# ------------------------------------------------------------------------------------------ signs of collapse


def step(number, **more):
    return {"step": number, "loss": 0.0, "entropy": 1.0, "length": 40.0, "repetition": 0.02,
            "signals": {"certainty": 3.0}, **more}  # fmt: skip


def evaluated(number, accuracy, rows=100):
    return {"step": number, "eval": {"task": {"rows": rows}}, "eval_macro": accuracy}


def signs(*later, every=2, evaluations=()):
    rows = [step(0), step(1), *later, *evaluations]
    return {sign.kind: (sign.before, sign.now) for sign in signs_of_collapse(rows, every=every)}


def test_every_sign_is_seen_by_itself_and_the_first_window_is_compared_with_nothing():
    assert signs() == {}
    assert signs(step(2), step(3)) == {}
    assert signs(step(2, entropy=0.3), step(3, entropy=0.1)) == {"entropy": (1.0, 0.2)}
    assert signs(step(2, entropy=0.3), step(3, entropy=0.3)) == {}
    assert signs(step(2, length=15.0), step(3, length=15.0)) == {"length": (40.0, 15.0)}
    assert signs(step(2, length=90.0), step(3, length=90.0)) == {"length": (40.0, 90.0)}
    assert signs(step(2, repetition=0.2), step(3, repetition=0.2))["repetition"] == pytest.approx((0.02, 0.2))


def test_certainty_is_held_against_accuracy_on_held_out_rows_and_chance_is_no_sign():
    surer = [step(number, signals={"certainty": 4.0}) for number in (2, 3)]
    # .60 to .40 of 100 rows each: .20 above 2 sqrt(.24/100 + .24/100) = .14; of 20 rows that is .31
    assert signs(*surer, evaluations=[evaluated(0, 0.6), evaluated(4, 0.4)]) == {"certainty": (0.6, 0.4)}
    assert signs(*surer, evaluations=[evaluated(0, 0.6, rows=20), evaluated(4, 0.4, rows=20)]) == {}
    assert signs(*surer, evaluations=[evaluated(0, 0.4), evaluated(4, 0.6)]) == {}
    assert signs(step(2), step(3), evaluations=[evaluated(0, 0.6), evaluated(4, 0.4)]) == {}


def test_a_run_that_collapses_says_so_in_its_log_and_its_report(tmp_path: Path):
    from rlar.trainer.record.page import write_report

    values = {**LABEL_FREE, "loss": {"beta": 0.0}, "steps": 40, "learning_rate": 2e-2, "drift_every": 10, "eval_every": 0,
              "prompts_per_step": 8}  # fmt: skip
    config, events = small_config(tmp_path, **values), []
    run(config, emit=events.append)
    kinds = {sign["kind"] for event in events if event["event"] == "collapse" for sign in event["collapse"]}
    assert "entropy" in kinds
    assert "answers become one answer" in write_report(Path(config.output), config).read_text("utf-8")
    assert any("certainty without a KL term" in event.get("text", "") for event in events)
