"""What answers the policy between its turns.

In: a row, then a completion a turn. Out: messages, a reward or none, and whether it is over.
Leaves out: tokens, logits and losses (rlar.trainer.sampling, rlar.trainer.loss).

New environment: a file here and a line in ENVIRONMENTS, or "module:Class" in the settings.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from rlar.errors import ConfigError, boundary
from rlar.tool import named

if TYPE_CHECKING:
    from rlar.trainer.config import EnvironmentConfig
    from rlar.trainer.environments.base import Environment

ENVIRONMENTS: dict[str, str] = {
    "calculator": "rlar.trainer.environments.calculator:Calculator",
    "gridworld": "rlar.trainer.environments.gridworld:Gridworld",
}


def environment_class(name: str) -> type[Environment]:
    """The class of a name in ENVIRONMENTS, or of "module:Class", whose module is imported now (its code runs).

    Raises:
        ConfigError: there is no such environment, or the class is none.
    """
    from rlar.trainer.environments.base import Environment

    if name not in ENVIRONMENTS and ":" not in name:
        raise ConfigError(f"no environment {name!r}; there are {', '.join(sorted(ENVIRONMENTS))}, or name module:Class")

    def unusable(error: Exception) -> type[Environment]:
        raise ConfigError(f"environment {name!r} cannot be loaded: {error!r}") from error

    loaded = boundary(lambda: named(ENVIRONMENTS.get(name, name)), unusable)
    if not isinstance(loaded, type) or not issubclass(loaded, Environment):
        raise ConfigError(f"environment {name!r} is no class that extends rlar.trainer.environments.base.Environment")
    return loaded


def judge_of(config: EnvironmentConfig) -> Literal["registry", "environment"]:
    """Who judges its episodes. Raises ConfigError where there is no such environment."""
    return config.reward or environment_class(config.name).reward
