from __future__ import annotations

import json
import resource
from pathlib import Path

import pytest
import torch

from rlar.trainer.record import checkpoint
from rlar.trainer.record.checkpoint import (
    CheckpointError,
    checkpoints,
    latest_checkpoint,
    load_checkpoint,
    remove_leftovers,
    save_checkpoint,
    set_aside,
    stored_state,
)


class Tied(torch.nn.Module):
    """Two layers that share a weight, a weight that is not contiguous, and a buffer."""

    def __init__(self, seed: int, size: int = 4) -> None:
        super().__init__()
        torch.manual_seed(seed)
        self.first = torch.nn.Linear(size, size)
        self.second = torch.nn.Linear(size, size)
        self.second.weight = self.first.weight
        self.turned = torch.nn.Parameter(torch.randn(size, 3).t())
        self.register_buffer("seen", torch.randn(2))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return (self.turned @ self.second(torch.tanh(self.first(x))).t()).sum() + self.seen.sum()


def made(seed: int, updates: int) -> tuple[Tied, torch.optim.Optimizer]:
    model = Tied(seed)
    optimiser = torch.optim.AdamW(model.parameters(), lr=0.1, weight_decay=0.01)
    for step in range(updates):
        update(model, optimiser, step)
    return model, optimiser


def update(model: Tied, optimiser: torch.optim.Optimizer, step: int) -> None:
    model(torch.full((2, 4), float(step))).backward()
    optimiser.step()
    optimiser.zero_grad()


def test_a_checkpoint_brings_weights_optimiser_and_random_state_back_bit_for_bit(tmp_path: Path):
    model, optimiser = made(0, 3)
    save_checkpoint(tmp_path, 3, model, optimiser, {"place": 7}, keep=2, extras={"registry.lock": "locked"})
    drawn = torch.rand(5)
    other, other_optimiser = made(1, 0)
    step, state = load_checkpoint(tmp_path / "step-000003", other, other_optimiser)
    assert (step, state) == (3, {"place": 7})
    assert torch.equal(torch.rand(5), drawn)
    assert (tmp_path / "step-000003" / "registry.lock").read_text() == "locked"
    for number in range(3, 6):  # equal moments and step counts, or the weights part here
        update(model, optimiser, number)
        update(other, other_optimiser, number)
    for name, tensor in model.state_dict().items():
        assert torch.equal(tensor, other.state_dict()[name]), name
    assert other.second.weight is other.first.weight


def test_only_the_newest_are_kept_in_order_of_their_steps(tmp_path: Path):
    model, optimiser = made(0, 1)
    for step in (90, 100, 1_000_000):
        save_checkpoint(tmp_path, step, model, optimiser, {}, keep=2)
    assert [path.name for path in checkpoints(tmp_path)] == ["step-000100", "step-1000000"]


def test_a_disk_that_is_full_keeps_the_checkpoint_before(tmp_path: Path, monkeypatch):
    model, optimiser = made(0, 1)
    good = save_checkpoint(tmp_path, 1, model, optimiser, {}, keep=1)

    def full(*_args, **_more):
        raise OSError(28, "No space left on device")

    for name in ("save_file", "_sync"):
        with monkeypatch.context() as patch:
            patch.setattr(checkpoint, name, full)
            with pytest.raises(CheckpointError, match=r"No space left.*step-000001"):
                save_checkpoint(tmp_path, 2, model, optimiser, {}, keep=1)
        assert list(tmp_path.iterdir()) == [good]
    assert load_checkpoint(good, *made(1, 0))[0] == 1


def test_a_limit_of_the_operating_system_is_a_checkpoint_error_too(tmp_path: Path):
    # safetensors does not raise OSError when a write fails
    model, optimiser = made(0, 1)
    good = save_checkpoint(tmp_path, 1, model, optimiser, {}, keep=1)
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (64, before[1]))
    try:
        with pytest.raises(CheckpointError, match="the last good checkpoint is"):
            save_checkpoint(tmp_path, 2, model, optimiser, {}, keep=1)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    assert list(tmp_path.iterdir()) == [good]


def test_without_an_earlier_checkpoint_the_error_says_so(tmp_path: Path, monkeypatch):
    monkeypatch.setattr(checkpoint, "save_file", lambda *_a, **_k: (_ for _ in ()).throw(OSError(28, "No space left")))
    with pytest.raises(CheckpointError, match="there is no earlier checkpoint"):
        save_checkpoint(tmp_path / "new", 2, *made(0, 1), {}, keep=1)


def test_what_an_interrupted_write_left_is_not_a_checkpoint_and_is_removed(tmp_path: Path):
    good = save_checkpoint(tmp_path, 1, *made(0, 1), {}, keep=1)
    (tmp_path / ".writing-000002").mkdir()
    (tmp_path / ".writing-000002" / "model.safetensors").write_bytes(b"half")
    (tmp_path / "step-000009").mkdir()  # without a state: not ours
    assert latest_checkpoint(tmp_path) == good
    remove_leftovers(tmp_path)
    assert not (tmp_path / ".writing-000002").exists()
    remove_leftovers(tmp_path / "nowhere")


@pytest.mark.parametrize("name", ["model.safetensors", "optimizer.safetensors", "state.json"])
@pytest.mark.parametrize("damage", ["cut", "empty", "gone"])
def test_a_damaged_checkpoint_is_named(tmp_path: Path, name: str, damage: str):
    path = save_checkpoint(tmp_path, 1, *made(0, 1), {}, keep=1)
    file = path / name
    if damage == "gone":
        file.unlink()
    else:
        file.write_bytes(file.read_bytes()[: 20 if damage == "cut" else 0])
    with pytest.raises(CheckpointError, match=r"step-000001: cannot be read.*delete this folder"):
        load_checkpoint(path, *made(1, 0))


def test_a_flipped_byte_anywhere_is_noticed_and_the_file_is_named(tmp_path: Path):
    def describe(folder: Path) -> None:
        (folder / "config.json").write_text('{"model_type": "tied"}')

    path = save_checkpoint(
        tmp_path, 1, *made(0, 1), {"place": 7}, keep=1, extras={"registry.lock": "locked"}, describe=describe
    )
    load_checkpoint(path, *made(1, 0))
    names = {file.name for file in path.iterdir()}
    assert names == {
        "model.safetensors", "optimizer.safetensors", "state.json", "registry.lock", "config.json", "SHA256SUMS"
    }  # fmt: skip
    for name in sorted(names):
        whole = (path / name).read_bytes()
        for place in sorted({0, len(whole) // 2, len(whole) - 1, *range(0, len(whole), max(1, len(whole) // 40))}):
            body = bytearray(whole)
            body[place] ^= 0x01
            (path / name).write_bytes(bytes(body))
            with pytest.raises(CheckpointError, match=r"step-000001") as caught:
                load_checkpoint(path, *made(1, 0))
            if name not in ("SHA256SUMS", "state.json"):
                assert f"{name} is not as it was written" in str(caught.value)
        (path / name).write_bytes(whole)
    load_checkpoint(path, *made(1, 0))
    (path / "SHA256SUMS").unlink()
    with pytest.raises(CheckpointError, match="SHA256SUMS"):
        load_checkpoint(path, *made(1, 0))


def test_a_flipped_byte_in_the_state_is_noticed_by_who_reads_the_state_alone(tmp_path: Path):
    path = save_checkpoint(tmp_path, 1, *made(0, 1), {"linear": "torch"}, keep=1)
    text = (path / "state.json").read_text()
    (path / "state.json").write_text(text.replace('"torch"', '"tirch"'))
    with pytest.raises(CheckpointError, match=r"state\.json is not as it was written"):
        stored_state(path)


def test_a_checkpoint_without_sums_is_loaded_with_a_warning(tmp_path: Path, caplog):
    path = save_checkpoint(tmp_path, 1, *made(0, 1), {"place": 7}, keep=1)
    body = json.loads((path / "state.json").read_text())
    assert body.pop("sums") == "SHA256SUMS"
    (path / "state.json").write_text(json.dumps(body))
    (path / "SHA256SUMS").unlink()
    assert load_checkpoint(path, *made(1, 0)) == (1, {"place": 7})
    assert stored_state(path) == {"place": 7}
    assert [record.message for record in caplog.records] == [
        f"{path} has no SHA256SUMS (an older rlar wrote it, or somebody deleted it): whether it is whole is not known"
    ]


def test_a_checkpoint_of_another_model_or_format_is_refused(tmp_path: Path):
    path = save_checkpoint(tmp_path, 1, *made(0, 1), {}, keep=1)
    wider = Tied(0, size=5)
    with pytest.raises(CheckpointError, match="another model"):
        load_checkpoint(path, wider, torch.optim.AdamW(wider.parameters()))
    body = json.loads((path / "state.json").read_text())
    (path / "state.json").write_text(json.dumps({**body, "format": 99}))
    with pytest.raises(CheckpointError, match="format 99"):
        load_checkpoint(path, *made(0, 0))


def test_a_fresh_run_sets_earlier_checkpoints_aside_and_loses_none(tmp_path: Path):
    folder = tmp_path / "checkpoints"
    assert set_aside(folder) is None
    for number in (1, 2):
        save_checkpoint(folder, 5, *made(0, 1), {"run": number}, keep=1)
        assert set_aside(folder) == tmp_path / f"checkpoints-before-{number}"
        assert latest_checkpoint(folder) is None
    assert stored_state(tmp_path / "checkpoints-before-2" / "step-000005") == {"run": 2}
