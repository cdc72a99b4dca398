"""From a configuration to a run: what is wrong is told before anything is trained."""

from __future__ import annotations

import os
import signal
import threading
from pathlib import Path

import pytest

from rlar.errors import ConfigError, RegistryError
from rlar.trainer import start
from rlar.trainer.start import make_policy, run_training, stop_on_sigterm
from tests.fakes.training_fakes import same_bits, small_config, small_policy, weights

SCRATCH = {"hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 2, "intermediate_size": 64}


def quiet(_event) -> None:
    pass


def test_a_missing_registry_says_how_to_make_one(tmp_path: Path):
    config = small_config(tmp_path).model_copy(update={"registry": str(tmp_path / "none.db")})
    with pytest.raises(RegistryError, match=r"no registry at .*none\.db.*rlar agent build-tools --dataset"):
        run_training(config)
    assert not (tmp_path / "none.db").exists() and not (tmp_path / "run").exists()


def test_an_empty_registry_covers_nothing(tmp_path: Path):
    with pytest.raises(RegistryError, match=r"covers no task; `rlar tasks list"):
        run_training(small_config(tmp_path))


def test_a_file_that_is_no_registry_is_refused(tmp_path: Path):
    (tmp_path / "text.db").write_text("hello, this is no database at all, but long enough to be looked into" * 9)
    config = small_config(tmp_path).model_copy(update={"registry": str(tmp_path / "text.db")})
    with pytest.raises(RegistryError):
        run_training(config)


def test_a_model_that_cannot_be_loaded_is_named(tmp_path: Path):
    (tmp_path / "broken").mkdir()
    (tmp_path / "broken" / "config.json").write_text("{}")
    config = small_config(tmp_path, model={"name": str(tmp_path / "broken")})
    with pytest.raises(ConfigError, match=r"model '.*broken' cannot be loaded: "):
        make_policy(config, resume=True, emit=quiet)


def test_a_gpu_that_is_not_there_is_told(tmp_path: Path, monkeypatch):
    monkeypatch.setattr("torch.cuda.is_available", lambda: False)
    with pytest.raises(ConfigError, match="torch sees no GPU"):
        make_policy(small_config(tmp_path, model={"device": "cuda"}), resume=True, emit=quiet)


@pytest.mark.parametrize("sizes", [{"hidden_size": "wide"}, {"num_attention_heads": 0}, {"hiden_size": 32}])
def test_sizes_that_do_not_fit_are_told(tmp_path: Path, sizes: dict):
    with pytest.raises(ConfigError, match=r"model\.scratch"):
        make_policy(small_config(tmp_path, model={"scratch": sizes}), resume=True, emit=quiet)


def test_a_model_saved_and_loaded_by_its_path_is_the_same(tmp_path: Path):
    made = small_policy()
    made.model.save_pretrained(tmp_path / "model")
    made.tokenizer.save_pretrained(tmp_path / "model")
    loaded = make_policy(small_config(tmp_path, model={"name": str(tmp_path / "model")}), resume=True, emit=quiet)
    assert same_bits(weights(made), weights(loaded))


def test_a_scratch_model_can_write_prompts_references_and_warm_up_completions(tmp_path: Path):
    (tmp_path / "rows.jsonl").write_text('{"prompt": "2+2?", "reference": "vier"}\n')
    (tmp_path / "warm.jsonl").write_text('{"prompt": "3+3?", "completion": "sechs"}\n')
    told = []
    config = small_config(
        tmp_path,
        dataset=(str(tmp_path / "rows.jsonl"),),
        model={"scratch": SCRATCH},
        warmup={"dataset": str(tmp_path / "warm.jsonl"), "steps": 60, "batch_size": 4, "learning_rate": 1e-2},
    )
    made = make_policy(config, resume=True, emit=told.append)
    for text in ("2+2?", "vier", "3+3?", "sechs"):
        assert made.decode(made.tokenizer(text)["input_ids"]) == text
    assert told[0]["loss"] > 2.0 > 0.1 > told[-1]["loss"]  # 14 characters, log 14 = 2.6; then known by heart


def test_sigterm_asks_and_the_handler_before_comes_back():
    before = signal.getsignal(signal.SIGTERM)
    with stop_on_sigterm() as asked:
        assert not asked()
        os.kill(os.getpid(), signal.SIGTERM)
        assert asked()
    assert signal.getsignal(signal.SIGTERM) is before


def test_outside_the_main_thread_no_handler_is_installed():
    found = []

    def look() -> None:
        with stop_on_sigterm() as asked:
            found.append(asked())

    thread = threading.Thread(target=look)
    thread.start()
    thread.join()
    assert found == [False]


def test_a_pinned_name_that_is_a_folder_is_used_as_it_is(tmp_path: Path):
    assert start._pinned(str(tmp_path), "abc") == str(tmp_path)
