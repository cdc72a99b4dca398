"""Opens a registry's database and turns its errors into RegistryError with the way out."""

from __future__ import annotations

import errno
import os
import re
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from sqlalchemy import URL, Engine, QueuePool, create_engine, make_url
from sqlalchemy.exc import (
    ArgumentError,
    DBAPIError,
    IntegrityError,
    NoSuchModuleError,
    OperationalError,
    SQLAlchemyError,
)

from rlar.errors import RegistryError
from rlar.registry.foreign_sqlite import NOT_OURS, ForeignConnection, reader_mode
from rlar.rows.atomic import write_failure, write_trouble

SECRETS = frozenset({"password", "passwd", "sslpassword", "sslkey", "passfile", "token"})
"""Query parameters of a database URL that are shown to nobody."""
_URL = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*://[^\s'\"<>`]+")
_SECRET_PARAMETER = re.compile(r"[?&](?:" + "|".join(sorted(SECRETS)) + r")=", re.IGNORECASE)
_KEPT: dict[str, str] = {}
"""The whole address of those that `keep_secrets` made bare; never written anywhere."""
DATABASE_ERRORS = (SQLAlchemyError, sqlite3.Error)
"""What a statement may raise; see `explained`."""
BUSY_SECONDS = 10.0
"""How long a statement waits for another process's transaction."""


def sqlite_path(address: str) -> Path | None:
    """The file behind a path or a sqlite:/// URL; None for another database's URL."""
    if "://" not in address:
        return Path(address)
    if address.startswith("sqlite:///"):
        return Path(address.removeprefix("sqlite:///"))
    return None


def shown(address: str) -> str:
    """The address without its secrets: for messages, files and whatever else outlives the process.

    It is still an address: with PGPASSWORD or a ~/.pgpass it opens the same database.
    """
    if "://" not in address:
        return address
    url = _parsed(address)
    if url is None:
        return address.split("://", 1)[0] + "://..."
    secret = [name for name in url.query if name.lower() in SECRETS]
    bare = URL.create(
        url.drivername, username=url.username, host=url.host, port=url.port, database=url.database, query=url.query
    )
    return bare.difference_update_query(secret).render_as_string(hide_password=False)


def _has_credentials(url: str) -> bool:
    """Whether an address carries a password, before an @ or among its parameters; errs towards True."""
    before_hosts = url.partition("://")[2].split("@")[:-1]
    return any(":" in part for part in before_hosts) or _SECRET_PARAMETER.search(url) is not None


def keep_secrets(address: str) -> str:
    """`shown(address)`, which from now on opens the same database in this process.

    For whoever stores or prints an address that others will open: a build's configuration goes into checkpoints.
    """
    bare = shown(address)
    if bare != address and not bare.endswith("://..."):
        _KEPT[bare] = address
    return bare


def whole(address: str) -> str:
    """The address with the secrets that `keep_secrets` took out of it in this process."""
    return _KEPT.get(address, address)


def without_secrets(text: str) -> str:
    """A text (a command line, a message) with every URL in it as `shown` has it."""
    return _URL.sub(lambda url: shown(url[0]) if _has_credentials(url[0]) else url[0], text)


def place(address: str) -> str:
    """What two addresses of one registry have in common: the absolute path, or server, port, database and options."""
    path = sqlite_path(address)
    if path is not None:
        return str(path.absolute())
    url = _parsed(address)
    if url is None:
        return shown(address)
    url = make_url(shown(address))
    backend = url.get_backend_name()
    port = url.port or (5432 if backend == "postgresql" else None)
    return URL.create(backend, host=url.host, port=port, database=url.database, query=url.query).render_as_string()


def _parsed(address: str) -> URL | None:
    """The parts of a URL; None where they cannot be told apart for certain."""
    try:
        url = make_url(address)
    except (ArgumentError, ValueError):
        return None
    # A password with a bare "@" in it ends at that "@", and the rest of it would be taken for the host.
    return None if "@" in (url.host or "") else url


def open_engine(address: str, *, readonly: bool) -> Engine:
    """A database engine; connects to nothing yet. Raises RegistryError for an address it cannot use."""
    path = sqlite_path(address)
    if path is None:
        if _parsed(address) is None:
            raise RegistryError(
                f"{shown(address)} is no path and no database URL: postgresql+psycopg://user@host:port/database; "
                "in a password write %40 for @ and %3A for :"
            )
        try:
            # Repeatable read: a snapshot's statements must see one moment, as SQLite's transactions do.
            engine = create_engine(whole(address), pool_pre_ping=True, isolation_level="REPEATABLE READ")
        except (ArgumentError, NoSuchModuleError) as error:
            raise RegistryError(f"{shown(address)} is no path and no database URL: {error}") from error
        except ModuleNotFoundError as error:
            raise RegistryError(f"{shown(address)} needs a driver: `pip install {error.name}`") from error
        return engine.execution_options(postgresql_readonly=True) if readonly else engine

    query = reader_mode(path) if readonly else "mode=rwc"
    uri = f"{path.absolute().as_uri()}?{query}"

    def connect() -> sqlite3.Connection:
        # isolation_level None: transactions begin where we say (registry.py), DDL included.
        connection = sqlite3.connect(
            uri,
            uri=True,
            timeout=BUSY_SECONDS,
            isolation_level=None,
            check_same_thread=False,
            cached_statements=64,
            factory=ForeignConnection,
        )
        connection.execute("PRAGMA foreign_keys = ON")
        connection.execute("PRAGMA cache_size = -65536")
        if readonly:
            connection.execute("PRAGMA query_only = ON")
        else:
            connection.execute("PRAGMA journal_mode = WAL")
            # FULL, not NORMAL: the build's checkpoint file must never be ahead of the registry, not even after a power
            # cut. There are a few hundred commits a build and rows go in thousands at once, so it costs about nothing.
            connection.execute("PRAGMA synchronous = FULL")
        return connection

    return create_engine("sqlite://", creator=connect, poolclass=QueuePool, pool_size=4, max_overflow=32)


@contextmanager
def database_errors(address: str) -> Iterator[None]:
    """Database errors inside the block come out as RegistryError that names the registry, the cause and the way out.

    `address` may be the path of any SQLite file of ours.
    """
    try:
        yield
    except DATABASE_ERRORS as error:
        raise explained(address, error) from error


def explained(address: str, error: Exception) -> RegistryError:
    """A database error as one that names the registry, the cause and the way out."""
    address = shown(address)
    cause = error.orig if isinstance(error, DBAPIError) and error.orig is not None else error
    message = str(cause).strip().splitlines()[0] if str(cause).strip() else type(cause).__name__
    lowered = message.lower()
    if isinstance(error, IntegrityError) or isinstance(cause, sqlite3.IntegrityError):
        return RegistryError(f"{address}: {message}; store the task and the tool before what refers to them")
    if "locked" in lowered or "busy" in lowered:
        return RegistryError(
            f"{address} is locked by another process ({message}); wait for it, or end it, and try again"
        )
    if "not a database" in lowered or "encrypted" in lowered or lowered.startswith(NOT_OURS):
        return RegistryError(f"{address} is not an rlar registry ({message}); name another file with --registry")
    if "full" in lowered or "no space" in lowered:
        return RegistryError(write_failure(address, OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))))
    if "disk i/o" in lowered:
        return RegistryError(_disk_error(address, message, cause))
    if "malformed" in lowered or "corrupt" in lowered:
        return RegistryError(
            f"{address} is damaged ({message}); restore a copy, save what is left with "
            f"`sqlite3 {address} .recover`, or build it again"
        )
    if "readonly" in lowered or "read-only" in lowered:
        return RegistryError(f"{address} cannot be written ({message}); check its permissions and its folder's")
    if "unable to open" in lowered:
        return RegistryError(f"{address} cannot be opened ({message}); check the path and its permissions")
    if "could not serialize" in lowered:
        return RegistryError(f"{address}: another process wrote at the same time ({message}); start again")
    if isinstance(error, OperationalError) and ("connection" in lowered or "authentication" in lowered):
        return RegistryError(
            f"{address} cannot be reached ({message}); check server, port, database and user, and the password in the "
            "URL, in PGPASSWORD or in ~/.pgpass"
        )
    return RegistryError(f"{address}: {message}")


def _disk_error(address: str, message: str, cause: object) -> str:
    """What lies behind SQLite's "disk I/O error": the file is as it was before, and rarely damaged.

    SQLite says it of a full disk, too, where it cannot make room for its -shm file.
    """
    name = getattr(cause, "sqlite_errorname", "") or message
    path = sqlite_path(address)
    trouble = write_trouble(path.absolute().parent) if path is not None else None
    if trouble is not None:
        return write_failure(address, trouble)
    return (
        f"{address} cannot be read or written ({message}: {name}); the disk was full for a moment, or it fails (see `df` and "
        "`dmesg`): run the same command again"
    )
