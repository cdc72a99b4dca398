"""implicit_step: what each turn did for success, from a second model that learns to tell winning from losing rollouts (iStar)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from rlar.errors import ConfigError
from rlar.trainer.companions.trained import Trained
from rlar.trainer.config import LossConfig
from rlar.trainer.credit import Credit
from rlar.trainer.loss import policy_loss_backward
from rlar.trainer.model.logprob import completion_logprobs
from rlar.trainer.signals.options import Options, checked_options

if TYPE_CHECKING:
    from rlar.trainer.context import Context
    from rlar.trainer.model.policy import Policy

MEMORY = 0.8
"""Of the trust, from step to step."""


class ImplicitStepOptions(Options):
    """See `ImplicitStep`."""

    beta: float = 0.05
    """Scale of a log-ratio. It is per token: .05 suits turns of hundreds of tokens, .5 turns of a few."""
    learning_rate: float = 1e-6
    updates: int = 1
    """Of the companion a step."""
    wins_above: float = 0.0
    """Outcomes above this are successes."""
    earn: bool = True
    """Trust it as far as it tells successes from failures on rollouts that it has not learnt from: twice the share of pairs in
    order, minus one, as a moving mean from 0. Else in full from the start, which prevents learning where success is rare."""
    max_norm: float = 10.0
    """Its gradient is clipped to this."""


class ImplicitStep:
    """Credit per turn: beta times the sum over its tokens of log companion - log policy as drawn (arXiv:2509.19199, eq. 2).

    Roll, learn, speak, in this order. The companion begins as the policy and learns by DPO between all successes and failures
    of a prompt, on sums over whole rollouts (eq. 3), with the policy that drew them as its reference, which costs no model.
    """

    def __init__(self, policy: Policy, options: Mapping[str, Any]) -> None:
        """Raises ConfigError for a policy that is an adapter."""
        self.options = checked_options("implicit_step", ImplicitStepOptions, options)
        if hasattr(policy.model, "peft_config"):
            raise ConfigError("signals.implicit_step needs all weights: it cannot follow model.lora_rank yet")
        self.policy = policy.reference()
        self.policy.model.requires_grad_(True)
        self.trained = Trained.of(self.policy.model.named_parameters(), learning_rate=self.options.learning_rate)
        self.trust = 0.0
        self.numbers: dict[str, float] = {}

    def __call__(self, context: Context) -> Credit:
        """See the class. NaN for turns that a rollout does not have."""
        options, rollouts = self.options, context.rollouts
        outcomes_N = context.rewards_P_G.flatten().cpu()
        wins_N = torch.where(outcomes_N.isnan(), float("nan"), (outcomes_N > options.wins_above).double())
        scores_N = self.ratios(context).sum(1)
        weights_N, loss, accuracy = preference_weights(scores_N, wins_N, rollouts.group_size)
        self.numbers = {"trust": self.trust}
        if accuracy is not None:
            self.trust = MEMORY * self.trust + (1 - MEMORY) * max(0.0, 2 * accuracy - 1)
            self.numbers = {"loss": loss, "accuracy": accuracy, "trust": self.trust}
            for update in range(options.updates):
                if update:
                    weights_N, _loss, _accuracy = preference_weights(
                        self.ratios(context).sum(1), wins_N, rollouts.group_size
                    )
                self._learn(context, weights_N)
        ratios_N_T, turns_N_T = self.ratios(context), rollouts.turn_of_N_T.cpu()
        turns = max(int(turns_N_T.max()) + 1 if turns_N_T.numel() else 0, 1)
        steps_N_K = torch.full((len(rollouts), turns), float("nan"), dtype=torch.float64)
        for turn in range(turns):
            mask_N_T = turns_N_T == turn
            sums_N = torch.where(mask_N_T, ratios_N_T, 0.0).sum(1)
            steps_N_K[:, turn] = torch.where(mask_N_T.any(1), sums_N, float("nan"))
        return Credit(steps_N_K, per="turn", trust=self.trust if options.earn else 1.0)

    def ratios(self, context: Context) -> Tensor:
        """(N, T) double, beta times the log-ratio to the policy at every token that it wrote; 0 elsewhere."""
        rollouts = context.rollouts
        logprobs_N_T = completion_logprobs(self.policy, rollouts, token_budget=context.token_budget)
        gaps_N_T = (logprobs_N_T - rollouts.logprobs_N_T.to(logprobs_N_T)).double()
        return (self.options.beta * torch.where(rollouts.action_mask_N_T.to(gaps_N_T.device), gaps_N_T, 0.0)).cpu()

    def _learn(self, context: Context, weights_N: Tensor) -> None:
        """One step along the gradient of the loss; a weighted likelihood, as every loss here (rlar.trainer.loss)."""
        rollouts = context.rollouts
        tokens = float(rollouts.action_counts_N.sum())  # what the mean over tokens divides by
        advantages_N_T = (-self.options.beta * tokens * weights_N[:, None]).expand(rollouts.completion_ids_N_T.shape)
        policy_loss_backward(
            self.policy, rollouts, advantages_N_T, config=LossConfig(), token_budget=context.token_budget
        )
        self.trained.step(self.options.max_norm)

    def state(self) -> dict[str, Tensor]:
        """See Companion."""
        return {**self.trained.state(), "trust": torch.tensor([self.trust], dtype=torch.float64)}

    def load(self, state: Mapping[str, Tensor]) -> None:
        """See Companion."""
        self.trained.load(state)
        self.trust = float(state["trust"])


def preference_weights(scores_N: Tensor, wins_N: Tensor, group_size: int) -> tuple[Tensor, float, float | None]:
    """Of the mean over all pairs of a success and a failure of one prompt of -log sigmoid(S+ - S-).

    Args:
        wins_N: 1 success, 0 failure, NaN neither.

    Returns:
        (N,) its derivatives by the scores, 0 where there is no pair; its value; the share of pairs in order (half where
        equal), None where there is no pair.
    """
    scores_P_G, wins_P_G = scores_N.double().view(-1, group_size), wins_N.view(-1, group_size)
    is_pair = (wins_P_G == 1)[:, :, None] & (wins_P_G == 0)[:, None, :]
    pairs = int(is_pair.sum())
    if pairs == 0:
        return torch.zeros_like(scores_N, dtype=torch.float64), 0.0, None
    gaps = scores_P_G[:, :, None] - scores_P_G[:, None, :]
    pull = torch.where(is_pair, torch.sigmoid(-gaps), 0.0) / pairs
    loss = torch.where(is_pair, -torch.nn.functional.logsigmoid(gaps), 0.0).sum() / pairs
    in_order = torch.where(is_pair, (gaps > 0).double() + 0.5 * (gaps == 0), 0.0).sum() / pairs
    return (pull.sum(1) - pull.sum(2)).flatten(), float(loss), float(in_order)
