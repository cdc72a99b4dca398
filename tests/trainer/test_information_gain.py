"""Information gain (IGPO): telescoping, credit of turns, one forward for all prefixes."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch

from rlar.errors import ConfigError
from rlar.trainer.context import Context
from rlar.trainer.credit import Credit, token_advantages
from rlar.trainer.data import TrainRow
from rlar.trainer.rollout import with_episodes
from rlar.trainer.signals import signal
from rlar.trainer.signals.information_gain import answer_scores
from rlar.trainer.turns import Episode, Turn
from rlar.types import Example, Message
from tests.fakes.small_policies import policy, rollouts_of

GAINS = torch.tensor([[1.0, -0.2, torch.nan], [0.1, 0.3, torch.nan], [-0.5, 0.2, torch.nan], [0.8, 0.9, torch.nan]],
                     dtype=torch.float64)  # fmt: skip
TURNS = torch.tensor([[0, 0, -1, 1, -1, 2, 2]] * 4)


def spread(*, outcomes=(0.0, 0.0, 0.0, 0.0)):
    """Gains with what the outcome pays, as the updater adds them up: a number a turn."""
    outcome = Credit(torch.tensor(outcomes, dtype=torch.float64))
    total = token_advantages(Credit(GAINS, per="turn", carries="back"), TURNS, group_size=4)
    total = total + token_advantages(outcome, TURNS, group_size=4)
    assert not total[:, [2, 4]].any()  # tokens of the environment
    return total[:, [0, 3, 5]]


def test_turns_are_told_apart_where_all_answers_are_wrong():
    expected = [[0.30, -1.04, 0], [-0.50, -0.05, 0], [-1.88, -0.25, 0], [2.08, 1.14, 0]]
    assert torch.allclose(spread(), torch.tensor(expected, dtype=torch.float64), atol=6e-3)


def test_outcomes_are_normalised_by_themselves_and_fall_on_all_turns():
    expected = [[-0.70, -2.04, -1], [0.50, 0.95, 1], [-2.88, -1.25, -1], [3.08, 2.14, 1]]
    assert torch.allclose(spread(outcomes=(0, 1, 0, 1)), torch.tensor(expected, dtype=torch.float64), atol=6e-3)


def test_a_gain_of_exactly_0_is_a_gain():
    """The end of a turn is where it was written, not where a reward is other than 0."""
    values = torch.tensor([[0.0, 1.0, torch.nan], [1.0, 0.0, torch.nan]], dtype=torch.float64)
    advantages = token_advantages(Credit(values, per="turn", carries="back"), TURNS[:2], group_size=2)
    assert torch.allclose(advantages[:, [0, 3, 5]], torch.tensor([[0, 1, 0], [0, -1, 0.0]]).double(), atol=1e-3)


# ------------------------------------------------------------------------------------------ of a policy


def played(kind="qwen3", *, references=("12", "7"), broke=False, lengths=None):
    """Two prompts, two rollouts each: two tokens, two of an environment, two, one, and the rest; one has one turn only."""
    made = policy(kind, spread=2.0)
    rollouts = rollouts_of(made, prompts=[[5, 6, 7], [8, 9, 10, 11, 12]], group_size=2, max_new_tokens=10)
    rollouts.lengths_N[:] = torch.tensor([9, 8, 9, 6])
    episodes = []
    for row, length in enumerate(rollouts.lengths_N.tolist()):
        spans = [("policy", 0, length)] if row == 3 else [
            ("policy", 0, 2), ("environment", 2, 4), ("policy", 4, 6), ("environment", 6, 7), ("policy", 7, length)]  # fmt: skip
        turns = tuple(Turn(writer, start, end, "") for writer, start, end in spans)
        episodes.append(Episode(turns, "failed" if broke and row == 0 else "done"))
    rows = [
        TrainRow(Example(id="r", prompt=(Message(role="user", content="q"),), reference=given[0] if given else None,
                         references=given), "f1-a", (1,))
        for given in (references, ("34",))
    ]  # fmt: skip
    return Context(with_episodes(rollouts, episodes), torch.zeros(2, 2), made, 8192, rows)


def alone(context, row, ids, skipped, visible):
    """The mean log-probability of an answer after a prefix, by the model's own forward of that prefix."""
    sequence = [*context.rollouts.prompts[row // 2], *context.rollouts.completion_ids_N_T[row].tolist()][:visible]
    with torch.no_grad():
        logits = context.policy.model.eval()(input_ids=torch.tensor([sequence + ids])).logits[0]
    table = logits.float().log_softmax(-1)
    return sum(float(table[len(sequence) + k - 1, ids[k]]) for k in range(skipped, len(ids))) / (len(ids) - skipped)


@pytest.mark.parametrize("kind", ["qwen3", "llama", "gpt2"])
@pytest.mark.parametrize("budget", [1, 30, 8192])
def test_one_forward_for_all_prefixes_is_a_forward_a_prefix(kind, budget):
    context = replace(played(kind), token_budget=budget)
    answers = [[([20, 21, 22, 23], 2), ([24], 0)], [([20, 25], 1)], [([30, 31], 0)], [([20, 21, 22], 2)]]
    scores = answer_scores(context, answers, 3)
    starts = (0, 4, 7)
    for row, own in enumerate(answers):
        prompt = len(context.rollouts.prompts[row // 2])
        for turn, start in enumerate(starts[: 1 if row == 3 else 3]):
            for place, (ids, skipped) in enumerate(own):
                expected = alone(context, row, ids, skipped, prompt + start)
                assert float(scores[row, place, turn]) == pytest.approx(expected, abs=1e-5)
    assert scores[1, 1].isnan().all() and scores[3, :, 1:].isnan().all() and not scores.requires_grad


def test_gains_telescope_and_the_last_turn_has_none():
    context = played(references=("12",))
    credit = signal("information_gain", {"answer": "[{answer}]"})(context)
    tokenizer = context.policy.tokenizer
    before, answer = (tokenizer(text)["input_ids"] for text in ("[", "12"))
    ends = [alone(context, 0, [*before, *answer], len(before), 3 + start) for start in (0, 7)]
    assert float(credit.values[0, :2].sum()) == pytest.approx(ends[1] - ends[0], abs=1e-5)
    assert (credit.per, credit.carries) == ("turn", "back") and credit.values.shape == (4, 3)
    assert credit.values[:, 2].isnan().all() and credit.values[3].isnan().all()


def test_of_several_answers_the_likeliest_in_the_end_is_taken_for_the_whole_episode():
    both = signal("information_gain", {})(played(references=("12", "7"))).values[:2]
    single = [signal("information_gain", {})(played(references=(text,))).values[:2] for text in ("12", "7")]
    for row in range(2):
        assert any(torch.allclose(both[row, :2], each[row, :2]) for each in single)


def test_rows_without_a_reference_and_episodes_that_broke_have_no_gain():
    assert signal("information_gain", {})(played(references=())).values[:2].isnan().all()
    values = signal("information_gain", {})(played(broke=True)).values
    assert values[0].isnan().all() and not values[1, :2].isnan().any()


def test_probabilities_instead_of_their_logarithms():
    context = played(references=("12",))
    one, other = (
        signal("information_gain", {"scale": scale})(context).values[0, :2] for scale in ("log", "probability")
    )
    assert bool((one.sign() == other.sign()).all()) and float(other.abs().max()) <= 1


def test_a_wrapping_without_a_place_for_the_answer_is_refused():
    with pytest.raises(ConfigError, match="answer needs"):
        signal("information_gain", {"answer": "<answer></answer>"})
