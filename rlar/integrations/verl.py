"""verl: `compute_score` for `reward.custom_reward_function`; verl itself is not imported.

    python -m verl.trainer.main_ppo ... \\
        data.train_files=export/train.parquet \\
        reward.custom_reward_function.path=pkg://rlar.integrations.verl \\
        reward.custom_reward_function.name=compute_score \\
        +reward.custom_reward_function.reward_kwargs.registry=/abs/registry.db

with `rlar data export --to verl --dataset mix.jsonl --output export/train.parquet`: verl hands the function no prompt,
so the row travels in `extra_info`. (The reward manager in verl_manager.py sees the prompt, too.)

verl wants a number: an unscored completion gets `neutral` with `rlar_scored` 0.0 and its status beside it.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from rlar.integrations.process import HostScorer, number_of, status_of
from rlar.scoring import hosts
from rlar.types import JsonObject, Reward

_HOSTS: dict[str, HostScorer] = {}
"""By registry: verl calls a bare function, which has no other place to keep it."""


async def compute_score(
    data_source: str,
    solution_str: str,
    ground_truth: Any,
    extra_info: Mapping[str, Any] | None = None,
    *,
    registry: str,
    neutral: float = 0.0,
    **_: Any,
) -> JsonObject:
    """{"score", "rlar_scored", "rlar_status", "rlar_task"}; what verl asks at the same time is scored together."""
    (item,) = hosts.of_row(_row(data_source, ground_truth, extra_info), [solution_str], origin="extra_info")
    (reward,) = await host_of(registry).ascore([item])
    return answer(reward, neutral)


def compute_score_sync(
    data_source: str,
    solution_str: str,
    ground_truth: Any,
    extra_info: Mapping[str, Any] | None = None,
    *,
    registry: str,
    neutral: float = 0.0,
    **_: Any,
) -> JsonObject:
    """`compute_score` for callers that await nothing."""
    (item,) = hosts.of_row(_row(data_source, ground_truth, extra_info), [solution_str], origin="extra_info")
    (reward,) = host_of(registry).score([item])
    return answer(reward, neutral)


def answer(reward: Reward | None, neutral: float) -> JsonObject:
    """What verl takes and logs. The same keys for every sample: verl reads them off the first."""
    scored = reward is not None and reward.reward is not None
    return {
        "score": number_of(reward, neutral),
        "rlar_scored": float(scored),
        "rlar_status": status_of(reward),
        "rlar_task": (reward.fingerprint if reward else None) or "unknown",
    }


def host_of(registry: str) -> HostScorer:
    """This process's scorer of a registry."""
    return _HOSTS.setdefault(registry, HostScorer(registry))


def _row(data_source: str, ground_truth: Any, extra_info: Mapping[str, Any] | None) -> JsonObject:
    """A row without prompt: its task comes from what export put into `extra_info`."""
    columns = {
        name: value for name, value in (extra_info or {}).items() if name not in ("num_turns", "rollout_reward_scores")
    }
    return {"data_source": data_source, "ground_truth": ground_truth, "extra_info": columns}
