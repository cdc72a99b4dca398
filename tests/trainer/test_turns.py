"""The turns of a rollout: spans, writers, rewards; and that one turn is what it was."""

from __future__ import annotations

import math
from dataclasses import replace

import torch

from rlar.trainer.config import LossConfig
from rlar.trainer.context import Context
from rlar.trainer.credit import Credit, per_token, token_advantages
from rlar.trainer.loss import policy_loss_backward
from rlar.trainer.rollout import Rollouts, join_rollouts, with_episodes
from rlar.trainer.turns import Episode, Turn
from tests.fakes.small_policies import gradients, policy, rollouts_of

# the policy writes 2 tokens, the environment 1, the policy 1; the second row breaks after the first turn
TWO_TURNS = Episode((Turn("policy", 0, 2, "ab", 0.5), Turn("environment", 2, 3, "!"), Turn("policy", 3, 4, "c", 0.25)))
BROKE = Episode((Turn("policy", 0, 1, "a", 1.0),), "failed", "it raised")


def two_rows() -> Rollouts:
    rollouts = Rollouts(
        prompts=[[3]],
        completion_ids_N_T=torch.tensor([[4, 5, 6, 7], [8, 0, 0, 0]]),
        lengths_N=torch.tensor([4, 1]),
        logprobs_N_T=torch.zeros(2, 4),
        finished_N=torch.tensor([True, True]),
        texts=["c", "a"],
        group_size=2,
        temperature=1.0,
        max_new_tokens=4,
    )
    return with_episodes(rollouts, [TWO_TURNS, BROKE])


def test_spans_of_the_policy_are_what_losses_and_counts_are_about():
    rollouts = two_rows()
    assert rollouts.turns_N_T.tolist() == [[0, 0, -1, 1], [0, -1, -1, -1]]
    assert rollouts.action_mask_N_T.tolist() == [[True, True, False, True], [True, False, False, False]]
    assert rollouts.action_counts_N.tolist() == [3, 1]  # of 4 and 1 tokens


def test_the_rewards_of_turns_add_up_and_what_broke_has_none():
    assert TWO_TURNS.reward == 0.75  # 0.5 + 0.25
    assert BROKE.reward is None and BROKE.broke  # although its first turn had been given 1
    assert Episode((Turn("policy", 0, 1, "a"),)).reward is None  # nothing was given, which is not 0
    first, second = two_rows().turn_rewards_N_K().tolist()
    assert first == [0.5, 0.25] and all(map(math.isnan, second))


def test_a_signal_sees_the_turns_and_their_rewards_become_credit_of_those_turns():
    made = policy()
    context = Context(two_rows(), torch.tensor([[0.75, math.nan]]), made)
    assert context.episodes == (TWO_TURNS, BROKE)
    credit = Credit(context.turn_rewards_N_K, "turn")
    found = token_advantages(credit, context.rollouts.turn_of_N_T, group_size=2, estimator="dr_grpo")
    # the group's turns with a number are 0.5 and 0.25, mean 0.375
    assert found.tolist() == [[0.125, 0.125, 0.0, -0.125], [0.0, 0.0, 0.0, 0.0]]


def test_rollouts_without_an_environment_have_one_turn_of_the_policy_without_a_reward():
    rollouts = rollouts_of(policy())
    for episode, length, text in zip(rollouts.all_episodes(), rollouts.lengths_N.tolist(), rollouts.texts, strict=True):
        assert episode == Episode((Turn("policy", 0, length, text),))
    assert rollouts.turn_rewards_N_K().isnan().all() and rollouts.turn_rewards_N_K().shape == (12, 1)


def test_one_turn_said_in_full_gives_the_same_gradients_to_the_last_bit():
    made, said = policy(), policy()
    rollouts = rollouts_of(made)
    advantages = per_token(torch.randn(12, generator=torch.Generator().manual_seed(0)), rollouts.mask_N_T)
    plain = policy_loss_backward(made, rollouts, advantages, config=LossConfig())
    full = policy_loss_backward(said, with_episodes(rollouts, rollouts.all_episodes()), advantages, config=LossConfig())
    assert replace(plain, seconds=0.0) == replace(full, seconds=0.0)
    expected = gradients(made)
    assert all(torch.equal(gradient, expected[name]) for name, gradient in gradients(said).items())


def test_episodes_follow_their_rows_when_rollouts_are_picked_and_joined():
    several, plain = two_rows(), rollouts_of(policy(), group_size=2)
    both = join_rollouts([plain, several])
    assert both.episodes == (*plain.all_episodes(), TWO_TURNS, BROKE)
    assert both.groups([3, 0]).episodes == (TWO_TURNS, BROKE, *plain.all_episodes()[:2])
    assert join_rollouts([plain, plain]).episodes is None
