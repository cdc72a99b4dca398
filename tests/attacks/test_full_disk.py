"""A disk that is full, read-only or limited: one line that names the file and the cause, and nothing is lost."""

from __future__ import annotations

import resource
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from rlar.errors import RegistryError, RlarError, StorageError
from rlar.tasks.atomic import atomic_binary_writer, write_jsonl_atomic, write_text_atomic
from rlar.tools.engine import database_errors
from rlar.tools.registry import Registry, RowRecord
from rlar.types import AnswerKind, Contract, TaskSpec

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
