"""The rows of a file as JSON objects, streamed: JSON lines, plain or gzip-compressed, and Parquet."""

from __future__ import annotations

import gzip
import io
import json
import re
import time
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Any, NamedTuple

import orjson

from rlar.errors import DatasetError
from rlar.foreign import DEEPEST, too_deep
from rlar.process import FRUGAL, Child
from rlar.rows.example import MAX_ROW_BYTES, RejectedRow, kind_of
from rlar.types import JsonObject

SUFFIXES = (".jsonl", ".ndjson", ".json", ".jsonl.gz", ".ndjson.gz", ".json.gz", ".parquet", ".pq")

FREELY = 64 * 1024 * 1024
TIMES = 200
"""A compressed file may unfold to so many bytes, and to so many times its size beyond; text repeats itself up to 50-fold."""
ROW_COST = 64
"""Counted for a row besides its bytes: a billion empty rows are work, too."""
SILENCE_SECONDS = 300

_NONFINITE = re.compile(r"NaN|Infinity")
_LOSSLESS_FLOAT = 2.0**63


class RawRow(NamedTuple):
    """A row as it stands in the file."""

    origin: str
    row: JsonObject


class _Unfolding:
    """Counts what a compressed file becomes, so that a few kilobytes do not keep a machine busy for days."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._size = path.stat().st_size
        self._left = FREELY + TIMES * self._size

    def add(self, count: int) -> None:
        """Raise DatasetError where it has become too much."""
        self._left -= count
        if self._left < 0:
            raise DatasetError(
                f"{self._path}: its {self._size:,} bytes unfold into more than {TIMES} times as many "
                f"(and {FREELY >> 20} MB); if it is meant, write it as plain JSON lines"
            )


class _Unfolded(io.RawIOBase):
    """What a gzip file holds, counted."""

    def __init__(self, path: Path) -> None:
        self._file = gzip.GzipFile(path, "rb")
        self._unfolding = _Unfolding(path)

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        count = self._file.readinto(buffer)
        self._unfolding.add(count)
        return count

    def row(self) -> None:
        """One more row was read."""
        self._unfolding.add(ROW_COST)

    def close(self) -> None:
        self._file.close()
        super().close()


def checked_file(path: Path) -> Path:
    """The path of a regular file of a known kind. Raises DatasetError that says what it is instead."""
    name = path.name.lower()
    if not path.exists():
        raise DatasetError(f"{path}: no such file")
    if path.is_dir():
        raise DatasetError(f"{path} is a directory; name the files in it")
    if not path.is_file():  # a pipe can be read once, a device such as /dev/zero has no end
        raise DatasetError(f"{path} is a pipe or a device; write its rows to a file")
    if not name.endswith(SUFFIXES):
        raise DatasetError(f"{path}: unknown kind of file; expected one of {', '.join(SUFFIXES)}")
    try:
        with path.open("rb") as stream:
            head = stream.read(4)
    except OSError as error:
        raise DatasetError(f"{path}: cannot be read: {error.strerror or error}") from error
    if not head:
        raise DatasetError(f"{path} is empty")
    if name.endswith((".parquet", ".pq")):
        if head != b"PAR1":
            raise DatasetError(f"{path} is not a Parquet file (it does not begin with PAR1)")
    elif name.endswith(".gz"):
        if head[:2] != b"\x1f\x8b":
            raise DatasetError(f"{path} is not gzip-compressed, though its name ends in .gz")
    elif head[:2] == b"\x1f\x8b":
        raise DatasetError(f"{path} is gzip-compressed; name it {path.name}.gz")
    elif head == b"PAR1":
        raise DatasetError(f"{path} is a Parquet file; name it {path.stem}.parquet")
    elif head[:2] in (b"\xff\xfe", b"\xfe\xff"):
        raise DatasetError(f"{path} is UTF-16; convert it to UTF-8")
    return path


def open_rows(path: Path) -> Iterator[RawRow | RejectedRow]:
    """A file's rows as they are read; rows that cannot be read come as RejectedRow. Raises DatasetError where the file cannot."""
    if path.name.lower().endswith((".parquet", ".pq")):
        return _parquet_rows(path)
    return _json_rows(path)


# ------------------------------------------------------------------------------------------ JSON lines


def _json_rows(path: Path) -> Iterator[RawRow | RejectedRow]:
    number = 0
    blank_from = 0
    try:
        with _open_stream(path) as stream:
            for number, line in _bounded_lines(stream):
                if line is None:
                    yield RejectedRow(f"{path}:{number}", f"line longer than {MAX_ROW_BYTES // 1024**2} MB")
                    continue
                if number == 1:
                    line = line.removeprefix(b"\xef\xbb\xbf")
                    if path.name.lower().endswith((".json", ".json.gz")) and line.lstrip()[:1] == b"[":
                        raise DatasetError(f"{path} is a JSON array; write one object a line (jq -c '.[]')")
                if line.isspace() or not line:
                    blank_from = blank_from or number
                    continue
                if blank_from:
                    for blank in range(blank_from, number):
                        yield RejectedRow(f"{path}:{blank}", "empty line")
                    blank_from = 0
                yield _parse_line(line, f"{path}:{number}")
    except (EOFError, zlib.error, gzip.BadGzipFile) as error:
        raise DatasetError(
            f"{path}: damaged gzip data after line {number:,} ({error}); fetch the file again"
        ) from error
    except OSError as error:
        raise DatasetError(f"{path}: cannot be read past line {number:,}: {error.strerror or error}") from error


def _open_stream(path: Path) -> IO[bytes]:
    if path.name.lower().endswith(".gz"):
        return io.BufferedReader(_Unfolded(path), 1 << 18)
    return path.open("rb", buffering=1 << 18)


def _bounded_lines(stream: IO[bytes]) -> Iterator[tuple[int, bytes | None]]:
    """(number, line) with None for a line over MAX_ROW_BYTES, which is read past in pieces."""
    number = 0
    read = stream.readline
    raw = getattr(stream, "raw", None)
    while line := read(MAX_ROW_BYTES + 1):
        number += 1
        if isinstance(raw, _Unfolded):
            raw.row()
        if len(line) > MAX_ROW_BYTES and line[-1] != 10:
            while line and line[-1] != 10:
                line = read(MAX_ROW_BYTES)
            yield number, None
        else:
            yield number, line


def _parse_line(line: bytes, origin: str) -> RawRow | RejectedRow:
    try:
        value = orjson.loads(line)
    except orjson.JSONDecodeError as error:
        return RejectedRow(origin, _why_broken(line, error))
    if type(value) is not dict:
        return RejectedRow(origin, f"not an object but {kind_of(value)}")
    if line.count(b"[") + line.count(b"{") > DEEPEST and too_deep(value):
        return RejectedRow(origin, f"nested deeper than {DEEPEST}")
    if _rounded(value):
        # orjson reads an integer past 64 bits as a float; json keeps its digits.
        try:
            value = json.loads(line)
        except ValueError as error:
            return RejectedRow(origin, f"broken JSON: {error}")
    return RawRow(origin, value)


def _why_broken(line: bytes, error: orjson.JSONDecodeError) -> str:
    if b"\x00" in line:
        return f"NUL byte at column {line.index(0) + 1}"
    try:
        text = line.decode()
    except UnicodeDecodeError as bad:
        return f"invalid UTF-8 at byte {bad.start + 1}"
    if "depth" in error.msg or "ecursion" in error.msg:
        return f"nested deeper than {DEEPEST}"
    if _NONFINITE.search(text, max(0, error.pos - 1), error.pos + 10):
        return f"NaN or Infinity is not JSON: {error.msg} at column {error.colno}"
    return f"broken JSON: {error.msg} at column {error.colno}"


def _rounded(value: Any) -> bool:
    kind = type(value)
    if kind is float:
        return bool(abs(value) >= _LOSSLESS_FLOAT)
    if kind is dict:
        for item in value.values():
            if type(item) is not str and _rounded(item):
                return True
    elif kind is list:
        for item in value:
            if type(item) is not str and _rounded(item):
                return True
    return False


# ------------------------------------------------------------------------------------------ Parquet


def _parquet_rows(path: Path) -> Iterator[RawRow | RejectedRow]:
    """Rows of a Parquet file, as `rlar.rows.parquet_worker` reads them in a process of its own."""
    unfolding = _Unfolding(path)
    number = 0
    for line in _worker_lines(path):
        kind, body = line[:1], line[1:]
        if kind == b"E":
            raise DatasetError(f"{path}{' has' if body.startswith(b'two') else ':'} {body.decode('utf-8', 'replace')}")
        number += 1
        unfolding.add(len(line) + ROW_COST)
        origin = f"{path}:{number}"
        if kind == b"X":
            yield RejectedRow(origin, body.decode("utf-8", "replace"))
            continue
        try:
            yield RawRow(origin, orjson.loads(body))
        except orjson.JSONDecodeError:
            yield RawRow(origin, json.loads(body))  # an infinity


def _worker_lines(path: Path) -> Iterator[bytes]:
    left = bytearray()
    with Child("rlar.rows.parquet_worker", str(path), environment=FRUGAL) as reader:
        while True:
            try:
                left += reader.read(until=time.monotonic() + SILENCE_SECONDS)
            except TimeoutError:
                raise DatasetError(
                    f"{path}: its reader gave no row for {SILENCE_SECONDS} s; is the file damaged?"
                ) from None
            except EOFError:
                if (end := reader.end()).code:
                    raise DatasetError(f"{path}: its reader ended with {end}") from None
                return
            *lines, rest = left.split(b"\n")
            left = rest
            yield from map(bytes, lines)
