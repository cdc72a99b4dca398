"""A real PostgreSQL server for tests: started once a process on loopback, one fresh database for every test that asks.

Data and socket lie in a temporary folder of its own, the password is drawn by chance and checked by the server
(SCRAM), and the server ends with the process that started it, however that ends.
"""

from __future__ import annotations

import atexit
import ctypes
import functools
import os
import pwd
import secrets
import shutil
import signal
import socket
import subprocess
import tempfile
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

PLACES = ("/usr/lib/postgresql/*/bin", "/usr/pgsql-*/bin", "/opt/homebrew/opt/postgresql*/bin")
START_SECONDS = 60.0
SETTINGS = {
    "fsync": "off",
    "full_page_writes": "off",
    "synchronous_commit": "off",
    "autovacuum": "off",
    "shared_buffers": "32MB",
    "max_connections": "80",
    "listen_addresses": "127.0.0.1",
    "log_statement": "none",
}
PR_SET_PDEATHSIG = 1


class Unavailable(Exception):
    """Why this machine runs no PostgreSQL server for tests."""


class Server:
    """A running server; `new_database` gives the URL of an empty one."""

    def __init__(self, folder: Path) -> None:
        self.password = secrets.token_hex(12)
        self._folder = folder
        account = _account()
        binaries = _binaries()
        data, password_file = folder / "data", folder / "password"
        password_file.write_text(self.password)
        if account:
            for path in (folder, password_file):
                os.chown(path, account.pw_uid, account.pw_gid)
        drop: dict[str, Any] = {"user": account.pw_uid, "group": account.pw_gid, "extra_groups": []} if account else {}
        environment = {"PATH": os.environ.get("PATH", ""), "LC_ALL": "C", "HOME": str(folder)}
        # Text sorts as a user's server would sort it ("a_b" after "ab"), not by code point as SQLite does.
        offered = subprocess.run([binaries / "initdb", "--help"], capture_output=True, text=True, check=False, **drop)
        sorting = ["--locale-provider=icu", "--icu-locale=en-US"] if "--icu-locale" in offered.stdout else []
        made = subprocess.run(
            [binaries / "initdb", "-D", data, "-U", "rlar", "-A", "scram-sha-256", "-E", "UTF8", "--locale=C", "-N", *sorting,
             f"--pwfile={password_file}"],
            cwd=folder, env=environment, capture_output=True, text=True, check=False, **drop,
        )  # fmt: skip
        if made.returncode:
            raise Unavailable(f"initdb: {made.stderr.strip()[-300:]}")
        self.port = _free_port()
        options = [part for name, value in SETTINGS.items() for part in ("-c", f"{name}={value}")]
        with (folder / "log").open("wb") as log:
            self._process = subprocess.Popen(
                [binaries / "postgres", "-D", data, "-p", str(self.port), "-k", folder, *options],
                cwd=folder, env=environment, stdout=log, stderr=log, preexec_fn=_die_with_parent, **drop,
            )  # fmt: skip
        atexit.register(self.stop)
        self._wait()

    def _wait(self) -> None:
        import psycopg

        until = time.monotonic() + START_SECONDS
        while True:
            try:
                psycopg.connect(self._plain("postgres"), connect_timeout=5).close()
                return
            except psycopg.OperationalError as error:
                if self._process.poll() is not None or time.monotonic() > until:
                    self.stop()
                    raise Unavailable(f"postgres does not start: {error}") from error
                time.sleep(0.05)

    def _plain(self, database: str) -> str:
        return f"postgresql://rlar:{self.password}@127.0.0.1:{self.port}/{database}"

    def new_database(self) -> str:
        """The URL, with its password, of a database that is empty."""
        import psycopg

        name = f"t{uuid.uuid4().hex[:12]}"
        with psycopg.connect(self._plain("postgres"), autocommit=True) as connection:
            connection.execute(f"CREATE DATABASE {name} STRATEGY file_copy")
        return f"postgresql+psycopg://rlar:{self.password}@127.0.0.1:{self.port}/{name}"

    def stop(self) -> None:
        """End the server and remove its folder."""
        if self._process.poll() is None:
            self._process.send_signal(signal.SIGQUIT)
            self._process.wait()
        shutil.rmtree(self._folder, ignore_errors=True)


@functools.cache
def _start() -> Server | str:
    """The server of this process, or why there is none."""
    folder = Path(tempfile.mkdtemp(prefix="rlar-pg-"))
    try:
        import psycopg  # noqa: F401

        return Server(folder)
    except (Unavailable, OSError, ImportError) as error:
        shutil.rmtree(folder, ignore_errors=True)
        return str(error)


def server() -> Server:
    """The server of this process; the test that asks is skipped, with the reason, where none can be started."""
    found = _start()
    if isinstance(found, str):
        pytest.skip(f"no PostgreSQL server here: {found}")
    return found


@contextmanager
def disconnected(url: str) -> Iterator[None]:
    """Inside the block the database takes no connection, and those that were open are cut."""
    import psycopg

    name = url.rsplit("/", 1)[1]
    with psycopg.connect(server()._plain("postgres"), autocommit=True) as connection:
        connection.execute(f"ALTER DATABASE {name} ALLOW_CONNECTIONS false")
        connection.execute("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = %s", [name])
        try:
            yield
        finally:
            connection.execute(f"ALTER DATABASE {name} ALLOW_CONNECTIONS true")


def _account() -> pwd.struct_passwd | None:
    """Whom root becomes for the server, which refuses to run as root; None: stay who we are."""
    if os.geteuid() != 0:
        return None
    for name in ("postgres", "nobody"):
        try:
            return pwd.getpwnam(name)
        except KeyError:
            continue
    raise Unavailable("this is root, and there is neither a user postgres nor nobody to run the server")


def _binaries() -> Path:
    """The folder that holds initdb and postgres."""
    folders = [Path(found).resolve().parent for name in ("postgres", "initdb") if (found := shutil.which(name))]
    folders += [folder for pattern in PLACES for folder in sorted(Path("/").glob(pattern[1:]), reverse=True)]
    for folder in folders:
        if all((folder / name).exists() for name in ("initdb", "postgres")):
            return folder
    raise Unavailable("initdb and postgres are not installed (Debian: apt-get install postgresql)")


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _die_with_parent() -> None:
    # A test run that is killed leaves no server: SIGQUIT is its immediate shutdown.
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGQUIT)
