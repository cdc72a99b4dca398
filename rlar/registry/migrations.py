"""Brings a registry's tables to this version's schema, forward only, with Alembic run from inside the package.

The schema version is the number of the newest script in `alembic/versions/` (0001, 0002, ...). Alembic is imported only
where something has to be changed: a reader of a current registry never pays for it.
"""

from __future__ import annotations

from pathlib import Path

from sqlalchemy import Connection, inspect, text

from rlar.errors import RegistryError

SCRIPTS = Path(__file__).parent / "alembic"
VERSION_TABLE = "rlar_alembic_version"


def known_version() -> int:
    """The schema version that this rlar writes."""
    return max(int(script.name[:4]) for script in (SCRIPTS / "versions").glob("[0-9][0-9][0-9][0-9]_*.py"))


def stored_version(connection: Connection) -> int | None:
    """The schema version of an open database; None where it is no registry."""
    if not inspect(connection).has_table(VERSION_TABLE):
        return None
    number = connection.execute(text(f"SELECT version_num FROM {VERSION_TABLE}")).scalar()
    # A killed creation leaves no table at all on SQLite and PostgreSQL (their DDL is transactional).
    return int(number) if number is not None and str(number).isdigit() else None


def require_readable(connection: Connection, address: str) -> None:
    """Raise RegistryError unless a reader of this version understands the database."""
    stored, known = stored_version(connection), known_version()
    if stored is None:
        raise RegistryError(
            f"{address} is not an rlar registry; make one with "
            f"`rlar agent build-tools --dataset mix.jsonl --registry {address}`"
        )
    if stored > known:
        raise _too_new(address, stored, known)
    if stored < known:
        raise RegistryError(
            f"{address} has schema {stored}, older than this rlar's {known}: open it once for writing to upgrade it "
            f"(any `rlar agent build-tools` or `rlar tools test` on it does); copy the file first to keep the old one"
        )


def upgrade(connection: Connection, address: str, *, create: bool) -> None:
    """Make the tables, or bring older ones forward, in the caller's transaction. Nothing to do: nothing is done.

    Raises RegistryError for a database that holds no registry (and `create` is off, or it holds something else)
    and for one written by a newer rlar.
    """
    stored, known = stored_version(connection), known_version()
    if stored == known:
        return
    if stored is None:
        others = [name for name in inspect(connection).get_table_names() if not name.startswith("rlar_")]
        is_file = connection.dialect.name == "sqlite"
        if not create or (is_file and others):
            what = f"holds other tables ({', '.join(others[:3])})" if others else "is not an rlar registry"
            raise RegistryError(f"{address} {what}; name another file with --registry")
    elif stored > known:
        raise _too_new(address, stored, known)

    from alembic import command
    from alembic.config import Config

    config = Config()
    config.set_main_option("script_location", str(SCRIPTS).replace("%", "%%"))
    config.set_main_option("path_separator", "os")
    config.attributes["connection"] = connection
    command.upgrade(config, "head")


def _too_new(address: str, stored: int, known: int) -> RegistryError:
    return RegistryError(
        f"{address} has schema {stored}, newer than this rlar's {known}; upgrade with `pip install -U rlar`"
    )
