"""OpenRLHF: a reward function in its process, or (better, shared by all engines) the remote route of `rlar serve`.

Remote:

    rlar serve --registry registry.db --port 8000
    python -m openrlhf.cli.train_ppo_ray ... --reward.remote_url http://127.0.0.1:8000/get_reward \\
        --data.prompt_dataset mix_openrlhf.jsonl --data.input_key prompt --data.label_key label --data.apply_chat_template

In its process: a file reward.py, named by `--reward.remote_url reward.py`:

    from rlar.integrations.openrlhf import RewardFunction
    reward_func = RewardFunction("/abs/registry.db")

Both with `rlar data export --to openrlhf --dataset mix.jsonl --output mix_openrlhf.jsonl`: only `label` can carry
what is ours. OpenRLHF wants numbers: an unscored completion gets `neutral`, and `rlar_ok` 0.0 in the logs.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from rlar.errors import ConfigError
from rlar.integrations.process import HostScorer, number_of, status_of
from rlar.scoring import hosts
from rlar.types import JsonObject


class RewardFunction:
    """`reward_func(queries, prompts, labels)` on a registry."""

    def __init__(self, registry: str | Path, *, neutral: float = 0.0, **settings: Any) -> None:
        self.__name__ = "reward_func"
        self.neutral = neutral
        self.host = HostScorer(registry, **settings)

    def __call__(self, queries: Sequence[str], prompts: Sequence[str], labels: Sequence[Any], **_: Any) -> JsonObject:
        """{"rewards", "scores", "extra_logs"}: tensors, as OpenRLHF's own examples give."""
        import torch

        items = hosts.of_openrlhf(list(queries), list(prompts), list(labels))
        if isinstance(items, str):
            raise ConfigError(items)
        rewards = self.host.score(items)
        answer = hosts.openrlhf_answer(
            [status_of(reward) for reward in rewards], [number_of(reward, self.neutral) for reward in rewards]
        )
        return {
            "rewards": torch.tensor(answer["rewards"]),
            "scores": torch.tensor(answer["scores"]),
            "extra_logs": {name: torch.tensor(values) for name, values in answer["extra_logs"].items()},
        }
