from __future__ import annotations

import math

import pytest
import torch

from rlar.trainer.advantage import (
    count_groups,
    counted_rollouts,
    group_advantages,
    informative_groups,
)

nan = math.nan
ESTIMATORS = ("grpo", "dr_grpo", "rloo", "reinforce++", "reinforce++_baseline")


def test_unscored_rollout_does_not_move_the_baseline():
    found = group_advantages(torch.tensor([[1.0, 0.0, nan]]), estimator="dr_grpo")
    assert found.tolist() == [[0.5, -0.5, 0.0]]  # the mean of 1 and 0 is 0.5


def test_grpo_divides_by_the_population_deviation():
    # mean 0.5, population standard deviation 0.5
    found = group_advantages(torch.tensor([[1.0, 0.0, 1.0, 0.0]]), epsilon=0.0)
    assert found.tolist() == [[1.0, -1.0, 1.0, -1.0]]


def test_rloo_compares_with_the_others():
    # 3 against mean(0, 0) = 0; 0 against mean(3, 0) = 1.5
    assert group_advantages(torch.tensor([[3.0, 0.0, 0.0]]), estimator="rloo").tolist() == [[3.0, -1.5, -1.5]]
    # the unscored one is not among the others: 3 against 0, 0 against 3
    assert group_advantages(torch.tensor([[3.0, 0.0, nan]]), estimator="rloo").tolist() == [[3.0, -3.0, 0.0]]


def test_reinforce_pp_whitens_over_the_batch():
    # all of 0, 2, 4, 6: mean 3, variance (9 + 1 + 1 + 9) / 4 = 5
    found = group_advantages(torch.tensor([[0.0, 2.0], [4.0, 6.0]]), estimator="reinforce++", epsilon=0.0)
    assert torch.allclose(found, torch.tensor([[-3.0, -1.0], [1.0, 3.0]]) / math.sqrt(5))
    # a group of one is no problem: the baseline is the batch
    alone = group_advantages(torch.tensor([[0.0], [1.0], [nan]]), estimator="reinforce++", epsilon=0.0)
    assert alone.tolist() == [[-1.0], [1.0], [0.0]]


def test_reinforce_pp_baseline_centres_by_group_and_scales_by_batch():
    # centred: -1, 1, -3, 3; variance (1 + 1 + 9 + 9) / 4 = 5
    found = group_advantages(torch.tensor([[0.0, 2.0], [4.0, 10.0]]), estimator="reinforce++_baseline", epsilon=0.0)
    assert torch.allclose(found, torch.tensor([[-1.0, 1.0], [-3.0, 3.0]]) / math.sqrt(5))


@pytest.mark.parametrize("estimator", ESTIMATORS[:3])
def test_a_lone_score_and_equal_scores_give_zero(estimator):
    rewards = torch.tensor([[0.7, nan, nan], [0.1, 0.1, 0.1], [nan, nan, nan], [0.1, nan, 0.1]])
    assert group_advantages(rewards, estimator=estimator).tolist() == [[0.0] * 3] * 4


@pytest.mark.parametrize("estimator", ESTIMATORS)
def test_unscored_rollouts_change_nothing_for_the_others(estimator):
    torch.manual_seed(0)
    rewards = torch.rand(5, 4)
    wide = torch.cat([rewards, torch.full((5, 3), nan)], 1)
    assert torch.equal(
        group_advantages(wide, estimator=estimator)[:, :4], group_advantages(rewards, estimator=estimator)
    )
    assert (group_advantages(wide, estimator=estimator)[:, 4:] == 0).all()


@pytest.mark.parametrize("estimator", ESTIMATORS)
def test_advantages_are_finite_and_keep_the_order(estimator):
    for rewards in (torch.tensor([[1e30, -1e30, 0.0]]), torch.tensor([[1e-30, 0.0, 0.5e-30]]), torch.empty(0, 3)):
        found = group_advantages(rewards, estimator=estimator)
        assert found.isfinite().all() and found.dtype == rewards.dtype
        assert found.argsort(1).equal(rewards.argsort(1)) or found.abs().max() < 1e-20


def test_noise_between_equal_rewards_is_not_blown_up():
    noisy = torch.tensor([[0.3, 0.3 + 1e-7, 0.3]])
    assert group_advantages(noisy).abs().max() < 1e-3


def test_infinite_rewards_and_unknown_names_are_refused():
    with pytest.raises(ValueError, match="finite"):
        group_advantages(torch.tensor([[math.inf, 0.0]]))
    with pytest.raises(ValueError, match="gppo"):
        group_advantages(torch.tensor([[1.0, 0.0]]), estimator="gppo")  # type: ignore[arg-type]


def test_groups_are_counted_by_what_they_can_teach():
    rewards = torch.tensor([[1.0, 0.0, nan], [1.0, 1.0, 1.0], [1.0, nan, nan], [nan, nan, nan]])
    counts = count_groups(rewards)
    assert (counts.groups, counts.informative, counts.zero_variance, counts.too_few) == (4, 1, 1, 2)
    assert counts.unscored == 6
    assert informative_groups(rewards).tolist() == [True, False, False, False]
    assert counted_rollouts(rewards).tolist() == [True, True, False] + [True] * 3 + [False] * 6
