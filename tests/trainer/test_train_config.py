from __future__ import annotations

from pathlib import Path

import pytest

from rlar.errors import ConfigError
from rlar.trainer.config import read_train_config

EXAMPLES = Path(__file__).resolve().parents[2] / "examples"


def read(tmp_path: Path, text: str, **overrides):
    path = tmp_path / "train.toml"
    path.write_text(text, "utf-8")
    return read_train_config(path, overrides)


def test_options_win_over_the_file_and_the_file_over_defaults(tmp_path: Path):
    config = read(tmp_path, 'dataset = ["a.jsonl"]\nsteps = 7\nseed = 3', steps=9, seed=None)
    assert (config.steps, config.seed, config.group_size, config.dataset) == (9, 3, 8, ("a.jsonl",))


def test_the_shipped_example_is_a_valid_configuration():
    assert read_train_config(EXAMPLES / "train_tiny.toml", {}).warmup is not None


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("", "no dataset; name the rows to train on with --dataset"),
        ('dataset = ["a"]\nstep = 3', r"step: Extra inputs are not permitted \(got 3\)"),
        ('dataset = ["a"]\ngroup_size = 1', "group_size: .*greater than or equal to 2"),
        ('dataset = ["a"]\n[loss]\nclip_low = -1', "loss.clip_low"),
        ('dataset = ["a"]\nprompts_per_step = 1', r"score_chunks \(2\) exceeds prompts_per_step \(1\)"),
        ('dataset = ["a"]\nsampler_url = "http://x"', "sampler_url needs loss.importance_cap"),
        ("dataset = []", "dataset is empty"),
        ("dataset = [", "not TOML"),
    ],
)
def test_a_wrong_setting_is_named(tmp_path: Path, text: str, told: str):
    with pytest.raises(ConfigError, match=rf"train\.toml: .*{told}"):
        read(tmp_path, text)


def test_a_missing_file_is_named(tmp_path: Path):
    with pytest.raises(ConfigError, match="no such configuration file"):
        read_train_config(tmp_path / "none.toml", {})
