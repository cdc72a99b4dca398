"""variety: the share of different token bigrams in a completion; loops come near 0."""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rlar.trainer.context import Context
    from rlar.trainer.credit import Credit


def variety(context: Context) -> Credit:
    """Different bigrams over bigrams of what the policy wrote, per rollout, in [0, 1]; NaN for fewer than two tokens."""
    import torch

    from rlar.trainer.credit import Credit

    rollouts = context.rollouts
    values = []
    for ids, mask in zip(rollouts.completion_ids_N_T, rollouts.action_mask_N_T, strict=True):
        bigrams = list(pairwise(ids[mask].tolist()))
        values.append(len(set(bigrams)) / len(bigrams) if bigrams else float("nan"))
    return Credit(torch.tensor(values))
