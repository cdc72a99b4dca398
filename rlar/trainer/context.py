"""What a signal may look at."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from torch import Tensor

    from rlar.trainer.data import TrainRow
    from rlar.trainer.model.logprob import TokenStatistic
    from rlar.trainer.model.policy import Policy
    from rlar.trainer.rollout import Rollouts
    from rlar.trainer.turns import Episode


@dataclass(frozen=True, eq=False)
class Context:
    """What a signal may look at: one step's batch, and the policy that wrote it."""

    rollouts: Rollouts
    rewards_P_G: Tensor
    """What pays; NaN marks a rollout without a reward, or with one that only looks on."""
    policy: Policy
    token_budget: int = 8192
    """Tokens in one forward."""
    rows: Sequence[TrainRow] = ()
    """The row of each group."""
    registry: str = ""
    """Where tools lie."""

    @property
    def episodes(self) -> tuple[Episode, ...]:
        """The turns of every rollout: their token spans, writers, texts and rewards; one turn where nothing answered."""
        return self.rollouts.all_episodes()

    @property
    def turn_rewards_N_K(self) -> Tensor:
        """(N, K) what the environment gave for each turn of the policy; NaN where it gave nothing."""
        return self.rollouts.turn_rewards_N_K()

    def over_logits(self, statistic: TokenStatistic) -> Tensor:
        """(N, T) a number from the policy's distribution at each token that it wrote, without gradient; 0 elsewhere.

        One forward over the batch; logits are made on demand and a chunk at a time, so the (tokens, vocabulary) table is
        never held.
        """
        from rlar.trainer.model.logprob import token_statistic

        return token_statistic(self.policy, self.rollouts, statistic, token_budget=self.token_budget)
