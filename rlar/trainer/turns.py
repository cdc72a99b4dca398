"""The turns of a rollout: who wrote which of its tokens, and what an environment said of them. Plain values, no torch."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True)
class Turn:
    """Tokens `start` to `end` (not included) of what follows the prompt, all of one writer."""

    writer: Literal["policy", "environment"]
    start: int
    end: int
    text: str
    reward: float | None = None
    """What the environment gave for this turn of the policy, any range; None: nothing."""


EpisodeStatus = Literal["done", "limit", "failed", "timeout"]
"""done: the environment said so. limit: no turn, token or room in the context was left. failed, timeout: the environment
broke or did not answer in time; that says nothing of the policy, so the rollout gets no reward."""


@dataclass(frozen=True)
class Episode:
    """One rollout as an environment saw it; the k-th turn of the policy is turn k of `Rollouts.turns_N_T`."""

    turns: tuple[Turn, ...]
    status: EpisodeStatus = "done"
    problem: str = ""
    """What broke, where something did."""

    @property
    def broke(self) -> bool:
        """Whether the environment, not the policy, is why it ended."""
        return self.status in ("failed", "timeout")

    @property
    def policy_turns(self) -> tuple[Turn, ...]:
        """The policy's turns, in order."""
        return tuple(turn for turn in self.turns if turn.writer == "policy")

    @property
    def reward(self) -> float | None:
        """The sum of what the environment gave; None where it gave nothing or broke."""
        given = [turn.reward for turn in self.turns if turn.reward is not None]
        return math.fsum(given) if given and not self.broke else None
