"""A connection to a SQLite file that may come from somebody else.

SQLite runs what the schema of a file says: a view in a table's place answers a SELECT with what it computes, a trigger
writes what nobody asked for, a generated column or an index on an expression calls functions. None of rlar's files
holds any of these, so a file that does is refused before a row of it is read.
"""

from __future__ import annotations

import os
import sqlite3
from pathlib import Path
from typing import Any

NOT_OURS = "not made by rlar"
"""How the message begins where the schema computes."""


class ForeignConnection(sqlite3.Connection):
    """For `sqlite3.connect(..., factory=ForeignConnection)`.

    Raises:
        sqlite3.DatabaseError: damaged, no database, or with something in its schema that computes.
    """

    longest_value = 256 * 2**20
    """Bytes of one text or blob, read or written; SQLite's own limit is 1 GB."""

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        try:
            self.setlimit(sqlite3.SQLITE_LIMIT_LENGTH, self.longest_value)
            self.execute("PRAGMA trusted_schema = OFF")
            self.execute("PRAGMA cell_size_check = ON")
            self.execute("PRAGMA mmap_size = 0")
            for kind, name, table, text in self.execute(
                "SELECT type, name, tbl_name, sql FROM sqlite_master"
            ).fetchall():
                if problem := self._computing(kind, name, table, text):
                    raise sqlite3.DatabaseError(f"{NOT_OURS}: its schema has {problem}")
        except BaseException:
            self.close()
            raise

    def check_pages(self) -> None:
        """Raise sqlite3.DatabaseError where a page is damaged or used twice (such a table may have no end)."""
        verdict = str(self.execute("PRAGMA quick_check(1)").fetchone()[0])
        if verdict != "ok":
            raise sqlite3.DatabaseError(f"malformed: {' '.join(verdict.split())[:200]}")

    def _computing(self, kind: str, name: str, table: str, text: str | None) -> str:
        """What computes in one entry of the schema; "" where nothing does."""
        shown = ascii(str(name)[:60])
        if kind not in ("table", "index"):
            return f"the {ascii(str(kind)[:20])[1:-1]} {shown}"
        if kind == "index":
            columns = self.execute("SELECT cid FROM pragma_index_xinfo(?)", (name,)).fetchall()
            partial = self.execute(
                "SELECT 1 FROM pragma_index_list(?) WHERE name = ? AND partial", (table, name)
            ).fetchone()
            return f"an index on an expression, {shown}" if (-2,) in columns or partial else ""
        if not str(text).startswith("CREATE TABLE "):  # as SQLite itself stores it for a plain table, letter by letter
            return f"the virtual table {shown}"
        hidden = self.execute("SELECT name FROM pragma_table_xinfo(?) WHERE hidden != 0", (name,)).fetchone()
        return f"a generated column in {shown}" if hidden else ""


def reader_mode(path: Path) -> str:
    """How a reader opens a file, as parameters of a SQLite URI."""
    # A reader of a WAL file writes its -shm file; where it may not, and no -wal is there, the file does not change.
    if os.access(path.parent, os.W_OK) and os.access(path, os.W_OK):
        return "mode=rw"  # and query_only on the connection: so that the last one out can clear the -wal and -shm away
    return "mode=ro" if path.with_name(path.name + "-wal").exists() else "mode=ro&immutable=1"
