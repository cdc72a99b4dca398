"""From rewards to advantages, and which rollouts count: pure functions of the rewards.

NaN is an unscored rollout (unknown, uncovered or failed): it moves no mean, counts in no denominator and gets 0.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor

Estimator = Literal["grpo", "dr_grpo", "rloo", "reinforce++", "reinforce++_baseline"]


def group_advantages(rewards_P_G: Tensor, *, estimator: Estimator = "grpo", epsilon: float = 1e-4) -> Tensor:
    """How much better each rollout was than its baseline; 0 for what is unscored.

    A group with fewer than two scored rollouts, or whose scored rewards are all equal, gets 0, not NaN (except under
    "reinforce++", whose baseline is the batch and not the group).

    Args:
        rewards_P_G: any range; NaN marks an unscored rollout. Infinite rewards raise ValueError.
        estimator:
            "grpo": minus the group's mean, over its population standard deviation (arXiv:2402.03300, sec. 4.1.2).
            "dr_grpo": minus the group's mean only (arXiv:2503.20783).
            "rloo": minus the mean of the group's *other* scored rollouts (arXiv:2402.14740, eq. 6).
            "reinforce++": whitened over the whole batch (arXiv:2501.03262).
            "reinforce++_baseline": minus the group's mean, then over the batch's standard deviation of that.
        epsilon: added to every standard deviation, so that rounding noise between equal rewards is not blown up.

    Returns:
        (P, G), same dtype.
    """
    if bool(torch.isinf(rewards_P_G).any()):
        raise ValueError("rewards must be finite, or NaN for unscored rollouts")
    rewards = rewards_P_G.double()
    scored = ~rewards.isnan()
    filled = torch.where(scored, rewards, 0.0)
    if estimator == "reinforce++":
        advantages = _whiten(filled, scored, epsilon)
    else:
        counts = scored.sum(1, keepdim=True)
        centred = filled - filled.sum(1, keepdim=True) / counts.clamp(min=1)
        usable = scored & (counts >= 2) & ~zero_variance_groups(rewards_P_G)[:, None]
        centred = torch.where(usable, centred, 0.0)
        if estimator == "grpo":
            advantages = centred / ((centred.square().sum(1, keepdim=True) / counts.clamp(min=1)).sqrt() + epsilon)
        elif estimator == "dr_grpo":
            advantages = centred
        elif estimator == "rloo":
            advantages = centred * counts / (counts - 1).clamp(min=1)
        elif estimator == "reinforce++_baseline":
            counted = scored & (counts >= 2)
            variance = centred.square().sum() / counted.sum().clamp(min=1)
            advantages = centred / (variance.sqrt() + epsilon)
        else:
            raise ValueError(f"unknown advantage estimator {estimator!r}")
    return advantages.to(rewards_P_G.dtype)


def _whiten(values: Tensor, mask: Tensor, epsilon: float) -> Tensor:
    """Zero mean and unit population variance over the masked entries; 0 elsewhere, and where all are equal."""
    count = mask.sum().clamp(min=1)
    chosen = values[mask]
    if chosen.numel() < 2 or bool(chosen.min() == chosen.max()):
        return torch.zeros_like(values)
    centred = torch.where(mask, values - chosen.sum() / count, 0.0)
    return centred / ((centred.square().sum() / count).sqrt() + epsilon)


# ------------------------------------------------------------------------------------------ which groups count


def zero_variance_groups(rewards_P_G: Tensor) -> Tensor:
    """(P,) bool: two or more scored rollouts, all with the same reward, so nothing to learn from."""
    scored = ~rewards_P_G.isnan()
    high = torch.where(scored, rewards_P_G, -torch.inf).amax(1)
    low = torch.where(scored, rewards_P_G, torch.inf).amin(1)
    return (scored.sum(1) >= 2) & (high == low)


def informative_groups(rewards_P_G: Tensor) -> Tensor:
    """(P,) bool: two scored rollouts that differ. DAPO samples the other prompts anew (arXiv:2503.14476, sec. 3.2)."""
    return ((~rewards_P_G.isnan()).sum(1) >= 2) & ~zero_variance_groups(rewards_P_G)


def within_difficulty(rewards_P_G: Tensor, difficulty: tuple[float, float] | None) -> Tensor:
    """(P,) bool: the mean of the scored rollouts lies within; all do where no limits are set, and groups without a score."""
    if difficulty is None:
        return torch.ones(len(rewards_P_G), dtype=torch.bool, device=rewards_P_G.device)
    means_P, (low, high) = rewards_P_G.double().nanmean(1), difficulty
    return ~((means_P < low - 1e-9) | (means_P > high + 1e-9))


def counted_rollouts(rewards_P_G: Tensor) -> Tensor:
    """(P*G,) bool: scored, in a group of two or more scored: what the loss's denominator counts."""
    scored = ~rewards_P_G.isnan()
    return (scored & (scored.sum(1, keepdim=True) >= 2)).flatten()


@dataclass(frozen=True)
class GroupCounts:
    """What a batch's rewards are good for; groups = too_few + zero_variance + informative."""

    groups: int
    too_few: int
    """Groups with fewer than two scored rollouts: skipped."""
    zero_variance: int
    informative: int
    unscored: int
    """Rollouts without a reward."""


def count_groups(rewards_P_G: Tensor) -> GroupCounts:
    """How many groups can teach something, and why the others cannot."""
    equal = int(zero_variance_groups(rewards_P_G).sum())
    informative = int(informative_groups(rewards_P_G).sum())
    groups = rewards_P_G.shape[0]
    return GroupCounts(
        groups=groups,
        too_few=groups - equal - informative,
        zero_variance=equal,
        informative=informative,
        unscored=int(rewards_P_G.isnan().sum()),
    )
