"""verl: a reward manager, for datasets that were not exported (it sees the prompt) and whole groups of sequences.

    python -m verl.trainer.main_ppo ... \\
        reward.reward_manager.source=importlib \\
        reward.reward_manager.name=RLARRewardManager \\
        reward.reward_manager.module.path=pkg://rlar.integrations.verl_manager \\
        +reward.reward_kwargs.registry=/abs/registry.db \\
        +reward.reward_kwargs.neutral=0.0

The one module of rlar that imports verl; only verl loads it.
"""

from __future__ import annotations

from typing import Any

from verl.experimental.reward_loop.reward_manager.base import RewardManagerBase

from rlar.errors import ConfigError
from rlar.integrations.verl import answer, host_of
from rlar.scoring import hosts
from rlar.types import JsonObject


class RLARRewardManager(RewardManagerBase):
    """Scores by a registry; what verl asks at the same time is scored together."""

    def __init__(self, config: Any, tokenizer: Any, compute_score: Any = None, **_: Any) -> None:
        super().__init__(config, tokenizer, compute_score)
        settings = config.reward.get("reward_kwargs") or {}
        if not settings.get("registry"):
            raise ConfigError("verl's reward manager needs a registry: +reward.reward_kwargs.registry=/abs/registry.db")
        self.registry = str(settings["registry"])
        self.neutral = float(settings.get("neutral", 0.0))

    async def run_single(self, data: Any) -> JsonObject:
        """{"reward_score", "reward_extra_info"} of one sequence; of several the last, as verl's own managers do."""
        item = data[-1:][0]
        response_ids = item.batch["responses"]
        length = int(item.batch["attention_mask"][-response_ids.shape[-1] :].sum())
        text = await self.loop.run_in_executor(
            None, lambda: self.tokenizer.decode(response_ids[:length], skip_special_tokens=True)
        )
        given = item.non_tensor_batch
        row = {
            "prompt": given.get("raw_prompt"),
            "data_source": given.get("data_source"),
            "reward_model": given.get("reward_model"),
            "extra_info": given.get("extra_info"),
        }
        (sample,) = hosts.of_row(row, [text], origin="the batch")
        (reward,) = await host_of(self.registry).ascore([sample])
        numbers = answer(reward, self.neutral)
        return {"reward_score": numbers["score"], "reward_extra_info": numbers}
