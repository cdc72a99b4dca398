"""Options of signals and companions: the keys of their table in the configuration beside its weight."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypeVar

from pydantic import BaseModel, ConfigDict, ValidationError

from rlar.errors import ConfigError, first_problem

Made = TypeVar("Made", bound=BaseModel)


class Options(BaseModel):
    """A table of options: a misspelt one is an error."""

    model_config = ConfigDict(frozen=True, extra="forbid")


def checked_options(name: str, kind: type[Made], options: Mapping[str, Any]) -> Made:
    """The table as a value. Raises ConfigError that names the signal and the option."""
    try:
        return kind.model_validate(dict(options))
    except ValidationError as error:
        raise ConfigError(f"signals.{name}: {first_problem(error, 'configuration', shown=True)}") from error
