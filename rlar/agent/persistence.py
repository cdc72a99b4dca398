"""Where a build's checkpoints live, so that a killed build resumes and Studio opens what the command line did.

The file stands beside the registry: `registry.db` -> `registry.db.trace`. A registry on a server has its file in the
working directory, under a name of its own: two of them never share one.

The file may come from somebody else. Reading it makes JSON values and the two types of LangGraph that a build's
checkpoints hold, and imports, calls and unpickles nothing; whatever else is in it is a TraceError that names it.
"""

from __future__ import annotations

import contextlib
import errno
import os
import sqlite3
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, NoReturn, cast

import ormsgpack
from langgraph.checkpoint.base import CheckpointTuple
from langgraph.checkpoint.serde.jsonplus import EXT_CONSTRUCTOR_KW_ARGS, EXT_CONSTRUCTOR_POS_ARGS, JsonPlusSerializer
from langgraph.checkpoint.serde.types import INTERRUPT, TASKS
from langgraph.checkpoint.sqlite import SqliteSaver
from langgraph.types import Interrupt, Send
from pydantic import InstanceOf, StringConstraints, TypeAdapter, ValidationError
from typing_extensions import TypedDict

from rlar.agent.graph import STORED, TASK_NODE
from rlar.errors import RlarError, first_problem
from rlar.registry.engine import place, sqlite_path
from rlar.registry.foreign_sqlite import ForeignConnection, reader_mode
from rlar.rows.atomic import write_failure
from rlar.types import JsonObject, digest

if TYPE_CHECKING:
    from langgraph.checkpoint.sqlite.aio import AsyncSqliteSaver

TRACE_VARIABLE = "RLAR_TRACE"
"""Environment variable by which the dev server is told which trace file to open."""
LONGEST_VALUE = 64 * 2**20
"""Bytes of one checkpoint; as Python objects they may take some sixty times as much."""
BUSY_SECONDS = 30.0
"""How long a statement waits for another process's transaction."""


class TraceError(RlarError):
    """A trace file cannot be read or written, or holds what no build writes."""


def trace_path(registry: str) -> Path:
    """The checkpoint file of a registry; for a server's URL a file in the working directory.

    That name depends on server, port, database and options, and not on the account that opens it.
    """
    path = sqlite_path(registry)
    if path is not None:
        return path.with_name(path.name + ".trace")
    return Path(f"registry-{digest(place(registry))}.trace")


@contextlib.contextmanager
def trace_errors(path: Path) -> Iterator[None]:
    """What a foreign, damaged, locked or full trace makes of the block comes out as a TraceError that names the file."""
    try:
        yield
    except sqlite3.Error as error:
        raise TraceError(_told(path, str(error) or type(error).__name__)) from error
    except OSError as error:
        raise TraceError(f"{path}: {error.strerror or error}") from error
    except ValidationError as error:
        raise TraceError(_foreign(path, first_problem(error))) from error
    except (ValueError, TypeError, LookupError, AttributeError, RecursionError, OverflowError, MemoryError) as error:
        raise TraceError(_foreign(path, f"{type(error).__name__}: {error}")) from error


def _foreign(path: Path, content: str) -> str:
    excerpt = ascii(" ".join(content.split())[:200])[1:-1]
    return f"{path}: holds what no build writes ({excerpt}); delete it, and the next build starts anew"


def _told(path: Path, message: str) -> str:
    lowered = message.lower()
    if "locked" in lowered or "busy" in lowered:
        return f"{path} is locked by another process ({message}); wait for it, or end it, and try again"
    if "full" in lowered or "disk i/o" in lowered:
        return write_failure(path, OSError(errno.ENOSPC, message))
    if "readonly" in lowered or "unable to open" in lowered:
        return f"{path} cannot be opened or written ({message}); check its permissions and its folder's"
    return f"{path} is damaged or no trace ({message}); delete it, and the next build starts anew"


@contextlib.contextmanager
def open_checkpoints(path: Path, *, readonly: bool = False) -> Iterator[SqliteSaver]:
    """A LangGraph checkpointer on a SQLite file (WAL, every step on disk before the next begins).

    Raises:
        TraceError: here, or from the checkpointer: damaged, locked, full, not writable (a writer only), or not
            written by a build.
    """
    with trace_errors(path):
        if not readonly:
            path.parent.mkdir(parents=True, exist_ok=True)
        mode = reader_mode(path) if readonly else "mode=rwc"
        uri = f"{path.absolute().as_uri()}?{mode}"
        connection = sqlite3.connect(
            uri, uri=True, check_same_thread=False, timeout=BUSY_SECONDS, factory=TraceConnection
        )
    with contextlib.closing(connection):
        saver = TraceSaver(path, connection)
        with trace_errors(path):
            if readonly:
                connection.execute("PRAGMA query_only = ON")
                connection.execute("SELECT task_path FROM writes LIMIT 0")
                saver.is_setup = True  # a reader makes no table
            else:
                saver.setup()
        yield saver


@contextlib.asynccontextmanager
async def make_checkpointer() -> AsyncIterator[AsyncSqliteSaver]:
    """What langgraph.json names: the dev server reads and writes the command line's own trace file.

    Raises:
        TraceError: as `open_checkpoints`.
    """
    import aiosqlite

    path = Path(os.environ.get(TRACE_VARIABLE) or trace_path("registry.db"))
    with trace_errors(path):
        connection = await aiosqlite.connect(path, timeout=BUSY_SECONDS, factory=TraceConnection)
    try:
        yield _async_saver(path, connection)
    finally:
        await connection.close()


class TraceConnection(ForeignConnection):
    """A connection to a trace file; raises sqlite3.DatabaseError for one that is not to be read."""

    longest_value = LONGEST_VALUE

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self.check_pages()


class TraceSaver(SqliteSaver):
    """LangGraph's own saver, which believes nothing that it reads."""

    def __init__(self, path: Path, connection: sqlite3.Connection) -> None:
        super().__init__(connection, serde=TraceSerializer())
        self.path = path

    def get_tuple(self, config: Any) -> CheckpointTuple | None:
        """The checkpoint that a config names, or the latest. Raises TraceError where the file cannot be read."""
        with trace_errors(self.path):
            return _checked(super().get_tuple(config))

    def list(self, config: Any, **how: Any) -> Iterator[CheckpointTuple]:
        """Checkpoints, newest first, read as they are taken. Raises TraceError where the file cannot be read."""
        with contextlib.closing(cast(Any, super().list(config, **how))) as checkpoints:
            while True:
                with trace_errors(self.path):
                    item = _checked(next(checkpoints, None))
                if item is None:
                    return
                yield item

    def put(self, config: Any, checkpoint: Any, metadata: Any, new_versions: Any) -> Any:
        """Store a checkpoint. Raises TraceError where the file cannot be written."""
        with _writing(self.path):
            return super().put(config, checkpoint, metadata, new_versions)

    def put_writes(self, config: Any, writes: Any, task_id: str, task_path: str = "") -> None:
        """Store what a node wrote before its step's checkpoint. Raises TraceError where the file cannot be written."""
        with _writing(self.path):
            super().put_writes(config, writes, task_id, task_path)


def _async_saver(path: Path, connection: Any) -> AsyncSqliteSaver:
    """TraceSaver for the dev server, whose packages the command line does not need."""
    from langgraph.checkpoint.sqlite.aio import AsyncSqliteSaver

    class AsyncTraceSaver(AsyncSqliteSaver):
        async def aget_tuple(self, config: Any) -> CheckpointTuple | None:
            with trace_errors(path):
                return _checked(await super().aget_tuple(config))

        async def alist(self, config: Any, **how: Any) -> AsyncIterator[CheckpointTuple]:
            async with contextlib.aclosing(cast(Any, super().alist(config, **how))) as checkpoints:
                while True:
                    with trace_errors(path):
                        item = _checked(await anext(checkpoints, None))
                    if item is None:
                        return
                    yield item

        async def aput(self, config: Any, checkpoint: Any, metadata: Any, new_versions: Any) -> Any:
            with _writing(path):
                return await super().aput(config, checkpoint, metadata, new_versions)

        async def aput_writes(self, config: Any, writes: Any, task_id: str, task_path: str = "") -> None:
            with _writing(path):
                await super().aput_writes(config, writes, task_id, task_path)

    return AsyncTraceSaver(connection, serde=TraceSerializer())


@contextlib.contextmanager
def _writing(path: Path) -> Iterator[None]:
    """Only what the file does: a state that cannot be written is a fault of ours and shows itself."""
    try:
        yield
    except (sqlite3.Error, OSError) as error:
        with trace_errors(path):
            raise error


class TraceSerializer(JsonPlusSerializer):
    """Writes as LangGraph does; reads JSON values, Send and Interrupt, and raises ValueError for anything else."""

    def __init__(self) -> None:
        super().__init__(allowed_msgpack_modules=None, __unpack_ext_hook__=_refused)

    def loads_typed(self, data: tuple[str, bytes]) -> Any:
        """A stored value: JSON, or LangGraph's Send or Interrupt. Raises ValueError for anything else; nothing is unpickled."""
        kind, body = data
        if kind == "null":
            return None
        if kind != "msgpack":
            raise ValueError(f"a value of the kind {str(kind)[:40]!r}")
        try:
            return _unpacked(body, _langgraph_type)
        except ValueError as error:
            problem = "an object where only JSON belongs" if "ext_hook" in str(error) else str(error)
            raise ValueError(problem) from error


def _unpacked(body: bytes, hook: Any) -> Any:
    return ormsgpack.unpackb(body, ext_hook=hook, option=ormsgpack.OPT_NON_STR_KEYS)


def _langgraph_type(code: int, body: bytes) -> Send | Interrupt:
    # Neither nests: what they hold is JSON, so the depth of the whole stays ormsgpack's.
    module, name, given = _unpacked(body, _refused)[:3]
    if module == "langgraph.types":
        if (code, name) == (EXT_CONSTRUCTOR_POS_ARGS, "Send"):
            node, values = given
            if node != TASK_NODE:
                raise ValueError("a task for another node")
            return Send(node, _checked_values(values))
        if (code, name) == (EXT_CONSTRUCTOR_KW_ARGS, "Interrupt"):
            return Interrupt(value=given["value"], id=_TEXT.validate_python(given["id"]))
    _refused(code, body)


def _refused(code: int, _body: bytes) -> NoReturn:
    raise ValueError(f"a stored object (extension type {code})")


# -------------------------------------------------------------------------------- the shape of a checkpoint

_Version = Annotated[str, StringConstraints(pattern=r"^[0-9]{1,40}\.[0-9.e+-]{1,40}$")]
_Versions = dict[str, _Version]


class _Checkpoint(TypedDict):
    """langgraph.checkpoint.base.Checkpoint as these savers write it."""

    v: int
    id: str
    ts: str
    channel_values: JsonObject
    channel_versions: _Versions
    versions_seen: dict[str, _Versions]


_CHECKPOINT: TypeAdapter[Any] = TypeAdapter(_Checkpoint)
_METADATA: TypeAdapter[Any] = TypeAdapter(JsonObject)
_TEXT: TypeAdapter[str] = TypeAdapter(str)
_SENDS: TypeAdapter[Any] = TypeAdapter(list[InstanceOf[Send]])
_INTERRUPTS: TypeAdapter[Any] = TypeAdapter(list[InstanceOf[Interrupt]])
_CHANNELS: dict[str, TypeAdapter[Any]] = {name: TypeAdapter(kind) for name, kind in STORED.items()}


def _checked(item: CheckpointTuple | None) -> CheckpointTuple | None:
    """The same, once it proved to be what a build writes. Raises ValueError."""
    if item is None:
        return None
    _METADATA.validate_python(item.metadata)
    _CHECKPOINT.validate_python(item.checkpoint)
    values = dict(item.checkpoint["channel_values"])
    _SENDS.validate_python(values.pop(TASKS, []))
    _checked_values(values)
    for _task, channel, value in item.pending_writes or ():
        if channel == INTERRUPT:
            _INTERRUPTS.validate_python(value)
        elif channel == TASKS:
            _SENDS.validate_python([value])
        else:
            _checked_values({channel: value})
    return item


def _checked_values(values: Any) -> JsonObject:
    """The values of channels, once those that have a shape have it. Raises ValueError."""
    for name, value in _METADATA.validate_python(values).items():
        if name in _CHANNELS:
            _CHANNELS[name].validate_python(value)
    return dict(values)
