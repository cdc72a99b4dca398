"""TRL: a reward function for GRPOTrainer (and whatever else of TRL takes reward functions).

    from rlar.integrations.trl import RLARReward
    from trl import GRPOConfig, GRPOTrainer

    trainer = GRPOTrainer(
        model="Qwen/Qwen3-0.6B",
        reward_funcs=RLARReward("registry.db"),
        args=GRPOConfig(...),
        train_dataset=load_dataset("json", data_files="mix_trl.jsonl", split="train"),
    )

with `rlar data export --to trl --dataset mix.jsonl --output mix_trl.jsonl`. A dataset that was not exported works, too:
its columns (reference or answer, tests ...) and its prompt then find the task.

An unscored completion is None: TRL leaves it out of the group's mean and trains nothing on it. TRL warns where all
rewards of a row are None; that is then meant.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from rlar.integrations.process import HostScorer, status_of
from rlar.scoring import hosts
from rlar.scoring.hosts import STATUSES
from rlar.types import Reward

_NOT_COLUMNS = ("completion_ids", "trainer_state", "log_extra", "log_metric", "environments", "images", "prompt")


class RLARReward:
    """A TRL reward function on a registry; picklable, one Scorer a process.

    Args:
        registry: path or URL.
        name: under which TRL logs it (`rewards/<name>/mean`).
        settings: those of rlar.Scorer.
    """

    def __init__(self, registry: str | Path, *, name: str = "rlar", **settings: Any) -> None:
        self.__name__ = name
        self.host = HostScorer(registry, **settings)

    def __call__(
        self,
        prompts: Sequence[Any],
        completions: Sequence[Any],
        *,
        log_metric: Callable[[str, float], None] | None = None,
        log_extra: Callable[[str, list[Any]], None] | None = None,
        **columns: Any,
    ) -> list[float | None]:
        """One reward in [0, 1] or None per completion; texts or message lists."""
        given = {
            name: values
            for name, values in columns.items()
            if name not in _NOT_COLUMNS and isinstance(values, list | tuple) and len(values) == len(prompts)
        }
        items: list[hosts.Item] = []
        for index, (prompt, completion) in enumerate(zip(prompts, completions, strict=True)):
            row = {name: values[index] for name, values in given.items()}
            items += hosts.of_row({**row, "prompt": prompt}, [completion], origin=f"prompts[{index}]")
        rewards = self.host.score(items)
        if log_metric is not None:
            for name, value in figures(rewards).items():
                log_metric(name, value)
        if log_extra is not None:
            log_extra("rlar_status", [status_of(reward) for reward in rewards])
            log_extra("rlar_task", [reward.fingerprint if reward else None for reward in rewards])
        return [None if reward is None else reward.reward for reward in rewards]

    def close(self) -> None:
        """End this process's workers."""
        self.host.close()


def figures(rewards: Sequence[Reward | None]) -> dict[str, float]:
    """Means of a batch: `rlar/task/<fingerprint>`, `rlar/tool/<tool id>`, and the share of every status."""
    values_of: dict[str, list[float]] = defaultdict(list)
    for reward in rewards:
        if reward is None:
            continue
        if reward.reward is not None:
            values_of[f"rlar/task/{reward.fingerprint}"].append(reward.reward)
        for score in reward.scores:
            if score.value is not None:
                values_of[f"rlar/tool/{score.tool}"].append(score.value)
    statuses = [status_of(reward) for reward in rewards]
    shares = {f"rlar/status/{name}": statuses.count(name) / len(statuses) for name in STATUSES} if statuses else {}
    return {name: sum(values) / len(values) for name, values in values_of.items()} | shares
