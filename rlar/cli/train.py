"""`rlar train`."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from rlar.cli.app import AllowHostOption, app, tell
from rlar.cli.options import Given, settings_command
from rlar.terminal import say_json


@settings_command(app, "train", "rlar.trainer.config:TrainConfig")
def train_command(
    given: Given,
    config: Annotated[Path | None, typer.Option("--config", "-c", help="TOML file of settings; options win.")] = None,
    processes: Annotated[
        int, typer.Option(min=1, help="Processes that train together: one a GPU, or one a core of a CPU.")
    ] = 1,
    resume: Annotated[
        bool, typer.Option("--resume/--fresh", help="Continue from the newest checkpoint in the output folder.")
    ] = True,
    json_summary: Annotated[bool, typer.Option("--json", help="Print one JSON summary on stdout.")] = False,
    _allow_host: AllowHostOption = None,
) -> None:
    """Train a model by GRPO; each row's reward comes from the tools that were admitted for its task.

    Needs torch: pip install 'rlar[train]'. SIGTERM writes a checkpoint and stops; run it again to go on.
    On a CPU several processes use the cores better than one with many threads.

    Example: rlar train --config examples/train_tiny.toml
    """
    import contextlib
    import os

    from rlar.agent.evolve import make_evolver
    from rlar.errors import ConfigError
    from rlar.trainer.config import read_train_config
    from rlar.trainer.distributed import become_torchrun, read_launch

    launch = read_launch(os.environ)
    settings = read_train_config(config, given)
    try:
        from rlar.trainer.start import check_settings, run_training
    except ImportError as error:
        raise ConfigError(f"training needs {error.name}: pip install 'rlar[train]'") from error
    from rlar.trainer.record.progress import TrainProgress

    if processes > 1:
        check_settings(settings, processes)  # said once, not by every process
        become_torchrun(processes, launch, sys.argv[1:])
    with contextlib.ExitStack() as stack:
        progress = stack.enter_context(TrainProgress(sys.stderr)) if launch.rank == 0 else lambda event: None
        summary = run_training(
            settings, resume=resume, emit=progress, evolve=make_evolver(settings.registry), launch=launch
        )
    if launch.rank > 0:
        return
    if json_summary:
        say_json(summary)
    else:
        tell(f"report   {summary['report']}")
