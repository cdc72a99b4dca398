"""verifiers 0.4 (prime-rl): a reward function for a task, plugged by name in TOML:

    [env.taskset.task.rewards]
    rlar = { fn = "my_reward.py:rlar", weight = 1.0 }

with my_reward.py:

    from rlar.integrations.verifiers import RolloutReward
    rlar = RolloutReward("/abs/registry.db")

or as a method: `@vf.reward async def rlar(self, trace): return await REWARD(self.data, trace)`.

The task's data are the row: `prompt`, `answer` (or reference ...), and every other field; the fields of
`rlar data export` may be among them. What the model said last is the completion.

An unscored completion raises Unscored: verifiers then records an error for the rollout instead of a reward, and prime-rl
does not train on it. With `neutral=` it gets that number instead.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from rlar.errors import RlarError
from rlar.integrations.process import HostScorer, status_of
from rlar.scoring import hosts


class Unscored(RlarError):
    """There is no reward for this completion; the message says why."""


class RolloutReward:
    """`await reward(task, trace)` on a registry."""

    def __init__(self, registry: str | Path, *, neutral: float | None = None, **settings: Any) -> None:
        self.__name__ = "rlar"
        self.neutral = neutral
        self.host = HostScorer(registry, **settings)

    async def __call__(self, task: Any, trace: Any) -> float:
        """The reward of a finished rollout. Raises Unscored unless a neutral number was given."""
        row = task.model_dump(mode="json", exclude_none=True)
        (item,) = hosts.of_row(row, [trace.last_reply], origin="the task")
        (reward,) = await self.host.ascore([item])
        if reward is not None and reward.reward is not None:
            return reward.reward
        if self.neutral is not None:
            return self.neutral
        why = (
            item
            if isinstance(item, str)
            else next((s.explanation for s in reward.scores if s.explanation), "")
            if reward
            else ""
        )
        raise Unscored(f"rlar gave no reward: {status_of(reward)}" + (f" ({why[:300]})" if why else ""))
