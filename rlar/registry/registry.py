"""The registry: tasks, tools, certificates, recipes, rows and builds in one SQL database; domain types in and out.

One writer at a time, any number of readers beside it. Every put is idempotent, so a build that was killed and resumed
ends in the same content (`content_digest` proves it). SQLite by default; the URL of a server works with the same code.
"""

from __future__ import annotations

import threading
import uuid
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from itertools import islice
from operator import attrgetter, itemgetter
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sqlalchemy import Connection, delete, event, func, insert, inspect, select, text, update

from rlar.errors import RegistryError
from rlar.registry import content, migrations
from rlar.registry import statements as sql
from rlar.registry.engine import (
    DATABASE_ERRORS,
    database_errors,
    explained,
    open_engine,
    shown,
    sqlite_path,
    whole,
)
from rlar.registry.records import Build, Event, LlmCall, RegistrySnapshot, RowRecord, Standing, standing, tool_ids
from rlar.registry.tables import to_json
from rlar.registry.writer_lock import FileLock, RowLock
from rlar.types import Certificate, JsonObject, Recipe, TaskSpec, ToolSpec, digest

if TYPE_CHECKING:
    import numpy as np

__all__ = ["Build", "Event", "LlmCall", "Registry", "RegistrySnapshot", "RowRecord", "Standing"]

CHUNK = 20_000
"""Rows a transaction in `put_rows`: what a kill can lose."""
KEYS_PER_QUERY = 500


class Registry:
    """An open registry; use it as a context manager. Thread-safe."""

    def __init__(self, address: str, *, readonly: bool) -> None:
        """Private: use `Registry.open`."""
        self.address = whole(address)
        self.readonly = readonly
        self.name = shown(address)
        self._engine = open_engine(address, readonly=readonly)
        if sqlite_path(address) is not None:
            event.listen(self._engine, "begin", _begin)
        self._write_lock = threading.RLock()
        self._claim: FileLock | RowLock | None = None
        self._is_closed = False

    # -------------------------------------------------------------------------------- opening and closing

    @classmethod
    def open(cls, url_or_path: str | Path, *, create: bool = False, readonly: bool = False) -> Registry:
        """An open registry: the one writer, or with `readonly` one of many readers.

        A writer makes missing tables (with `create`) and brings older ones forward; a reader changes nothing.

        Raises:
            RegistryError: missing, no registry, damaged, locked, being written by another process (writer only),
                of an older schema (reader only) or a newer one. The message says what to do.
        """
        address = str(url_or_path)
        path = sqlite_path(address)
        if path is not None:
            _check_path(path, create=create and not readonly)
        registry = cls(address, readonly=readonly)
        try:
            with database_errors(address):
                registry._start(path, create=create)
        except BaseException:
            registry.close()
            raise
        return registry

    @staticmethod
    def exists(url_or_path: str | Path) -> bool:
        """Whether something that may be a registry is there.

        A file without any table is none: that is what a kill or a full disk leaves of one that was being made.

        Raises:
            RegistryError: the file is no database, or the server cannot be reached.
        """
        address = str(url_or_path)
        path = sqlite_path(address)
        if path is not None and not (path.is_file() and path.stat().st_size > 0):
            return False
        engine = open_engine(address, readonly=True)
        try:
            with database_errors(address), engine.connect() as connection:
                schema = inspect(connection)
                if path is not None:
                    return bool(schema.get_table_names())
                return schema.has_table(migrations.VERSION_TABLE)
        finally:
            engine.dispose()

    def _start(self, path: Path | None, *, create: bool) -> None:
        if self.readonly:
            with self._engine.connect() as connection:
                migrations.require_readable(connection, self.name)
            return

        def bring_forward(connection: Connection) -> None:
            migrations.upgrade(connection, self.name, create=create)
            if not connection.execute(select(sql.COUNTERS).where(sql.COUNTERS.c.name == "data_version")).first():
                connection.execute(insert(sql.COUNTERS).values(name="data_version", value=1))

        if path is None:
            self._claim = RowLock(self._engine, self.name, bring_forward=bring_forward)
            return
        self._claim = FileLock(path)
        with self._engine.connect().execution_options(rlar_writes=True) as connection, connection.begin():
            bring_forward(connection)

    def close(self) -> None:
        """Let go of the database and, for a writer, of its lock. The last one out folds the WAL back into the file."""
        if not self._is_closed:
            self._is_closed = True
            try:
                if self._claim is not None:
                    with database_errors(self.address):
                        self._claim.release()
            finally:
                self._engine.dispose()

    def __enter__(self) -> Registry:
        return self

    def __exit__(self, *_exc: object) -> None:
        self.close()

    @contextmanager
    def reading(self) -> Iterator[Connection]:
        """A read transaction: everything inside sees one state."""
        self._check_open()
        try:
            with (
                self._engine.connect() as connection,
                connection.begin(),
                self._stored_values(ValueError, TypeError, LookupError, AttributeError, RecursionError, OverflowError),
            ):
                yield connection
        except DATABASE_ERRORS as error:
            raise explained(self.address, error) from error

    @contextmanager
    def _stored_values(self, *kinds: type[Exception]) -> Iterator[None]:
        """What reading a damaged or foreign value raises comes out as RegistryError that names the registry."""
        try:
            yield
        except kinds as error:
            problem = " ".join(str(error).split())
            problem = (
                problem if isinstance(error, sql.UnreadableValue) else f"a stored value cannot be read ({problem})"
            )
            raise RegistryError(
                f"{self.name}: {ascii(problem[:300])[1:-1]}; the registry is damaged or was edited by hand: restore a copy, "
                "or build it again"
            ) from error

    @contextmanager
    def writing(self, *, is_news: bool = True) -> Iterator[Connection]:
        """A write transaction, committed at the end of the block or not at all; `is_news`: with a new data version."""
        self._check_open()
        if self.readonly:
            raise RegistryError(f"{self.name} is open for reading only; Registry.open(...) without readonly=True")
        assert self._claim is not None, "a writer holds a claim"
        with (
            self._write_lock,
            database_errors(self.address),
            self._engine.connect().execution_options(rlar_writes=True) as connection,
            connection.begin(),
            self._claim.held(connection),
            self._stored_values(sql.UnreadableValue),
        ):
            yield connection
            if not is_news:
                return
            grown = (
                update(sql.COUNTERS).where(sql.COUNTERS.c.name == "data_version").values(value=sql.COUNTERS.c.value + 1)
            )
            connection.execute(grown)

    def _check_open(self) -> None:
        if self._is_closed:
            raise RegistryError(f"{self.name} has been closed")

    def data_version(self) -> int:
        """A number that grows with every committed change but of rows: what a running reader compares."""
        with self.reading() as connection:
            return self._data_version(connection)

    @staticmethod
    def _data_version(connection: Connection) -> int:
        """Raises TypeError where the registry has lost its counter."""
        counter = select(sql.COUNTERS.c.value).where(sql.COUNTERS.c.name == "data_version")
        return int(connection.execute(counter).scalar())  # type: ignore[arg-type]  # None where the row is gone

    def check(self) -> None:
        """Read the whole database and raise RegistryError if it is damaged (SQLite only; minutes on a huge one)."""
        if sqlite_path(self.address) is None:
            return
        with self.reading() as connection:
            problems = connection.execute(text("PRAGMA integrity_check(5)")).scalars().all()
        if problems != ["ok"]:
            raise RegistryError(f"{self.name} is damaged ({'; '.join(problems)}); restore a copy or build it again")

    # -------------------------------------------------------------------------------- tasks

    def put_task(self, task: TaskSpec) -> None:
        """Store a task with its examples; one that is there already is updated."""
        with self.writing() as connection:
            sql.write_task(connection, task)

    def task(self, fingerprint: str) -> TaskSpec | None:
        """The task with its example rows, or None."""
        tasks = self._tasks_where(sql.TASKS.c.fingerprint == fingerprint)
        return tasks[0] if tasks else None

    def tasks(self, *, with_examples: bool = True) -> list[TaskSpec]:
        """All tasks, by fingerprint."""
        return self._tasks_where(None, with_examples=with_examples)

    def _tasks_where(self, condition: Any, *, with_examples: bool = True) -> list[TaskSpec]:
        with self.reading() as connection:
            return sql.read_tasks(connection, condition, with_examples=with_examples)

    # -------------------------------------------------------------------------------- tools and certificates

    def put_tool(self, tool: ToolSpec) -> str:
        """Store a tool once; its id. A second put of the same id changes nothing, not even the provenance."""
        with self.writing() as connection:
            sql.write_tool(connection, tool)
        return tool.id

    def tool(self, tool_id: str) -> ToolSpec | None:
        """The tool, or None."""
        with self.reading() as connection:
            row = connection.execute(select(sql.TOOLS).where(sql.TOOLS.c.id == tool_id)).first()
            return sql.tool_of(row) if row else None

    def tools(self) -> list[ToolSpec]:
        """All tools, by id."""
        with self.reading() as connection:
            return sorted(map(sql.tool_of, connection.execute(select(sql.TOOLS))), key=attrgetter("id"))

    def served_tools(self) -> list[ToolSpec]:
        """The tools that the latest recipes use, by id."""
        used = {tool for recipe in self.recipes() for tool in tool_ids(recipe)}
        return [tool for tool in self.tools() if tool.id in used]

    def put_certificate(self, certificate: Certificate) -> None:
        """Append a certificate, now the latest of its (tool, task); the very same one twice is one row."""
        with self.writing() as connection:
            sql.write_certificate(connection, certificate)

    def certificates(self, tool_id: str | None = None, fingerprint: str | None = None) -> list[Certificate]:
        """Every certificate ever stored for the tool and/or task, oldest first."""
        query = select(sql.CERTIFICATES.c.body).order_by(sql.CERTIFICATES.c.id)
        if tool_id is not None:
            query = query.where(sql.CERTIFICATES.c.tool_id == tool_id)
        if fingerprint is not None:
            query = query.where(sql.CERTIFICATES.c.fingerprint == fingerprint)
        with self.reading() as connection:
            return [sql.parsed(Certificate, body) for body in connection.execute(query).scalars()]

    def latest_certificate(self, tool_id: str, fingerprint: str) -> Certificate | None:
        """The newest verdict on a tool for a task: the one that decides."""
        query = (
            select(sql.CERTIFICATES.c.body)
            .where(sql.CERTIFICATES.c.fingerprint == fingerprint, sql.CERTIFICATES.c.tool_id == tool_id)
            .order_by(sql.CERTIFICATES.c.id.desc())
            .limit(1)
        )
        with self.reading() as connection:
            body = connection.execute(query).scalar()
            return sql.parsed(Certificate, body) if body is not None else None

    def latest_certificates(self, fingerprint: str | None = None) -> list[Certificate]:
        """The newest verdict of every (tool, task), ordered by task and tool."""
        with self.reading() as connection:
            return sql.read_latest_certificates(connection, fingerprint)

    # -------------------------------------------------------------------------------- recipes

    def put_recipe(self, recipe: Recipe) -> Recipe:
        """The recipe as stored, with its version: a new one unless it equals the latest but for the version."""
        with self.writing() as connection:
            return sql.write_recipe(connection, recipe)

    def recipe(self, fingerprint: str, version: int | None = None) -> Recipe | None:
        """A version of a task's recipe, by default the latest; whether it is served is `standing`'s to say."""
        query = select(sql.RECIPES.c.body).where(sql.RECIPES.c.fingerprint == fingerprint)
        query = query.where(sql.RECIPES.c.version == version) if version is not None else query
        with self.reading() as connection:
            body = connection.execute(query.order_by(sql.RECIPES.c.version.desc()).limit(1)).scalar()
            return sql.parsed(Recipe, body) if body is not None else None

    def recipes(self) -> list[Recipe]:
        """The latest recipe of every task that has one, by fingerprint."""
        with self.reading() as connection:
            return sql.read_latest_recipes(connection)

    def standing(self, fingerprint: str) -> Standing:
        """What is served for a task, or why nothing is."""
        with self.reading() as connection:
            recipes = {item.fingerprint: item for item in sql.read_latest_recipes(connection, fingerprint)}
            latest = {item.tool_id: item for item in sql.read_latest_certificates(connection, fingerprint)}
            known = connection.execute(select(sql.TASKS.c.rows).where(sql.TASKS.c.fingerprint == fingerprint)).first()
        if known is None:
            return Standing(recipe=None, reason=f"no task {fingerprint} in {self.name}")
        return standing(recipes.get(fingerprint), latest)

    def served(self, fingerprint: str) -> Recipe | None:
        """The latest recipe if every tool's latest certificate for the task is admitted, else None."""
        return self.standing(fingerprint).recipe

    def put_outcome(
        self,
        task: TaskSpec,
        *,
        tools: Sequence[ToolSpec] = (),
        certificates: Sequence[Certificate] = (),
        recipe: Recipe | None = None,
    ) -> Recipe | None:
        """A task with everything found out about it, stored in one transaction: all of it or nothing."""
        with self.writing() as connection:
            sql.write_task(connection, task)
            for tool in tools:
                sql.write_tool(connection, tool)
            for certificate in certificates:
                sql.write_certificate(connection, certificate)
            return sql.write_recipe(connection, recipe) if recipe is not None else None

    # -------------------------------------------------------------------------------- rows

    def put_rows(self, rows: Iterable[RowRecord]) -> int:
        """Store row assignments as they come, CHUNK a transaction; how many. A key that is there is replaced."""
        iterator = iter(rows)
        stored = 0
        while chunk := list(islice(iterator, CHUNK)):
            values = [
                (
                    sql.key_bytes(row.row_key),
                    sql.key_bytes(row.prompt_key),
                    row.fingerprint,
                    row.confidence,
                    to_json(row.binding) if row.binding else None,
                )
                for row in chunk
            ]
            # In key order the B-tree's pages are visited once a chunk, not once a row.
            values.sort(key=itemgetter(0))
            with self.writing(is_news=False) as connection:
                sql.write_rows(connection, values)
            stored += len(chunk)
        return stored

    def row(self, row_key: str) -> RowRecord | None:
        """What is stored for the row (`Example.key`), or None."""
        return self.rows([row_key]).get(row_key)

    def rows(self, row_keys: Iterable[str]) -> dict[str, RowRecord]:
        """The stored rows among these keys, by row key."""
        return {row.row_key: row for row in self._rows_where(sql.ROWS.c.row_key, row_keys)}

    def rows_by_prompt(self, prompt_keys: Iterable[str]) -> dict[str, RowRecord]:
        """One row per prompt key: the one with the lowest row key; left out where such rows disagree on the task."""
        first_rows: dict[str, RowRecord] = {}
        disagreeing: set[str] = set()
        for row in self._rows_where(sql.ROWS.c.prompt_key, prompt_keys):
            first = first_rows.setdefault(row.prompt_key, row)
            if first.fingerprint != row.fingerprint:
                disagreeing.add(row.prompt_key)
        return {key: row for key, row in first_rows.items() if key not in disagreeing}

    def _rows_where(self, column: Any, keys: Iterable[str]) -> list[RowRecord]:
        wanted = sorted(set(keys))
        rows: list[RowRecord] = []
        with self.reading() as connection:
            for start in range(0, len(wanted), KEYS_PER_QUERY):
                batch = [sql.key_bytes(key) for key in wanted[start : start + KEYS_PER_QUERY]]
                query = select(sql.ROWS).where(column.in_(batch)).order_by(sql.ROWS.c.row_key)
                rows.extend(sql.row_of(row) for row in connection.execute(query))
        return rows

    def row_counts(self) -> dict[str | None, int]:
        """How many stored rows each task has; None counts the unknown ones."""
        query = select(sql.ROWS.c.fingerprint, func.count()).group_by(sql.ROWS.c.fingerprint)
        with self.reading() as connection:
            return {fingerprint: count for fingerprint, count in connection.execute(query)}

    # -------------------------------------------------------------------------------- router

    def put_router(self, arrays: Mapping[str, np.ndarray]) -> None:
        """Store the learned row router, in the place of the one before. Object arrays are refused (they are pickle)."""
        body, key = content.pack_arrays(arrays), content.arrays_digest(arrays)
        with self.writing() as connection:
            if (
                connection.execute(select(sql.ROUTER.c.digest).order_by(sql.ROUTER.c.id.desc()).limit(1)).scalar()
                != key
            ):
                connection.execute(delete(sql.ROUTER))
                connection.execute(insert(sql.ROUTER).values(digest=key, arrays=body, created_at=sql.now()))

    def router_arrays(self) -> dict[str, np.ndarray]:
        """The learned row router's arrays; empty where none is stored."""
        with self.reading() as connection:
            return self._router_arrays(connection)

    def _router_arrays(self, connection: Connection) -> dict[str, np.ndarray]:
        columns = select(sql.ROUTER.c.arrays, sql.ROUTER.c.digest)
        stored = connection.execute(columns.order_by(sql.ROUTER.c.id.desc()).limit(1)).first()
        return content.unpack_arrays(stored.arrays, stored.digest, self.name) if stored is not None else {}

    # -------------------------------------------------------------------------------- builds and events

    def start_build(self, config: JsonObject | None = None, *, build_id: str | None = None) -> str:
        """The id of a build that now runs; an id that is there already is resumed."""
        key = build_id or uuid.uuid4().hex
        with self.writing() as connection:
            if connection.execute(select(sql.BUILDS.c.id).where(sql.BUILDS.c.id == key)).first():
                again = {"status": "running", "finished_at": None}
                connection.execute(update(sql.BUILDS).where(sql.BUILDS.c.id == key).values(again))
            else:
                values = {"id": key, "status": "running", "config": to_json(config or {}), "summary": "{}"}
                connection.execute(insert(sql.BUILDS).values(**values, started_at=sql.now(), finished_at=None))
        return key

    def finish_build(self, build_id: str, summary: JsonObject | None = None, *, status: str = "finished") -> None:
        """Close a build. Raises RegistryError for an id that was never started."""
        values = {"status": status, "summary": to_json(summary or {}), "finished_at": sql.now()}
        with self.writing() as connection:
            if connection.execute(update(sql.BUILDS).where(sql.BUILDS.c.id == build_id).values(values)).rowcount == 0:
                raise RegistryError(f"no build {build_id!r} in {self.name}; start_build gives the id")

    def builds(self) -> list[Build]:
        """All builds, oldest first."""
        with self.reading() as connection:
            rows = connection.execute(select(sql.BUILDS).order_by(sql.BUILDS.c.started_at, sql.BUILDS.c.id))
            return list(map(sql.build_of, rows.mappings()))

    def add_event(
        self,
        what: str,
        *,
        who: str = "rlar",
        subject: str = "",
        build: str | None = None,
        details: JsonObject | None = None,
    ) -> None:
        """Append who did what to which thing; the time is now."""
        texts = {"who": sql.plain_text(who), "what": sql.plain_text(what), "subject": sql.plain_text(subject)}
        values = {**texts, "at": sql.now(), "build_id": build}
        with self.writing() as connection:
            connection.execute(insert(sql.EVENTS).values(**values, details=to_json(details or {})))

    def events(self, *, what: str | None = None, build: str | None = None, limit: int | None = None) -> list[Event]:
        """Events, oldest first; with `limit` the newest so many."""
        query = select(sql.EVENTS).order_by(sql.EVENTS.c.id.desc())
        query = query.where(sql.EVENTS.c.what == what) if what is not None else query
        query = query.where(sql.EVENTS.c.build_id == build) if build is not None else query
        with self.reading() as connection:
            rows = connection.execute(query.limit(limit) if limit is not None else query).all()
            return list(map(sql.event_of, reversed(rows)))

    # -------------------------------------------------------------------------------- calls to LLMs

    def put_llm_call(self, call: LlmCall) -> None:
        """Store a validated answer under its question's key, in the place of one that is there."""
        with self.writing(is_news=False) as connection:
            sql.write_llm_call(connection, call)

    def llm_answer(self, key: str) -> LlmCall | None:
        """The stored answer to an equal question."""
        with self.reading() as connection:
            row = connection.execute(select(sql.LLM_CALLS).where(sql.LLM_CALLS.c.key == key)).first()
            return sql.llm_call_of(row) if row is not None else None

    def llm_calls(self, fingerprint: str | None = None) -> list[LlmCall]:
        """All stored questions with their answers, or those first asked for one task; oldest first."""
        query = select(sql.LLM_CALLS).order_by(sql.LLM_CALLS.c.created_at, sql.LLM_CALLS.c.key)
        query = query.where(sql.LLM_CALLS.c.fingerprint == fingerprint) if fingerprint is not None else query
        with self.reading() as connection:
            return [sql.llm_call_of(row) for row in connection.execute(query)]

    # -------------------------------------------------------------------------------- the whole

    def snapshot(self) -> RegistrySnapshot:
        """All that scoring needs except rows, from one moment."""
        with self.reading() as connection:
            tasks = {task.fingerprint: task for task in sql.read_tasks(connection, None, with_examples=False)}
            tools = {tool.id: tool for tool in map(sql.tool_of, connection.execute(select(sql.TOOLS)))}
            recipes = {recipe.fingerprint: recipe for recipe in sql.read_latest_recipes(connection)}
            certificates: dict[str, dict[str, Certificate]] = {fingerprint: {} for fingerprint in tasks}
            for item in sql.read_latest_certificates(connection, None):
                if item.fingerprint not in tasks or item.tool_id not in tools:
                    raise sql.UnreadableValue(
                        f"there is a certificate of {item.tool_id} for {item.fingerprint}, and not both of them"
                    )
                certificates[item.fingerprint][item.tool_id] = item
            for recipe in recipes.values():
                if lost := [tool for tool in tool_ids(recipe) if tool not in tools]:
                    raise sql.UnreadableValue(f"the tool {lost[0]} of {recipe.fingerprint} is missing")
            version, router = self._data_version(connection), self._router_arrays(connection)
        standings = {key: standing(recipes.get(key), certificates[key]) for key in tasks}
        return RegistrySnapshot(version, tasks, tools, certificates, recipes, standings, router)

    def content_digest(self) -> str:
        """32 hex digits over what a build found out: equal for two builds of the same rows, whenever and however run.

        Tasks, tools, the latest certificates, the latest recipes (but for version numbers), rows and the router; not
        the names and line numbers of their files, times, timings, versions of the environment, builds, events or calls
        to LLMs.
        """
        with self.reading() as connection:
            parts = [
                to_json(content.stable_task(task)) for task in sql.read_tasks(connection, None, with_examples=True)
            ]
            parts += sorted(connection.execute(select(sql.TOOLS.c.id)).scalars())
            parts += [
                to_json(content.stable_certificate(item)) for item in sql.read_latest_certificates(connection, None)
            ]
            parts += [to_json(content.stable_recipe(item)) for item in sql.read_latest_recipes(connection)]
            parts += (
                connection.execute(select(sql.ROUTER.c.digest).order_by(sql.ROUTER.c.id.desc()).limit(1))
                .scalars()
                .all()
            )
            rows = connection.execution_options(yield_per=10_000).execute(select(sql.ROWS).order_by(sql.ROWS.c.row_key))
            parts.append(content.rows_digest(tuple(row) for row in rows))
            return digest(*parts, size=32)


def _begin(connection: Connection) -> None:
    """Begin a transaction of SQLite, whose driver leaves that to us."""
    # A writer asks for the write lock at once: taking it half-way fails where another got in between.
    writes = connection.get_execution_options().get("rlar_writes", False)
    connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")


def _check_path(path: Path, *, create: bool) -> None:
    if path.is_dir():
        raise RegistryError(f"{path} is a folder; name a file, e.g. {path / 'registry.db'}")
    if path.exists() and not path.is_file():
        raise RegistryError(f"{path} is a pipe, a socket or a device; name a file")
    if not path.parent.is_dir():
        raise RegistryError(f"the folder {path.parent} does not exist; make it, or name another file")
    if not create and not path.exists():
        raise RegistryError(
            f"no registry at {path}; make one with `rlar agent build-tools --dataset mix.jsonl --registry {path}`"
        )
