"""Credit that needs the rollout, its group or the policy instead of the text's meaning.

In: a Context. Out: Credit: what was good, per rollout, per turn or per token.
Leaves out: normalising and weighing it (rlar.trainer.credit).

New signal: a file here and a line in SIGNALS. One with options is a class of `rlar.trainer.signals.options.Options` that is called.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, cast

from pydantic import BaseModel

from rlar.errors import ConfigError
from rlar.trainer.context import Context
from rlar.trainer.signals.brevity import brevity
from rlar.trainer.signals.certainty import certainty
from rlar.trainer.signals.information_gain import InformationGain
from rlar.trainer.signals.options import checked_options
from rlar.trainer.signals.tool import Tool
from rlar.trainer.signals.variety import variety

if TYPE_CHECKING:
    from rlar.trainer.credit import Credit


Signal = Callable[[Context], "Credit"]

SIGNALS: dict[str, Signal | type[BaseModel]] = {
    "brevity": brevity,
    "certainty": certainty,
    "information_gain": InformationGain,
    "tool": Tool,
    "variety": variety,
}


def signal(name: str, options: Mapping[str, Any] = MappingProxyType({})) -> Signal:
    """The signal of this name with these options. Raises ConfigError that lists what there is, or names what is wrong."""
    if name not in SIGNALS:
        raise ConfigError(f"no signal {name!r}; there are {', '.join(sorted(SIGNALS))}")
    made = SIGNALS[name]
    if isinstance(made, type):
        return cast("Signal", checked_options(name, made, options))
    for option in options:
        raise ConfigError(f"signals.{name}: no setting {option!r}; it has only a weight")
    return made
