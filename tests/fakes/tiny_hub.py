"""The tiny models of `rlar.testing`, made once a session, and tools from them without a Hub in between."""

from __future__ import annotations

import fcntl
import os
import shutil
from pathlib import Path
from typing import Any

from rlar.gate.policy import load_policy
from rlar.network import Network
from rlar.tool import Resources
from rlar.tools.reward_model.families import HeadReading, readings
from rlar.tools.reward_model.files import INDEX, file_hashes, read_json, small_files, snapshot_folder, weight_files
from rlar.tools.reward_model.store import SHARED_NAME, ModelStore
from rlar.tools.reward_model.tool import RewardModelParams, code_hash
from rlar.types import AnswerKind, Contract, Example, LabelledPair, Message, TaskSpec, ToolKind, ToolSpec
from tests.fakes import toy_task
from tests.fakes.tiny_models import make_models

SHA = "c0ffee" + "0" * 34


def planted_models(factory: Any, *, trained: bool) -> Path:
    """The folder of the planted models, shared by every test (and every worker) of the session; not to be changed."""
    base = factory.getbasetemp()
    if "PYTEST_XDIST_WORKER" in os.environ:
        base = base.parent
    folder = base / ("tiny-hub-trained" if trained else "tiny-hub")
    with (base / f"{folder.name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not (folder / "done").exists():
            make_models(folder, trained=trained)
            (folder / "done").touch()
    return folder


def cached(models: Path, repo: str, cache: Path, sha: str = SHA) -> Path:
    """A model as if it had been downloaded; its files may be changed."""
    folder = snapshot_folder(repo, sha, cache)
    shutil.copytree(models / repo, folder)
    return folder


def readings_of(folder: Path) -> tuple[HeadReading, ...]:
    """How a model in the cache can be read, by its files."""
    readouts = {name: readout.weights for name, readout in load_policy().hub.readouts.items()}
    return readings(
        read_json(folder / "config.json"),
        read_json(folder / "tokenizer_config.json"),
        has_template=(folder / "chat_template.jinja").exists(),
        readouts=readouts,
    )


def spec_of(folder: Path, reading: HeadReading | None = None, **params: Any) -> ToolSpec:
    """A tool from a model in the cache; by default read in the likeliest way."""
    names = [path.name for path in folder.iterdir()]
    small = small_files(names)
    index = read_json(folder / INDEX) if INDEX in small else None
    files = [*small, *weight_files(names, index)]
    reading = reading or readings_of(folder)[0]
    made = RewardModelParams(reading=reading, files=file_hashes(folder, files), **{"max_length": 512, **params})
    repo = folder.parents[1].name.removeprefix("models--").replace("--", "/")
    return ToolSpec(
        kind=ToolKind.REWARD_MODEL,
        name=f"{repo.replace('/', '-')}-{reading.slug}",
        source=f"{repo}@{folder.name}",
        params=made.model_dump(mode="json"),
        code_hash=code_hash(),
    )


def resources_at(cache: Path, limit_bytes: int | None = 10**9, *, hub: str | None = None) -> Resources:
    """Resources whose models lie in this cache, or are fetched from a Hub."""
    resources = Resources(network=Network.of_user([hub] if hub else []))
    resources.shared(SHARED_NAME, lambda: ModelStore(cache_dir=cache, limit_bytes=limit_bytes))
    return resources


def toy_rows() -> TaskSpec:
    """The toy task as discovery would find it: prompts, no references."""
    examples = tuple(
        Example(id=f"toy:{number}", prompt=(Message(role="user", content=prompt.text),))
        for number, prompt in enumerate(toy_task.prompts())
    )
    contract = Contract(answer_kind=AnswerKind.OPEN_ENDED, has_reference=False)
    return TaskSpec(
        fingerprint="f1-70f0e7a5c000", label="open-ended", contract=contract, examples=examples, rows=len(examples)
    )


def toy_pairs(count: int = 40) -> tuple[LabelledPair, ...]:
    """The user's labelled pairs of the toy task."""
    return tuple(
        LabelledPair(prompt=pair.prompt, better=pair.better, worse=pair.worse) for pair in toy_task.pairs(count, seed=5)
    )
