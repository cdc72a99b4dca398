"""Models that learn beside the policy and speak of its rollouts: signals with weights, an optimiser and a checkpoint.

In: a Context, a step at a time. Out: Credit; numbers for the log; tensors for the checkpoint.
Leaves out: normalising and weighing the credit (rlar.trainer.credit), writing checkpoints (rlar.trainer.record).

New companion: a file here and a line in COMPANIONS.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, Protocol

from rlar.trainer.companions.implicit_step import ImplicitStep
from rlar.trainer.companions.novelty import Novelty

if TYPE_CHECKING:
    from torch import Tensor

    from rlar.trainer.context import Context
    from rlar.trainer.credit import Credit
    from rlar.trainer.model.policy import Policy


class Companion(Protocol):
    """A signal that learns. Its numbers must not depend on the number of processes: each has one and gives it all rows."""

    numbers: dict[str, float]
    """Of the last step, for the log."""

    def __call__(self, context: Context) -> Credit:
        """Learn from the batch and speak of it, in the order that suits it."""
        ...

    def state(self) -> dict[str, Tensor]:
        """All that a resumed run needs."""
        ...

    def load(self, state: Mapping[str, Tensor]) -> None:
        """Put it back. Raises KeyError or RuntimeError where it is another's."""
        ...


COMPANIONS: dict[str, Callable[[Policy, Mapping[str, Any]], Companion]] = {
    "implicit_step": ImplicitStep,
    "novelty": Novelty,
}
"""Made of the policy as it is when its phase begins, and the options in its table."""
