"""Scores on disk, shared by processes: a bounded SQLite file that scoring can do without at any moment.

Its own small table instead of a cache library: diskcache, the usual one, has had no release since 2023 and stores pickles,
which run code when whoever may write the file wants it. Here a value is JSON text, checked by a digest over key and text:
a damaged page is a miss. A file that is locked, full or damaged costs one warning, never an error and never a number.

A small thread-safe cache in memory.
"""

from __future__ import annotations

import json
import logging
import sqlite3
import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Hashable, Iterable, Mapping, Sequence
from hashlib import blake2b
from pathlib import Path
from typing import Generic, TypeVar

from pydantic import ValidationError

from rlar.errors import ConfigError
from rlar.registry.foreign_sqlite import NOT_OURS, ForeignConnection
from rlar.types import Score

logger = logging.getLogger(__name__)

BUSY_SECONDS = 0.25
"""A cache that takes longer to answer is slower than scoring again."""
START_SECONDS = 5.0
"""For the first look at the file: several processes may start at once."""
PAUSE_SECONDS = 30.0
"""After trouble that may pass (locked, full); a damaged file is not touched again."""
KEYS_PER_QUERY = 500
CHECK_BYTES = 8
LAYOUT = 1
"""In the file's user_version."""

T = TypeVar("T")


class DiskCache:
    """Scores by key in a file. Thread-safe; processes may share it, each opening it for itself."""

    def __init__(self, path: str | Path, *, max_mb: float = 1024.0) -> None:
        """
        Args:
            max_mb: about as large as the file may grow; then its oldest scores go.

        Raises:
            ConfigError: the path is a folder, or lies in none.
        """
        self.path = Path(path)
        if self.path.is_dir() or not self.path.absolute().parent.is_dir():
            raise ConfigError(f"the cache {self.path} is a folder, or its folder does not exist; name a file")
        self._max_bytes = int(max_mb * 2**20)
        self._lock = threading.Lock()
        self._connection: sqlite3.Connection | None = None
        self._off_until = 0.0
        self._warned: set[str] = set()
        self._written = 0
        self.hits = 0
        self.misses = 0

    def get_many(self, keys: Sequence[bytes]) -> list[Score | None]:
        """The stored score of every key, in order; None where there is none."""
        nothing: dict[bytes, tuple[bytes, bytes]] = {}
        rows = self._guarded(lambda connection: self._read(connection, keys), nothing) if keys else nothing
        scores = [self._checked(key, rows[key]) if key in rows else None for key in keys]
        hits = sum(score is not None for score in scores)
        with self._lock:
            self.hits += hits
            self.misses += len(keys) - hits
        return scores

    def put_many(self, scores: Mapping[bytes, Score]) -> None:
        """Store scores."""
        rows = [(key, *_packed(key, score)) for key, score in scores.items()]
        if rows:
            self._guarded(lambda connection: self._write(connection, rows), None)

    def close(self) -> None:
        """Let the file go."""
        with self._lock:
            self._disconnect()

    # ------------------------------------------------------------------------------------ the file

    def _guarded(self, work: Callable[[sqlite3.Connection], T], nothing: T) -> T:
        """What `work` gives, or `nothing` where the file is of no use now."""
        with self._lock:
            if time.monotonic() < self._off_until:
                return nothing
            try:
                if self._connection is None:
                    self._connection = self._connect()
                return work(self._connection)
            except (sqlite3.Error, OSError) as error:
                self._give_up(error)
                return nothing

    def _connect(self) -> sqlite3.Connection:
        connection = sqlite3.connect(
            self.path,
            timeout=START_SECONDS,
            isolation_level=None,
            check_same_thread=False,
            cached_statements=32,
            factory=ForeignConnection,
        )
        try:
            layout = connection.execute("PRAGMA user_version").fetchone()[0]
            if layout != LAYOUT:
                connection.execute("PRAGMA auto_vacuum = INCREMENTAL")
                connection.execute("BEGIN IMMEDIATE")
                self._make_table(connection)
                connection.execute("COMMIT")
            connection.execute("PRAGMA journal_mode = WAL")
            # Losing the last scores in a power cut is no loss.
            connection.execute("PRAGMA synchronous = OFF")
            connection.execute(f"PRAGMA busy_timeout = {round(BUSY_SECONDS * 1000)}")
        except BaseException:
            connection.close()
            raise
        return connection

    @staticmethod
    def _make_table(connection: sqlite3.Connection) -> None:
        """With the write lock held: another process may have been quicker."""
        layout = connection.execute("PRAGMA user_version").fetchone()[0]
        table = connection.execute("SELECT name FROM sqlite_master").fetchone()
        if layout == LAYOUT:
            return
        if layout or table:
            raise sqlite3.DatabaseError("file is not a database of cached scores")
        connection.execute(
            "CREATE TABLE scores (number INTEGER PRIMARY KEY, key BLOB UNIQUE NOT NULL, body BLOB NOT NULL, sum BLOB NOT NULL)"
        )
        connection.execute(f"PRAGMA user_version = {LAYOUT}")

    @staticmethod
    def _read(connection: sqlite3.Connection, keys: Sequence[bytes]) -> dict[bytes, tuple[bytes, bytes]]:
        rows: dict[bytes, tuple[bytes, bytes]] = {}
        for start in range(0, len(keys), KEYS_PER_QUERY):
            some = keys[start : start + KEYS_PER_QUERY]
            marks = ",".join("?" * len(some))
            query = f"SELECT key, body, sum FROM scores WHERE key IN ({marks})"
            rows.update({key: (body, check) for key, body, check in connection.execute(query, some)})
        return rows

    def _write(self, connection: sqlite3.Connection, rows: list[tuple[bytes, bytes, bytes]]) -> None:
        connection.execute("BEGIN IMMEDIATE")
        try:
            connection.executemany(
                "INSERT INTO scores (key, body, sum) VALUES (?, ?, ?) "
                "ON CONFLICT (key) DO UPDATE SET body = excluded.body, sum = excluded.sum",
                rows,
            )
            self._written += len(rows)
            if self._written >= 1000:
                self._written = 0
                self._shrink(connection)
            connection.execute("COMMIT")
        except BaseException:
            if connection.in_transaction:
                connection.execute("ROLLBACK")
            raise

    def _shrink(self, connection: sqlite3.Connection) -> None:
        """Let the oldest fifth go where the file has grown too large."""
        pages, free, size = (
            connection.execute(f"PRAGMA {name}").fetchone()[0] for name in ("page_count", "freelist_count", "page_size")
        )
        if (pages - free) * size <= self._max_bytes:
            return
        first, last = connection.execute("SELECT min(number), max(number) FROM scores").fetchone()
        connection.execute("DELETE FROM scores WHERE number < ?", (first + (last - first + 1) // 5,))
        connection.execute("PRAGMA incremental_vacuum").fetchall()

    def _give_up(self, error: Exception) -> None:
        message = str(error) or type(error).__name__
        may_pass = isinstance(error, sqlite3.OperationalError | OSError) and not _is_damage(message)
        self._off_until = time.monotonic() + (PAUSE_SECONDS if may_pass else float("inf"))
        self._disconnect()
        kind = "passing" if may_pass else "damaged"
        if kind not in self._warned:
            self._warned.add(kind)
            until = f"it is tried again every {PAUSE_SECONDS:g} s" if may_pass else "this process leaves it alone"
            logger.warning(
                "the score cache %s cannot be used (%s); scoring goes on without it, %s", self.path, message, until
            )

    def _disconnect(self) -> None:
        if self._connection is not None:
            try:
                self._connection.close()
            except sqlite3.Error:
                pass
            self._connection = None

    def _checked(self, key: bytes, row: tuple[bytes, bytes]) -> Score | None:
        body, check = row
        if type(body) is not bytes or _sum(key, body) != check:
            return None
        try:
            score = Score.model_validate_json(body)
        except ValidationError:
            return None
        return score if score.status in ("ok", "abstain") else None


def _packed(key: bytes, score: Score) -> tuple[bytes, bytes]:
    body = json.dumps(score.model_dump(mode="json", exclude_defaults=True) | {"value": score.value}).encode("ascii")
    return body, _sum(key, body)


def _sum(key: bytes, body: bytes) -> bytes:
    return blake2b(key + body, digest_size=CHECK_BYTES).digest()


def _is_damage(message: str) -> bool:
    lowered = message.lower()
    return any(
        word in lowered
        for word in ("malformed", "corrupt", "not a database", "no such table", "no such column", NOT_OURS)
    )


Key = TypeVar("Key", bound=Hashable)
Value = TypeVar("Value")


class LruCache(Generic[Key, Value]):
    """The `size` most recently used values, by key."""

    def __init__(self, size: int) -> None:
        self._size = size
        self._values: OrderedDict[Key, Value] = OrderedDict()
        self._lock = threading.Lock()

    def get(self, key: Key) -> Value | None:
        """The value of a key, or None."""
        return self.get_many((key,))[0]

    def get_many(self, keys: Iterable[Key]) -> list[Value | None]:
        """The value of every key, in order; None where there is none."""
        values = self._values
        hits: list[Value | None] = []
        with self._lock:
            for key in keys:
                value = values.get(key)
                if value is not None:
                    values.move_to_end(key)
                hits.append(value)
        return hits

    def put(self, key: Key, value: Value) -> None:
        """Store a value; the least recently used ones make room."""
        self.put_many({key: value})

    def put_many(self, values: Mapping[Key, Value]) -> None:
        """Take all values; the oldest others go."""
        with self._lock:
            for key, value in values.items():
                self._values[key] = value
                self._values.move_to_end(key)
            while len(self._values) > self._size:
                self._values.popitem(last=False)

    def clear(self) -> None:
        """Forget everything."""
        with self._lock:
            self._values.clear()
