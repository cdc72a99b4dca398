"""TensorBoard and Weights & Biases show the numbers of the log."""

from __future__ import annotations

import builtins
from pathlib import Path

import pytest

from rlar.errors import ConfigError
from rlar.trainer.record.boards import flat_numbers, open_boards
from rlar.trainer.record.metrics import MetricsLog
from rlar.trainer.start import check_settings
from tests.fakes.training_fakes import small_config


def test_only_finite_numbers_are_shown():
    row = {"step": 3, "a": 1, "b": {"c": 0.5, "d": None}, "e": float("nan"), "f": True, "g": "text"}
    assert flat_numbers(row) == [("a", 1.0), ("b/c", 0.5)]


def run_of(config, folder: Path, from_step: int, rewards: list[float]) -> None:
    log = MetricsLog(folder, from_step=from_step, boards=open_boards(config, folder, from_step=from_step))
    for step, reward in enumerate(rewards, from_step):
        log.write({"step": step, "loss": 0.0, "reward": reward})
    log.close()


def test_tensorboard_hides_what_a_resumed_run_does_again(tmp_path: Path):
    pytest.importorskip("tensorboard")
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    config = small_config(tmp_path, tensorboard=True)
    run_of(config, tmp_path, 0, [0.1, 0.2, 0.3])
    run_of(config, tmp_path, 2, [0.9, 1.0])
    found = EventAccumulator(str(tmp_path / "tensorboard"))
    found.Reload()
    shown = [(event.step, round(event.value, 3)) for event in found.Scalars("reward")]
    assert shown == [(0, 0.1), (1, 0.2), (2, 0.9), (3, 1.0)]


def test_tensorboard_that_is_not_installed_is_left_out(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    original = builtins.__import__

    def without(name, *rest, **more):
        if name == "torch.utils.tensorboard":
            raise ImportError(name)
        return original(name, *rest, **more)

    monkeypatch.setattr(builtins, "__import__", without)
    assert open_boards(small_config(tmp_path, tensorboard=True), tmp_path, from_step=0) == []


def test_wandb_that_is_not_installed_is_said_before_anything_is_loaded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(ConfigError, match=r"pip install 'rlar\[wandb\]'"):
        check_settings(small_config(tmp_path, wandb="project"), 1)


@pytest.mark.slow
def test_an_offline_run_of_wandb_is_kept_in_the_folder_and_continued(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    pytest.importorskip("wandb")
    monkeypatch.setenv("WANDB_MODE", "offline")
    monkeypatch.setenv("WANDB_SILENT", "true")
    config = small_config(tmp_path, wandb="rlar-test")
    run_of(config, tmp_path, 0, [0.25, 0.5])
    name = (tmp_path / "wandb-run.txt").read_text()
    run_of(config, tmp_path, 2, [0.75])
    assert (tmp_path / "wandb-run.txt").read_text() == name
    kept = list((tmp_path / "wandb").glob(f"offline-run-*-{name}/run-{name}.wandb"))
    assert kept and any(b"reward" in path.read_bytes() for path in kept)
    run_of(config, tmp_path, 0, [0.25])
    assert (tmp_path / "wandb-run.txt").read_text() != name


@pytest.mark.slow
def test_wandb_that_lets_nobody_in_says_the_way_out(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    wandb = pytest.importorskip("wandb")

    def refuse(**_given):
        raise wandb.errors.UsageError("api_key not configured")

    monkeypatch.setattr(wandb, "init", refuse)
    with pytest.raises(ConfigError, match="WANDB_MODE=offline"):
        open_boards(small_config(tmp_path, wandb="rlar-test"), tmp_path, from_step=0)
