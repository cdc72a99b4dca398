"""What answers the policy between its turns.

In: a row, then a completion a turn. Out: messages, a reward or none, and whether it is over.
Leaves out: tokens, logits and losses (rlar.trainer.sampling, rlar.trainer.loss).

New environment: a file here and a line in ENVIRONMENTS, or "module:Class" in the settings.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Literal

from rlar.errors import ConfigError, boundary
from rlar.tool import Resources, named

if TYPE_CHECKING:
    from rlar.trainer.config import EnvironmentConfig
    from rlar.trainer.environments.base import Environment

ENVIRONMENTS: dict[str, str] = {
    "calculator": "rlar.trainer.environments.calculator:Calculator",
    "gridworld": "rlar.trainer.environments.gridworld:Gridworld",
    "search": "rlar.trainer.environments.search:Search",
    "python": "rlar.trainer.environments.python:Python",
    "sql": "rlar.trainer.environments.sql:Sql",
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


def environment_maker(config: EnvironmentConfig, resources: Resources) -> Callable[[], Environment]:
    """A function that makes a fresh environment; one is made now. Raises ConfigError where that cannot be done."""
    made = environment_class(config.name)

    def make() -> Environment:
        return made(resources, **config.settings)

    try:
        make().close()
    except (TypeError, ValueError, OSError) as error:
        raise ConfigError(f"environment {config.name!r} with {config.settings}: {error}") from error
    return make
