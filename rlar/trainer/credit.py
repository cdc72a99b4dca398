"""Where the credit goes: from a number a rollout, a turn or a token to an advantage a token. Pure functions.

A reward of a whole completion is credit a rollout. Other sources may say more closely what was good: a turn of a
conversation, a token. Each source is normalised by itself in its group before it is weighed and added, so that no scale
leaks into another (arXiv:2601.05242).
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor

from rlar.trainer.advantage import Estimator, group_advantages


@dataclass(frozen=True, eq=False)
class Credit:
    """What one source says of a batch. Any range; NaN where it has nothing to say, which moves no mean and gets 0."""

    values: Tensor
    """(N,), (N, K) with K at least the number of turns, or (N, T), as `per` says."""
    per: Literal["rollout", "turn", "token"] = "rollout"
    carries: Literal["own", "back"] = "own"
    """Of turns: whether earlier turns share, in full, in what was good about later ones."""
    trust: float = 1.0
    """Of a source that learns: what share of its weight it has earned so far."""

    def mean(self) -> float | None:
        """The mean of what it has something to say of; None where that is nothing."""
        given = self.values[~self.values.isnan()].tolist()
        return math.fsum(given) / len(given) if given else None


def token_advantages(credit: Credit, turns_N_T: Tensor, *, group_size: int, estimator: Estimator = "grpo") -> Tensor:
    """How much better each token's share was than its baseline, which is the group's: all its rollouts, turns or tokens.

    Args:
        turns_N_T: the turn in which the policy wrote a token, -1 for tokens that it did not write
            (`Rollouts.turn_of_N_T`). Numbers for turns and tokens that a rollout does not have are not read.
        group_size: rows n // group_size belong together.
        estimator: the baseline and scale (`rlar.trainer.advantage.group_advantages`).

    Returns:
        (N, T), of the values' dtype; 0 on tokens that the policy did not write.

    Raises:
        ValueError: the values have another shape than `per` says.
    """
    values, actions_N_T = credit.values, turns_N_T >= 0
    rows = len(turns_N_T)
    if credit.per == "rollout":
        _check_shape(credit, (rows,))
        advantages = group_advantages(values.view(-1, group_size), estimator=estimator).flatten()
        return per_token(advantages, actions_N_T)
    if credit.per == "turn":
        turns = int(turns_N_T.max()) + 1 if turns_N_T.numel() else 0
        _check_shape(credit, (rows, max(turns, values.shape[-1])))
        wrote_N_K = torch.zeros_like(values, dtype=torch.bool)
        row_of_M, place_M = actions_N_T.nonzero(as_tuple=True)
        wrote_N_K[row_of_M, turns_N_T[row_of_M, place_M]] = True
        advantages = _within_groups(values, wrote_N_K, group_size, estimator)
        if credit.carries == "back":  # normalised first, then summed from the end
            advantages = advantages.flip(1).cumsum(1).flip(1)
        return torch.where(actions_N_T, advantages.gather(1, turns_N_T.clamp(min=0)), 0.0)
    _check_shape(credit, tuple(turns_N_T.shape))
    return _within_groups(values, actions_N_T, group_size, estimator)


def per_token(values_N: Tensor, mask_N_T: Tensor) -> Tensor:
    """(N, T) a row's number on each of its masked tokens, 0 elsewhere."""
    return torch.where(mask_N_T, values_N[:, None], 0.0)


def _within_groups(values_N_K: Tensor, mask_N_K: Tensor, group_size: int, estimator: Estimator) -> Tensor:
    """(N, K) advantages with all masked numbers of a group's rollouts taken together."""
    values = torch.where(mask_N_K, values_N_K, float("nan"))
    columns = values.shape[1]
    return group_advantages(values.view(-1, group_size * columns), estimator=estimator).view(-1, columns)


def _check_shape(credit: Credit, expected: tuple[int, ...]) -> None:
    if tuple(credit.values.shape) != expected:
        raise ValueError(f"credit per {credit.per} must have shape {expected}, not {tuple(credit.values.shape)}")
