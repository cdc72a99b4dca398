"""Credit that needs the rollout, its group or the policy instead of the text's meaning.

In: a Context. Out: Credit: what was good, per rollout, per turn or per token.
Leaves out: normalising and weighing it (rlar.trainer.credit).

New signal: a file here and a line in SIGNALS.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from rlar.errors import ConfigError
from rlar.trainer.context import Context
from rlar.trainer.signals.brevity import brevity
from rlar.trainer.signals.certainty import certainty
from rlar.trainer.signals.variety import variety

if TYPE_CHECKING:
    from rlar.trainer.credit import Credit


Signal = Callable[[Context], "Credit"]

SIGNALS: dict[str, Signal] = {"brevity": brevity, "certainty": certainty, "variety": variety}


def signal(name: str) -> Signal:
    """The signal of this name. Raises ConfigError that lists what there is."""
    if name not in SIGNALS:
        raise ConfigError(f"no signal {name!r}; there are {', '.join(sorted(SIGNALS))}")
    return SIGNALS[name]
