"""Several processes by `torchrun`: started, and told which of them this is; without torch, for the command line."""

from __future__ import annotations

import importlib.util
import os
import sys
from collections.abc import Mapping, Sequence
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


def become_torchrun(processes: int, launch: Launch, arguments: Sequence[str]) -> None:
    """Replace this process by torchrun, which starts `rlar` with these arguments so many times; in those it returns.

    Raises ConfigError where torch is missing, or torchrun itself started another number of processes.
    """
    if launch.size == processes:
        return
    if launch.size > 1:
        raise ConfigError(f"--processes {processes}, but torchrun started {launch.size}")
    if importlib.util.find_spec("torch") is None:
        raise ConfigError("training needs torch: pip install 'rlar[train]'")
    torchrun = ["-m", "torch.distributed.run", "--standalone", "--nproc-per-node", str(processes), "-m", "rlar"]
    sys.stdout.flush()
    os.environ.setdefault("OMP_NUM_THREADS", "1")  # as torchrun would, with a warning
    os.execv(sys.executable, [sys.executable, *torchrun, *arguments])
