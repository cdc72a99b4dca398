"""Checkpoints: weights, optimiser, position, registry lock and config, written whole or not at all.

A folder `step-000050` appears by one rename after every file in it is on disk; what a full disk or a kill interrupts
leaves only a temporary folder, which the next run removes. Nothing is unpickled: optimiser tensors lie in safetensors.

`SHA256SUMS` in the folder has the digest of every other file (`sha256sum -c SHA256SUMS` checks them too); a byte that
changed since is an error that names the file. It says that nothing broke, not who wrote it: whoever may change the files
may change the sums.
"""

from __future__ import annotations

import hashlib
import json
import logging
import os
import re
import shutil
from collections.abc import Callable, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from rlar.errors import RlarError, boundary
from rlar.foreign import read_json

logger = logging.getLogger(__name__)

FORMAT = 1
SUMS = "SHA256SUMS"
"""In the format of `sha256sum`; the first checkpoints of this format have none."""
TEMPORARY = ".writing-"
NEEDED = frozenset({"model.safetensors", "optimizer.safetensors", "state.json"})
WAY_OUT = "delete this folder to go on from the checkpoint before it"
_SUM_LINE = re.compile(r"([0-9a-f]{64})  ([^/\0]+)")


class CheckpointError(RlarError):
    """A checkpoint, or another file of a run, cannot be written or read."""


def save_checkpoint(
    folder: Path,
    step: int,
    model: nn.Module,
    optimiser: torch.optim.Optimizer,
    state: dict[str, Any],
    *,
    keep: int,
    extras: dict[str, str] | None = None,
    companions: Mapping[str, Mapping[str, Tensor]] = MappingProxyType({}),
    describe: Callable[[Path], None] = lambda folder: None,
) -> Path:
    """Write `folder/step-NNNNNN` and delete all but the newest `keep`; returns its path.

    Args:
        state: JSON values to come back from load_checkpoint (position, counters, configuration).
        extras: further text files by name, e.g. the registry's lock.
        companions: by name, the tensors of each model that learns beside the policy.
        describe: writes what else belongs in the folder (configuration and tokenizer of the model).

    Raises:
        CheckpointError: it could not be written (a full disk, say); the earlier checkpoints are untouched.
    """
    target, temporary = folder / f"step-{step:06d}", folder / f"{TEMPORARY}{step:06d}"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        shutil.rmtree(temporary, ignore_errors=True)
        temporary.mkdir()
        save_file(
            {name: tensor.contiguous() for name, tensor in _own_tensors(model).items()},
            temporary / "model.safetensors",
            metadata={"format": "pt"},
        )
        tensors, plain = _optimiser_state(optimiser)
        save_file(tensors, temporary / "optimizer.safetensors")
        body = {
            "format": FORMAT,
            "sums": SUMS,
            "step": step,
            "optimizer": plain,
            "torch_rng": _rng_hex(),
            "state": state,
        }
        for name, own in companions.items():
            save_file({key: value.contiguous() for key, value in own.items()}, temporary / _companion_file(name))
        (temporary / "state.json").write_text(json.dumps(body, ensure_ascii=False), "utf-8")
        for name, text in (extras or {}).items():
            (temporary / name).write_text(text, "utf-8")
        describe(temporary)
        sums = [f"{_sha256(file)}  {file.name}\n" for file in sorted(temporary.iterdir()) if file.is_file()]
        (temporary / SUMS).write_text("".join(sums), "utf-8")
        for file in temporary.iterdir():
            _sync(file)
        if target.exists():
            shutil.rmtree(target)
        temporary.rename(target)
        _sync(folder)
    except (OSError, SafetensorError) as error:
        shutil.rmtree(temporary, ignore_errors=True)
        kept = latest_checkpoint(folder)
        raise CheckpointError(
            f"{target}: not written: {getattr(error, 'strerror', None) or error}; "
            + (f"the last good checkpoint is {kept}" if kept else "there is no earlier checkpoint")
        ) from error
    for old in checkpoints(folder)[:-keep]:
        shutil.rmtree(old, ignore_errors=True)
    return target


def checkpoints(folder: Path) -> list[Path]:
    """Complete checkpoints, oldest first."""
    return sorted(path for path in folder.glob("step-*") if (path / "state.json").exists()) if folder.exists() else []


def latest_checkpoint(folder: Path) -> Path | None:
    """The newest complete checkpoint."""
    found = checkpoints(folder)
    return found[-1] if found else None


def load_checkpoint(path: Path, model: nn.Module, optimiser: torch.optim.Optimizer) -> tuple[int, dict[str, Any]]:
    """Put weights, optimiser and torch's random state back; returns the step and the stored state.

    Raises:
        CheckpointError: damaged, or of another model.
    """
    body = _body(path)
    _check_sums(path, body)

    def read() -> tuple[dict[str, Tensor], dict[str, Tensor]]:
        return load_file(path / "model.safetensors"), load_file(path / "optimizer.safetensors")

    def unreadable(error: Exception) -> Any:
        raise CheckpointError(f"{path}: cannot be read: {error}; {WAY_OUT}") from error

    weights, tensors = boundary(read, unreadable)
    own = _own_tensors(model)
    if own.keys() != weights.keys() or any(own[name].shape != weights[name].shape for name in own):
        raise CheckpointError(f"{path}: belongs to another model")
    with torch.no_grad():
        for name, tensor in own.items():
            tensor.copy_(weights[name])

    def restore() -> None:
        _restore_optimiser(optimiser, tensors, body["optimizer"])
        torch.set_rng_state(torch.frombuffer(bytearray.fromhex(body["torch_rng"]), dtype=torch.uint8).clone())

    def another(error: Exception) -> None:
        raise CheckpointError(f"{path}: belongs to another optimiser: {_line(error)}") from error

    boundary(restore, another)
    return body["step"], body["state"]


def load_companion(path: Path, name: str, load: Callable[[Mapping[str, Tensor]], None]) -> None:
    """Hand a companion the tensors that `save_checkpoint` stored for it; nothing where it had none then.

    After `load_checkpoint`, which finds files that are missing or changed. Raises CheckpointError.
    """
    if not (path / _companion_file(name)).exists():
        return

    def unreadable(error: Exception) -> None:
        raise CheckpointError(f"{path}: the state of {name} cannot be used: {_line(error)}; {WAY_OUT}") from error

    boundary(lambda: load(load_file(path / _companion_file(name))), unreadable)


def _companion_file(name: str) -> str:
    return f"companion-{name}.safetensors"


def remove_leftovers(folder: Path) -> None:
    """Delete what an interrupted write left behind."""
    for path in folder.glob(f"{TEMPORARY}*") if folder.exists() else ():
        shutil.rmtree(path, ignore_errors=True)


def set_aside(folder: Path) -> Path | None:
    """Move the checkpoints of an earlier run out of the way; returns where they are now, None if there were none."""
    if not checkpoints(folder):
        return None
    number = 1
    while (target := folder.with_name(f"{folder.name}-before-{number}")).exists():
        number += 1
    folder.rename(target)
    return target


def stored_state(path: Path) -> dict[str, Any]:
    """The state alone, without weights. Raises CheckpointError."""
    body = _body(path)
    _check_sums(path, body, only="state.json")
    return dict(body["state"])


def _body(path: Path) -> dict[str, Any]:
    """What state.json says, once it proved to be of this format."""
    try:
        body = read_json(path / "state.json")
        found = body["format"]
        if found == FORMAT and not (isinstance(body["state"], dict) and type(body["step"]) is int):
            raise ValueError("state.json: no state, or no step")
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise CheckpointError(f"{path}: cannot be read: {_line(error)}; {WAY_OUT}") from error
    if found != FORMAT:
        raise CheckpointError(f"{path}: format {str(found)[:20]}, this version of rlar reads {FORMAT}")
    return dict(body)


def _check_sums(path: Path, body: dict[str, Any], *, only: str | None = None) -> None:
    """Raise CheckpointError unless every file (or one) is as it was written; warn where nobody can know."""
    sums = path / SUMS
    if "sums" not in body and not sums.exists():
        if only is None:
            logger.warning(
                "%s has no %s (an older rlar wrote it, or somebody deleted it): whether it is whole is not known",
                path,
                SUMS,
            )
        return
    try:
        lines = sums.read_bytes().decode("ascii").removesuffix("\n").split("\n")
        expected = {found[2]: found[1] for line in lines if (found := _SUM_LINE.fullmatch(line))}
        if len(expected) != len(lines) or not expected.keys() >= NEEDED:
            raise ValueError(f"{SUMS} is damaged")
        for name in expected if only is None else (only,):
            if _sha256(path / name) != expected[name]:
                raise ValueError(f"{name} is not as it was written (its SHA-256 is another)")
    except (OSError, ValueError) as error:
        raise CheckpointError(f"{path}: cannot be read: {_line(error)}; {WAY_OUT}") from error


def _sha256(file: Path) -> str:
    with file.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def _line(error: Exception) -> str:
    return " ".join(str(error).split())[:300] or type(error).__name__


def _own_tensors(model: nn.Module) -> dict[str, Tensor]:
    """Parameters and buffers by name, tied ones once."""
    seen: set[int] = set()
    tensors = {}
    for name, tensor in model.state_dict(keep_vars=True).items():
        if tensor.data_ptr() in seen and tensor.numel():
            continue
        seen.add(tensor.data_ptr())
        tensors[name] = tensor.detach()
    return tensors


def _optimiser_state(optimiser: torch.optim.Optimizer) -> tuple[dict[str, Tensor], dict[str, Any]]:
    """Tensors by "parameter.key", and everything else as JSON values."""
    full = optimiser.state_dict()
    tensors: dict[str, Tensor] = {}
    plain: dict[str, Any] = {"groups": full["param_groups"], "values": {}}
    for index, values in full["state"].items():
        for key, value in values.items():
            if isinstance(value, Tensor):
                tensors[f"{index}.{key}"] = value.contiguous()
            else:
                plain["values"][f"{index}.{key}"] = value
    return tensors, plain


def _restore_optimiser(optimiser: torch.optim.Optimizer, tensors: dict[str, Tensor], plain: dict[str, Any]) -> None:
    state: dict[int, dict[str, Any]] = {}
    for name, value in {**tensors, **plain["values"]}.items():
        index, key = name.split(".", 1)
        state.setdefault(int(index), {})[key] = value
    parameters = [each for group in optimiser.param_groups for each in group["params"]]
    for index, values in state.items():
        if not 0 <= index < len(parameters):
            raise ValueError(f"there is no parameter {index}")
        for key, value in values.items():
            if isinstance(value, Tensor) and value.ndim and value.shape != parameters[index].shape:
                raise ValueError(f"{key} of parameter {index} has shape {tuple(value.shape)}")
    groups = [{**group, "betas": tuple(group["betas"])} if "betas" in group else group for group in plain["groups"]]
    optimiser.load_state_dict({"state": state, "param_groups": groups})


def _rng_hex() -> str:
    return bytes(torch.get_rng_state().numpy()).hex()


def _sync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
