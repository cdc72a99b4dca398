"""Credit that needs the rollout, its group or the policy instead of the text's meaning.

New signal: a file here and a line in SIGNALS. It says what was good per rollout, per turn or per token; `rlar train`
normalises it within the group before adding it with its weight (`rlar.trainer.credit`).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from rlar.errors import ConfigError
from rlar.trainer.context import Context
from rlar.trainer.signals.brevity import brevity
from rlar.trainer.signals.variety import variety

if TYPE_CHECKING:
    from rlar.trainer.credit import Credit


Signal = Callable[[Context], "Credit"]

SIGNALS: dict[str, Signal] = {"brevity": brevity, "variety": variety}


def signal(name: str) -> Signal:
    """The signal of this name. Raises ConfigError that lists what there is."""
    if name not in SIGNALS:
        raise ConfigError(f"no signal {name!r}; there are {', '.join(sorted(SIGNALS))}")
    return SIGNALS[name]
