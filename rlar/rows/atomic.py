"""Files that appear whole or not at all, and why one could not be written."""

from __future__ import annotations

import contextlib
import errno
import fcntl
import gzip
import io
import json
import os
import secrets
import tempfile
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, TYPE_CHECKING

import orjson

from rlar.errors import DatasetError, RlarError, StorageError
from rlar.types import JsonObject

if TYPE_CHECKING:
    from _typeshed import ReadableBuffer

NAME_BYTES = 100
"""Of the target's name in that of its temporary file: a name has 255 at most."""
NAME_RANDOM = 8
SUFFIX = ".tmp"
PROBE_BYTES = 1 << 20
"""What `write_trouble` writes: more than a database asks for at once."""
_FREE = "free some space and run the same command again"
WAYS_OUT = {
    errno.ENOSPC: _FREE,
    errno.EDQUOT: _FREE,
    errno.EFBIG: "allow larger files (`ulimit -f`, or another file system) and run the same command again",
    errno.EROFS: "name a place that can be written",
    errno.EACCES: "check the permissions of the file and of its folder",
    errno.EPERM: "check the permissions of the file and of its folder",
    errno.EIO: "the disk or its connection fails (see `dmesg`); name a place on another one",
}
"""What a system that refuses a write is asked to be given."""


def write_failure(path: object, error: OSError) -> str:
    """One line: what could not be written, why, and the way out."""
    way_out = WAYS_OUT.get(error.errno or 0)
    return f"{path} cannot be written: {error.strerror or error}" + (f"; {way_out}" if way_out else "")


@contextmanager
def write_errors(path: object, raises: type[RlarError] = StorageError) -> Iterator[None]:
    """OSErrors inside the block come out as one line that names the file, the cause and the way out."""
    try:
        yield
    except OSError as error:
        raise raises(write_failure(path, error)) from error


def write_trouble(folder: Path) -> OSError | None:
    """What the system says to a file of PROBE_BYTES in a folder, which is gone at once; None where it can be written.

    For callers whose library says no more than "disk I/O error".
    """
    try:
        with tempfile.TemporaryFile(dir=folder) as stream:
            stream.write(bytes(PROBE_BYTES))
            stream.flush()
            os.fsync(stream.fileno())
    except OSError as error:
        return error
    return None


class _Target(io.FileIO):
    """A file whose failing writes say which file it was going to be."""

    def __init__(self, file: int | Path, path: Path) -> None:
        super().__init__(file, "wb")
        self._path = path

    def write(self, data: ReadableBuffer, /) -> int:
        with write_errors(self._path):
            return super().write(data) or 0


@contextmanager
def atomic_binary_writer(path: Path) -> Iterator[IO[bytes]]:
    """A stream whose content becomes the file when the block ends; a block that raises leaves the old file as it was.

    A target that exists and is not a regular file (/dev/stdout, a pipe) is written directly. What a killed writer of
    the same target left behind is removed first.

    Raises:
        DatasetError: the target is a directory, or its folder is missing.
        StorageError: the system refuses the write: no space, no permission, read-only.
    """
    target = Path(os.path.realpath(path))  # a symbolic link stays one
    if target.is_dir():
        raise DatasetError(f"cannot write {path}: it is a directory")
    if not target.parent.is_dir():
        raise DatasetError(f"cannot write {path}: no folder {target.parent}")
    if target.exists() and not target.is_file():
        with write_errors(path):
            stream = io.BufferedWriter(_Target(target, path))
        with stream:
            yield stream
        return
    with write_errors(path):
        descriptor, temporary = _open_temporary(target)
    try:
        with io.BufferedWriter(_Target(descriptor, path)) as stream:
            yield stream
            stream.flush()
            with write_errors(path):
                os.fsync(descriptor)
                if target.exists():
                    os.fchmod(descriptor, target.stat().st_mode & 0o777)
                # With the lock held: until it has its own name, another writer must not take it for a leftover.
                temporary.replace(target)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise
    with write_errors(path):
        folder = os.open(target.parent, os.O_RDONLY)
        try:
            os.fsync(folder)  # so that the new name outlives a power cut
        finally:
            os.close(folder)


def _open_temporary(target: Path) -> tuple[int, Path]:
    """A new file beside the target; it stays locked while it is open, which is how a leftover is told from it."""
    prefix = f".{os.fsdecode(os.fsencode(target.name)[:NAME_BYTES])}."
    _remove_leftovers(target.parent, prefix)
    # Never open to more people than the file that it replaces; a new file gets what the umask leaves.
    mode = target.stat().st_mode & 0o777 if target.exists() else 0o666
    while True:
        path = target.parent / f"{prefix}{secrets.token_hex(NAME_RANDOM // 2)}{SUFFIX}"
        try:
            descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, mode)
        except FileExistsError:
            continue
        with contextlib.suppress(OSError):  # a file system without locks: there nothing is removed, either
            fcntl.flock(descriptor, fcntl.LOCK_EX)
        if os.fstat(descriptor).st_nlink:
            return descriptor, path
        os.close(descriptor)  # another writer found it before it was locked


def _remove_leftovers(folder: Path, prefix: str) -> None:
    """Delete the temporary files of writers that were killed: those that nobody holds locked."""
    length = len(prefix) + NAME_RANDOM + len(SUFFIX)
    with contextlib.suppress(OSError), os.scandir(folder) as entries:
        for name in [entry.name for entry in entries]:
            if len(name) == length and name.startswith(prefix) and name.endswith(SUFFIX):
                with contextlib.suppress(OSError):
                    _remove_unlocked(folder / name)


def _remove_unlocked(path: Path) -> None:
    descriptor = os.open(path, os.O_RDWR | os.O_NOFOLLOW | os.O_CLOEXEC)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        # Under this name there may be nothing by now: the writer has given the file its own.
        if os.path.samestat(os.fstat(descriptor), path.lstat()):
            path.unlink()
    finally:
        os.close(descriptor)


def write_text_atomic(path: str | Path, text: str) -> None:
    """Make a text the whole content of a file, in UTF-8; what UTF-8 cannot hold becomes "?". Raises as the stream does."""
    with atomic_binary_writer(Path(path)) as stream:
        stream.write(text.encode("utf-8", "replace"))


def write_jsonl_atomic(path: str | Path, rows: Iterable[JsonObject]) -> int:
    """Write one JSON object a line and return their number; the file appears whole or not at all.

    The rows go to a temporary file beside the target, which replaces it at the end. A name that ends in .gz is
    compressed. A target that is not a regular file (/dev/stdout, a pipe) is written directly.

    Raises:
        DatasetError: the target is a directory, or its folder is missing.
        StorageError: the system refuses the write.
    """
    target = Path(path)
    count = 0
    with atomic_binary_writer(target) as stream:
        out: IO[bytes] = stream
        squeezed = None
        if target.name.lower().endswith(".gz"):
            # No name and no time in the header: equal rows give equal bytes.
            out = squeezed = gzip.GzipFile(filename="", mode="wb", fileobj=stream, mtime=0)  # type: ignore[assignment]
        for row in rows:
            out.write(_json_line(row))
            count += 1
        if squeezed is not None:
            squeezed.close()
    return count


def _json_line(row: JsonObject) -> bytes:
    try:
        return orjson.dumps(row, option=orjson.OPT_APPEND_NEWLINE)
    except TypeError:  # an integer past 64 bits, or a lone surrogate; both can be written in ASCII
        return json.dumps(row).encode() + b"\n"
