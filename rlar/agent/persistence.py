"""Where a build's checkpoints live, so that a killed build resumes and Studio opens what the command line did.

The file stands beside the registry: `registry.db` -> `registry.db.trace`. A registry on a server has its file in the
working directory, under a name of its own: two of them never share one.
"""

from __future__ import annotations

import contextlib
import os
import sqlite3
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from langgraph.checkpoint.sqlite import SqliteSaver

from rlar.tools.engine import place, sqlite_path
from rlar.types import digest

if TYPE_CHECKING:
    from langgraph.checkpoint.sqlite.aio import AsyncSqliteSaver

TRACE_VARIABLE = "RLAR_TRACE"
"""Environment variable by which the dev server is told which trace file to open."""


def trace_path(registry: str) -> Path:
    """The checkpoint file of a registry; for a server's URL a file in the working directory.

    That name depends on server, port, database and options, and not on the account that opens it.
    """
    path = sqlite_path(registry)
    if path is not None:
        return path.with_name(path.name + ".trace")
    return Path(f"registry-{digest(place(registry))}.trace")


@contextlib.contextmanager
def open_checkpoints(path: Path) -> Iterator[SqliteSaver]:
    """A LangGraph checkpointer on a SQLite file (WAL, every step on disk before the next begins)."""
    path.parent.mkdir(parents=True, exist_ok=True)
    connection = sqlite3.connect(path, check_same_thread=False, timeout=30)
    try:
        connection.execute("PRAGMA journal_mode=WAL")
        saver = SqliteSaver(connection)
        saver.setup()
        yield saver
    finally:
        connection.close()


@contextlib.asynccontextmanager
async def make_checkpointer() -> AsyncIterator[AsyncSqliteSaver]:
    """What langgraph.json names: the dev server reads and writes the command line's own trace file."""
    from langgraph.checkpoint.sqlite.aio import AsyncSqliteSaver

    path = os.environ.get(TRACE_VARIABLE) or str(trace_path("registry.db"))
    async with AsyncSqliteSaver.from_conn_string(path) as saver:
        yield saver
