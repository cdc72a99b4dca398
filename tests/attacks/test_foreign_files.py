"""Every reader of files from outside x malicious samples: one line that names the file, nothing runs, bounded time and memory."""

from __future__ import annotations

import gzip
import json
import resource
import shutil
import sqlite3
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from rlar.config import read_config
from rlar.discover.row_router import RowRouter
from rlar.errors import RegistryError, RlarError
from rlar.evals.diff import compare_results
from rlar.gate.policy import load_policy as load_gate_policy
from rlar.registry.content import pack_arrays
from rlar.registry.registry import Registry
from rlar.rows.read import RowStats, usable_rows
from rlar.scoring.cache import DiskCache
from rlar.scoring.lock_file import make_lock, open_lock
from rlar.scoring.unknown import UnknownQueue
from rlar.tools.reward_model.files import count_parameters, read_json
from rlar.trainer.config import TrainConfig, read_train_config
from rlar.trainer.record.checkpoint import load_checkpoint, save_checkpoint
from rlar.trainer.record.metrics import read_metrics
from rlar.trainer.start import make_policy
from rlar.types import Example, Message, Score
from tests.fakes.foreign_samples import (
    DEEP,
    files_of_any_kind,
    npz_of_objects,
    pickled,
    safetensors_of,
    schemas,
    torch_zip,
)
from tests.fakes.small_policies import policy
from tests.fakes.thinning import thinned
from tests.tools.test_registry import fill
from tests.trainer.test_checkpoint import made

MARKER = "it-ran"
SECONDS = 20.0
"""For one sample, on a busy machine; an endless one would never end."""
GROWTH = 1 << 30
"""Bytes that reading a small sample may add to the process."""


@contextmanager
def bounded() -> Iterator[None]:
    """Fails where the block takes long or much memory."""
    started, before = time.monotonic(), resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    yield
    assert time.monotonic() - started < SECONDS
    assert (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) * 1024 < GROWTH


def refused(read: Callable[[], Any], name: str, marker: Path) -> None:
    with bounded(), pytest.raises(RlarError) as caught:
        read()
    told = str(caught.value)
    assert name in told, told
    # Of a dataset the first bad rows follow, one a line.
    assert told.count("\n") <= (10 if told.startswith("no usable row") else 0) and len(told) < 2_000, told
    assert not marker.exists()


# -------------------------------------------------------------------------------- whole files


def read_rows(path: Path) -> list[Any]:
    return list(usable_rows([str(path)], RowStats()))


def read_registry(path: Path) -> None:
    with Registry.open(path, readonly=True) as registry:
        registry.snapshot()


def write_registry(path: Path) -> None:
    with Registry.open(path, create=True) as registry:
        registry.snapshot()


READERS: dict[str, tuple[str, Callable[[Path], Any]]] = {
    "registry": ("registry.db", read_registry),
    "registry to write": ("registry.db", write_registry),
    "lock": ("registry.lock", open_lock),
    "result": ("result.json", lambda path: compare_results(path, path)),
    "gate policy": ("policy.toml", load_gate_policy),
    "build settings": ("build.toml", read_config),
    "training settings": ("train.toml", lambda path: read_train_config(path, {"dataset": 7})),
    "rows": ("rows.jsonl", read_rows),
    "rows, compressed": ("rows.jsonl.gz", read_rows),
    "rows in columns": ("rows.parquet", read_rows),
    "model configuration": ("config.json", read_json),
    "weights": ("model.safetensors", lambda path: count_parameters(path.parent, [path.name])),
}
SAMPLES = files_of_any_kind(Path(MARKER))
FINE = {
    ("registry to write", "empty"),  # a registry is made
    ("build settings", "empty"),  # every setting has a default; the dataset is asked for later
    ("gate policy", "empty"),
    ("rows", "empty"),
    ("rows, compressed", "empty"),
}


@pytest.mark.parametrize("label", thinned(SAMPLES, every=4))
@pytest.mark.parametrize("reader", READERS)
def test_a_file_of_another_kind_is_refused(tmp_path: Path, monkeypatch, reader: str, label: str):
    name, read = READERS[reader]
    monkeypatch.chdir(tmp_path)
    (tmp_path / name).write_bytes(SAMPLES[label])
    if (reader, label) in FINE:
        with bounded():
            try:
                read(tmp_path / name)
            except RlarError as error:
                assert name in str(error)
    else:
        refused(lambda: read(tmp_path / name), name, tmp_path / MARKER)


@pytest.mark.parametrize("reader", ["build settings", "training settings", "gate policy"])
def test_toml_that_is_nested_past_the_stack_is_refused(tmp_path: Path, reader: str):
    name, read = READERS[reader]
    (tmp_path / name).write_text("a = " + "[" * DEEP + "]" * DEEP)
    refused(lambda: read(tmp_path / name), name, tmp_path / MARKER)


def test_rows_that_unpack_without_an_end_are_read_in_bounded_memory(tmp_path: Path):
    path = tmp_path / "rows.jsonl.gz"
    path.write_bytes(gzip.compress(b'{"prompt": "' + b"x" * (400 << 20), 1))
    refused(lambda: read_rows(path), path.name, tmp_path / MARKER)


RESULTS: dict[str, Any] = {
    "no data": {"record": {"format": 1, "kind": "gate"}},
    "data of another type": {"record": {"format": 1, "kind": "gate", "data": [{"name": ["x"]}]}},
    "a record of another type": {"record": ["format"]},
}


@pytest.mark.parametrize("label", RESULTS)
def test_a_result_of_another_shape_is_refused(tmp_path: Path, label: str):
    path = tmp_path / "result.json"
    path.write_text(json.dumps(RESULTS[label]))
    refused(lambda: compare_results(path, path), path.name, tmp_path / MARKER)


def test_a_number_in_a_result_may_be_larger_than_every_float(tmp_path: Path):
    for name, size in (("one.json", 400), ("other.json", 500)):
        record = {"format": 1, "kind": "gate", "data": []}
        (tmp_path / name).write_text(json.dumps({"record": record, "rate": 10**size}))
    assert not compare_results(tmp_path / "one.json", tmp_path / "other.json").changed


# -------------------------------------------------------------------------------- registries


@pytest.fixture(scope="module")
def filled(tmp_path_factory) -> Path:
    path = tmp_path_factory.mktemp("filled") / "registry.db"
    with Registry.open(path, create=True) as registry:
        fill(registry)
        build = registry.start_build({"dataset": ["mix.jsonl"]})
        registry.add_event("admitted", subject="number", build=build)
        registry.finish_build(build, {"tasks": 1})
    return path


@pytest.fixture
def registry_file(filled: Path, tmp_path: Path) -> Path:
    return Path(shutil.copy(filled, tmp_path / "registry.db"))


def read_everything(path: Path) -> None:
    """Every reading method of a registry."""
    with Registry.open(path, readonly=True) as registry:
        registry.data_version()
        tasks = registry.tasks()
        registry.tools()
        registry.certificates()
        registry.latest_certificates()
        registry.recipes()
        for task in tasks:
            registry.standing(task.fingerprint)
        registry.rows_by_prompt([f"{n:032x}" for n in range(3)])
        registry.row_counts()
        registry.router_arrays()
        registry.builds()
        registry.events()
        registry.llm_calls()
        registry.snapshot()
        registry.content_digest()
        make_lock(registry)


TABLES = {
    "rlar_tasks": "details",
    "rlar_tools": "params",
    "rlar_certificates": "body",
    "rlar_recipes": "body",
    "rlar_rows": "binding",
    "rlar_router": "arrays",
    "rlar_alembic_version": "version_num",
}


@pytest.mark.parametrize("label", schemas("t", "c"))
@pytest.mark.parametrize("table", thinned(TABLES, every=6))
@pytest.mark.parametrize("read", [read_everything, write_registry], ids=["read", "write"])
def test_a_registry_whose_schema_computes_is_refused(registry_file: Path, table: str, label: str, read: Any):
    with sqlite3.connect(registry_file) as connection:
        schemas(table, TABLES[table])[label](connection)
    connection.close()
    refused(lambda: read(registry_file), "registry.db", registry_file.with_name(MARKER))


def columns_of(path: Path) -> list[tuple[str, str]]:
    with sqlite3.connect(path) as connection:
        tables = [row[0] for row in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")]
        found = [(table, row[1]) for table in tables for row in connection.execute(f"PRAGMA table_info({table})")]
    connection.close()
    return found


VALUES: dict[str, Any] = {
    "a number": 7,
    "a negative number": -(2**62),
    "bytes": b"\xff\xfe\x00",
    "text": "text",
    "deep json": "[" * DEEP + "]" * DEEP,
    "json null": "null",
    "a list": "[1]",
    "an empty object": "{}",
    "a huge integer": '{"rows": ' + "9" * 5000 + "}",
    "a pickle": pickled(Path(MARKER)),
    "objects in npz": npz_of_objects(Path(MARKER)),
    "infinity": float("inf"),
    "lines": "a\nb\nc" * 2000,
}


@pytest.mark.parametrize("label", thinned(VALUES, every=10))
def test_a_stored_value_of_another_kind_is_refused_or_means_nothing(
    filled: Path, tmp_path: Path, monkeypatch, label: str
):
    monkeypatch.chdir(tmp_path)
    refusals = 0
    for table, column in columns_of(filled):
        path = Path(shutil.copy(filled, tmp_path / "registry.db"))
        with sqlite3.connect(path) as connection:
            try:
                connection.execute(f'UPDATE "{table}" SET "{column}" = ?', (VALUES[label],))
            except sqlite3.IntegrityError:  # a key of several rows, or of an integer type
                continue
            finally:
                connection.commit()
        connection.close()
        with bounded():
            try:
                read_everything(path)
            except RegistryError as error:
                told = str(error)
                assert "registry.db" in told and "\n" not in told and len(told) < 2_000, (table, column, told)
                refusals += 1
            except Exception as error:
                raise AssertionError(f"{table}.{column}: {type(error).__name__}: {str(error)[:200]}") from error
        assert not (tmp_path / MARKER).exists()
    assert refusals >= 5


def test_a_value_past_the_limit_is_refused(registry_file: Path):
    with sqlite3.connect(registry_file) as connection:
        connection.execute("UPDATE rlar_router SET arrays = zeroblob(?)", (300 * 2**20,))
    connection.close()
    refused(lambda: read_everything(registry_file), "registry.db", registry_file.with_name(MARKER))


GOOD_ROUTER = RowRouter.fit([], [], np.zeros((0, 1)), np.zeros(0, dtype=np.int64), 0).to_arrays()
ROUTERS_OF_ANOTHER_SHAPE: dict[str, dict[str, Any]] = {
    "no version": {"version": np.array([])},
    "a version that is text": {"version": np.array(["one"])},
    "a table of versions": {"version": np.zeros((2, 2))},
    "weights of text": {"weights": np.array(["x"])},
    "weights that are not finite": {"fingerprints": np.array(["a"]), "weights": np.full((GOOD_ROUTER["weights"].shape[0], 1), np.nan)},
    "no scale": {"scale": np.array([])},
    "owners that point nowhere": {"centroids": np.zeros((1, GOOD_ROUTER["centroids"].shape[1])), "owners": np.array([10**9])},
    "reach of another shape": {"reach": np.zeros((3, 3, 3))},
    "complex numbers": {"scale": np.array([1j])},
    "dates": {"owners": np.array([], dtype="datetime64[s]")},
    "records": {"owners": np.zeros(0, dtype=[("a", "i4")])},
}  # fmt: skip


@pytest.mark.parametrize("label", ROUTERS_OF_ANOTHER_SHAPE)
def test_router_arrays_of_another_shape_are_refused_by_name(label: str):
    assert RowRouter.from_arrays(GOOD_ROUTER, ()).fingerprints == ()
    arrays = {**GOOD_ROUTER, **ROUTERS_OF_ANOTHER_SHAPE[label]}
    with pytest.raises(RegistryError, match=r"mix\.db: the row router"):
        RowRouter.from_arrays(arrays, (), source="mix.db")
    pack_arrays(arrays)  # a registry may hold each of them


def test_router_arrays_that_miss_one_are_refused_by_name():
    for name in GOOD_ROUTER:
        arrays = {key: value for key, value in GOOD_ROUTER.items() if key != name}
        with pytest.raises(RegistryError, match=r"mix\.db: the row router"):
            RowRouter.from_arrays(arrays, (), source="mix.db")


@pytest.mark.slow
def test_damaged_pages_are_refused_or_change_nothing_that_is_read(filled: Path, tmp_path: Path):
    whole = filled.read_bytes()
    for place in range(0, len(whole), 997):
        body = bytearray(whole)
        body[place] ^= 0xFF
        path = tmp_path / "registry.db"
        path.write_bytes(bytes(body))
        with bounded():
            try:
                read_everything(path)
            except RegistryError as error:
                assert "registry.db" in str(error) and "\n" not in str(error)


# -------------------------------------------------------------------------------- what scoring can do without


@pytest.mark.parametrize("label", thinned([*SAMPLES, *schemas("scores", "body")], every=4))
def test_a_foreign_cache_is_one_warning_and_no_score(tmp_path: Path, monkeypatch, caplog, label: str):
    monkeypatch.chdir(tmp_path)
    path, key = tmp_path / "scores.db", b"k" * 16
    if label in SAMPLES:
        path.write_bytes(SAMPLES[label])
    else:
        good = DiskCache(path)
        good.put_many({key: Score(value=1.0)})
        good.close()
        with sqlite3.connect(path) as connection:
            schemas("scores", "body")[label](connection)
        connection.close()
    with bounded():
        cache = DiskCache(path)
        assert cache.get_many([key]) == [None]
        cache.put_many({key: Score(value=1.0)})
        cache.close()
    assert not (tmp_path / MARKER).exists()
    assert len(caplog.records) == (label != "empty")
    assert all("scores.db" in record.message for record in caplog.records)


def test_a_foreign_queue_of_unknown_rows_is_gone_past(tmp_path: Path):
    path = tmp_path / "unknown.jsonl"
    path.write_bytes(b"".join(body.replace(b"\n", b" ") + b"\n" for body in SAMPLES.values()))
    with bounded():
        UnknownQueue(path).add([Example(id="new-row", prompt=(Message(role="user", content="new"),))])
    assert path.read_bytes().count(b"new-row") == 1


def test_a_foreign_log_of_training_loses_its_bad_lines_and_no_more(tmp_path: Path):
    lines = [body.replace(b"\n", b" ") for body in SAMPLES.values() if b"\xff" not in body and b"\x80" not in body]
    (tmp_path / "metrics.jsonl").write_bytes(b"\n".join([*lines, b'{"step": 3}', b'{"step": "x"}', b"{}"]))
    with bounded():
        assert read_metrics(tmp_path) == [{"step": 3}]


# -------------------------------------------------------------------------------- checkpoints of training


def safe_headers() -> dict[str, bytes]:
    tensor = {"dtype": "F32", "shape": [4], "data_offsets": [0, 16]}
    return {
        "a header past the end": safetensors_of(b"{}")[:4] + b"\xff" * 4 + b"{}",
        "a tensor past the end": safetensors_of({"a": {**tensor, "data_offsets": [0, 1 << 50]}}),
        "tensors on top of each other": safetensors_of({"a": tensor, "b": tensor}, bytes(16)),
        "a shape of trillions": safetensors_of({"a": {**tensor, "shape": [1 << 40, 1 << 20]}}, bytes(16)),
        "a negative shape": safetensors_of({"a": {**tensor, "shape": [-4]}}, bytes(16)),
        "an unknown type": safetensors_of({"a": {**tensor, "dtype": "PICKLE"}}, bytes(16)),
        "a deep header": safetensors_of(b'{"a":' * DEEP),
        "tensors of another model": safetensors_of({"a": tensor}, bytes(16)),
    }


STATES: dict[str, Callable[[dict[str, Any]], None]] = {
    "no format": lambda body: body.pop("format"),
    "no state": lambda body: body.pop("state"),
    "a state of another type": lambda body: body.update(state=[1]),
    "a step of another type": lambda body: body.update(step="1; import os"),
    "random state that is no hex": lambda body: body.update(torch_rng="xyz"),
    "random state that is too short": lambda body: body.update(torch_rng="00"),
    "random state of another type": lambda body: body.update(torch_rng=[1]),
    "no optimiser": lambda body: body.pop("optimizer"),
    "an optimiser of another type": lambda body: body.update(optimizer=[1]),
    "groups of another type": lambda body: body["optimizer"].update(groups="all"),
    "more groups": lambda body: body["optimizer"]["groups"].append({"params": [0]}),
    "values of another parameter": lambda body: body["optimizer"]["values"].update({"99.step": 1.0}),
    "values without a parameter": lambda body: body["optimizer"]["values"].update({"step": 1.0}),
}


def saved(folder: Path) -> Path:
    return save_checkpoint(folder, 1, *made(0, 1), {"place": 7}, keep=1)


@pytest.mark.parametrize("label", thinned([*SAMPLES, *safe_headers(), *STATES], every=4))
@pytest.mark.parametrize("name", ["model.safetensors", "optimizer.safetensors", "state.json"])
def test_a_foreign_checkpoint_is_refused_even_with_sums_that_fit(tmp_path: Path, monkeypatch, name: str, label: str):
    if (name == "state.json") != (label in STATES) and label not in SAMPLES:
        pytest.skip("another file's sample")
    monkeypatch.chdir(tmp_path)
    path = saved(tmp_path)
    if label in STATES:
        body = json.loads((path / name).read_text())
        STATES[label](body)
        body.pop("sums", None)
        (path / name).write_text(json.dumps(body))
    else:
        (path / name).write_bytes({**SAMPLES, **safe_headers()}[label])
    (path / "SHA256SUMS").unlink()
    if name != "state.json":
        body = json.loads((path / "state.json").read_text())
        body.pop("sums")
        (path / "state.json").write_text(json.dumps(body))
    refused(lambda: load_checkpoint(path, *made(1, 0)), "step-000001", tmp_path / MARKER)


def test_tensors_of_the_optimiser_must_fit_their_parameters(tmp_path: Path):
    from safetensors.torch import load_file, save_file

    path = saved(tmp_path)
    tensors = load_file(path / "optimizer.safetensors")
    save_file({key: torch.zeros(7, 7) if value.ndim else value for key, value in tensors.items()}, path / "optimizer.safetensors")  # fmt: skip
    body = json.loads((path / "state.json").read_text())
    body.pop("sums")
    (path / "state.json").write_text(json.dumps(body))
    (path / "SHA256SUMS").unlink()
    refused(lambda: load_checkpoint(path, *made(1, 0)), "step-000001", tmp_path / MARKER)


# -------------------------------------------------------------------------------- folders of models


@pytest.fixture(scope="module")
def model_folder(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("models") / "small"
    made_policy = policy("llama")
    made_policy.model.save_pretrained(folder)
    made_policy.tokenizer.save_pretrained(folder)
    return folder


def load_model(folder: Path) -> None:
    settings = {"dataset": ["rows.jsonl"], "registry": "registry.db", "model": {"name": str(folder), "linear": "torch"}}
    make_policy(TrainConfig.model_validate(settings), resume=False, emit=lambda event: None)


def pickled_weights(folder: Path, body: bytes) -> None:
    (folder / "model.safetensors").unlink()
    (folder / "pytorch_model.bin").write_bytes(body)


def own_code(folder: Path, name: str, maps: dict[str, Any]) -> None:
    file = folder / name
    values = json.loads(file.read_text())
    (folder / "own.py").write_text(f"import pathlib\npathlib.Path({MARKER!r}).mkdir()\nclass Own: pass\n")
    file.write_text(json.dumps({**values, "model_type": "own", "tokenizer_class": "Own", "auto_map": maps}))


MODELS: dict[str, Callable[[Path], None]] = {
    "weights in a pickle": lambda folder: pickled_weights(folder, pickled(Path(MARKER))),
    "weights in a zip of pickles": lambda folder: pickled_weights(folder, torch_zip(Path(MARKER))),
    "a configuration with code": lambda folder: own_code(
        folder, "config.json", {"AutoConfig": "own.Own", "AutoModelForCausalLM": "own.Own"}
    ),
    "a tokenizer with code": lambda folder: own_code(
        folder, "tokenizer_config.json", {"AutoTokenizer": ["own.Own", "own.Own"]}
    ),
    **{
        f"{name}: {label}": lambda folder, name=name, body=body: (folder / name).write_bytes(body)
        for name in ("config.json", "model.safetensors", "tokenizer.json")
        for label, body in SAMPLES.items()
    },
    **{
        f"weights: {label}": lambda folder, body=body: (folder / "model.safetensors").write_bytes(body)
        for label, body in safe_headers().items()
    },
}  # fmt: skip


@pytest.mark.parametrize("label", thinned(MODELS, every=3))
def test_a_foreign_model_or_tokenizer_runs_nothing(model_folder: Path, tmp_path: Path, monkeypatch, label: str):
    folder = Path(shutil.copytree(model_folder, tmp_path / "small"))
    monkeypatch.chdir(tmp_path)
    MODELS[label](folder)
    refused(lambda: load_model(folder), "small", tmp_path / MARKER)


def test_the_model_that_they_are_made_of_is_loaded(model_folder: Path):
    load_model(model_folder)
