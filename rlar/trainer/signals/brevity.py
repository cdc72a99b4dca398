"""brevity: 1 for an empty completion, 0 for one that fills the limit."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rlar.trainer.context import Context
    from rlar.trainer.credit import Credit


def brevity(context: Context) -> Credit:
    """Share of the token limit that was left unused, per rollout, in [0, 1]."""
    from rlar.trainer.credit import Credit

    rollouts = context.rollouts
    return Credit(1.0 - rollouts.action_counts_N.float() / rollouts.max_new_tokens)
