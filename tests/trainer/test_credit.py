"""From credit a rollout, a turn or a token to an advantage a token; every number is worked out by hand."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest
import torch

from rlar.trainer.config import LossConfig
from rlar.trainer.credit import Credit, per_token, token_advantages
from rlar.trainer.loss import policy_loss_backward
from rlar.trainer.model.logprob import completion_logprobs
from rlar.trainer.rollout import join_rollouts
from tests.fakes.small_policies import gradients, policy, rollouts_of

nan = math.nan
# two rollouts of one prompt: turn 0, an environment's token, turn 1; the second has one turn, and padding
TURNS = torch.tensor([[0, 0, -1, 1], [0, -1, -1, -1]])


def centred(values, per="rollout", turns_N_T=TURNS):
    credit = Credit(torch.tensor(values), per)
    return token_advantages(credit, turns_N_T, group_size=2, estimator="dr_grpo").tolist()


def test_credit_of_a_rollout_falls_on_every_token_that_the_policy_wrote_and_on_no_other():
    assert centred([1.0, 0.0]) == [[0.5, 0.5, 0.0, 0.5], [-0.5, 0.0, 0.0, 0.0]]


def test_credit_of_a_turn_falls_on_its_tokens_with_all_turns_of_the_group_as_the_baseline():
    # turns 3, 0 and 0 have the mean 1; the second rollout's second turn is not there, whatever number stands for it
    assert centred([[3.0, 0.0], [0.0, 99.0]], "turn") == [[2.0, 2.0, 0.0, -1.0], [-1.0, 0.0, 0.0, 0.0]]


def test_credit_of_a_token_falls_on_it_with_all_tokens_of_the_group_as_the_baseline():
    # 1, 2, 3 and 2 have the mean 2; tokens of the environment and padding have no say
    values = [[1.0, 2.0, 99.0, 3.0], [2.0, 99.0, nan, 99.0]]
    assert centred(values, "token") == [[-1.0, 0.0, 0.0, 1.0], [0.0, 0.0, 0.0, 0.0]]


@pytest.mark.parametrize(
    ("values", "per"),
    [([nan, nan], "rollout"), ([[nan, nan], [nan, nan]], "turn"), ([[nan] * 4, [nan, 1.0, 1.0, 1.0]], "token")],
)
def test_what_nothing_is_said_of_gets_0(values, per):
    assert centred(values, per) == [[0.0] * 4] * 2


def test_a_turn_without_a_number_moves_no_mean():
    assert centred([[3.0, nan], [1.0, nan]], "turn") == [[1.0, 1.0, 0.0, 0.0], [-1.0, 0.0, 0.0, 0.0]]


@pytest.mark.parametrize(("values", "per"), [([1.0], "rollout"), ([[1.0], [2.0]], "turn"), ([[1.0], [2.0]], "token")])
def test_credit_of_another_shape_is_an_error_that_says_so(values, per):
    with pytest.raises(ValueError, match=f"credit per {per} must have shape"):
        centred(values, per)


def test_one_number_a_turn_is_one_a_rollout_where_there_is_one_turn():
    turns_N_T = torch.where(torch.arange(5) < torch.tensor([[5], [3], [1], [4]]), 0, -1)
    values = torch.tensor([0.3, 0.9, nan, 0.1])
    for estimator in ("grpo", "dr_grpo", "rloo"):
        by_rollout, by_turn = (
            token_advantages(credit, turns_N_T, group_size=4, estimator=estimator)
            for credit in (Credit(values), Credit(values[:, None], "turn"))
        )
        assert torch.equal(by_rollout, by_turn)


# ------------------------------------------------------------------------------------------ rollouts of several turns


def two_turns(made, **more):
    """Rollouts whose third and fourth tokens were written by an environment, where they are there."""
    rollouts = rollouts_of(made, **more)
    turns_N_T = torch.where(rollouts.mask_N_T, 0, -1)
    turns_N_T[:, 4:] = torch.where(rollouts.mask_N_T[:, 4:], 1, -1)
    turns_N_T[:, 2:4] = -1
    return replace(rollouts, turns_N_T=turns_N_T)


@pytest.mark.parametrize("kind", ["qwen3", "gpt2"])
@pytest.mark.parametrize("token_budget", [1, 50, 8192])
def test_tokens_that_the_policy_did_not_write_are_read_and_not_learnt(kind, token_budget):
    """Against a plain forward with the loss written out on the policy's own tokens."""
    made = policy(kind)
    rollouts = two_turns(made)
    actions_N_T = rollouts.action_mask_N_T
    assert bool((rollouts.mask_N_T & ~actions_N_T).any())
    advantages_N_T = torch.randn(actions_N_T.shape, generator=torch.Generator().manual_seed(1))
    stats = policy_loss_backward(made, rollouts, advantages_N_T, config=LossConfig(), token_budget=token_budget)
    mine = gradients(made)
    made.model.zero_grad()
    made.model.eval()
    total = torch.zeros(())
    for n in range(len(rollouts)):
        prompt, length = rollouts.prompts[n // 4], int(rollouts.lengths_N[n])
        ids = rollouts.completion_ids_N_T[n, :length]
        logits = made.model(input_ids=torch.tensor([prompt + ids.tolist()])).logits[0, len(prompt) - 1 : -1]
        logprobs = logits.log_softmax(-1).gather(1, ids[:, None]).squeeze(1)
        own = actions_N_T[n, :length]
        total = total - (advantages_N_T[n, :length] * logprobs)[own].sum() / actions_N_T.sum()
    total.backward()
    assert stats.tokens == int(actions_N_T.sum())
    for name, parameter in made.model.named_parameters():
        if parameter.grad is not None and name in mine:
            assert torch.allclose(mine[name], parameter.grad, atol=2e-5), name


def test_an_environments_tokens_have_no_log_probability():
    made = policy()
    rollouts = two_turns(made)
    logprobs_N_T = completion_logprobs(made, rollouts)
    plain_N_T = completion_logprobs(made, replace(rollouts, turns_N_T=None))
    expected_N_T = torch.where(rollouts.action_mask_N_T, plain_N_T, 0.0)
    assert torch.allclose(logprobs_N_T, expected_N_T, atol=1e-6) and bool(plain_N_T[:, 2:4].any())


def test_one_turn_in_so_many_words_is_one_turn_by_default():
    made = policy()
    rollouts = rollouts_of(made)
    advantages_N_T = per_token(torch.randn(12, generator=torch.Generator().manual_seed(0)), rollouts.mask_N_T)
    policy_loss_backward(made, rollouts, advantages_N_T, config=LossConfig())
    plain = gradients(made)
    made.model.zero_grad()
    said = replace(rollouts, turns_N_T=rollouts.turn_of_N_T)
    policy_loss_backward(made, said, advantages_N_T, config=LossConfig())
    assert all(torch.equal(grad, plain[name]) for name, grad in gradients(made).items())


def test_turns_survive_joining_choosing_and_moving():
    made = policy()
    several, one = two_turns(made), rollouts_of(made, max_new_tokens=3, seed=1)
    both = join_rollouts([one, several]).to("cpu")
    assert torch.equal(both.action_mask_N_T[:12, :3], one.mask_N_T) and not both.action_mask_N_T[:12, 3:].any()
    chosen = both.groups([3])
    width = several.completion_ids_N_T.shape[1]
    assert torch.equal(chosen.turns_N_T[:, :width], several.turns_N_T[:4])
    assert chosen.action_counts_N.tolist() == several.action_mask_N_T[:4].sum(1).tolist()


def test_a_loss_without_an_advantage_a_token_is_refused():
    made = policy()
    with pytest.raises(ValueError, match="an advantage a token is needed"):
        policy_loss_backward(made, rollouts_of(made), torch.zeros(12), config=LossConfig())
