"""Phases (LAMP): a weak reward and novelty first, then the verifiable reward, which reads nothing of the first."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
import torch
from pydantic import ValidationError

from rlar.errors import ConfigError
from rlar.registry.registry import Registry
from rlar.tools.library import library_spec
from rlar.trainer.companions.novelty import Novelty, disagreement
from rlar.trainer.config import TrainConfig
from rlar.trainer.context import Context
from rlar.trainer.credit import Credit
from rlar.trainer.data import TrainRow
from rlar.trainer.record.metrics import read_metrics
from rlar.trainer.signals import SIGNALS, signal
from rlar.trainer.update import learning_rate
from rlar.types import AnswerKind, Contract, Example, Message, Reward, TaskSpec
from tests.fakes.small_policies import policy, rollouts_of
from tests.fakes.training_fakes import FakeScorer, run, same_bits, small_config, small_policy, weights, write_rows
from tests.trainer.test_train import Killed


def two_phases(**second):
    first = {"steps": 3, "reward": {"source": "none"}, "signals": {"weak": 0.1, "novelty": {"weight": 0.9, "heads": 3}}}
    return {"steps": 6, "phases": [first, {"steps": 3, **second}]}


@pytest.fixture
def weak(monkeypatch):
    """A signal whose numbers are set from outside, and that counts how often it was asked."""
    told = {"sign": 1.0, "asked": 0, "raises": False}

    def measure(context: Context) -> Credit:
        told["asked"] += 1
        assert not told["raises"]
        return Credit(told["sign"] * context.rollouts.completion_ids_N_T.double().sum(1))

    monkeypatch.setitem(SIGNALS, "weak", measure)
    return told


# ------------------------------------------------------------------------------------------ phases


def test_phases_have_their_own_settings_and_count_their_own_steps():
    config = TrainConfig.model_validate({
        "dataset": ["rows.jsonl"], "learning_rate": 1.0, "warmup_updates": 2, "final_learning_rate_fraction": 1.0,
        "phases": [{"steps": 4, "signals": {"brevity": 0.5}, "reward": {"source": "none"}},
                   {"steps": 3, "dataset": ["goal.jsonl"], "learning_rate": 0.1}],
    })  # fmt: skip
    assert config.steps == 7
    (start, first), (middle, second) = config.phase_at(3), config.phase_at(4)
    assert (start, first.steps, first.signal_weights, first.reward.source) == (0, 4, {"brevity": 0.5}, "none")
    assert (middle, second.steps, second.signal_weights, second.reward.source) == (4, 3, {}, "registry")
    assert (first.dataset, second.dataset) == (("rows.jsonl",), ("goal.jsonl",))
    assert config.phase_at(7) == config.phase_at(6)  # after the last step
    # each phase warms its rate up anew
    rates = [learning_rate(phase, step - begin) for step in range(7) for begin, phase in [config.phase_at(step)]]
    assert rates == pytest.approx([0.5, 1, 1, 1, 0.05, 0.1, 0.1])
    assert TrainConfig.model_validate(config.model_dump(mode="json")) == config


@pytest.mark.parametrize("values, match", [
    ({"steps": 9, "phases": [{"steps": 4}, {"steps": 4}]}, "8 steps together"),
    ({"phases": [{"steps": 4, "reward": {"source": "none"}}, {"steps": 4}]}, "leaves nothing to learn from"),
    ({"phases": [{"steps": 4, "stepps": 1}]}, "stepps"),
])  # fmt: skip
def test_phases_that_cannot_be_are_refused(values, match):
    with pytest.raises(ValidationError, match=match):
        TrainConfig.model_validate({"dataset": ["rows.jsonl"], **values})


def test_a_phase_without_a_paying_tool_reads_no_verdict_and_the_next_no_weak_reward(tmp_path: Path, weak):
    """The weights after the first phase are the same whatever the verifier says; in the second the weak signal is not asked."""

    class Other(FakeScorer):
        def reward(self, sample):
            return Reward(reward=len(sample.completion) / 8, status="ok", fingerprint=f"f1-{sample.example.text[0]}")

    def first_phase(scorer):
        kept = {}

        def keep(event):
            if event["event"] == "step" and event["step"] == 2:
                kept.update(weights(made))
            if event["event"] == "step" and event["step"] == 3:
                weak["raises"] = True

        made = small_policy()
        weak["raises"] = False
        run(small_config(tmp_path, output=str(tmp_path / type(scorer).__name__), eval_every=0, **two_phases()), scorer,
            made=made, emit=keep)  # fmt: skip
        return kept, weights(made)

    (warm, last), (other_warm, other_last) = first_phase(FakeScorer()), first_phase(Other())
    assert same_bits(warm, other_warm) and not same_bits(last, other_last)
    assert weak["asked"] == 6  # three steps of each run


def test_the_second_phase_is_a_run_of_its_own_that_starts_from_the_weights_of_the_first(tmp_path: Path, weak):
    """No moment of the optimiser, no baseline, no count goes over: from equal weights it ends in equal weights."""
    made = small_policy()
    start = {}

    def keep(event):
        if event["event"] == "step" and event["step"] == 2:
            start.update(weights(made))

    whole = small_config(tmp_path, eval_every=0, **two_phases())
    run(whole, made=made, emit=keep)
    # the same three steps under other first phases: the weak reward turned round, but its end put in their place
    weak["sign"] = -1.0
    again = small_policy()

    def put(event):
        if event["event"] == "step" and event["step"] == 2:
            with torch.no_grad():
                assert not same_bits(start, weights(again))
                for name, parameter in again.model.named_parameters():
                    parameter.copy_(start[name])

    run(whole.model_copy(update={"output": str(tmp_path / "again")}), made=again, emit=put)
    assert same_bits(weights(made), weights(again))


def test_a_phase_may_have_rows_of_its_own(tmp_path: Path, weak):
    goal = write_rows(tmp_path / "goal.jsonl", [f"b{index}=" for index in range(5)])
    scorer = FakeScorer()
    run(small_config(tmp_path, eval_every=0, **two_phases(dataset=[goal])), scorer)
    texts = [{sample.example.text for sample in asked} for asked in scorer.asked]
    assert all(text in {f"b{index}=" for index in range(5)} for part in texts[-6:] for text in part)
    assert any(text.startswith("a") for part in texts[:6] for text in part)


@pytest.mark.parametrize("step", [1, 2, 3, 4])
def test_a_killed_run_of_two_phases_ends_with_the_same_weights_bit_for_bit(tmp_path: Path, weak, step: int):
    """Within the first phase, at its end, at the start of the second and within it; the companion resumes, too."""
    values = {"eval_every": 0, "checkpoint_every": 1, **two_phases(signals={"novelty": 0.3})}
    config = small_config(tmp_path, **values)
    whole, _ = run(config.model_copy(update={"output": str(tmp_path / "whole")}))

    def kill(event):
        if event["event"] == "step" and event["step"] == step:
            raise Killed

    with pytest.raises(Killed):
        run(config, emit=kill)
    torch.manual_seed(99)
    resumed, _ = run(config)
    assert same_bits(weights(whole), weights(resumed))
    logged = [[(row["step"], row["loss"], row["signals"]) for row in read_metrics(tmp_path / name)]
              for name in ("whole", "run")]  # fmt: skip
    assert logged[0] == logged[1]


def test_phases_may_not_change_half_way(tmp_path: Path, weak):
    run(small_config(tmp_path, eval_every=0, **two_phases()))
    with pytest.raises(ConfigError, match="another phases"):
        run(small_config(tmp_path, eval_every=0, **two_phases(signals={"novelty": 0.3})))


# ------------------------------------------------------------------------------------------ novelty


def test_disagreement_is_the_deviation_over_heads():
    # two heads that say 1 and 3 deviate by 1 from 2; equal ones by 0
    assert disagreement(torch.tensor([[[1.0]], [[3.0]]])).tolist() == [1.0]
    assert disagreement(torch.ones(4, 2, 3)).tolist() == [0.0, 0.0]


def test_what_was_seen_often_is_less_novel_than_what_was_not():
    made = policy()
    old, new = (Context(rollouts_of(made, seed=seed, max_new_tokens=8), torch.zeros(3, 4), made) for seed in (1, 2))
    novelty = Novelty(made, {})
    before = novelty(old).values.nanmean()
    for _ in range(60):
        novelty(old)
    state = novelty.state()
    seen = novelty(old).values.nanmean()
    novelty.load(state)  # as it was, before it learnt once more
    unseen = novelty(new).values.nanmean()
    assert seen < 0.5 * before and seen < 0.8 * unseen


def test_novelty_speaks_of_turns_and_reads_the_answer_to_each():
    made = policy()
    given = Context(rollouts_of(made, max_new_tokens=8), torch.zeros(3, 4), made)
    rollouts = given.rollouts
    rollouts.lengths_N[:] = 6
    turns_N_T = torch.full_like(rollouts.completion_ids_N_T, -1)
    turns_N_T[:, 0:2], turns_N_T[:, 4:6] = 0, 1  # two tokens, two of the environment, two tokens
    rollouts.completion_ids_N_T[:, :6] = torch.tensor([5, 6, 7, 8, 9, 10])
    rollouts.completion_ids_N_T[1, 2] = 30  # another answer
    credit = Novelty(made, {})(replace(given, rollouts=replace(rollouts, turns_N_T=turns_N_T)))
    assert credit.per == "turn" and credit.values.shape == (12, 2)
    assert credit.values[1, 0] != credit.values[0, 0] and credit.values[1, 1] == credit.values[0, 1]


def test_options_of_a_companion_and_of_a_signal_are_checked(tmp_path: Path):
    for signals, match in (
        ({"novelty": {"weight": 0.5, "headds": 3}}, "signals.novelty: .*headds"),
        ({"brevity": {"weight": 0.5, "length": 3}}, "signals.brevity: no setting 'length'"),
        ({"tool": {"weight": 0.5}}, "signals.tool: .*id"),
        ({"beauty": 1.0}, "no signal 'beauty'; there are brevity, certainty, .*novelty, .*tool"),
    ):
        with pytest.raises(ConfigError, match=match):
            run(small_config(tmp_path, steps=1, signals=signals))


# ------------------------------------------------------------------------------------------ a tool as a signal


def test_a_tool_of_the_registry_speaks_whether_it_was_admitted_or_not(tmp_path: Path):
    spec = library_spec("number")
    config, made = small_config(tmp_path), policy()
    contract = Contract(answer_kind=AnswerKind.NUMBER, has_reference=True)
    with Registry.open(config.registry) as registry:
        registry.put_task(TaskSpec(fingerprint="f1-a", label="task a", contract=contract))
        registry.put_tool(spec)
    rollouts = rollouts_of(made, max_new_tokens=8, group_size=2, prompts=[[5, 6, 7], [8, 9]])
    rollouts.texts[:] = ["The answer is 12.", "The answer is 13.", "12", "12"]
    example = Example(
        id="r", prompt=(Message(role="user", content="What is 5 + 7?"),), reference="12", references=("12",)
    )
    rows = [TrainRow(example, "f1-a", (5, 6, 7)), TrainRow(example, None, (8, 9), has_tools=False)]
    tool = signal("tool", {"id": spec.id})
    credit = tool(Context(rollouts, torch.full((2, 2), torch.nan), made, rows=rows, registry=config.registry))
    tool.close()
    assert credit.values[:2].tolist() == [1.0, 0.0] and bool(credit.values[2:].isnan().all())
    with pytest.raises(ConfigError, match=r"has no tool 'nobody'; `rlar tools list`"):
        signal("tool", {"id": "nobody"})(
            Context(rollouts, torch.zeros(2, 2), made, rows=rows, registry=config.registry)
        )
