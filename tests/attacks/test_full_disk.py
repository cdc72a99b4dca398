"""A disk that is full, read-only or limited: one line that names the file and the cause, and nothing is lost."""

from __future__ import annotations

import json
import resource
import shutil
import sqlite3
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from rlar.agent.build import build_tools
from rlar.config import BuildConfig
from rlar.errors import RegistryError, RlarError, StorageError
from rlar.registry.engine import database_errors
from rlar.registry.registry import Registry, RowRecord
from rlar.rows.atomic import atomic_binary_writer, write_jsonl_atomic, write_text_atomic
from rlar.types import AnswerKind, Contract, TaskSpec
from tests.agent.test_build import small_mix, write_rows

FULL = r"/dev/full cannot be written: No space left on device; free some space and run the same command again"


@contextmanager
def room(size: int) -> Iterator[None]:
    """No file of this process grows past `size` bytes: the error is EFBIG, and what it goes through is what ENOSPC does."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


def write_parquet(path: Path) -> None:
    import pyarrow
    import pyarrow.parquet as parquet

    with atomic_binary_writer(path) as stream:
        parquet.write_table(pyarrow.table({"text": [str(number) * 50 for number in range(5_000)]}), stream)


WRITERS: dict[str, Callable[[Path], object]] = {
    "text": lambda path: write_text_atomic(path, "x" * 100_000),
    "rows": lambda path: write_jsonl_atomic(path, ({"n": number} for number in range(10_000))),
    "gz": lambda path: write_jsonl_atomic(path, ({"n": n * n} for n in range(20_000))),
    "parquet": write_parquet,
}


@pytest.mark.parametrize("kind", WRITERS)
def test_a_file_that_cannot_grow_is_named_and_the_old_one_stays(tmp_path: Path, kind: str):
    path = tmp_path / ("out.jsonl.gz" if kind == "gz" else "out")
    path.write_text("old")
    with room(8192), pytest.raises(StorageError, match=rf"{path} cannot be written: File too large; allow larger"):
        WRITERS[kind](path)
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]
    WRITERS[kind](path)
    assert path.stat().st_size > 8192


@pytest.mark.parametrize("kind", ["text", "rows", "parquet"])
def test_a_full_device_is_named(kind: str):
    with pytest.raises(StorageError, match=FULL):
        WRITERS[kind](Path("/dev/full"))


def test_an_error_of_the_rows_is_not_taken_for_the_files(tmp_path: Path):
    def rows() -> Iterator[dict]:
        yield {"a": 1}
        raise OSError(28, "No space left on device", "/tmp/elsewhere")

    with pytest.raises(OSError, match="elsewhere"):
        write_jsonl_atomic(tmp_path / "out", rows())
    assert list(tmp_path.iterdir()) == []


def test_the_error_survives_pickling():
    import pickle

    with pytest.raises(RlarError) as caught:
        write_text_atomic("/dev/full", "x")
    assert str(pickle.loads(pickle.dumps(caught.value))) == str(caught.value)


# ------------------------------------------------------------------------------------------ the registry


TASK = TaskSpec(
    fingerprint="f1-0123456789ab",
    label="numbers",
    contract=Contract(answer_kind=AnswerKind.NUMBER, has_reference=True),
    rows=7,
)
SIZES = [0, 100, 512, 1024, 4095, 4096, 8192, 12288, 16384, 20480, 32768, 40960, 65536, 81920]


def test_a_registry_whose_making_failed_at_any_size_is_made_by_the_next_run(tmp_path: Path):
    made, refused = [], []
    for size in SIZES:
        path = tmp_path / f"registry-{size}.db"
        try:
            with room(size), Registry.open(path, create=True) as registry:
                made.append(size)
                registry.put_task(TASK)
        except RegistryError as error:
            refused.append(size)
            assert "cannot be written: File too large; allow larger files" in str(error)
        if size not in made:
            assert not Registry.exists(path)
            with pytest.raises(RegistryError, match=r"make one with|no registry at"):
                Registry.open(path, readonly=True)
        with Registry.open(path, create=True) as registry:
            registry.put_task(TASK)
            assert registry.tasks() == [TASK]
    assert 4096 in refused and len(refused) > 5


@pytest.mark.parametrize(
    "files", [["registry.db"], ["registry.db", "registry.db-wal"], ["registry.db", "registry.db.lock"]]
)
def test_what_a_kill_leaves_of_a_registry_is_no_registry_yet(tmp_path: Path, files: list[str]):
    path = tmp_path / "registry.db"
    connection = sqlite3.connect(path, isolation_level=None)
    connection.execute("PRAGMA journal_mode = WAL")
    connection.execute("BEGIN IMMEDIATE")
    connection.execute("CREATE TABLE rlar_tasks (id INTEGER)")
    half = {name: (tmp_path / name).read_bytes() if (tmp_path / name).exists() else b"" for name in files}
    connection.close()
    for leftover in tmp_path.iterdir():
        leftover.unlink()
    for name, content in half.items():
        (tmp_path / name).write_bytes(content)
    assert path.stat().st_size == 4096
    assert not Registry.exists(path)
    with Registry.open(path, create=True) as registry:
        registry.put_task(TASK)
    assert Registry.exists(path)


@pytest.mark.parametrize("size", [8192, 16384, 24576, 36864])
def test_a_registry_that_cannot_grow_is_not_called_damaged(tmp_path: Path, size: int):
    path = tmp_path / "registry.db"
    with Registry.open(path, create=True) as registry:
        registry.put_task(TASK)
        before = registry.content_digest()
    with (
        room(size),
        pytest.raises(RegistryError, match=rf"{path}.* cannot be written: File too large; allow larger files"),
        Registry.open(path) as registry,
    ):
        registry.put_rows(RowRecord(f"{n:032x}", f"{n:032x}", TASK.fingerprint, 0.5, {}) for n in range(3000))
    with Registry.open(path) as registry:
        registry.check()
        assert registry.content_digest() == before
        assert registry.put_rows([RowRecord("0" * 32, "0" * 32, TASK.fingerprint, 0.5, {})]) == 1


def test_a_full_disk_under_a_database_is_named_as_one(tmp_path: Path):
    path = tmp_path / "registry.db"
    full = r"registry.db cannot be written: No space left on device; free some space and run the same command again"
    with (
        Registry.open(path, create=True) as registry,
        pytest.raises(RegistryError, match=full),
        registry.writing() as it,
    ):
        it.exec_driver_sql("PRAGMA max_page_count = 1")
        it.exec_driver_sql("CREATE TABLE more (text TEXT)")
        it.exec_driver_sql("INSERT INTO more SELECT hex(randomblob(500000))")
    with Registry.open(path) as registry:
        registry.check()


def test_an_io_error_whose_cause_is_gone_says_what_to_look_at(tmp_path: Path):
    def fail() -> None:
        with database_errors(str(tmp_path / "registry.db")):
            error = sqlite3.OperationalError("disk I/O error")
            error.sqlite_errorname = "SQLITE_IOERR_SHMSIZE"
            raise error

    with pytest.raises(RegistryError, match=r"SQLITE_IOERR_SHMSIZE.*full for a moment.*`df` and `dmesg`") as caught:
        fail()
    assert "damaged" not in str(caught.value) and "recover" not in str(caught.value)
    with room(4096), pytest.raises(RegistryError, match="cannot be written: File too large"):
        fail()


# ------------------------------------------------------------------------------------------ a real disk of 1 MB


TRAIN = """
dataset = ["{data}/mix.jsonl"]
registry = "{data}/r.db"
output = "run"
steps = 2
prompts_per_step = 4
group_size = 2
max_new_tokens = 4
eval_every = 0
checkpoint_every = 1
audit_every = 0
threads = 1
tensorboard = {tensorboard}
[model]
scratch = {{ hidden_size = 32, num_hidden_layers = 2, num_attention_heads = 2, intermediate_size = 64, max_position_embeddings = 256 }}
linear = "torch"
"""

Ask = Callable[[list[str], int], list[dict[str, Any]]]


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A dataset, completions, and a registry built from them, where there is room."""
    folder = tmp_path_factory.mktemp("data")
    write_rows(folder / "mix.jsonl", small_mix())
    write_rows(
        folder / "rows.jsonl",
        [{**row, "completion": row.get("reference", "x") + " padding" * 30} for row in small_mix()],
    )
    write_rows(
        folder / "policy.jsonl",
        [{**row, "completions": [row["reference"], "no"]} for row in small_mix() if "reference" in row],
    )
    for name in ("true", "false"):
        (folder / f"train-{name}.toml").write_text(TRAIN.format(data=folder, tensorboard=name))
    build_tools(BuildConfig(dataset=(str(folder / "mix.jsonl"),), registry=str(folder / "r.db"), report=None))
    return folder


@pytest.fixture(scope="module")
def on_disk(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Ask]:
    """Runs a command on an empty disk with so many KB, and once more with room: what both said."""
    disk = tmp_path_factory.mktemp("disk")
    mount = 'mount -t tmpfs -o size=1m disk "$1" && exec "$2" "$3" "$1"'
    tried = subprocess.run(["unshare", "-rm", "sh", "-c", mount, "sh", disk, "true", ""], capture_output=True, text=True) if shutil.which("unshare") else None  # fmt: skip
    if tried is None or tried.returncode:
        pytest.skip(f"no disk can be mounted here: {tried.stderr.strip() if tried else 'no unshare'}")
    jobs = Path(__file__).with_name("full_disk_jobs.py")
    process = subprocess.Popen(
        ["unshare", "-rm", "sh", "-c", mount, "sh", disk, sys.executable, jobs],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, bufsize=1,
    )  # fmt: skip

    def ask(arguments: list[str], room: int) -> list[dict[str, Any]]:
        process.stdin.write(json.dumps({"arguments": arguments, "room": room}) + "\n")
        return [json.loads(process.stdout.readline()) for _ in range(2)]

    yield ask
    process.stdin.close()
    assert process.wait(60) == 0


COMMANDS = {
    "build": (["agent", "build-tools", "-d", "{data}/mix.jsonl", "-r", "r.db"], [0, 40, 100, 300, 650]),
    "fresh": (["agent", "build-tools", "--fresh", "-d", "{data}/mix.jsonl", "-r", "r.db"], [100]),
    "lock": (["tools", "lock", "-r", "{data}/r.db", "-o", "rlar.lock"], [0]),
    "score": (["score", "-r", "{data}/r.db", "-i", "{data}/rows.jsonl", "-o", "scored.jsonl"], [0, 8]),
    "score gz": (["score", "-r", "{data}/r.db", "-i", "{data}/rows.jsonl", "-o", "scored.jsonl.gz"], [0]),
    "assign": (["tasks", "assign", "-r", "{data}/r.db", "-i", "{data}/rows.jsonl", "-o", "assigned.jsonl"], [0, 8]),
    "export": (["data", "export", "-r", "{data}/r.db", "-d", "{data}/mix.jsonl", "--to", "verl", "-o", "out"], [0]),
    "export jsonl": (["data", "export", "-r", "{data}/r.db", "-d", "{data}/mix.jsonl", "--to", "trl", "-o", "out.jsonl"], [0]),
    "trace": (["agent", "trace", "-r", "{data}/r.db", "-o", "pages/trace.html"], [0, 20]),
    "eval": (["eval", "policy", "-r", "{data}/r.db", "-i", "{data}/policy.jsonl", "--report", "eval"], [0, 8]),
    "train": (["train", "-c", "{data}/train-false.toml"], [0, 8, 60]),
    "train with TensorBoard": (["train", "-c", "{data}/train-true.toml"], [40]),
}  # fmt: skip
CASES = [(name, room) for name, (_arguments, rooms) in COMMANDS.items() for room in rooms]


@pytest.mark.slow
@pytest.mark.timeout(300)
@pytest.mark.parametrize(("name", "room"), CASES)
def test_a_full_disk_is_one_line_and_the_same_command_works_with_room(on_disk: Ask, data: Path, name: str, room: int):
    if name.startswith("train"):
        pytest.importorskip("torch")
    full, roomy = on_disk([part.format(data=data) for part in COMMANDS[name][0]], room)
    assert "Traceback" not in full["said"], full["said"][-3000:]
    errors = [line for line in full["said"].splitlines() if line.startswith("error: ")]
    if full["status"] == 0:
        assert room, "nothing fits there"
    else:
        assert full["status"] == 1 and len(errors) == 1, full["said"]
        assert "space" in errors[0] and "damaged" not in errors[0], errors[0]
        assert "cannot be written" in errors[0] or "not written" in errors[0]
        assert "standard output" not in errors[0], "it must name the file"
    assert roomy["status"] == 0, roomy["said"][-3000:]
    assert [part for part in roomy["files"] if part.endswith(".tmp")] == []
