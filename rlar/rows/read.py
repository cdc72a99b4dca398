"""Files of rows -> Examples, streamed: JSONL, JSONL.gz and Parquet in the row shapes of rlar, verl, TRL and OpenRLHF.

A row that cannot be used is a RejectedRow that names file, line and reason; a file that cannot be used is a
DatasetError. Memory does not grow with the file, except for 8 bytes per explicit id (duplicates are found by them).
How a row becomes an Example is in rows.py, how a file is read in files.py.
"""

from __future__ import annotations

from array import array
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from hashlib import blake2b
from pathlib import Path

from rlar.errors import DatasetError
from rlar.rows.atomic import write_jsonl_atomic
from rlar.rows.example import (
    REFERENCE_COLUMNS,
    USUAL_COLUMNS,
    ColumnMap,
    RejectedRow,
    Unusable,
    completions_of,
    row_to_example,
    to_example,
)
from rlar.rows.files import RawRow, checked_file, open_rows
from rlar.types import Example

__all__ = [
    "REFERENCE_COLUMNS",
    "ColumnMap",
    "RawRow",
    "RejectedRow",
    "RowStats",
    "check_usable",
    "completions_of",
    "read_objects",
    "read_rows",
    "row_to_example",
    "usable_rows",
    "write_jsonl_atomic",
]


@dataclass
class RowStats:
    """How many rows were usable, and why the others were not."""

    used: int = 0
    rejected: int = 0
    first_rejected: list[RejectedRow] = field(default_factory=list)
    """The first KEPT_REASONS of them."""

    KEPT_REASONS = 100

    @property
    def read(self) -> int:
        """Rows that were read, usable or not."""
        return self.used + self.rejected

    def reject(self, row: RejectedRow) -> None:
        """Count a rejected row; the first few are kept with their reasons."""
        self.rejected += 1
        if len(self.first_rejected) < self.KEPT_REASONS:
            self.first_rejected.append(row)


def read_objects(paths: Sequence[str | Path]) -> Iterator[RawRow | RejectedRow]:
    """Every row of the files, in order, as the JSON object that it is.

    Blank lines after the last row are ignored; a blank line between rows is a rejected row.

    Raises:
        DatasetError: at once for a file that is missing, empty, a directory, unreadable or of another format;
            while iterating for one that turns out to be damaged.
    """
    files = [checked_file(Path(path)) for path in paths]
    if not files:
        raise DatasetError("no dataset given; name at least one .jsonl, .jsonl.gz or .parquet file")
    return (row for path in files for row in open_rows(path))


def read_rows(
    paths: Sequence[str | Path], *, columns: ColumnMap = USUAL_COLUMNS, unique_ids: bool = True
) -> Iterator[Example | RejectedRow]:
    """Every row of the files, in order, as an Example or with the reason why it cannot be one.

    Args:
        unique_ids: reject a row whose explicit id an earlier usable row *of the same file* had. (Two files may
            both count from 0; rows without an id are never duplicates.)

    Raises:
        DatasetError: as read_objects.
    """
    files = [Path(path) for path in paths]
    read_objects(files)  # all files are looked at before the first row is read
    return (row for path in files for row in _examples(path, columns, unique_ids))


def usable_rows(
    paths: Sequence[str | Path],
    stats: RowStats,
    *,
    columns: ColumnMap = USUAL_COLUMNS,
    unique_ids: bool = True,
    max_bad_fraction: float = 0.1,
) -> Iterator[Example]:
    """The Examples of the files; rejected rows are counted in `stats`, and too many of them are an error.

    Raises:
        DatasetError: as read_rows, and as check_usable after the last row (or early, when none of the first 1,000
            rows can be used).
    """
    for row in read_rows(paths, columns=columns, unique_ids=unique_ids):
        if isinstance(row, RejectedRow):
            stats.reject(row)
            if stats.used == 0 and stats.rejected >= 1000:
                break
        else:
            stats.used += 1
            yield row
    check_usable(stats, max_bad_fraction=max_bad_fraction)


def check_usable(stats: RowStats, *, max_bad_fraction: float = 0.1, grace: int = 10) -> None:
    """Raise DatasetError where nothing is usable or too much is not, naming the first few reasons.

    Too much: more than `max_bad_fraction` of the rows, once more than `grace` rows are bad (a small file may have a
    few); more than half in any case.
    """
    bad, read = stats.rejected, stats.read
    few = "".join(f"\n  {origin}: {reason}" for origin, reason in stats.first_rejected[:5])
    if bad > 5:
        few += f"\n  ... and {bad - 5:,} more"
    if stats.used == 0:
        raise DatasetError(f"no usable row: {bad:,} of {read:,} rows rejected{few}" if read else "no rows at all")
    if (bad > grace and bad > max_bad_fraction * read) or (bad > max(0.5, max_bad_fraction) * read):
        raise DatasetError(
            f"{bad:,} of {read:,} rows ({bad / read:.0%}) cannot be used; at most {max_bad_fraction:.0%} may be bad{few}"
        )


def _examples(path: Path, columns: ColumnMap, unique_ids: bool) -> Iterator[Example | RejectedRow]:
    seen = IdSet()
    for raw in open_rows(path):
        if type(raw) is RejectedRow:
            yield raw
            continue
        origin, row = raw
        try:
            example, has_id = to_example(row, origin, columns)  # type: ignore[arg-type]
        except Unusable as unusable:
            yield RejectedRow(origin, str(unusable))
            continue
        if has_id and unique_ids and not seen.add(example.id):
            yield RejectedRow(origin, f"duplicate id {example.id[:80]!r}")
        else:
            yield example


class IdSet:
    """Which texts were seen, at about 8 bytes each plus 5 MB.

    Texts are told apart by 64 hash bits: among a million, a false "seen" happens once in 37 million files.
    """

    BUCKETS = 1 << 16

    def __init__(self) -> None:
        self._buckets: list[array[int] | None] = [None] * self.BUCKETS

    def add(self, text: str) -> bool:
        """True if the text is new."""
        value = int.from_bytes(blake2b(text.encode(), digest_size=8).digest(), "little")
        slot = value % self.BUCKETS
        bucket = self._buckets[slot]
        if bucket is None:
            self._buckets[slot] = array("Q", (value,))
            return True
        if value in bucket:
            return False
        bucket.append(value)
        return True
