"""Credit that needs the rollout, its group or the policy instead of the text's meaning.

New signal: a file here and a line in SIGNALS. It says what was good per rollout, per turn or per token; `rlar train`
normalises it within the group before adding it with its weight (`rlar.trainer.credit`).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from rlar.errors import ConfigError
from rlar.trainer.signals.brevity import brevity
from rlar.trainer.signals.variety import variety

if TYPE_CHECKING:
    from torch import Tensor

    from rlar.trainer.credit import Credit
    from rlar.trainer.model.logprob import TokenStatistic
    from rlar.trainer.model.policy import Policy
    from rlar.trainer.rollout import Rollouts


@dataclass(frozen=True, eq=False)
class Context:
    """What a signal may look at: one step's batch, and the policy that wrote it."""

    rollouts: Rollouts
    rewards_P_G: Tensor
    """NaN marks an unscored rollout."""
    policy: Policy
    token_budget: int = 8192
    """Tokens in one forward."""

    def over_logits(self, statistic: TokenStatistic) -> Tensor:
        """(N, T) a number from the policy's distribution at each token that it wrote, without gradient; 0 elsewhere.

        One forward over the batch; logits are made on demand and a chunk at a time, so the (tokens, vocabulary) table is
        never held.
        """
        from rlar.trainer.model.logprob import token_statistic

        return token_statistic(self.policy, self.rollouts, statistic, token_budget=self.token_budget)


Signal = Callable[[Context], "Credit"]

SIGNALS: dict[str, Signal] = {"brevity": brevity, "variety": variety}


def signal(name: str) -> Signal:
    """The signal of this name. Raises ConfigError that lists what there is."""
    if name not in SIGNALS:
        raise ConfigError(f"no signal {name!r}; there are {', '.join(sorted(SIGNALS))}")
    return SIGNALS[name]
