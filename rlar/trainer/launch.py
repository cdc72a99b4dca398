"""What `torchrun` says about the processes that it starts; without torch, for the command line."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from rlar.errors import ConfigError


@dataclass(frozen=True)
class Launch:
    """Which process of how many this is."""

    rank: int = 0
    size: int = 1


def read_launch(environment: Mapping[str, str]) -> Launch:
    """What `torchrun` said; one process where nothing is said. Raises ConfigError for more than one machine."""
    size = int(environment.get("WORLD_SIZE", "1"))
    if int(environment.get("LOCAL_WORLD_SIZE", size)) != size:
        raise ConfigError(
            f"`rlar train` runs on one machine, not {size} processes on several; use TRL or verl with the same registry there "
            "(docs/integrations.md)"
        )
    return Launch(int(environment.get("RANK", "0")), size)
