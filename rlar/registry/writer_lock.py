"""One writer at a time: a lock file beside a SQLite registry, a claim row in a server's.

The file is locked by the kernel (flock), which lets go when the process ends however it ends, so a stale lock cannot
exist. A server has no such thing that is portable: there the claim names host and process, is renewed while the writer
lives, and is taken over when that process is gone or has not renewed it for STALE_SECONDS.
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import socket
import threading
import time
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, Engine, inspect, text
from sqlalchemy.exc import SQLAlchemyError

from rlar.errors import RegistryError
from rlar.rows.atomic import write_errors

STALE_SECONDS = 300.0
RENEW_SECONDS = 60.0
_OPENING = 0x726C6172
"""Key of PostgreSQL's advisory lock under which writers open a registry, one after the other."""


class FileLock:
    """Holds `PATH.lock` until released or until this process ends. The file itself stays: deleting it would race."""

    def __init__(self, path: Path) -> None:
        self._path = path.with_name(path.name + ".lock")
        with write_errors(self._path, RegistryError):
            descriptor = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            holder = os.pread(descriptor, 4096, 0).decode("utf-8", "replace").strip()
            os.close(descriptor)
            raise _taken(str(path), holder) from error
        try:
            with write_errors(self._path, RegistryError):
                os.ftruncate(descriptor, 0)
                os.pwrite(descriptor, json.dumps(_claim()).encode(), 0)
        except RegistryError:
            os.close(descriptor)
            raise
        self._descriptor: int | None = descriptor

    @contextlib.contextmanager
    def held(self, _connection: Connection) -> Iterator[None]:
        """A file lock cannot be lost."""
        yield

    def release(self) -> None:
        """Let others write; may be called again."""
        if self._descriptor is not None:
            os.ftruncate(self._descriptor, 0)
            os.close(self._descriptor)
            self._descriptor = None


class RowLock:
    """Holds the `writer` row of a server's registry; a daemon thread renews it."""

    def __init__(
        self,
        engine: Engine,
        address: str,
        *,
        bring_forward: Callable[[Connection], None] = lambda connection: None,
        clock: Callable[[], float] = time.time,
    ) -> None:
        """
        Args:
            bring_forward: makes or upgrades the tables, in the transaction that takes the claim: a refused writer
                changes nothing, and of two that come first only one makes them.

        Raises:
            RegistryError: another process holds the claim.
        """
        self._engine = engine
        self._address = address
        self._clock = clock
        self._done = threading.Event()
        # The token tells two writers of one process apart.
        self._claim = {**_claim(), "token": uuid.uuid4().hex}
        self._is_lost = False
        self._quiet = threading.RLock()
        """Held while the claim must not change under a transaction of this very writer."""
        with self._own_transaction() as connection:
            if connection.dialect.name == "postgresql":
                connection.execute(text(f"SELECT pg_advisory_xact_lock({_OPENING})"))
            is_new = not inspect(connection).has_table("rlar_meta")
            if not is_new:
                self._take(connection)
            bring_forward(connection)
            if is_new:
                self._take(connection)
        threading.Thread(target=self._keep, name="rlar-writer-claim", daemon=True).start()

    @contextlib.contextmanager
    def _own_transaction(self) -> Iterator[Connection]:
        # Each statement must see what others have just committed, not the moment when this transaction began.
        connection = self._engine.connect()
        if connection.dialect.name == "postgresql":
            connection = connection.execution_options(isolation_level="READ COMMITTED")
        with connection, connection.begin():
            yield connection

    def _take(self, connection: Connection) -> None:
        held = connection.execute(text("SELECT value FROM rlar_meta WHERE key = 'writer'")).scalar()
        if held and not self._is_stale(json.loads(held)):
            raise _taken(self._address, held)
        value = json.dumps({**self._claim, "seen": self._clock()})
        if held is None:
            connection.execute(text("INSERT INTO rlar_meta (key, value) VALUES ('writer', :value)"), {"value": value})
        # Compare and swap: of two that find the same stale claim, one gets it.
        elif not self._swap(connection, held, value):
            raise _taken(self._address, "")

    def _is_stale(self, claim: dict[str, Any]) -> bool:
        if claim.get("host") == socket.gethostname() and not _is_alive(int(claim["pid"])):
            return True
        return bool(self._clock() - float(claim["seen"]) > STALE_SECONDS)

    def _swap(self, connection: Connection, old: str, new: str) -> bool:
        statement = text("UPDATE rlar_meta SET value = :new WHERE key = 'writer' AND value = :old")
        return connection.execute(statement, {"old": old, "new": new}).rowcount == 1

    def renew(self) -> None:
        """Say that this writer lives, or learn that another has taken over."""
        with self._quiet:
            with self._own_transaction() as connection:
                held = self._mine(connection)
                if held is not None:
                    self._swap(connection, held, json.dumps({**self._claim, "seen": self._clock()}))
            self._is_lost = held is None

    def check(self) -> None:
        """Raise RegistryError when another process has taken over as the writer."""
        if self._is_lost:
            raise RegistryError(f"another process took over as the writer of {self._address}; start again")

    @contextlib.contextmanager
    def held(self, connection: Connection) -> Iterator[None]:
        """Inside the block nobody else can take over; at its start it is asked whether somebody has.

        A process that slept past STALE_SECONDS (a suspended machine) learns it here, before it writes, and not from
        its next renewal.
        """
        with self._quiet:
            self.check()
            self._is_lost = self._mine(connection) is None
            self.check()
            yield

    def _mine(self, connection: Connection) -> str | None:
        """The stored claim, kept as it is until the transaction ends; None when it is another's."""
        share = " FOR SHARE" if connection.dialect.name == "postgresql" else ""
        held = connection.execute(text(f"SELECT value FROM rlar_meta WHERE key = 'writer'{share}")).scalar()
        return held if held and json.loads(held).get("token") == self._claim["token"] else None

    def _keep(self) -> None:
        while not self._is_lost and not self._done.wait(RENEW_SECONDS):
            # An unreachable server is no reason to give up: the next round tries again, until the claim is stale.
            with contextlib.suppress(SQLAlchemyError):
                self.renew()

    def release(self) -> None:
        """Let others write; may be called again, and is quiet where the database is gone."""
        if not self._done.is_set():
            self._done.set()
            with self._quiet, self._own_transaction() as connection:
                if held := self._mine(connection):
                    statement = text("DELETE FROM rlar_meta WHERE key = 'writer' AND value = :value")
                    connection.execute(statement, {"value": held})


def _claim() -> dict[str, Any]:
    return {
        "host": socket.gethostname(),
        "pid": os.getpid(),
        "since": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
    }


def _is_alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True


def _taken(address: str, holder: str) -> RegistryError:
    try:
        claim = json.loads(holder)
        who = f"process {claim['pid']} on {claim['host']}, since {claim['since']}"
    except (ValueError, TypeError, KeyError):
        who = "another process"
    return RegistryError(f"{address} is being written by {who}; wait for it, or end it. Reading is possible meanwhile")
