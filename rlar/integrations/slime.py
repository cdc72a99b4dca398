"""slime: a custom reward in its process, or the `/rm` route of `rlar serve`.

Remote:

    rlar serve --registry registry.db --port 8000
    ... --rm-type remote_rm --rm-url http://127.0.0.1:8000/rm
    ... --rm-type remote_rm --rm-url "http://127.0.0.1:8000/rm?detail=1" --reward-key reward   # status beside it

In its process: a module my_reward.py on PYTHONPATH, named by `--custom-rm-path my_reward.reward`:

    from rlar.integrations.slime import SlimeReward
    reward = SlimeReward("/abs/registry.db")

With `rlar data export --to openrlhf ...` as dataset (`--input-key prompt --label-key label`): `label` carries the row.
slime wants a number: an unscored completion gets `neutral`, and its status in `sample.metadata["rlar_status"]`.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from rlar.integrations.process import HostScorer, number_of, status_of
from rlar.scoring import hosts


class SlimeReward:
    """`await reward(args, sample)`, or with a list of samples, on a registry."""

    def __init__(self, registry: str | Path, *, neutral: float = 0.0, **settings: Any) -> None:
        self.__name__ = "rlar"
        self.neutral = neutral
        self.host = HostScorer(registry, **settings)

    async def __call__(self, args: Any, sample: Any, **_: Any) -> float | list[float]:
        """The reward of a sample, or the rewards of a list of them."""
        samples = sample if isinstance(sample, list) else [sample]
        items = [
            hosts.of_slime(each.prompt, each.response, each.label, getattr(each, "metadata", None)) for each in samples
        ]
        rewards = await self.host.ascore(items)
        for each, reward in zip(samples, rewards, strict=True):
            if isinstance(getattr(each, "metadata", None), dict):
                each.metadata["rlar_status"] = status_of(reward)
        numbers = [number_of(reward, self.neutral) for reward in rewards]
        return numbers if isinstance(sample, list) else numbers[0]
