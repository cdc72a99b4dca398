"""The process that reads a Parquet file for `rlar.rows.files`: a line on stdout for each row, in order.

A Parquet file may claim anything about its sizes, and pages of a few bytes unfold into gigabytes inside the reader, where
nobody can count them. So the reader has a process with a limit of memory. Lines begin with R (a row as JSON), X (why a row
cannot be used) or E (why the file cannot be read on).
"""

from __future__ import annotations

import json
import math
import os
import sys
from collections.abc import Iterator, Sequence
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from typing import Any

import orjson

from rlar.errors import boundary
from rlar.foreign import DEEPEST
from rlar.process import Pipe, limit_memory
from rlar.rows.example import MAX_ROW_BYTES

MEMORY_BYTES = 2 << 30
BATCH_BYTES = 16 << 20
MOST_ROWS = 1024
"""In a batch, whatever the file claims about their sizes."""


class _Unreadable:
    """Stands for a cell that Arrow could not turn into Python."""

    def __init__(self, error: Exception) -> None:
        self.reason = str(error)[:200]


def main() -> None:
    """Write the rows of the file that the first argument names."""
    out = os.fdopen(Pipe().replies, "wb", buffering=1 << 18)
    try:
        for line in _lines(sys.argv[1]):
            out.write(line + b"\n")
        out.flush()
    except BrokenPipeError:
        os._exit(0)  # nobody reads on


def _lines(path: str) -> Iterator[bytes]:
    import pyarrow.parquet as parquet

    limit_memory(MEMORY_BYTES)
    ended: list[bytes] = []

    def stop(error: Exception) -> Any:
        ended.append(_broken(error))

    file = boundary(lambda: parquet.ParquetFile(path, buffer_size=1 << 20, pre_buffer=False), stop)
    if not ended:
        metadata = file.metadata
        size = sum(metadata.row_group(group).total_byte_size for group in range(metadata.num_row_groups))
        rows = max(1, min(MOST_ROWS, BATCH_BYTES * max(1, metadata.num_rows) // max(1, size)))
        batches = boundary(lambda: file.iter_batches(batch_size=rows, use_threads=False), stop)
    while not ended:
        batch = boundary(lambda: next(batches, None), stop)
        if batch is None:
            break
        names = batch.schema.names
        if len(set(names)) != len(names):
            ended.append(f"Etwo columns of one name; rename one of {sorted(names)}".encode("utf-8", "replace"))
            break
        columns = boundary(lambda batch=batch: [_column_values(column) for column in batch.columns], stop)  # type: ignore[misc]
        for values in () if ended else zip(*columns, strict=True):
            yield boundary(lambda names=names, values=values: _row(names, values), _unusable)  # type: ignore[misc]
    yield from ended


def _broken(error: Exception) -> bytes:
    if isinstance(error, MemoryError):
        reason = (
            f"unfolds into more than {MEMORY_BYTES >> 30} GiB of memory; write it with smaller pages and row groups"
        )
    else:
        reason = f"damaged or unsupported Parquet file: {' '.join(str(error).split())[:500]}"
    return b"E" + reason.encode("utf-8", "replace")


def _unusable(error: Exception) -> bytes:
    reason = (
        "too large" if isinstance(error, MemoryError) else f"unreadable value: {' '.join(str(error).split())[:300]}"
    )
    return b"X" + reason.encode("utf-8", "replace")


def _row(names: Sequence[str], values: Sequence[Any]) -> bytes:
    cells = zip(names, values, strict=True)
    row = {name: _json_value(value) for name, value in cells if value is not None}
    try:
        line = orjson.dumps(row)
    except orjson.JSONEncodeError:  # infinities, integers past 64 bits
        line = json.dumps(row).encode()
    return b"R" + line if len(line) <= MAX_ROW_BYTES else f"Xlonger than {MAX_ROW_BYTES // 1024**2} MB".encode()


class _Infinity(float):
    """orjson would write null for one; a type that it does not know it refuses."""


def _column_values(column: Any) -> list[Any]:
    import pyarrow

    if pyarrow.types.is_temporal(column.type):
        # Nanoseconds and time zones need pandas or tzdata as Python objects; as text they do not.
        column = boundary(lambda: column.cast(pyarrow.string()), lambda _error: column)

    def one_by_one(error: Exception) -> list[Any]:
        if isinstance(error, MemoryError):
            raise error
        return [boundary(lambda index=index: column[index].as_py(), _Unreadable) for index in range(len(column))]  # type: ignore[misc]

    values: list[Any] = boundary(column.to_pylist, one_by_one)
    return values


def _json_value(value: Any, left: int = DEEPEST) -> Any:
    """A Parquet value as JSON: NaN is missing, times and decimals are text, bytes are text where they are UTF-8."""
    if value is None or isinstance(value, str | bool | int):
        return value
    if isinstance(value, float):
        return None if math.isnan(value) else _Infinity(value) if math.isinf(value) else value
    if left == 0:
        raise ValueError(f"nested deeper than {DEEPEST}")
    if isinstance(value, dict):
        return {str(key): _json_value(item, left - 1) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_json_value(item, left - 1) for item in value]
    if isinstance(value, bytes):
        return boundary(value.decode, lambda _error: None)
    if isinstance(value, date | datetime | time):
        return value.isoformat()
    if isinstance(value, Decimal | timedelta):
        return str(value)
    if isinstance(value, _Unreadable):
        raise ValueError(value.reason)
    raise ValueError(f"a {type(value).__name__} is not a JSON value")


if __name__ == "__main__":
    main()
