"""Where a run's numbers are shown while it trains, besides its own log: TensorBoard, and Weights & Biases if asked."""

from __future__ import annotations

import math
import uuid
from pathlib import Path
from typing import Any, Protocol

from rlar.errors import ConfigError
from rlar.rows.atomic import write_text_atomic
from rlar.trainer.config import TrainConfig


class Board(Protocol):
    """Shows numbers by step."""

    def write(self, step: int, numbers: list[tuple[str, float]]) -> None:
        """Show these of this step, more than once for a step if need be."""

    def close(self) -> None:
        """Send what is left."""


def open_boards(config: TrainConfig, folder: Path, *, from_step: int) -> list[Board]:
    """The boards that the settings ask for.

    Args:
        folder: the run's; it exists.
        from_step: the step that a resumed run goes on with.

    Raises ConfigError where Weights & Biases was asked for and does not let the run in.
    """
    boards: list[Board] = []
    if config.tensorboard and (board := _tensorboard(folder / "tensorboard", from_step)) is not None:
        boards.append(board)
    if config.wandb is not None:
        boards.append(WandbBoard(config, folder, is_new=from_step == 0))
    return boards


def flat_numbers(row: dict[str, Any], prefix: str = "") -> list[tuple[str, float]]:
    """Every finite number of a nested row but its step, by its path."""
    numbers: list[tuple[str, float]] = []
    for name, value in row.items():
        path = f"{prefix}/{name}" if prefix else name
        if isinstance(value, dict):
            numbers += flat_numbers(value, path)
        elif isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value) and path != "step":
            numbers.append((path, float(value)))
    return numbers


class TensorBoard:
    """Events in a folder; those of steps that a resumed run does again are hidden."""

    def __init__(self, writer: Any) -> None:
        self._writer = writer

    def write(self, step: int, numbers: list[tuple[str, float]]) -> None:
        """See `Board.write`."""
        for name, value in numbers:
            self._writer.add_scalar(name, value, step)

    def close(self) -> None:
        """See `Board.close`."""
        self._writer.close()


def _tensorboard(folder: Path, from_step: int) -> TensorBoard | None:
    try:
        from torch.utils.tensorboard import SummaryWriter
    except ImportError:  # the package tensorboard is not there: the log and the report are
        return None
    return TensorBoard(SummaryWriter(str(folder), purge_step=from_step))


class WandbBoard:
    """A run of Weights & Biases, the same one when training is resumed (its name is in `wandb-run.txt`).

    The step is a number like any other, as what a resumed run does again would be thrown away under wandb's own count.
    """

    def __init__(self, config: TrainConfig, folder: Path, *, is_new: bool) -> None:
        import wandb

        name = folder / "wandb-run.txt"
        try:
            if is_new or not name.exists():
                write_text_atomic(name, uuid.uuid4().hex[:12])
            self._run = wandb.init(
                project=config.wandb,
                dir=str(folder),
                id=name.read_text("utf-8"),
                name=folder.resolve().name,
                resume="allow",
                config=config.model_dump(mode="json"),
            )
        except (wandb.Error, OSError) as error:
            raise ConfigError(f"wandb: {error}; WANDB_MODE=offline keeps the run in {folder}") from error
        self._run.define_metric("*", step_metric="step")

    def write(self, step: int, numbers: list[tuple[str, float]]) -> None:
        """See `Board.write`."""
        self._run.log({**dict(numbers), "step": step})

    def close(self) -> None:
        """See `Board.close`."""
        self._run.finish()
