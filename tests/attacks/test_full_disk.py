"""A disk that is full, read-only or limited: one line that names the file and the cause, and nothing is lost."""

from __future__ import annotations

import resource
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from rlar.errors import RlarError, StorageError
from rlar.tasks.atomic import atomic_binary_writer, write_jsonl_atomic, write_text_atomic

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
