"""certainty: how far the policy's next-token distributions are from uniform, over its own tokens (Intuitor)."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rlar.trainer.context import Context
    from rlar.trainer.credit import Credit


def certainty(context: Context) -> Credit:
    """Mean over a rollout's tokens of KL(uniform || policy) + log V, per rollout, in nats (arXiv:2505.19590, eq. 2).

    Of the policy that wrote the rollout, in this very step: a frozen judge of certainty is soon pleased with nonsense (sec.
    4.4 there). No gradient goes through it, and its length does not count. NaN for a rollout without a token.
    """
    from rlar.trainer.credit import Credit
    from rlar.trainer.model.logprob import self_certainty

    rollouts, known = context.rollouts, len(context.policy.tokenizer)
    recorded = rollouts.certainty_N_T
    if recorded is None:  # sampled elsewhere: costs a forward
        recorded = context.over_logits(lambda logits, _tokens: self_certainty(logits, known=known))
    return Credit(recorded.double().sum(1) / rollouts.action_counts_N.to(recorded.device))
